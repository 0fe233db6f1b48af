import type { Page } from "playwright-core"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { CHROMIUM_IS_THERE, Dashboard } from "./open-dashboard.js"

describe.skipIf(!CHROMIUM_IS_THERE)("the dashboard's overview in Chromium", () => {
  let dashboard: Dashboard

  beforeAll(async () => {
    dashboard = await Dashboard.start()
    await dashboard.client.define("api", "1/day as api")
  }, 60_000)

  afterAll(() => dashboard[Symbol.asyncDispose]())

  async function deny(key: string, times: number): Promise<void> {
    for (let time = 0; time <= times; time++) await dashboard.client.check(key, { limit: "api" })
  }

  const region = (page: Page) => page.getByRole("region", { name: "Denied most" })
  const rows = (page: Page) => region(page).locator("tbody tr").allTextContents()
  const focused = (page: Page) => page.evaluate(() => document.activeElement?.textContent)

  /** Counts how often the texts that are read out are written, from now on. */
  async function countWrites(page: Page): Promise<() => Promise<number>> {
    await page.evaluate(() => {
      const told = window as unknown as { writes: number }
      told.writes = 0
      const observer = new MutationObserver((records) => {
        told.writes += records.length
      })
      for (const live of document.querySelectorAll("[role=alert], [role=status]"))
        observer.observe(live, { childList: true, characterData: true, subtree: true })
    })
    return () => page.evaluate(() => (window as unknown as { writes: number }).writes)
  }

  /** Opens a page whose intervals are a twentieth of what they are told to be: it looks again every 50 ms. */
  async function open(options?: Parameters<Dashboard["open"]>[0]): Promise<Page> {
    const page = await dashboard.open(options)
    await page.evaluate(() => {
      const { setInterval } = window
      window.setInterval = ((work: () => void, ms: number) => setInterval(work, ms / 20)) as typeof setInterval
    })
    return page
  }

  /** Waits until the page began to look as often, with which all that it was answered before is told. */
  async function looks(page: Page, count: number): Promise<void> {
    for (let look = 0; look < count; look++) await page.waitForRequest("**/v1/totals")
  }

  test("the keys denied most are told anew around the one that has the focus", async () => {
    await deny("first", 3)
    await deny("second", 2)
    const page = await open()
    await dashboard.logIn(page)
    const button = page.getByRole("button", { name: "second", exact: true })
    await button.focus()
    const isSame = await button.evaluateHandle((each) => each)
    expect((await rows(page)).map((row) => row.slice(0, 5))).toEqual(["first", "secon"])
    await deny("second", 4)
    await deny("third", 9)
    await expect
      .poll(async () => (await rows(page)).map((row) => row.slice(0, 5)), { timeout: 10_000 })
      .toEqual(["third", "secon", "first"])
    expect(await focused(page)).toBe("second")
    expect(await isSame.evaluate((each) => each === document.activeElement)).toBe(true)
    // Of a key that is there no more, the table has it.
    await page.route("**/v1/top?**", (route) => route.fulfill({ json: [] }))
    await page.getByText("No key was denied.").waitFor()
    expect(await region(page).evaluate((each) => each === document.activeElement)).toBe(true)
    await page.unroute("**/v1/top?**")
    await button.waitFor()
    await page.close()
  }, 60_000)

  test("a server that keeps no names of keys is no problem, and the table says so until it keeps some", async () => {
    const page = await open()
    await page.route("**/v1/top?**", (route) => {
      return route.fulfill({ status: 404, json: { code: "NAMES_NOT_KEPT", detail: "Cannot list keys." } })
    })
    await dashboard.logIn(page)
    await region(page).getByText("The server keeps no names of keys").waitFor()
    await page.getByText("live", { exact: true }).waitFor()
    expect(await page.getByText("Cannot list keys.").count()).toBe(0)
    await page.unroute("**/v1/top?**")
    await region(page).getByText("The server keeps no names of keys").waitFor({ state: "detached" })
    await page.close()
  }, 60_000)

  test("an answer that is no JSON is told, and nothing is called live", async () => {
    const page = await open()
    await dashboard.logIn(page)
    await page.getByText("live", { exact: true }).waitFor()
    await page.route("**/v1/totals", (route) => route.fulfill({ contentType: "text/html", body: "<p>Hello</p>" }))
    await page.getByText("no answer", { exact: true }).waitFor()
    await page.getByText("it sends no JSON").waitFor()
    await page.close()
  }, 60_000)

  test("what stays as it is is not written anew for a screen reader", async () => {
    const page = await open()
    await dashboard.logIn(page)
    await page.getByText("live", { exact: true }).waitFor()
    const well = await countWrites(page)
    await looks(page, 3)
    expect(await well()).toBe(0)
    await page.route("**/v1/totals", (route) => route.fulfill({ status: 503, json: { error: "The store is away." } }))
    await page.getByText("The store is away.").waitFor()
    const away = await countWrites(page)
    await looks(page, 3)
    expect(await away()).toBe(0)
    await page.close()
  }, 60_000)

  /** Has the overview told these totals, each at a second of the server's clock. */
  async function tellTotals(page: Page, begin: { atMs?: number; allowed?: number; startedAtMs?: number } = {}) {
    const atMs = Date.parse("2026-11-21T12:00:00Z")
    const told = { atMs, allowed: 0, failures: 0, startedAtMs: 0, storage: "data", ...begin }
    await page.route("**/v1/health", (route) => {
      const { startedAtMs, storage } = told
      return route.fulfill({
        json: { ok: true, version: "1", storage, started_at: new Date(startedAtMs).toISOString() },
      })
    })
    await page.route("**/v1/totals", (route) => {
      const { atMs, startedAtMs, storage, ...counts } = told
      const rest = { denied: 0, allowed_cost: 0, denied_cost: 0, most_denied: [], most_allowed: [] }
      return route.fulfill({ json: { at: new Date(atMs).toISOString(), ...counts, ...rest } })
    })
    return told
  }

  test("a store that does not decide is told in words and as failures per second, until it decides again", async () => {
    const page = await open()
    const told = await tellTotals(page)
    await dashboard.logIn(page)
    await page.getByText("live", { exact: true }).waitFor()
    expect(await page.getByText("failed per second").isVisible()).toBe(false)
    told.atMs += 2_000
    told.failures = 66
    await page.getByRole("alert").getByText("The store does not decide checks").waitFor()
    await page.getByText("failing", { exact: true }).waitFor()
    const tile = page.locator(".tile", { hasText: "failed per second" })
    expect(await tile.locator("strong").textContent()).toBe("33")
    told.atMs += 1_000
    await page.getByText("live", { exact: true }).waitFor()
    expect(await page.getByText("The store does not decide checks").count()).toBe(0)
    expect(await tile.locator("strong").textContent()).toBe("0")
    await page.close()
  }, 60_000)

  /** How much of the chart is drawn in the colour of what is allowed. */
  function drawn(page: Page): Promise<number> {
    return page.locator(".chart canvas").evaluate((canvas: HTMLCanvasElement) => {
      const colour = getComputedStyle(document.documentElement).getPropertyValue("--allowed").trim()
      const probe = document.createElement("canvas").getContext("2d")!
      probe.fillStyle = colour
      probe.fillRect(0, 0, 1, 1)
      const [red, green, blue] = probe.getImageData(0, 0, 1, 1).data
      const { data } = canvas.getContext("2d")!.getImageData(0, 0, canvas.width, canvas.height)
      let count = 0
      for (let at = 0; at < data.length; at += 4) {
        if (data[at] === red && data[at + 1] === green && data[at + 2] === blue) count++
      }
      return count
    })
  }

  const allowedTotal = (page: Page) => page.locator(".tile", { hasText: /allowed (since|in all)/ }).locator("strong")
  const allowedRate = (page: Page) => page.locator(".tile", { hasText: "allowed per second" }).locator("strong")

  test("the chart stays where isolates answer in turn that made their counts at other times", async () => {
    const page = await open()
    const told = await tellTotals(page)
    await dashboard.logIn(page)
    await page.getByText("live", { exact: true }).waitFor()
    told.storage = "durable objects"
    const startMs = told.atMs
    const tell = (seconds: number, allowed: number) => Object.assign(told, { atMs: startMs + seconds * 1_000, allowed })
    for (const [seconds, allowed, rate] of [
      [2, 20, "10"],
      [4, 60, "20"],
    ] as const) {
      tell(seconds, allowed)
      await expect.poll(() => allowedRate(page).textContent(), { timeout: 10_000 }).toBe(rate)
    }
    const before = await drawn(page)
    expect(before).toBeGreaterThan(0)
    for (const [seconds, allowed] of [
      [2, 20],
      [4, 60],
      [2, 20],
    ] as const) {
      tell(seconds, allowed)
      await looks(page, 2)
      expect(await drawn(page)).toBe(before)
      expect(await allowedTotal(page).textContent()).toBe("60")
      expect(await allowedRate(page).textContent()).toBe("20")
    }
    tell(5, 90)
    await expect.poll(() => allowedRate(page).textContent(), { timeout: 10_000 }).toBe("30")
    await page.close()
  }, 60_000)

  test("the chart goes on where the server's clock goes back", async () => {
    const page = await open()
    const told = await tellTotals(page)
    await dashboard.logIn(page)
    await page.getByText("live", { exact: true }).waitFor()
    const allow = async (more: number) => {
      told.atMs += 1_000
      told.allowed += more
      await expect.poll(() => allowedRate(page).textContent(), { timeout: 10_000 }).toBe(String(more))
    }
    for (const more of [10, 20, 30]) await allow(more)
    expect(await drawn(page)).toBeGreaterThan(0)
    told.atMs -= 3_600_000
    await expect.poll(() => drawn(page), { timeout: 10_000 }).toBe(0)
    for (const more of [11, 21, 31]) await allow(more)
    expect(await drawn(page)).toBeGreaterThan(0)
    await page.close()
  }, 60_000)

  test("the chart loses no more than the seconds by which the server's clock goes back", async () => {
    const page = await open()
    const told = await tellTotals(page)
    await dashboard.logIn(page)
    await page.getByText("live", { exact: true }).waitFor()
    const tell = (seconds: number, more: number) =>
      Object.assign(told, { atMs: told.atMs + seconds * 1_000, allowed: told.allowed + more })
    const allow = async (seconds: number, more: number, rate: string) => {
      tell(seconds, more)
      await expect.poll(() => allowedRate(page).textContent(), { timeout: 10_000 }).toBe(rate)
    }
    await allow(10, 100, "10")
    await allow(10, 200, "20")
    await allow(2, 60, "30")
    const before = await drawn(page)
    tell(-2.9, 90_000)
    await expect.poll(() => allowedTotal(page).textContent(), { timeout: 10_000 }).toBe("90,360")
    expect(await allowedRate(page).textContent()).toBe("30")
    expect(await drawn(page)).toBeLessThan(before)
    await allow(1, 11, "11")
    expect(await drawn(page)).toBeGreaterThan(0)
    await page.close()
  }, 60_000)

  test("a problem with the keys denied most is over when they are told again, also after another view", async () => {
    // At its own pace: the keys are to be told with the view, not at a later look.
    const page = await dashboard.open()
    await dashboard.logIn(page)
    await page.route("**/v1/top?**", (route) => route.fulfill({ status: 503, json: { error: "No keys for now." } }))
    const problem = page.getByText("No keys for now.")
    await problem.waitFor()
    await page.getByRole("button", { name: "Limits" }).click()
    await page.unroute("**/v1/top?**")
    await page.getByRole("button", { name: "Overview" }).click()
    await problem.waitFor({ state: "detached", timeout: 2_000 })
    await page.close()
  }, 60_000)

  test("a server that was started anew is counted from 0, and where nobody answered the rates are unknown and the chart has a gap", async () => {
    const page = await open()
    const told = await tellTotals(page)
    told.allowed = 500
    await dashboard.logIn(page)
    await page.getByText("live", { exact: true }).waitFor()
    const tell = async (seconds: number, allowed: number, rate: string) => {
      Object.assign(told, { atMs: told.atMs + seconds * 1_000, allowed })
      await expect.poll(() => allowedRate(page).textContent(), { timeout: 10_000 }).toBe(rate)
    }
    for (const [allowed, rate] of [
      [600, "100"],
      [900, "300"],
    ] as const)
      await tell(1, allowed, rate)
    const second = await drawn(page)
    // What is routed last answers: no look comes to the real server between.
    await page.route("**/v1/totals", (route) => route.fulfill({ status: 503, json: { error: "The store is away." } }))
    await page.getByText("no answer", { exact: true }).waitFor()
    expect(await allowedRate(page).textContent()).toBe("–")
    expect(await page.getByRole("img", { name: "300" }).count()).toBe(0)
    await tellTotals(page, { atMs: told.atMs + 60_000, allowed: 120, startedAtMs: told.atMs + 50_000 })
    await expect.poll(() => allowedRate(page).textContent(), { timeout: 10_000 }).toBe("2")
    expect(second).toBeGreaterThan(0)
    expect(await drawn(page)).toBeLessThan(second * 3)
    await page.close()
  }, 60_000)

  test.each([
    ["of a Worker", "durable objects", 1_000],
    ["of a server that went on all the time", "data", -60_000],
  ])(
    "a lower sum %s is one that did not grow",
    async (_, storage, startedMs) => {
      const page = await open()
      const told = await tellTotals(page)
      Object.assign(told, { storage, allowed: 9_000, startedAtMs: told.atMs + startedMs })
      await dashboard.logIn(page)
      await page.getByText("live", { exact: true }).waitFor()
      for (const [allowed, rate] of [
        [9_030, "30"],
        [9_020, "0"],
        [9_027, "7"],
      ] as const) {
        Object.assign(told, { atMs: told.atMs + 1_000, allowed })
        await expect.poll(() => allowedRate(page).textContent(), { timeout: 10_000 }).toBe(rate)
      }
      await page.close()
    },
    60_000,
  )

  test("nothing is called live before its rates are known again", async () => {
    const page = await open()
    const told = await tellTotals(page)
    await dashboard.logIn(page)
    await page.getByText("live", { exact: true }).waitFor()
    await page.route("**/v1/totals", (route) => route.fulfill({ status: 503, json: { error: "The store is away." } }))
    await page.getByText("no answer", { exact: true }).waitFor()
    const again = await tellTotals(page)
    await looks(page, 2)
    expect(await page.getByText("no answer", { exact: true }).isVisible()).toBe(true)
    Object.assign(again, { atMs: told.atMs + 5_000, allowed: 15 })
    await page.getByText("live", { exact: true }).waitFor()
    expect(await allowedRate(page).textContent()).toBe("3")
    await page.close()
  }, 60_000)

  test.each([
    ["en-US", 1_100, /^\d+:\d\d:\d\d [AP]M$/],
    ["de-DE", 1_100, /^\d\d:\d\d:\d\d$/],
    ["en-US", 320, /^\d+:\d\d [AP]M$/],
    ["de-DE", 320, /^\d\d:\d\d$/],
    ["en-US", 800, /^\d+:\d\d:\d\d [AP]M$/],
    ["en-CA", 320, /^\d+:\d\d [ap]\.m\.$/],
    ["es-MX", 320, /^\d+:\d\d [ap]\.m\.$/],
  ])(
    "the times of the chart are told as a reader of %s writes them, apart, at a width of %i px",
    async (locale, width, pattern) => {
      const page = await open({ locale, timezoneId: "UTC", viewport: { width, height: 800 } })
      const told = await tellTotals(page)
      told.atMs = Date.parse("2026-11-21T22:00:30Z")
      await page.evaluate(() => {
        let labels: [string, number, number][] = []
        Object.assign(window, { labels: () => labels })
        const { clearRect, fillText } = CanvasRenderingContext2D.prototype
        // Each drawing begins so.
        CanvasRenderingContext2D.prototype.clearRect = function (...rectangle) {
          labels = []
          clearRect.apply(this, rectangle)
        }
        CanvasRenderingContext2D.prototype.fillText = function (text, x, y) {
          const half = this.measureText(text).width / 2
          if (text.includes(":")) labels.push([text, x - half, x + half])
          fillText.call(this, text, x, y)
        }
      })
      await dashboard.logIn(page)
      await page.getByText("live", { exact: true }).waitFor()
      Object.assign(told, { atMs: told.atMs + 1_000, allowed: 20 })
      await expect.poll(() => allowedRate(page).textContent()).toBe("20")
      const labels = await page.evaluate(() => {
        return (window as unknown as { labels: () => [string, number, number][] }).labels()
      })
      expect(labels.length).toBeGreaterThan(1)
      const canvasWidth = await page.locator(".chart canvas").evaluate((canvas: HTMLCanvasElement) => canvas.width)
      for (const [index, [text, from, to]] of labels.entries()) {
        expect(text).toMatch(pattern)
        expect(from).toBeGreaterThan(labels[index - 1]?.[2] ?? 0)
        expect(to).toBeLessThanOrEqual(canvasWidth)
      }
      await dashboard.picture(page, `chart-${locale}-${width}`)
      await page.emulateMedia({ colorScheme: "dark" })
      await looks(page, 2)
      await dashboard.picture(page, `chart-${locale}-${width}-dark`)
      await page.close()
    },
    60_000,
  )

  test("the chart is one picture with a name, without a table in it", async () => {
    const page = await open()
    await dashboard.logIn(page)
    await region(page).waitFor()
    expect(await page.getByRole("table").count()).toBe(1)
    await page.getByRole("img", { name: /checks per second$/ }).waitFor()
    await page.close()
  }, 60_000)

  test("nothing was complained of", () => {
    expect(dashboard.complaints).toEqual([])
  })
})
