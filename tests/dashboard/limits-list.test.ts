import type { Page, Route } from "playwright-core"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { inParallel } from "../../src/lib/in-parallel.js"
import { CHROMIUM_IS_THERE, Dashboard, TOKEN } from "./open-dashboard.js"

describe.skipIf(!CHROMIUM_IS_THERE)("the dashboard's list of many limits in Chromium", () => {
  let dashboard: Dashboard

  beforeAll(async () => {
    dashboard = await Dashboard.start()
    const names = Array.from({ length: 120 }, (_, at) => `limit-${String(at).padStart(3, "0")}`)
    await inParallel([...names, "a\u0000b"], 8, (name) => dashboard.client.define(name, "5/minute"))
  }, 60_000)

  afterAll(() => dashboard[Symbol.asyncDispose]())

  async function openLimits(): Promise<Page> {
    const page = await dashboard.open({ viewport: { width: 375, height: 740 } })
    await dashboard.logIn(page)
    await page.getByRole("button", { name: "Limits" }).click()
    await page.getByRole("button", { name: "Edit limit-000" }).waitFor()
    return page
  }

  const edits = (page: Page) => page.getByRole("button", { name: /^Edit / })
  const focused = (page: Page) =>
    page.evaluate(() => document.activeElement?.getAttribute("aria-label") ?? document.activeElement?.textContent)
  const scrolled = (page: Page) => page.evaluate(() => Math.round(scrollY))

  test("shows fifty at a time, after what can be done, and goes on at the first of the next", async () => {
    const page = await openLimits()
    expect(await edits(page).count()).toBe(50)
    await page.getByText("50 of 121 are shown.", { exact: true }).waitFor()
    const top = async (name: string) => (await page.getByRole("button", { name, exact: true }).boundingBox())!.y
    expect(await top("New limit")).toBeLessThan(await top("a\\u{0}b"))
    expect(await page.evaluate(() => document.documentElement.scrollHeight)).toBeLessThan(6_500)
    await page.getByRole("button", { name: "Show more (71)" }).focus()
    await page.keyboard.press("Enter")
    expect(await edits(page).count()).toBe(100)
    expect(await focused(page)).toBe("limit-049")
    await page.close()
  }, 60_000)

  test("is filtered by a part of the name, as it is or as it is shown", async () => {
    const page = await openLimits()
    const filter = page.getByLabel("Filter by name")
    await filter.fill("LIMIT-11")
    expect(await edits(page).count()).toBe(10)
    await page.getByText("10 of 121 are shown.", { exact: true }).waitFor()
    await filter.fill("\\u{0}")
    expect(await edits(page).count()).toBe(1)
    await filter.fill("nowhere")
    await page.getByText("No limit has this in its name.").waitFor()
    await page.close()
  }, 60_000)

  test("has a heading, and no Edit for a limit that cannot be changed", async () => {
    const page = await dashboard.open()
    await page.route("**/v1/limits", async (route) => {
      const statuses: { key: string }[] = await (await route.fetch()).json()
      await route.fulfill({ json: statuses.map((each) => ({ ...each, fixed: each.key === "limit-001" })) })
    })
    await dashboard.logIn(page)
    await page.getByRole("button", { name: "Limits" }).click()
    await page.getByRole("heading", { name: "Limits", level: 2 }).waitFor()
    await page.getByRole("button", { name: "Edit limit-000" }).waitFor()
    expect(await page.getByRole("button", { name: "Edit limit-001" }).count()).toBe(0)
    await page.getByRole("row").filter({ hasText: "limit-001" }).getByText("by settings").waitFor()
    await page.unrouteAll({ behavior: "wait" })
    await page.close()
  }, 60_000)

  test("says of a limit of the configuration file that an edit does not outlast a reading of the file", async () => {
    const page = await dashboard.open()
    await page.route("**/v1/limits", async (route) => {
      if (route.request().method() === "POST") return route.continue()
      const statuses: { key: string }[] = await (await route.fetch()).json()
      await route.fulfill({
        json: statuses.map((each) => ({ ...each, ...(each.key === "limit-001" && { configured: true }) })),
      })
    })
    await dashboard.logIn(page)
    await page.getByRole("button", { name: "Limits" }).click()
    const dialog = page.getByRole("dialog")
    const warning = dialog.getByText("lasts until the server reads the file anew")
    await page.getByRole("button", { name: "Edit limit-000" }).click()
    await dialog.waitFor()
    expect(await warning.count()).toBe(0)
    await page.keyboard.press("Escape")
    await page.getByRole("button", { name: "Edit limit-001" }).click()
    await warning.waitFor()
    await page.getByRole("button", { name: "Save" }).click()
    await page.getByText("Saved for now. What was used stays used.", { exact: true }).waitFor()
    // The list is on its way anew.
    await page.unrouteAll({ behavior: "wait" })
    await page.close()
  }, 60_000)

  test("keeps the focus on the button of a row that was edited by the keyboard", async () => {
    const page = await openLimits()
    await page.getByRole("button", { name: "Edit limit-040" }).focus()
    await page.keyboard.press("Enter")
    await page.getByLabel("Units", { exact: true }).fill("77")
    await page.keyboard.press("Enter")
    await page.getByText("0 of 77 used").waitFor()
    expect(await focused(page)).toBe("Edit limit-040")
    await page.close()
  }, 60_000)

  test("is where it was left, filtered as it was, for whoever comes back from a key", async () => {
    const page = await openLimits()
    await page.getByLabel("Filter by name").fill("limit-0")
    const name = page.getByRole("button", { name: "limit-045", exact: true })
    await name.focus()
    const before = await scrolled(page)
    expect(before).toBeGreaterThan(1_000)
    await page.keyboard.press("Enter")
    await page.getByText("would be allowed").waitFor()
    await page.goBack()
    await name.waitFor()
    await expect.poll(() => scrolled(page)).toBe(before)
    expect(await page.getByLabel("Filter by name").inputValue()).toBe("limit-0")
    expect(await focused(page)).toBe("limit-045")
    // Loaded anew, a page has its first link first.
    await page.reload()
    await name.waitFor()
    await page.keyboard.press("Tab")
    expect(await focused(page)).toBe("Skip to content")
    await page.close()
  }, 60_000)

  test("what is told lies over no button that cannot be pressed or be scrolled out from under it", async () => {
    const page = await openLimits()
    await page.getByRole("button", { name: "Edit limit-000" }).click()
    await page.getByRole("button", { name: "Save" }).click()
    const told = page.getByText("Saved. What was used stays used.")
    await told.waitFor()
    const last = page.getByRole("button", { name: "Show more" })
    await page.evaluate(() => scrollTo(0, document.documentElement.scrollHeight))
    const { y, height } = (await last.boundingBox())!
    const bar = (await told.boundingBox())!
    expect(y + height).toBeLessThanOrEqual(bar.y)
    const under = await page.evaluate(
      ([x, y]) => document.elementFromPoint(x!, y!)?.id,
      [bar.x + bar.width / 2, bar.y + bar.height / 2],
    )
    expect(under).not.toBe("message")
    await page.close()
  }, 60_000)

  test("says that an answer is waited for, where nothing is there to be seen before it", async () => {
    const page = await dashboard.open()
    await dashboard.logIn(page)
    const state = page.locator("header").getByRole("status")
    for (const { name, path, isThere } of [
      { name: "Limits", path: "**/v1/limits", isThere: page.getByRole("heading", { name: "Limits", level: 2 }) },
      { name: "limit-000", path: "**/v1/explain", isThere: page.getByText("would be allowed") },
    ]) {
      const held: Route[] = []
      await page.route(path, (route) => {
        held.push(route)
      })
      await page.getByRole("button", { name, exact: true }).click()
      await state.getByText("Loading …", { exact: true }).waitFor()
      for (const route of held) await route.continue()
      await isThere.waitFor()
      expect(await state.textContent()).toBe("")
      await page.unroute(path)
    }
    // Whoever goes elsewhere meanwhile is told of that.
    const held: Route[] = []
    await page.route("**/v1/limits", (route) => {
      held.push(route)
    })
    await page.getByRole("button", { name: "Limits", exact: true }).click()
    await state.getByText("Loading …", { exact: true }).waitFor()
    await page.getByRole("button", { name: "Overview", exact: true }).click()
    await state.getByText("live", { exact: true }).waitFor()
    for (const route of held) await route.continue()
    await page.close()
  }, 60_000)

  test("a server that does not answer is told until it does, whoever presses Retry", async () => {
    const page = await dashboard.open()
    await dashboard.logIn(page)
    await page.route("**/v1/**", (route) => route.abort())
    await page.getByRole("button", { name: "Limits" }).click()
    const reason = page.getByRole("main").getByText("The server does not answer.", { exact: true })
    await reason.waitFor()
    const retry = page.getByRole("button", { name: "Retry" })
    await retry.focus()
    await Promise.all([page.waitForRequest("**/v1/health"), page.keyboard.press("Enter")])
    expect(await reason.isVisible()).toBe(true)
    expect(await focused(page)).toBe("Retry")
    await page.unroute("**/v1/**")
    await page.keyboard.press("Enter")
    await page.getByRole("button", { name: "Edit limit-000" }).waitFor()
    // By itself, and with what a page that was just loaded asks first.
    await page.clock.install()
    await page.route("**/v1/**", (route) => route.fulfill({ status: 503, json: { error: "The store is away." } }))
    await page.reload()
    await page.getByRole("main").getByText("The store is away.").waitFor()
    await page.unroute("**/v1/**")
    await page.clock.runFor(10_000)
    await page.getByRole("button", { name: "Edit limit-000" }).waitFor()
    await page.close()
  }, 60_000)

  test("shows the answer to the last press of Refresh, whichever comes last", async () => {
    const page = await openLimits()
    await page.getByRole("table", { name: "Limits" }).waitFor()
    let answer = () => {}
    const held = new Promise<void>((resolve) => {
      answer = resolve
    })
    const late = async (route: Route) => {
      await held
      await route.fulfill({ json: [] })
    }
    await page.route("**/v1/limits", late, { times: 1 })
    const refresh = page.getByRole("button", { name: "Refresh" })
    const asked = page.waitForRequest("**/v1/limits")
    await refresh.click()
    await asked
    const newer = page.waitForResponse("**/v1/limits")
    await refresh.click()
    await (await newer).finished()
    const older = page.waitForResponse("**/v1/limits")
    answer()
    await (await older).finished()
    await page.waitForTimeout(300)
    expect(await page.getByText("No limit is defined.").count()).toBe(0)
    await page.close()
  }, 60_000)

  test("tells nothing of an older press that failed, of Refresh or of Find", async () => {
    const page = await dashboard.open()
    // As many as are listed at once, so that there may be more.
    await page.route("**/v1/limits", async (route) => {
      const [first]: { key: string }[] = await (await route.fetch()).json()
      await route.fulfill({ json: Array.from({ length: 1_000 }, (_, at) => ({ ...first, key: `listed-${at}` })) })
    })
    await dashboard.logIn(page)
    await page.getByRole("button", { name: "Limits" }).click()
    await page.getByLabel("Filter by name").fill("limit-003")
    for (const [press, path] of [
      [page.getByRole("button", { name: "Refresh" }), "**/v1/limits"],
      [page.getByRole("button", { name: "Find limit-003 beyond them" }), "**/v1/status"],
    ] as const) {
      const { promise: held, resolve: answer } = Promise.withResolvers<void>()
      const late = async (route: Route) => {
        await held
        await route.fulfill({ status: 400, json: { detail: "It came too late." } })
      }
      await page.route(path, late, { times: 1 })
      const asked = page.waitForRequest(path)
      await press.click()
      await asked
      const newer = page.waitForResponse(path)
      await press.click()
      await (await newer).finished()
      const older = page.waitForResponse(path)
      answer()
      await (await older).finished()
      await page.waitForTimeout(300)
      expect(await page.getByText("It came too late.").count()).toBe(0)
    }
    await page.getByRole("button", { name: "Edit limit-003" }).waitFor()
    await page.close()
  }, 60_000)

  test("a token that is another by now is asked for where a limit is saved, and what was typed is there again", async () => {
    const page = await openLimits()
    await page.getByRole("button", { name: "Edit limit-001" }).click()
    await page.getByLabel("Units", { exact: true }).fill("4321")
    await page.route("**/v1/limits", (route) =>
      route.fulfill({ status: 401, json: { code: "UNAUTHORIZED", error: "Another token." } }),
    )
    await page.getByRole("button", { name: "Save" }).click()
    await page.getByText("Another token.").waitFor()
    expect(await page.getByRole("dialog").count()).toBe(0)
    await page.unroute("**/v1/limits")
    await page.getByLabel("Token").fill("tök€n")
    await page.getByRole("button", { name: "Log in" }).click()
    await page.getByText("A token is of printable ASCII characters alone.").waitFor()
    await page.getByLabel("Token").fill(TOKEN)
    await page.getByRole("button", { name: "Log in" }).click()
    const dialog = page.getByRole("dialog")
    const units = dialog.getByLabel("Units", { exact: true })
    await units.waitFor()
    expect(await units.inputValue()).toBe("4321")
    expect(await units.evaluate((each) => each === document.activeElement)).toBe(true)
    await dialog.getByRole("button", { name: "Save" }).click()
    await page.getByRole("row", { name: /limit-001.*4321/ }).waitFor()
    expect(await dialog.count()).toBe(0)
    await page.close()
  }, 60_000)

  test("a token that is typed stays, where an edit that was overtaken ended with the one before refused", async () => {
    const page = await openLimits()
    await page.getByRole("button", { name: "Edit limit-002" }).click()
    await page.route("**/v1/status", (route) => route.fulfill({ json: null }))
    await page.getByRole("button", { name: "Save" }).click()
    await page.getByText("The limit was removed meanwhile.").waitFor()
    const refusal = { status: 401, json: { code: "UNAUTHORIZED", error: "Another token." } }
    let asked = 0
    await page.route("**/v1/limits", (route) => {
      asked++
      return route.fulfill(refusal)
    })
    await page.unroute("**/v1/status")
    await page.route("**/v1/status", (route) => route.fulfill(refusal))
    await page.getByRole("button", { name: "Save" }).click()
    const token = page.locator("input[name=token]")
    await token.fill(TOKEN)
    await page.waitForTimeout(300)
    expect(await token.inputValue()).toBe(TOKEN)
    expect(asked).toBe(0)
    await page.close()
  }, 60_000)

  test("one beyond the first thousand is found by its whole name, edited, and there for whoever comes back", async () => {
    const names = Array.from({ length: 900 }, (_, at) => `more-${at}`)
    await inParallel([...names, "most", "most\u200b"], 16, (name) => dashboard.client.define(name, "5/minute"))
    const page = await openLimits()
    await page.getByText("50 of the first 1,000 by name are shown.", { exact: true }).waitFor()
    const filter = page.getByLabel("Filter by name")
    await filter.fill("mos")
    await page.getByText("None of the first 1,000 limits has this in its name.").waitFor()
    await page.getByRole("button", { name: "Find mos beyond them" }).click()
    await page.getByText("There is no limit of this name.").waitFor()
    await filter.fill("most\\u{200b}")
    await page.getByRole("button", { name: "Find most\\u{200b} beyond them" }).click()
    await page.getByRole("button", { name: "Edit most\\u{200b}", exact: true }).waitFor()
    await filter.fill("most")
    await page.getByRole("button", { name: "Find most beyond them" }).focus()
    const asked: string[] = []
    page.on("request", (request) => asked.push(request.url()))
    await page.keyboard.press("Enter")
    await page.getByRole("button", { name: "Edit most", exact: true }).waitFor()
    expect(await focused(page)).toBe("Edit most")
    await page.keyboard.press("Enter")
    await page.getByLabel("Units", { exact: true }).fill("77")
    await page.keyboard.press("Enter")
    await page.getByText("0 of 77 used").waitFor()
    expect(await focused(page)).toBe("Edit most")
    await page.getByRole("button", { name: "most", exact: true }).click()
    await page.getByText("would be allowed").waitFor()
    await page.goBack()
    await page.getByText("0 of 77 used").waitFor()
    expect(asked.filter((url) => url.includes("most"))).toEqual([])
    // What was asked before another one was found does not take that away.
    let answer = () => {}
    const held = new Promise<void>((resolve) => {
      answer = resolve
    })
    const late = async (route: Route) => {
      await held
      await route.continue()
    }
    await page.route("**/v1/limits", late, { times: 1 })
    const refreshing = page.waitForRequest("**/v1/limits")
    await page.getByRole("button", { name: "Refresh" }).click()
    await refreshing
    await filter.fill("most\\u{200b}")
    await page.getByRole("button", { name: "Find most\\u{200b} beyond them" }).click()
    await page.getByRole("button", { name: "Edit most\\u{200b}", exact: true }).waitFor()
    const refreshed = page.waitForResponse("**/v1/limits")
    answer()
    await (await refreshed).finished()
    await page.waitForTimeout(300)
    expect(await page.getByRole("button", { name: "Edit most\\u{200b}", exact: true }).isVisible()).toBe(true)
    await page.close()
  }, 60_000)
})
