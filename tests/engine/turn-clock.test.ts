import { afterEach, describe, expect, test, vi } from "vitest"
import { turnClock } from "../../src/index.js"

afterEach(() => {
  vi.useRealTimers()
})

/** Lets all microtasks of this turn run. */
const turn = () => new Promise<void>((resolve) => setImmediate(resolve))

describe("turnClock", () => {
  test("gives one reading to the calls of a synchronous run, and a new one after a wait", async () => {
    await turn()
    vi.useFakeTimers({ toFake: ["Date"], now: 1_000 })
    expect(turnClock.now()).toBe(1_000)
    vi.setSystemTime(2_000)
    expect(turnClock.now()).toBe(1_000)
    await Promise.resolve()
    expect(turnClock.now()).toBe(2_000)
    vi.setSystemTime(3_000)
    expect(turnClock.now()).toBe(2_000)
    await turn()
    expect(turnClock.now()).toBe(3_000)
  })

  test("gives a reading to what was about to go on when it was made, and a new one to what waits afterwards", async () => {
    await turn()
    vi.useFakeTimers({ toFake: ["Date"], now: 1_000 })
    const before = Promise.resolve().then(() => turnClock.now())
    expect(turnClock.now()).toBe(1_000)
    const after = Promise.resolve().then(() => turnClock.now())
    vi.setSystemTime(2_000)
    expect([await before, await after]).toEqual([1_000, 2_000])
  })

  test("reads again after 64 calls of one run", async () => {
    await turn()
    vi.useFakeTimers({ toFake: ["Date"], now: 1_000 })
    for (let call = 0; call < 64; call++) {
      expect(turnClock.now()).toBe(1_000)
      vi.setSystemTime(2_000)
    }
    expect(turnClock.now()).toBe(2_000)
  })
})
