import { describe, expect, test } from "vitest"
import type { Decision } from "../../src/types/decision.js"
import type { Registry } from "../../worker/api/registry.js"
import type { KeyReport, LimitReport } from "../../worker/api/registry-object.js"
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
const denied: Decision = { ...decision, allowed: false, reason: "limit" }

/** A registry that keeps what it is told. */
function listening() {
  const keys: KeyReport[] = []
  const totals: LimitReport[] = []
  let decisions = 0
  const registry = {
    keyShard: () => ({ report: async (reports: KeyReport[]) => void keys.push(...reports) }),
    ofLimit: () => ({ addTotals: async (reports: LimitReport[]) => void totals.push(...reports) }),
    hub: {
      push: async (told: unknown[]) => {
        decisions += told.length
      },
    },
  } as unknown as Registry
  return { registry, keys, totals, told: () => decisions }
}

describe("Reporter", () => {
  test("tells of many decisions at once, denials of one kind as one event", async () => {
    const { registry, keys, totals, told } = listening()
    const reporter = new Reporter(registry)
    reporter.decided(decision, "api", "1 api")
    for (let times = 0; times < 50; times++) reporter.decided(denied, "api", "1 api")
    reporter.decided({ ...decision, cost: 0 }, "api", "1 api")
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

  test("writes data points without keys", () => {
    const points: AnalyticsEngineDataPoint[] = []
    const dataset = { writeDataPoint: (point?: AnalyticsEngineDataPoint) => void points.push(point!) }
    const reporter = new Reporter(listening().registry, dataset)
    reporter.decided({ ...denied, key: "secret" }, "api", "1 api")
    expect(points).toEqual([{ indexes: ["api"], blobs: ["api", "denied", "limit"], doubles: [2, 4] }])
  })
})
