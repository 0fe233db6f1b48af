import type { Page } from "playwright-core"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { CHROMIUM_IS_THERE, Dashboard, TOKEN } from "./open-dashboard.js"

describe.skipIf(!CHROMIUM_IS_THERE)("the dashboard by the keyboard alone", () => {
  let dashboard: Dashboard

  beforeAll(async () => {
    dashboard = await Dashboard.start()
    await dashboard.client.define("api", "20/hour")
  }, 60_000)

  afterAll(() => dashboard[Symbol.asyncDispose]())

  /** What a number of tabs come to, by their names. */
  async function tabs(page: Page, count: number): Promise<(string | null)[]> {
    const seen: (string | null)[] = []
    for (let tab = 0; tab < count; tab++) {
      await page.keyboard.press("Tab")
      seen.push(await page.evaluate(() => document.activeElement?.textContent ?? null))
    }
    return seen
  }

  const CONTROLS = ["Skip to content", "Overview", "Limits", "Key", "Log out"]

  test("the first Tab after logging in, and after each load, comes to the skip link, the next ones to the navigation", async () => {
    const page = await dashboard.open()
    await page.getByLabel("Token").waitFor()
    expect(await page.evaluate(() => document.activeElement?.getAttribute("name"))).toBe("token")
    await page.keyboard.type(TOKEN)
    await page.keyboard.press("Enter")
    await page.getByRole("region", { name: "Denied most" }).waitFor()
    expect(await tabs(page, 1)).toEqual(CONTROLS.slice(0, 1))
    await dashboard.picture(page, "dashboard-skip-link")
    expect(await tabs(page, 4)).toEqual(CONTROLS.slice(1))
    await page.reload()
    await page.getByRole("region", { name: "Denied most" }).waitFor()
    expect(await tabs(page, 5)).toEqual(CONTROLS)
    await page.close()
  }, 60_000)

  test("the skip link goes to the content of the view that is there, and a view that is chosen to its own", async () => {
    const page = await dashboard.open()
    await dashboard.logIn(page)
    await tabs(page, 3)
    await page.keyboard.press("Enter")
    await page.getByRole("button", { name: "Edit api" }).waitFor()
    // On from the view that was chosen, not from the navigation: the filter, and what can be done; then the table,
    // which scrolls, and what is in it.
    const inTable = [expect.stringContaining("Limits"), "api"]
    expect(await tabs(page, 5)).toEqual(["", "New limit", "Refresh", ...inTable])
    await page.keyboard.press("Enter")
    await page.getByRole("heading", { name: "api" }).waitFor()
    await page.reload()
    await page.getByRole("heading", { name: "api" }).waitFor()
    expect(await tabs(page, 1)).toEqual(["Skip to content"])
    await page.keyboard.press("Enter")
    await page.keyboard.press("Tab")
    expect(await page.evaluate(() => document.activeElement?.getAttribute("name"))).toBe("key")
    expect(await page.getByRole("heading", { name: "api" }).isVisible()).toBe(true)
    await page.close()
  }, 60_000)

  test("a button of a key's page keeps the focus, or gives it to the heading when it needs to be pressed no more", async () => {
    const page = await dashboard.open()
    await dashboard.logIn(page)
    await dashboard.client.check("user:42", { limit: "api" })
    await tabs(page, 4)
    await page.keyboard.press("Enter")
    await page.locator("input[name=limit]").fill("api")
    await page.locator("input[name=key]").fill("user:42")
    await page.keyboard.press("Enter")
    const focused = () => page.evaluate(() => document.activeElement?.textContent)
    const press = async (name: string, done: string) => {
      // What was pressed before has made it anew by then.
      await page.getByRole("button", { name, exact: true }).and(page.locator(":enabled")).focus()
      await page.keyboard.press("Enter")
      await page.getByText(done).waitFor()
    }
    await page.getByRole("button", { name: "Block", exact: true }).waitFor()
    await press("Block", "The key is blocked.")
    await expect.poll(focused).toBe("Block")
    await press("Unblock", "The key is not blocked any more.")
    await expect.poll(focused).toBe("user:42")
    await press("Reset", "The key is full again.")
    await expect.poll(focused).toBe("Reset")
    await press("Reset", "The key was full already.")
    await page.close()
  }, 60_000)

  test("a login that is not looked at for now gives the focus to Retry, and to the token where that is asked for", async () => {
    const page = await dashboard.open()
    const detail = "Cannot serve the request: too many wrong tokens came from this address."
    await page.getByLabel("Token").fill("wrong-wrong-wrong-wrong")
    await page.route("**/v1/health", (route) =>
      route.fulfill({ status: 429, json: { code: "TOO_MANY_REQUESTS", detail } }),
    )
    await page.keyboard.press("Enter")
    await page.getByText(detail).waitFor()
    expect(await page.getByRole("button", { name: "Retry" }).evaluate((each) => each === document.activeElement)).toBe(
      true,
    )
    await page.unroute("**/v1/health")
    await page.keyboard.press("Enter")
    await page.getByLabel("Token").waitFor()
    expect(await page.getByLabel("Token").evaluate((each) => each === document.activeElement)).toBe(true)
    await page.close()
  }, 60_000)

  test("nothing was complained of", () => {
    expect(dashboard.complaints).toEqual([])
  })
})
