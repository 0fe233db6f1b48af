import { mock } from "node:test"
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest"
import { RateLimiter, TimeoutExceeded } from "../../src/index.js"
import { Alarms } from "../../src/limiter/alarms.js"
import { MAX_TIMER_MS } from "../../src/policy/policy-range.js"

/** A turn of the event loop, whose timer no fake stands in for. */
const turn = () => new Promise((resolve) => setImmediate(resolve))

describe("Alarms on fake timers that leave performance alone", () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ["Date", "setTimeout", "clearTimeout"], now: 0 })
    // The clock of a machine that does nothing meanwhile.
    vi.spyOn(performance, "now").mockReturnValue(5_000.25)
  })
  afterEach(() => {
    vi.restoreAllMocks()
    vi.useRealTimers()
  })

  test("ring when their timer fires", () => {
    const alarms = new Alarms()
    const rung: [string, number][] = []
    const set = (name: string, inMs: number) => alarms.set(alarms.now() + inMs, () => rung.push([name, Date.now()]))
    set("third", 3_000)
    set("first", 1_000)
    set("second", 1_200)
    vi.advanceTimersByTime(1_200)
    set("fourth", 2_000)
    vi.advanceTimersByTime(10_000)
    expect(rung).toEqual([
      ["first", 1_000],
      ["second", 1_200],
      ["third", 3_000],
      ["fourth", 3_200],
    ])
    expect(vi.getTimerCount()).toBe(0)
  })

  test("ring only at the end of a wait that takes several timers", () => {
    const alarms = new Alarms()
    const ring = vi.fn()
    alarms.set(alarms.now() + 2 * MAX_TIMER_MS + 1_000, ring)
    vi.advanceTimersByTime(2 * MAX_TIMER_MS + 999)
    expect(ring).not.toHaveBeenCalled()
    vi.advanceTimersByTime(1)
    expect(ring).toHaveBeenCalledOnce()
  })
})

describe("Alarms on a clock that is coarse", () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ["Date", "setTimeout", "clearTimeout"], now: 0 })
  })
  afterEach(() => {
    vi.restoreAllMocks()
    vi.useRealTimers()
  })

  test.each([1, 17, 100])("of %d ms ring in time, however many rang before", (stepMs) => {
    vi.spyOn(performance, "now").mockImplementation(() => Math.floor(Date.now() / stepMs) * stepMs)
    const alarms = new Alarms()
    let rangAtMs = 0
    let count = 0
    const again = () => {
      count += 1
      alarms.set(alarms.now() + 1 + ((count * 7) % 20), again)
    }
    for (let each = 0; each < 3; each++) again()
    alarms.set(alarms.now() + 10_000, () => {
      rangAtMs = Date.now()
    })
    vi.advanceTimersByTime(11_000)
    expect(rangAtMs).toBeGreaterThanOrEqual(10_000 - stepMs)
    expect(rangAtMs).toBeLessThanOrEqual(10_000 + stepMs)
  })
})

describe("acquire() under the timers of node:test, which cannot fake performance", () => {
  beforeEach(() => mock.timers.enable({ apis: ["Date", "setTimeout"], now: 0 }))
  afterEach(() => mock.timers.reset())

  test("is admitted when its wait is over", async () => {
    const limiter = new RateLimiter("1/minute")
    await limiter.acquire("a")
    const done = vi.fn()
    const permit = limiter.acquire("a").then(done)
    mock.timers.tick(59_000)
    await turn()
    expect(done).not.toHaveBeenCalled()
    mock.timers.tick(1_000)
    await permit
  })

  test("gives up at its timeout, after others were admitted", async () => {
    const limiter = new RateLimiter("1/minute")
    await limiter.acquire("a")
    const first = limiter.acquire("a")
    const late = limiter.acquire("a", { timeout: "90s" }).catch((error: unknown) => error)
    mock.timers.tick(60_000)
    await first
    expect(await late).toBeInstanceOf(TimeoutExceeded)
  })
})
