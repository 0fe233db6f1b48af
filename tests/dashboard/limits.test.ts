import type { Page } from "playwright-core"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import type { SluiceClient } from "../../src/client/index.js"
import { parsePolicy } from "../../src/policy/parse-policy.js"
import { ALGORITHMS, type Algorithm } from "../../src/types/algorithm.js"
import { CHROMIUM_IS_THERE, Dashboard } from "./open-dashboard.js"

describe.skipIf(!CHROMIUM_IS_THERE)("limits and keys of the dashboard in Chromium", () => {
  let dashboard: Dashboard
  let client: SluiceClient

  beforeAll(async () => {
    dashboard = await Dashboard.start()
    client = dashboard.client
  }, 60_000)

  afterAll(() => dashboard[Symbol.asyncDispose]())

  async function openLimits(options?: Parameters<Dashboard["open"]>[0]): Promise<Page> {
    const page = await dashboard.open(options)
    await dashboard.logIn(page)
    await page.getByRole("button", { name: "Limits" }).click()
    return page
  }

  async function edit(page: Page, name: string): Promise<void> {
    await page.getByRole("button", { name: `Edit ${name}`, exact: true }).click()
    await page.getByRole("dialog").waitFor()
  }

  async function save(page: Page): Promise<void> {
    await page.getByRole("button", { name: "Save" }).click()
    await page.getByRole("dialog").waitFor({ state: "detached" })
  }

  const rowOf = (page: Page, name: string) => page.getByRole("row").filter({ hasText: name })
  const canonical = async (name: string) => (await client.limit(name))?.policy.canonical

  test("usage is of what can be had at once, also where the burst is not the limit", async () => {
    await client.define("small-burst", "5/minute burst 3")
    await client.define("large-burst", "5/day burst 50")
    await client.define("two-rules", "10/hour burst 4; 100/day")
    // As a limit that many share is named by the API.
    await client.define("own-names", "10/hour burst 4 as own-names-10-per-1h; 100/day as own-names-b; 5/s as own-names")
    await client.check("large-burst", { cost: 40 })
    await client.check("two-rules", { cost: 3 })
    const page = await openLimits()
    await rowOf(page, "small-burst").getByText("0 of 3 used", { exact: true }).waitFor()
    await rowOf(page, "large-burst").getByText("40 of 50 used", { exact: true }).waitFor()
    await rowOf(page, "large-burst").getByText("5/day burst 50", { exact: true }).waitFor()
    expect(
      await rowOf(page, "large-burst")
        .getByRole("meter")
        .evaluate((each) => [each.getAttribute("value"), each.getAttribute("max")]),
    ).toEqual(["40", "50"])
    await rowOf(page, "two-rules").getByText("10/hour burst 4; 100/day", { exact: true }).waitFor()
    await rowOf(page, "two-rules").getByText("3 of 4 used (10-per-1h)", { exact: true }).waitFor()
    await rowOf(page, "own-names")
      .getByText("10/hour burst 4; 100/day as own-names-b; 5/second", { exact: true })
      .waitFor()
    await page.getByRole("button", { name: "large-burst", exact: true }).click()
    await page.getByText(/: 10 of 50 left, full in/).waitFor()
    await page.getByText("5/day burst 50", { exact: true }).waitFor()
    await page.close()
  }, 60_000)

  test("an edit that others have overtaken is not saved, and told", async () => {
    await client.define("shared", "5/minute")
    const page = await openLimits()
    const problem = page.getByRole("dialog").getByRole("alert")
    await edit(page, "shared")
    await client.define("shared", "9/minute burst 4")
    await page.getByRole("button", { name: "Save" }).click()
    await problem.getByText("The limit was changed meanwhile, to 9/minute burst 4.").waitFor()
    expect(await canonical("shared")).toBe(parsePolicy("9/minute burst 4").canonical)
    // The list has it as it is by now, and lets it be edited anew.
    await page.getByRole("button", { name: "Cancel" }).click()
    await rowOf(page, "shared").getByText("9/minute burst 4", { exact: true }).waitFor()
    await edit(page, "shared")
    await page.getByLabel("Units", { exact: true }).fill("8")
    await save(page)
    expect(await canonical("shared")).toBe(parsePolicy("8/minute burst 4").canonical)
    await rowOf(page, "shared").getByText("8/minute burst 4", { exact: true }).waitFor()
    await edit(page, "shared")
    await client.remove("shared")
    await page.getByRole("button", { name: "Save" }).click()
    await problem.getByText("The limit was removed meanwhile.").waitFor()
    expect(await client.limit("shared")).toBeNull()
    await page.keyboard.press("Escape")
    await rowOf(page, "shared").waitFor({ state: "detached" })
    await page.close()
  }, 60_000)

  test("a stepped refill is edited, and goes with the algorithm that has it", async () => {
    await client.define("steps", {
      limit: 10,
      period: "10s",
      algorithm: "token_bucket",
      refill: { amount: 1, every: "1s" },
    })
    const page = await openLimits()
    await edit(page, "steps")
    expect(await page.evaluate(() => document.activeElement?.parentElement?.textContent)).toBe("Units")
    expect(await page.getByLabel("Per (such as").inputValue()).toBe("10s")
    expect(await page.getByLabel("A step every").inputValue()).toBe("1s")
    await page.getByLabel("Units", { exact: true }).fill("20")
    await page.getByRole("button", { name: "Save" }).click()
    await page.getByRole("dialog").getByRole("alert").getByText("a refill at the policy's rate").waitFor()
    // Half a step is not sent: its other field is asked for.
    const every = page.getByLabel("A step every")
    await page.getByLabel("Refill in steps of").fill("2")
    await every.fill("")
    await page.getByRole("button", { name: "Save" }).click()
    expect(await every.evaluate((each) => each.matches(":invalid:focus"))).toBe(true)
    await every.fill("1s")
    await save(page)
    expect(await client.limit("steps")).toMatchObject({ policy: { rules: [{ limit: 20, refill: { amount: 2 } }] } })
    await edit(page, "steps")
    await page.getByLabel("Algorithm").selectOption("gcra")
    expect(await page.getByLabel("A step every").isVisible()).toBe(false)
    await save(page)
    expect(await client.limit("steps")).toMatchObject({ policy: { rules: [{ algorithm: "gcra", refill: null }] } })
    await page.close()
  }, 60_000)

  test("a rule shows the fields that its algorithm has", async () => {
    const fields: Record<string, [label: string, value: unknown]> = {
      burst: ["Burst (empty", 2],
      refill: ["Refill in steps of", { amount: 1, every: "1s" }],
      anchor: ["Windows start", "epoch"],
      offset: ["Windows later by", "1s"],
      block: ["Block after a denial", "1m"],
    }
    const page = await openLimits()
    await page.getByRole("button", { name: "New limit" }).click()
    const isTaken = (algorithm: Algorithm, field: string, value: unknown) => {
      try {
        return parsePolicy({ limit: 5, period: "5s", algorithm, [field]: value }) !== null
      } catch {
        return false
      }
    }
    for (const algorithm of ALGORITHMS) {
      await page.getByLabel("Algorithm").selectOption(algorithm)
      for (const [field, [label, value]] of Object.entries(fields)) {
        const visible = await page.getByLabel(label).isVisible()
        expect({ algorithm, field, visible }).toEqual({ algorithm, field, visible: isTaken(algorithm, field, value) })
      }
    }
    await page.close()
  }, 60_000)

  test("each algorithm can be made of each, and keeps the block", async () => {
    await client.define("turning", {
      ...{ limit: 10, period: "1h", algorithm: "fixed_window", offset: "1m", block: "15m", name: "turning" },
    })
    const page = await openLimits()
    for (const algorithm of [
      "gcra",
      "sliding_window",
      "token_bucket",
      "sliding_window_log",
      "leaky_bucket",
      "fixed_window",
    ]) {
      await edit(page, "turning")
      await page.getByLabel("Algorithm").selectOption(algorithm)
      await save(page)
      expect(await client.limit("turning")).toMatchObject({
        policy: { name: "turning", rules: [{ algorithm, offsetMs: 0 }], blockMs: 900_000 },
      })
    }
    await edit(page, "turning")
    await page.getByLabel("Windows later by").fill("1m")
    await page.getByLabel("Windows start").selectOption("first")
    await save(page)
    expect(await client.limit("turning")).toMatchObject({ policy: { rules: [{ anchor: "first", offsetMs: 0 }] } })
    await page.close()
  }, 60_000)

  test("several rules are edited in short form, and as JSON only where that cannot say them", async () => {
    await client.define("several", "10/second burst 20; 1000/hour")
    await client.define("odd", [{ limit: 10, period: "1s", block: "1m" }, "100/hour"])
    const page = await openLimits()
    await edit(page, "several")
    const rules = page.getByLabel("Rules (such as")
    expect(await rules.inputValue()).toBe("10/second burst 20; 1000/hour")
    await rules.fill("30/second burst 20; 1000/hour")
    await save(page)
    expect(await client.limit("several")).toMatchObject({ policy: { name: "30-per-1s+1000-per-1h" } })
    await edit(page, "odd")
    expect(await rules.inputValue()).toContain('"period":"1s","block":"1m"')
    const before = await canonical("odd")
    await save(page)
    expect(await canonical("odd")).toBe(before)
    await page.close()
  }, 60_000)

  test("rules that bear their limit's name are written without it, and bear it when they are changed", async () => {
    await client.define("orders", "10/second as orders-10-per-1s; 1000/hour as orders-1000-per-1h")
    await client.define("single", "5/minute as single")
    const page = await openLimits()
    const rules = page.getByLabel("Rules (such as")
    await edit(page, "orders")
    expect(await rules.inputValue()).toBe("10/second; 1000/hour")
    await rules.fill("30/second; 1000/hour")
    await save(page)
    const { policy } = (await client.limit("orders"))!
    expect(policy.rules.map(({ name }) => name)).toEqual(["orders-30-per-1s", "orders-1000-per-1h"])
    await edit(page, "single")
    await page.getByRole("button", { name: "As text" }).click()
    expect(await rules.inputValue()).toBe("5/minute")
    await rules.fill("6/minute")
    await save(page)
    expect(await client.limit("single")).toMatchObject({ policy: { name: "single", rules: [{ limit: 6 }] } })
    await page.close()
  }, 60_000)

  test("rules of a tier's limit are written without the name of that limit, and bear it when they are changed", async () => {
    await client.define("plan\ntier:pro", "100/minute as plan")
    await client.define("plan\ntenant:acme", "10/second as plan-10-per-1s; 1000/hour as plan-1000-per-1h")
    const page = await openLimits()
    await rowOf(page, "plan\\u{a}tier:pro").getByText("100/minute", { exact: true }).waitFor()
    await rowOf(page, "plan\\u{a}tenant:acme").getByText("10/second; 1000/hour", { exact: true }).waitFor()
    const rules = page.getByLabel("Rules (such as")
    await edit(page, "plan\\u{a}tier:pro")
    await page.getByLabel("Units", { exact: true }).fill("90")
    await save(page)
    expect(await client.limit("plan\ntier:pro")).toMatchObject({ policy: { name: "plan", rules: [{ limit: 90 }] } })
    await edit(page, "plan\\u{a}tier:pro")
    await page.getByRole("button", { name: "As text" }).click()
    expect(await rules.inputValue()).toBe("90/minute")
    await rules.fill("80/minute")
    await save(page)
    expect(await client.limit("plan\ntier:pro")).toMatchObject({ policy: { name: "plan", rules: [{ limit: 80 }] } })
    await edit(page, "plan\\u{a}tenant:acme")
    await rules.fill("30/second; 1000/hour")
    await save(page)
    const { policy } = (await client.limit("plan\ntenant:acme"))!
    expect(policy.rules.map(({ name }) => name)).toEqual(["plan-30-per-1s", "plan-1000-per-1h"])
    await page.close()
  }, 60_000)

  test("a policy that the short form cannot say has no name of its limit either, in the list and of a key", async () => {
    await client.define("login", { limit: 3, period: "1m", block: "15m", name: "login" })
    await client.define("mixed", [
      { limit: 3, period: "1m", block: "15m", name: "mixed-3-per-1m" },
      "9/hour as mixed-9-per-1h",
      "20/day as daily",
    ])
    const texts = {
      login: '{"limit":3,"period":"1m","block":"15m"}',
      mixed: '[{"limit":3,"period":"1m","block":"15m"},"9/hour","20/day as daily"]',
    }
    const page = await openLimits()
    const rules = page.getByLabel("Rules (such as")
    for (const [name, text] of Object.entries(texts)) {
      const before = await canonical(name)
      await rowOf(page, name).getByText(text, { exact: true }).waitFor()
      await edit(page, name)
      if (name === "login") await page.getByRole("button", { name: "As text" }).click()
      expect(await rules.inputValue()).toBe(text)
      await save(page)
      expect(await canonical(name)).toBe(before)
      await page.getByRole("button", { name, exact: true }).click()
      await page.getByRole("definition").getByText(text, { exact: true }).waitFor()
      await page.getByRole("button", { name: "Limits", exact: true }).click()
    }
    await page.close()
  }, 60_000)

  test("a new limit can be of several rules, and what its fields said stays said", async () => {
    const page = await openLimits()
    await page.getByRole("button", { name: "New limit" }).click()
    expect(await page.evaluate(() => document.activeElement?.parentElement?.textContent)).toBe("Name")
    await page.getByLabel("Name", { exact: true }).fill("written")
    await page.getByLabel("Units", { exact: true }).fill("7")
    // What cannot be said stays in its fields, and is told.
    await page.getByLabel("Per (such as").fill("90x")
    await page.getByRole("button", { name: "As text" }).click()
    await page.getByRole("dialog").getByRole("alert").getByText('period is "90x"').waitFor()
    await page.getByLabel("Per (such as").fill("90s")
    await page.getByRole("button", { name: "As text" }).click()
    const rules = page.getByLabel("Rules (such as")
    expect(await rules.inputValue()).toBe("7/90s")
    await rules.fill("7/90s; 100/hour burst 5")
    await save(page)
    await rowOf(page, "written").getByText("7/90s; 100/hour burst 5", { exact: true }).waitFor()
    await page.getByRole("button", { name: "New limit" }).click()
    await page.getByLabel("Name", { exact: true }).fill("Schlüssel")
    await save(page)
    expect(await client.limit("Schlüssel")).toMatchObject({ policy: { name: "default" } })
    // One that is there is not replaced under somebody's hands.
    await page.getByRole("button", { name: "New limit" }).click()
    await page.getByLabel("Name", { exact: true }).fill("written")
    await page.getByRole("button", { name: "Save" }).click()
    await page.getByRole("dialog").getByRole("alert").getByText("There is a limit of this name already").waitFor()
    expect(await client.limit("written")).toMatchObject({ policy: { rules: [{ limit: 7 }, { limit: 100 }] } })
    await page.close()
  }, 60_000)

  test("a phone shows a part of a long history and of a long key", async () => {
    await client.define("steps", {
      limit: 9,
      period: "9s",
      algorithm: "token_bucket",
      refill: { amount: 1, every: "1s" },
    })
    const long = `user:${"0123456789abcdef".repeat(20)}`
    await client.define(long, "5/minute as long")
    for (let times = 0; times < 30; times++) await client.check(times % 2 ? long : `${long}!`, { limit: long })
    for (let times = 0; times < 14; times++) {
      await client.reset(long)
      await client.check(long, { cost: 2 })
    }
    const page = await dashboard.open({ viewport: { width: 390, height: 780 } })
    await dashboard.logIn(page)
    const link = page.getByRole("button", { name: "user:0123" }).first()
    await link.waitFor()
    expect((await link.boundingBox())!.height).toBeLessThan(40)
    expect(await link.getAttribute("title")).toContain(long)
    const beyond = (what: string) => page.locator(what).evaluate((each) => each.scrollWidth - each.clientWidth)
    expect(await beyond(".scroll")).toBe(0)
    await page.getByRole("button", { name: "Limits" }).click()
    const name = page.getByRole("button", { name: /^user:0123/ })
    await name.waitFor()
    expect(await beyond(".scroll")).toBe(0)
    await edit(page, "steps")
    await page.getByLabel("Algorithm").selectOption("token_bucket")
    expect(await beyond("dialog")).toBe(0)
    await page.keyboard.press("Escape")
    await name.click()
    await page.getByRole("heading", { name: long }).waitFor()
    const rows = page.getByRole("region", { name: "History" }).locator("tbody tr")
    expect(await rows.count()).toBe(10)
    expect(await page.evaluate(() => document.documentElement.scrollHeight)).toBeLessThan(2_400)
    await page.getByRole("button", { name: "More" }).click()
    expect(await rows.count()).toBeGreaterThan(20)
    expect(
      await page.getByRole("region", { name: "History" }).evaluate((each) => each === document.activeElement),
    ).toBe(true)
    await page.close()
  }, 60_000)

  test("sums say since when, and the chart's legend what came last", async () => {
    const page = await dashboard.open()
    await dashboard.logIn(page)
    await page.getByText(/^allowed since .*\d:\d\d/).waitFor()
    await page.getByText(/^denied since .*\d:\d\d/).waitFor()
    const values = page.locator(".u-legend .u-value")
    await expect.poll(async () => (await values.allTextContents()).slice(1)).toEqual(["0", "0"])
    expect(await values.first().textContent()).toMatch(/\d:\d\d:\d\d/)
    await page.close()
  }, 60_000)

  test("nothing was complained of, and nobody else was asked", () => {
    expect(dashboard.complaints).toEqual([])
  })
})
