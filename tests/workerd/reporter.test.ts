import { describe, expect, test, vi } from "vitest"
import type { HistogramCounts } from "../../src/metrics/histogram.js"
import type { Decision } from "../../src/types/decision.js"
import { LIMIT_SHARDS, type Registry } from "../../worker/api/registry.js"
import type { KeyReport } from "../../worker/api/registry-keys.js"
import type { LimitReport } from "../../worker/api/registry-totals.js"
import { Reporter } from "../../worker/api/reporter.js"

const decision: Decision = {
  allowed: true,
  key: "a",
  policy: "api",
  algorithm: "gcra",
  limit: 5,
  remaining: 4,
  cost: 2,
  retryAfterMs: 0,
  resetAfterMs: 12,
  delayMs: 0,
  reason: "ok",
}
const API = { name: "api", label: "api" }
const denied: Decision = { ...decision, allowed: false, reason: "limit" }

/** A registry that keeps what it is told. */
function listening() {
  const keys: KeyReport[] = []
  const totals: LimitReport[] = []
  const aside: Record<string, number> = {}
  const times: (HistogramCounts | null)[] = []
  const limits: string[] = []
  let decisions = 0
  const registry = {
    keyShard: () => ({ report: async (reports: KeyReport[]) => void keys.push(...reports) }),
    limitShard: () => ({
      addTotals: async (reports: LimitReport[], taken: HistogramCounts | null) => {
        totals.push(...reports)
        times.push(taken)
      },
    }),
    ofLimit: () => ({
      addAside: async (what: string, count: number) => {
        aside[what] = (aside[what] ?? 0) + count
      },
    }),
    hub: {
      push: async (told: { limit: string }[]) => {
        decisions += told.length
        limits.push(...told.map(({ limit }) => limit))
      },
    },
  } as unknown as Registry
  return { registry, keys, totals, aside, times, limits, told: () => decisions }
}

