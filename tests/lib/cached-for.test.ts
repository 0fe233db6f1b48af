import { afterEach, describe, expect, test, vi } from "vitest"
import { cachedFor } from "../../src/lib/cached-for.js"
import { Metrics } from "../../src/metrics/metrics.js"
import { ManualClock } from "../../src/types/clock.js"
import { serveApi } from "../api/serve-api.js"

afterEach(() => {
  vi.useRealTimers()
})

/** Something that counts how often it is made, and is made when the test says so. */
function counted(keepMs: number) {
  const clock = new ManualClock(1_000)
  const makings: PromiseWithResolvers<number>[] = []
  const get = cachedFor(
    () => {
      makings.push(Promise.withResolvers())
      return makings.at(-1)!.promise
    },
    keepMs,
    clock,
  )
  return { clock, makings, get }
}

describe("cachedFor()", () => {
  test("gives what was made until it is too old, as counted from before it was made", async () => {
    const { clock, makings, get } = counted(5_000)
    const first = get()
    clock.advance(1_000)
    makings[0]!.resolve(1)
    expect(await first).toBe(1)
    clock.advance(3_999)
    expect(await get()).toBe(1)
    clock.advance(1)
    const second = get()
    makings[1]!.resolve(2)
    expect(await second).toBe(2)
    // A clock that was set back proves nothing about the age.
    clock.set(0)
    void get()
    expect(makings).toHaveLength(3)
  })

  test.each([0, 5_000])("makes one value for all who ask meanwhile, where that takes %i ms", async (tookMs) => {
    const { clock, makings, get } = counted(5_000)
    const asked = Array.from({ length: 10 }, get)
    clock.advance(tookMs)
    makings[0]!.resolve(7)
    expect(await Promise.all(asked)).toEqual(Array(10).fill(7))
    expect(makings).toHaveLength(1)
    void get()
    expect(makings).toHaveLength(tookMs < 5_000 ? 1 : 2)
  })

  test("does not keep what failed: the next one makes another, and others wait for that", async () => {
    const { makings, get } = counted(5_000)
    const [first, ...others] = Array.from({ length: 5 }, get)
    makings[0]!.reject(new Error("gone"))
    await expect(first).rejects.toThrow("gone")
    await vi.waitFor(() => expect(makings).toHaveLength(2))
    makings[1]!.resolve(3)
    expect(await Promise.all(others)).toEqual([3, 3, 3, 3])
    expect(makings).toHaveLength(2)
  })

  test("waits two seconds for another request's value, which may never come", async () => {
    vi.useFakeTimers()
    const { makings, get } = counted(5_000)
    void get()
    const others = [get(), get(), get()]
    await vi.advanceTimersByTimeAsync(1_999)
    expect(makings).toHaveLength(1)
    await vi.advanceTimersByTimeAsync(1)
    // One of those that waited makes it anew, and the others wait for that.
    expect(makings).toHaveLength(2)
    makings[1]!.resolve(2)
    expect(await Promise.all(others)).toEqual([2, 2, 2])
    expect(makings).toHaveLength(2)
    expect(vi.getTimerCount()).toBe(0)
  })

  test("keeps nothing for 0 ms", async () => {
    const { makings, get } = counted(0)
    for (const value of [1, 2]) {
      const got = get()
      makings.at(-1)!.resolve(value)
      expect(await got).toBe(value)
    }
  })
})

describe("/metrics and /v1/totals", () => {
  test("are counted once in keepCountsMs, and tell when", async () => {
    let counts = 0
    const collect = () => {
      counts += 1
      return new Metrics()
    }
    const { ask, clock } = serveApi({}, { collect, keepCountsMs: 5_000 })
    const at = (await ask("GET", "/v1/totals")).json.at
    clock.advance(4_999)
    await ask("GET", "/metrics")
    expect((await ask("GET", "/v1/totals")).json.at).toBe(at)
    expect(counts).toBe(1)
    clock.advance(1)
    expect(Date.parse((await ask("GET", "/v1/totals")).json.at) - Date.parse(at)).toBe(5_000)
    expect(counts).toBe(2)
  })

  test("ask for no state of a key that they do not tell", async () => {
    const { ask, limits } = serveApi({ shared: { limit: 5, period: "1m", name: "shared" } })
    await ask("POST", "/v1/limits", { key: "ann", rate: 5, per: "1m" })
    const status = vi.spyOn(limits, "status")
    const { text } = await ask("GET", "/metrics")
    expect(text).toContain('sluice_limit_rate{limit="shared"} 5')
    expect(text).not.toContain("ann")
    expect(status).not.toHaveBeenCalled()
  })
})
