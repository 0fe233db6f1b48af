import { mock } from "node:test"
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest"
import { RateLimiter, TimeoutExceeded } from "../../src/index.js"
import { Alarms } from "../../src/limiter/alarms.js"
import { MAX_TIMER_MS } from "../../src/policy/policy-range.js"

/** A turn of the event loop, whose timer no fake stands in for. */
const turn = () => new Promise((resolve) => setImmediate(resolve))

/** Lets more than a ms of the monotonic clock pass, of which no fake `Date` knows. */
function work() {
  const endMs = performance.now() + 1.5
  while (performance.now() < endMs);
}

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

  test("keep no timer for one that was cancelled", () => {
    const alarms = new Alarms()
    const ring = vi.fn()
    const rung = vi.fn()
    alarms.set(alarms.now() + 1_000, ring)
    const second = alarms.set(alarms.now() + 2_000, rung)
    const last = alarms.set(alarms.now() + 3_000, rung)
    alarms.cancel(last)
    vi.advanceTimersByTime(1_000)
    expect(ring).toHaveBeenCalledOnce()
    alarms.cancel(second)
    expect(vi.getTimerCount()).toBe(0)
    alarms.set(alarms.now() + 1_000, ring)
    alarms.cancel(alarms.set(alarms.now() + 9_000, rung))
    vi.advanceTimersByTime(1_000)
    expect(ring).toHaveBeenCalledTimes(2)
    expect(vi.getTimerCount()).toBe(0)
    vi.advanceTimersByTime(10_000)
    expect(rung).not.toHaveBeenCalled()
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

describe("Alarms whose timer counts from the whole ms before it was set", () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ["Date", "setTimeout", "clearTimeout"], now: 0 })
  })
  afterEach(() => {
    vi.restoreAllMocks()
    vi.useRealTimers()
  })

  test("ring no part of a ms before their time", () => {
    let partMs = 0.4
    vi.spyOn(performance, "now").mockImplementation(() => Date.now() + partMs)
    const alarms = new Alarms()
    const ring = vi.fn()
    alarms.set(alarms.now() + 10, ring)
    partMs = 0
    vi.advanceTimersByTime(10)
    expect(ring).not.toHaveBeenCalled()
    vi.advanceTimersByTime(1)
    expect(ring).toHaveBeenCalledOnce()
  })
})

describe("Alarms under fakes of one of clock and timers", () => {
  afterEach(() => {
    vi.restoreAllMocks()
    vi.useRealTimers()
  })

  test("go by the monotonic clock where Date alone stands still", () => {
    vi.useFakeTimers({ toFake: ["Date"], now: 0 })
    const alarms = new Alarms()
    const fromMs = alarms.now()
    work()
    expect(alarms.now() - fromMs).toBeGreaterThan(1)
  })

  test("never go back where a clock that stood still goes on", () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] })
    let clockMs = 0
    vi.spyOn(performance, "now").mockImplementation(() => clockMs)
    const alarms = new Alarms()
    const ring = vi.fn()
    alarms.set(60_000, ring)
    vi.advanceTimersByTime(60_000)
    expect(alarms.now()).toBe(60_000)
    clockMs = 70_000
    expect(alarms.now()).toBe(130_000)
    for (let count = 2; count < 5; count++) {
      const beforeMs = alarms.now()
      alarms.set(beforeMs + 10, ring)
      vi.advanceTimersByTime(10)
      expect(ring).toHaveBeenCalledTimes(count)
      expect(alarms.now()).toBeGreaterThanOrEqual(beforeMs)
    }
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

  test("is admitted for every key whose wait ends with a tick, however long the machine took to ask for them", async () => {
    const limiter = new RateLimiter("1/minute")
    const keys = ["a", "b", "c"]
    for (const key of keys) await limiter.acquire(key)
    const admitted: string[] = []
    for (const key of keys) {
      limiter.acquire(key).then(() => admitted.push(key))
      work()
    }
    mock.timers.tick(59_999)
    await turn()
    expect(admitted).toEqual([])
    mock.timers.tick(1)
    await turn()
    expect(admitted.sort()).toEqual(keys)
  })

  test("keeps the times of all who wait, with a timeout or without, where time goes by in small steps", async () => {
    const limiter = new RateLimiter("1/minute")
    await limiter.acquire("a")
    const seen: (string | number)[][] = []
    for (const timeout of ["10m", 90_000, "10m", 150_000, "10m"]) {
      limiter.acquire("a", { timeout }).then(
        () => seen.push([timeout, "admitted", Date.now()]),
        () => seen.push([timeout, "refused", Date.now()]),
      )
      work()
    }
    for (let step = 0; step < 181; step++) {
      mock.timers.tick(1_000)
      await turn()
    }
    expect(seen).toEqual([
      ["10m", "admitted", 60_000],
      [90_000, "refused", 60_000],
      ["10m", "admitted", 120_000],
      [150_000, "refused", 120_000],
      ["10m", "admitted", 180_000],
    ])
  })

  test("goes on where fake timers begin, are put back and end", async () => {
    const alarms = new Alarms()
    let lastMs = alarms.now()
    const went = () => {
      const fromMs = lastMs
      lastMs = alarms.now()
      return lastMs - fromMs
    }
    mock.timers.tick(5_000)
    expect(went()).toBe(5_000)
    mock.timers.setTime(1_000)
    expect(went()).toBe(0)
    mock.timers.tick(70)
    expect(went()).toBe(70)
    mock.timers.reset()
    expect(went()).toBeLessThan(1_000)
    work()
    expect(went()).toBeGreaterThan(1)
  })
})
