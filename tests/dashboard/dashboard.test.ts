import type { Page } from "playwright-core"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import type { SluiceClient } from "../../src/client/index.js"
import { CHROMIUM_IS_THERE, Dashboard, PICTURES, TOKEN } from "./open-dashboard.js"

const HOSTILE = `<img src=x onerror="document.title='hacked'">\u202e\u0000"'&\u061c\u2060\u{e0041}`

describe.skipIf(!CHROMIUM_IS_THERE)("the dashboard in Chromium", () => {
  let dashboard: Dashboard
  let client: SluiceClient
  let url: string

  beforeAll(async () => {
    dashboard = await Dashboard.start()
    ;({ client, url } = dashboard)
    // A unit in three minutes: what is denied stays so while it is looked at, however slowly.
    await client.define("api", "20/hour as api")
    await client.define("tenant:7", "10/second burst 20; 1000/hour")
  }, 60_000)

  afterAll(() => dashboard[Symbol.asyncDispose]())

  const open = (options?: Parameters<Dashboard["open"]>[0]) => dashboard.open(options)
  const logIn = (page: Page) => dashboard.logIn(page)
  const picture = (page: Page, name: string) => dashboard.picture(page, name)

  /** A burst that goes on while something is looked at. */
  async function burst(rounds: number): Promise<void> {
    for (let round = 0; round < rounds; round++) {
      const keys = ["ip:192.0.2.1", "ip:192.0.2.1", "ip:192.0.2.1", `user:${round % 40}`, HOSTILE]
      await Promise.all(keys.map((key) => client.check(key, { limit: "api" })))
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }

  test("cannot be framed, runs no foreign code, and holds no secret", async () => {
    const response = await fetch(`${url}/dashboard/`)
    expect(response.headers.get("content-security-policy")).toMatch(/default-src 'none'.*frame-ancestors 'none'/)
    expect(response.headers.get("x-frame-options")).toBe("DENY")
    expect(response.headers.get("content-type")).toContain("text/html")
  })

  test("a wrong token is told, and the right one lets in without a trace in the address", async () => {
    const page = await open()
    await page.getByLabel("Token").fill("wrong-wrong-wrong-wrong")
    await page.getByRole("button", { name: "Log in" }).click()
    await page.getByText("its token is not the one of this server").first().waitFor()
    await logIn(page)
    expect(page.url()).not.toContain(TOKEN)
    await page.close()
  }, 30_000)

  test("what went wrong in a view is not told under the form to log in", async () => {
    const page = await open()
    await logIn(page)
    await page.route("**/v1/top**", (route) => route.fulfill({ status: 400, json: { error: "Cannot tell the keys." } }))
    const told = page.locator("#message", { hasText: "Cannot tell the keys." })
    await told.waitFor()
    await page.route("**/v1/**", (route) =>
      route.fulfill({ status: 401, json: { code: "UNAUTHORIZED", error: "Another token." } }),
    )
    await page.getByText("Another token.").waitFor()
    expect(await told.count()).toBe(0)
    await page.close()
  }, 30_000)

  test("a live burst, a key, why it is denied, and its reset and block", async () => {
    const page = await open()
    await logIn(page)
    const going = burst(PICTURES === undefined ? 120 : 600)
    await page.getByRole("button", { name: "ip:192.0.2.1" }).waitFor()
    await expect
      .poll(() => page.getByRole("img").getAttribute("aria-label"), { timeout: 10_000 })
      .toMatch(/Allowed [\d.]+ and denied [1-9]/)
    await going
    await picture(page, "dashboard-overview")
    await page.getByRole("button", { name: "ip:192.0.2.1" }).click()
    await page.getByText("would be denied").waitFor()
    await page.getByText(/The rule "api"/).waitFor()
    expect(page.url()).not.toContain("192.0.2.1")
    await picture(page, "dashboard-key")
    await page.getByRole("button", { name: "Reset" }).click()
    await page.getByText("would be allowed").waitFor()
    expect((await client.peek("ip:192.0.2.1", { limit: "api" })).remaining).toBe(20)
    await page.getByLabel("For how long").selectOption("1h")
    await page.getByRole("button", { name: "Block", exact: true }).click()
    await page.getByText(/^for (1 h|59 m)/).waitFor()
    await page.getByText(/^The key is blocked for another (1 h|59 m)/).waitFor()
    expect((await client.peek("ip:192.0.2.1", { limit: "api" })).reason).toBe("blocked")
    await page.getByRole("button", { name: "Unblock" }).click()
    await page.getByText("would be allowed").waitFor()
    await page.close()
  }, 60_000)

  test("rates are not asked for again while an answer is out", async () => {
    const page = await open()
    await page.clock.install()
    await logIn(page)
    let asked = 0
    let answer = () => {}
    const held = new Promise<void>((resolve) => {
      answer = resolve
    })
    await page.route("**/v1/totals", async (route) => {
      asked += 1
      await held
      await route.continue()
    })
    await page.clock.runFor(5_000)
    await expect.poll(() => asked).toBe(1)
    // What was asked meanwhile has come here before the answer to this.
    await page.evaluate(() => fetch("/dashboard/"))
    expect(asked).toBe(1)
    answer()
    await expect
      .poll(async () => {
        await page.clock.runFor(1_000)
        return asked
      })
      .toBeGreaterThan(1)
    await page.close()
  }, 60_000)

  test("what went wrong is told until it goes well", async () => {
    await client.define("narrow", "5/minute")
    const page = await open()
    await logIn(page)
    await page.getByRole("button", { name: "Limits" }).click()
    await page.getByRole("button", { name: "narrow", exact: true }).click()
    await page.getByText("would be allowed").waitFor()
    await page.getByLabel("Cost").fill("99")
    await page.getByRole("button", { name: "Look" }).click()
    const problem = page.getByText("cost 99 exceeds the capacity 5")
    await problem.waitFor()
    await page.getByLabel("Cost").fill("2")
    await page.getByRole("button", { name: "Look" }).click()
    await page.getByText("A check of cost 2 ").waitFor()
    expect(await problem.count()).toBe(0)
    await page.close()
  }, 60_000)

  test("what goes wrong on the overview is told, whatever else goes well there", async () => {
    const page = await open()
    await page.route("**/v1/top?**", (route) => route.fulfill({ status: 503, json: { error: "no list for now" } }))
    await logIn(page)
    const problem = page.getByText("no list for now")
    await problem.waitFor()
    const totals = () => page.waitForResponse("**/v1/totals")
    for (let looks = 0; looks < 2; looks++) await totals()
    await page.evaluate(() => new Promise(requestAnimationFrame))
    expect(await problem.count()).toBe(1)
    await page.close()
  }, 60_000)

  test("a limit is edited, and what was used stays used", async () => {
    const page = await open()
    await logIn(page)
    await client.define("editable", "10/hour as editable")
    await client.check("editable", { cost: 8 })
    await page.getByRole("button", { name: "Limits" }).click()
    await page.getByRole("button", { name: "Edit editable" }).waitFor()
    await picture(page, "dashboard-limits")
    // By the keyboard alone.
    await page.getByRole("button", { name: "Edit editable" }).focus()
    await page.keyboard.press("Enter")
    await page.getByLabel("Units", { exact: true }).fill("100")
    await page.keyboard.press("Enter")
    await page.getByText("8 of 100 used").waitFor()
    expect(await client.limit("editable")).toMatchObject({ policy: { name: "editable", rules: [{ limit: 100 }] } })
    await page.getByRole("button", { name: "New limit" }).click()
    await page.getByLabel("Name", { exact: true }).fill("fresh")
    await page.getByLabel("Per (such as").fill("5x")
    await page.getByRole("button", { name: "Save" }).click()
    // Told in the dialog: what lies behind it is not read out.
    await page.getByRole("dialog").getByRole("alert").getByText("Cannot make a policy").waitFor()
    await page.getByLabel("Per (such as").fill("5s")
    await page.getByRole("button", { name: "Save" }).click()
    await page.getByRole("button", { name: "Edit fresh" }).waitFor()
    await page.getByText("Saved.", { exact: true }).waitFor()
    expect(await client.limit("fresh")).toMatchObject({ policy: { name: "fresh", rules: [{ periodMs: 5_000 }] } })
    await page.close()
  }, 60_000)

  test("a name with line breaks is edited, and none without them is made", async () => {
    const page = await open()
    await logIn(page)
    await client.define("two\nlines", "5/minute")
    await page.getByRole("button", { name: "Limits" }).click()
    await page.getByRole("button", { name: "Edit two" }).click()
    await page.getByLabel("Units", { exact: true }).fill("7")
    await page.getByRole("button", { name: "Save" }).click()
    await page.getByText("0 of 7 used").waitFor()
    expect(await client.limit("two\nlines")).toMatchObject({ policy: { rules: [{ limit: 7 }] } })
    expect(await client.limit("twolines")).toBeNull()
    await page.getByRole("button", { name: "two\\u{a}lines", exact: true }).click()
    await page.getByLabel("Cost").fill("2")
    await page.getByRole("button", { name: "Look" }).click()
    await page.getByText("A check of cost 2").waitFor()
    await page.getByRole("heading", { name: "two\\u{a}lines" }).waitFor()
    await page.close()
  }, 60_000)

  test("says so when nobody answers", async () => {
    const page = await open()
    await logIn(page)
    await page.getByText("live", { exact: true }).waitFor()
    await page.route("**/v1/totals", (route) => route.fulfill({ status: 503, json: { error: "The store is away." } }))
    await page.getByText("no answer", { exact: true }).waitFor()
    await page.getByText("The store is away.").waitFor()
    await page.unroute("**/v1/totals")
    await page.getByText("live", { exact: true }).waitFor()
    await page.close()
  }, 60_000)

  test("a hostile key is only shown", async () => {
    const page = await open()
    await logIn(page)
    for (let times = 0; times < 60; times++) await client.check(HOSTILE, { limit: "api" })
    const link = page.getByRole("button", { name: "<img src=x" })
    await link.waitFor({ timeout: 15_000 })
    await link.click()
    await page.getByRole("heading", { name: "<img src=x" }).waitFor()
    expect(await page.locator("main img").count()).toBe(0)
    expect(await page.title()).toBe("sluice")
    expect(await page.locator("h2", { hasText: "<img" }).textContent()).toContain("\\u{202e}\\u{0}")
    expect(await page.locator("h2", { hasText: "<img" }).textContent()).toContain("\\u{61c}\\u{2060}\\u{e0041}")
    await page.close()
  }, 60_000)

  test("a key that cannot be seen is a button and a heading that spells it out, for eyes and by its name", async () => {
    const names = {
      "   ": "\\u{20}\\u{20}\\u{20}",
      " x  y ": "\\u{20}x\\u{20}\\u{20}y\\u{20}",
      "\u200b": "\\u{200b}",
      "\u0007\u0085": "\\u{7}\\u{85}",
      "\u00a0\u3000\u2800\u3164": "\\u{a0}\\u{3000}\\u{2800}\\u{3164}",
      "x y": "x y",
    }
    for (const key of Object.keys(names)) {
      await client.define(key, "5/minute")
      await Promise.all(Array.from({ length: 80 }, () => client.check(key, { limit: "api" })))
    }
    const page = await open()
    await logIn(page)
    for (const name of Object.values(names)) {
      const button = page.getByRole("button", { name, exact: true })
      await button.waitFor({ timeout: 15_000 })
      expect(await button.textContent()).toBe(name)
    }
    await picture(page, "dashboard-unseen")
    for (const [key, name] of Object.entries(names)) {
      await page.getByRole("button", { name: "Limits", exact: true }).click()
      await page.getByRole("button", { name: `Edit ${name}`, exact: true }).waitFor()
      await page.getByRole("button", { name, exact: true }).click()
      await page.getByRole("heading", { name, exact: true }).waitFor()
      await page.getByText("would be allowed").waitFor()
      await client.remove(key)
    }
    await page.close()
  }, 60_000)

  test("is dark where the reader wants that, and fits a phone", async () => {
    const page = await open({ colorScheme: "dark", viewport: { width: 390, height: 780 } })
    await logIn(page)
    const going = burst(PICTURES === undefined ? 60 : 300)
    await page.getByRole("button", { name: "ip:192.0.2.1" }).waitFor({ timeout: 15_000 })
    await going
    const { background, overflow } = await page.evaluate(() => ({
      background: getComputedStyle(document.body).backgroundColor,
      overflow: document.documentElement.scrollWidth - document.documentElement.clientWidth,
    }))
    expect({ background, overflow }).toEqual({ background: "rgb(17, 23, 28)", overflow: 0 })
    await picture(page, "dashboard-phone-dark")
    await page.getByRole("button", { name: "Limits" }).click()
    const { x, width } = (await page.getByRole("button", { name: "Edit api" }).boundingBox())!
    expect(x + width).toBeLessThanOrEqual(390)
    await page.getByRole("button", { name: "Log out" }).click()
    await page.getByLabel("Token").waitFor()
    expect(await page.evaluate(() => JSON.stringify({ ...sessionStorage, ...localStorage }))).toBe("{}")
    await page.close()
  }, 60_000)

  test.each(["light", "dark"] as const)(
    "fits every window in the %s, with every button of a limit's row",
    async (colorScheme) => {
      await client.define("several", "10/second burst 20 as short; 1000/hour as long")
      await client.define("long-".repeat(30), "1000000/30d burst 500000 as tenants")
      await client.check(`user:${"0123456789".repeat(20)}`, { limit: "several" })
      const page = await open({ colorScheme })
      await logIn(page)
      for (const width of [360, 768, 1280]) {
        const fits = async () => {
          const beyond = await page.evaluate(() => {
            const boxes = [document.documentElement, ...document.querySelectorAll(".scroll")]
            return boxes.map(({ scrollWidth, clientWidth }) => scrollWidth - clientWidth)
          })
          expect({ width, beyond }).toEqual({ width, beyond: beyond.map(() => 0) })
        }
        await page.setViewportSize({ width, height: 740 })
        await page.getByRole("button", { name: "Overview" }).click()
        await page.getByRole("button", { name: "ip:192.0.2.1" }).first().waitFor()
        await fits()
        await page.getByRole("button", { name: "Limits" }).click()
        const buttons = page.getByRole("button", { name: /^Edit / })
        await buttons.first().waitFor()
        await fits()
        for (const button of await buttons.all()) {
          const box = (await button.boundingBox())!
          expect(box.x).toBeGreaterThanOrEqual(0)
          expect(box.x + box.width).toBeLessThanOrEqual(width)
        }
      }
      await page.close()
    },
    60_000,
  )

  test("nothing was complained of, and nobody else was asked", () => {
    expect(dashboard.complaints).toEqual([])
  })
})
