import type { Page } from "playwright-core"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { CHROMIUM_IS_THERE, Dashboard, TOKEN } from "./open-dashboard.js"

describe.skipIf(!CHROMIUM_IS_THERE)("a key in the dashboard in Chromium", () => {
  let dashboard: Dashboard

  beforeAll(async () => {
    dashboard = await Dashboard.start()
    await dashboard.client.define("api", "5/day as api")
  }, 60_000)

  afterAll(() => dashboard[Symbol.asyncDispose]())

  async function openKey(key: string): Promise<Page> {
    const page = await dashboard.open()
    await dashboard.logIn(page)
    await page.getByRole("button", { name: "Key", exact: true }).click()
    await page.locator("input[name=key]").fill(key)
    await page.locator("input[name=limit]").fill("api")
    return page
  }

  const look = (page: Page) => page.getByRole("button", { name: "Look" }).click()
  const verdict = (page: Page) => page.getByRole("main").getByRole("status")

  test("the cost that was typed is that of the first look, and of the same one again; none is 1", async () => {
    const page = await openKey("costly")
    await page.getByLabel("Cost").fill("4")
    await look(page)
    await verdict(page).getByText("A check of cost 4 would be allowed.").waitFor()
    expect(await page.getByLabel("Cost").inputValue()).toBe("4")
    await page.getByLabel("Cost").fill("")
    await look(page)
    await verdict(page).getByText("A check of cost 1 would be allowed.").waitFor()
    await page.close()
  }, 60_000)

  test("the cost that was looked at last is that after a press of a button, and after the page is loaded anew", async () => {
    const page = await openKey("typed")
    await look(page)
    await verdict(page).getByText("A check of cost 1 would be allowed.").waitFor()
    await page.getByLabel("Cost").fill("3")
    await look(page)
    await verdict(page).getByText("A check of cost 3 would be allowed.").waitFor()
    // It is more than the capacity, and nobody looked at it.
    await page.getByLabel("Cost").fill("99")
    await page.getByRole("button", { name: "Block", exact: true }).click()
    await verdict(page).getByText("A check of cost 3 would be denied").waitFor()
    expect(await page.getByRole("button", { name: "Unblock" }).isEnabled()).toBe(true)
    await page.reload()
    await verdict(page).getByText("A check of cost 3 would be denied").waitFor()
    expect(await page.getByLabel("Cost").inputValue()).toBe("3")
    await page.close()
  }, 60_000)

  test("what cannot be asked takes the place of what was told of another cost", async () => {
    const page = await openKey("asked")
    await look(page)
    await verdict(page).getByText("would be allowed").waitFor()
    await page.getByLabel("Cost").fill("99")
    await look(page)
    await verdict(page).getByText("cost 99 exceeds the capacity 5").waitFor()
    await page.getByText("What stands below was told before.", { exact: true }).waitFor()
    expect(await page.getByText("would be allowed").count()).toBe(0)
    expect(await page.getByText(/^The rule "api"/).count()).toBe(0)
    await page.close()
  }, 60_000)

  test("an answer that comes after that to a later question is dropped, also where it is a refusal", async () => {
    const page = await openKey("late")
    await look(page)
    await verdict(page).getByText("A check of cost 1 would be allowed.").waitFor()
    for (const late of [{ cost: "2" }, { cost: "3", status: 400, json: { detail: "It came too late." } }]) {
      let answer = () => {}
      const held = new Promise<void>((resolve) => {
        answer = resolve
      })
      await page.route(
        "**/v1/explain",
        async (route) => {
          await held
          await (late.status === undefined ? route.continue() : route.fulfill(late))
        },
        { times: 1 },
      )
      await page.getByLabel("Cost").fill(late.cost)
      const asked = page.waitForRequest("**/v1/explain")
      await look(page)
      await asked
      await page.getByLabel("Cost").fill("4")
      await look(page)
      await verdict(page).getByText("A check of cost 4 would be allowed.").waitFor()
      const answered = page.waitForResponse("**/v1/explain")
      answer()
      await answered
      await page.waitForTimeout(300)
      expect(await verdict(page).textContent()).toBe("A check of cost 4 would be allowed.")
    }
    await page.close()
  }, 60_000)

  test("a block and the quota that lasts longer are told apart", async () => {
    await dashboard.client.check("blocked", { limit: "api", cost: 5 })
    await dashboard.client.block("blocked", "1h", { limit: "api" })
    const page = await openKey("blocked")
    await look(page)
    await page
      .getByText(/^The key is blocked for another (1 h|59 m[^,]*), and its quota admits cost 1 in (4 h|5 h)[^,]*\.$/)
      .waitFor()
    await page.close()
  }, 60_000)

  test("a press of a button has the verdict read out, and nothing else of the key", async () => {
    await dashboard.client.check("pressed", { limit: "api", cost: 5 })
    const page = await openKey("pressed")
    await look(page)
    await verdict(page).getByText("would be denied").waitFor()
    const before = await verdict(page).evaluateHandle((each) => each)
    await page.getByRole("button", { name: "Reset" }).click()
    await verdict(page).getByText("would be allowed").waitFor()
    // One that is put in its place is not read out.
    expect(await verdict(page).evaluate((each, other) => each === other, before)).toBe(true)
    expect(await page.locator("[aria-live]").count()).toBe(0)
    await page.close()
  }, 60_000)

  test("a refusal that is not of the token is told, and the token kept", async () => {
    const page = await openKey("refused")
    await look(page)
    await verdict(page).getByText("would be allowed").waitFor()
    const detail = "Cannot serve the request: pages of another origin are not allowed."
    await page.route("**/v1/reset", (route) => route.fulfill({ status: 403, json: { code: "FORBIDDEN", detail } }))
    await page.getByRole("button", { name: "Reset" }).click()
    await page.getByText(detail).waitFor()
    expect(await page.getByRole("heading", { name: "refused" }).isVisible()).toBe(true)
    // So it is where it refuses all that is asked.
    await page.route("**/v1/**", (route) => route.fulfill({ status: 403, json: { code: "FORBIDDEN", detail } }))
    await page.reload()
    await page.getByRole("heading", { name: "Refused" }).waitFor()
    await page.getByRole("main").getByText(detail).waitFor()
    expect(await page.evaluate(() => Object.values({ ...sessionStorage }))).toContain(TOKEN)
    await page.unroute("**/v1/**")
    await page.getByRole("button", { name: "Retry" }).click()
    await verdict(page).getByText("would be allowed").waitFor()
    await page.close()
  }, 60_000)

  test("nothing was complained of", () => {
    expect(dashboard.complaints).toEqual([])
  })
})