describe("Reporter", () => {
  test("flush() tells what it has although another's report is lost", async () => {
    const { registry, keys } = listening()
    const { keyShard } = registry
    let fails = true
    const report: typeof keyShard = (shard) =>
      fails ? ({ report: async () => Promise.reject(new Error("lost")) } as never) : keyShard(shard)
    const reporter = new Reporter({ ...registry, keyShard: report } as Registry)
    reporter.decided(decision, API, "1 api")
    const lost = reporter.flush()
    fails = false
    reporter.decided({ ...decision, key: "b" }, API, "1 api")
    await reporter.flush()
    expect(keys.map(({ key }) => key)).toEqual(["b"])
    await expect(lost).rejects.toThrow("lost")
  })

  test.each(["fails", "hangs"])("tryFlush() tells the others what it has where the event hub %s", async (how) => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] })
    const logged = vi.spyOn(console, "error").mockReturnValue()
    try {
      const { registry, keys, totals } = listening()
      const push = () => (how === "hangs" ? new Promise(() => {}) : Promise.reject(new Error("gone")))
      const reporter = new Reporter({ ...registry, hub: { push } } as never)
      reporter.decided(decision, API, "1 api")
      const tried = reporter.tryFlush()
      if (how === "hangs") await vi.advanceTimersByTimeAsync(5_000)
      await tried
      expect(keys).toMatchObject([{ key: "a", allowed: 1 }])
      expect(totals).toMatchObject([{ limit: "api", allowed: 1 }])
      expect(logged).toHaveBeenCalledExactlyOnceWith("Reports were lost:", expect.any(Error))
    } finally {
      logged.mockRestore()
      vi.useRealTimers()
    }
  })

  test("tells what was left by a request that was cut off, also when the clock was set back since", async () => {
    vi.useFakeTimers({ toFake: ["Date", "setTimeout", "clearTimeout"] })
    try {
      const { registry, told } = listening()
      const reporter = new Reporter(registry)
      reporter.decided(decision, API, "1 api")
      vi.clearAllTimers()
      vi.setSystemTime(Date.now() - 3_600_000)
      reporter.decided(decision, API, "1 api")
      await vi.advanceTimersByTimeAsync(250)
      expect(told()).toBe(2)
    } finally {
      vi.useRealTimers()
    }
  })

  test("tells a key that was admitted soon, with its denials; sums and keys that were only denied come later", async () => {
    vi.useFakeTimers({ toFake: ["Date", "setTimeout", "clearTimeout"] })
    try {
      const { registry, keys, totals, aside, told } = listening()
      const reporter = new Reporter(registry)
      reporter.decided({ ...denied, key: "b", reason: "cached" }, API, "1 api")
      reporter.decided(denied, API, "1 api")
      reporter.decided(decision, API, "1 api")
      await vi.advanceTimersByTimeAsync(250)
      expect(keys).toMatchObject([{ key: "a", allowed: 1, denied: 1, events: [{ event: "deny" }, { event: "admit" }] }])
      expect({ told: told(), totals, aside }).toEqual({ told: 3, totals: [], aside: {} })
      for (let times = 0; times < 18; times++) {
        reporter.decided({ ...denied, key: "b", reason: "cached" }, API, "1 api")
        await vi.advanceTimersByTimeAsync(250)
      }
      expect(keys).toHaveLength(1)
      await vi.advanceTimersByTimeAsync(250)
      expect(keys.slice(1)).toMatchObject([{ key: "b", denied: 19, events: [{ event: "deny", count: 19 }] }])
      expect({ told: told(), aside }).toEqual({ told: 21, aside: { cached: 19 } })
      expect(totals).toMatchObject([{ limit: "api", allowed: 1, denied: 20 }])
    } finally {
      vi.useRealTimers()
    }
  })

  test("tells of keys that were only denied those denied most, the others later, and one that is asked about", async () => {
    vi.useFakeTimers({ toFake: ["Date", "setTimeout", "clearTimeout"] })
    try {
      const { registry, keys, totals } = listening()
      const reporter = new Reporter(registry)
      const names = () => keys.splice(0).map(({ key }) => key)
      // Key n is denied n times.
      for (let n = 1; n <= 40; n++) {
        for (let times = 0; times < n; times++) reporter.decided({ ...denied, key: `${n}` }, API, "1 api")
      }
      const downFrom = (n: number, count: number) => Array.from({ length: count }, (_, index) => `${n - index}`)
      await reporter.tryFlushKey("1 api", "1")
      expect(names().sort()).toEqual(["1", ...downFrom(40, 16)].sort())
      await vi.advanceTimersByTimeAsync(5_000)
      expect(names().sort()).toEqual(downFrom(24, 16).sort())
      await vi.advanceTimersByTimeAsync(5_000)
      expect(names().sort()).toEqual(downFrom(8, 7).sort())
      expect(totals).toMatchObject([{ denied: 820 }])
      // Where nothing is left, nothing is waited for.
      expect(vi.getTimerCount()).toBe(0)
    } finally {
      vi.useRealTimers()
    }
  })

  test("holds a bounded number of keys, and counts the decisions of all", async () => {
    const { registry, keys, totals } = listening()
    const reporter = new Reporter(registry)
    for (let n = 0; n < 20_000; n++) reporter.decided({ ...denied, key: `denied ${n}` }, API, "1 api")
    for (let n = 0; n < 2_000; n++) reporter.decided({ ...decision, key: `admitted ${n}` }, API, "1 api")
    await reporter.flush()
    expect(keys.filter(({ denied }) => denied > 0)).toHaveLength(256)
    expect(keys.filter(({ allowed }) => allowed > 0)).toHaveLength(1_000)
    expect(totals).toMatchObject([{ allowed: 2_000, denied: 20_000 }])
    // Of the keys that were not told a thousand wait, in reports of 16 where nothing is denied any more.
    for (let reports = 0; reports < 70; reports++) await reporter.flush()
    expect(keys.filter(({ denied }) => denied > 0)).toHaveLength(1_256)
  })

  test("tells of many decisions at once, denials of one kind as one event", async () => {
    const { registry, keys, totals, told } = listening()
    const reporter = new Reporter(registry)
    reporter.decided(decision, API, "1 api")
    for (let times = 0; times < 50; times++) reporter.decided(denied, API, "1 api")
    reporter.decided({ ...decision, cost: 0 }, API, "1 api")
    await reporter.flush()
    expect(totals).toEqual([{ limit: "api", allowed: 1, denied: 50, allowedCost: 2, deniedCost: 100 }])
    expect(keys).toMatchObject([{ scope: "1 api", key: "a", allowed: 1, denied: 50 }])
    expect(keys[0]!.events.map(({ event, count }) => [event, count])).toEqual([
      ["admit", 1],
      ["deny", 50],
    ])
    expect(told()).toBe(51)
    await reporter.flush()
    expect(keys).toHaveLength(1)
  })

  test("tells a key's last twenty events of one report, and counts all", async () => {
    const { registry, keys } = listening()
    const reporter = new Reporter(registry)
    for (let cost = 1; cost <= 30; cost++) reporter.decided({ ...decision, cost }, API, "1 api")
    await reporter.flush()
    expect(keys).toMatchObject([{ allowed: 30, allowedCost: 465 }])
    expect(keys[0]!.events.map(({ units }) => units)).toEqual(Array.from({ length: 20 }, (_, index) => 11 + index))
  })

  test("counts a key's own limit under its label, and tells the stream its name", async () => {
    const { registry, totals, limits } = listening()
    const reporter = new Reporter(registry)
    reporter.decided({ ...decision, key: "ann" }, { name: "ann", label: "(own)" }, "1 ann")
    await reporter.flush()
    expect(totals).toMatchObject([{ limit: "(own)", allowed: 1 }])
    expect(limits).toEqual(["ann"])
  })

  test("keeps keys of two limits apart whose names make the same text together", async () => {
    const { registry, keys } = listening()
    const reporter = new Reporter(registry)
    const limits = [
      ["1 a", "b\nc"],
      ["1 a\nb", "c"],
    ] as const
    for (const [scope, key] of limits) reporter.decided({ ...decision, key }, API, scope)
    await reporter.flush()
    expect(keys.map(({ scope, key, allowed }) => [scope, key, allowed])).toEqual(limits.map((each) => [...each, 1]))
  })

  test("makes one call for all limits of a shard", async () => {
    const { registry, totals, times } = listening()
    const reporter = new Reporter(registry)
    for (let limit = 0; limit < 200; limit++) {
      reporter.decided(decision, { name: `limit ${limit}`, label: `limit ${limit}` }, `1 limit ${limit}`, 0.01)
    }
    await reporter.flush()
    expect(new Set(totals.map(({ limit }) => limit)).size).toBe(200)
    expect(times).toHaveLength(LIMIT_SHARDS)
    expect(times.filter((taken) => taken !== null)).toMatchObject([{ count: 200 }])
  })

  test("tells what no object decided: denials that were known, fail modes, and failures", async () => {
    const { registry, aside } = listening()
    const reporter = new Reporter(registry)
    for (let times = 0; times < 3; times++) reporter.decided({ ...denied, reason: "cached" }, API, "1 api")
    reporter.decided({ ...decision, reason: "fail-open" }, API, "1 api")
    reporter.decided(denied, API, "1 api")
    await reporter.flush()
    expect(aside).toEqual({ cached: 3, open: 1 })
    reporter.failed(2)
    await reporter.flush()
    await reporter.flush()
    expect(aside).toEqual({ cached: 3, open: 1, error: 2 })
  })

  test("tells how long decisions took once, with the counts of one shard", async () => {
    const { registry, times } = listening()
    const reporter = new Reporter(registry)
    reporter.decided(decision, API, "1 api", 0.02)
    reporter.decided(denied, { name: "b", label: "b" }, "1 b", 0.5)
    // Of this one nobody knows.
    reporter.decided(decision, { name: "c", label: "c" }, "1 c")
    reporter.decided({ ...decision, cost: 0 }, API, "1 api", 0.02)
    await reporter.flush()
    expect(times).toEqual([expect.objectContaining({ count: 2, sum: 0.52 }), null, null])
    reporter.decided(decision, API, "1 api")
    await reporter.flush()
    expect(times.slice(3)).toEqual([null])
  })

  test("writes data points without keys", () => {
    const points: AnalyticsEngineDataPoint[] = []
    const dataset = { writeDataPoint: (point?: AnalyticsEngineDataPoint) => void points.push(point!) }
    const reporter = new Reporter(listening().registry, dataset)
    reporter.decided({ ...denied, key: "secret" }, { name: "secret", label: "(own)" }, "1 api")
    expect(points).toEqual([{ indexes: ["(own)"], blobs: ["(own)", "denied", "limit"], doubles: [2, 4] }])
  })
})
