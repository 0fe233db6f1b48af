import { describe, expect, test } from "vitest"
import type { ScenarioInput } from "../../src/simulate/scenario.js"
import { simulate } from "../../src/simulate/simulate.js"

const near = { isolates: 2, latencyMs: 5, requestsPerSecond: 200 }
const far = { isolates: 2, latencyMs: 60, requestsPerSecond: 200 }
const scenario = (more: Partial<ScenarioInput>): ScenarioInput => ({
  policy: "1000/second",
  locations: [near, far],
  duration: "5s",
  ...more,
})

describe("simulate()", () => {
  test("plays the same for the same seed, and other traffic for another", async () => {
    const once = await simulate(scenario({ lease: { units: 50, ttl: "1s" } }))
    expect(await simulate(scenario({ lease: { units: 50, ttl: "1s" } }))).toEqual(once)
    expect((await simulate(scenario({ seed: 2 }))).requests).not.toBe((await simulate(scenario({}))).requests)
  })

  test("asks an object once for each check, and adds the way there, the work, the commit and the way back", async () => {
    const report = await simulate(
      scenario({ locations: [{ ...near, isolates: 1, requestsPerSecond: 1 }], duration: "60s" }),
    )
    expect(report.requests).toBeGreaterThan(30)
    expect(report).toMatchObject({
      admitted: report.requests,
      denied: 0,
      objects: 1,
      callsPerRequest: 1,
      rowsPerRequest: 1,
    })
    expect(report.addedLatencyMs.p50).toBeCloseTo(5 + 1 + 2 + 5, 3)
  })

  test("shares commits where checks come together, and tells an object that is asked too often", async () => {
    const report = await simulate(
      scenario({ locations: [{ ...near, isolates: 2_000, requestsPerSecond: 2_000 }], policy: "1000000/second" }),
    )
    expect(report.callsPerRequest).toBeGreaterThan(0.9)
    expect(report.rowsPerRequest).toBeLessThan(0.7)
    expect(report.busiestObject).toBeGreaterThan(1.5)
    expect(report.addedLatencyMs.p99).toBeGreaterThan(1_000)
  })

  test("few isolates that ask much share calls, so that an object answers more checks than it can take calls", async () => {
    const report = await simulate(
      scenario({ locations: [{ ...near, requestsPerSecond: 10_000 }], policy: "1000000/second" }),
    )
    expect(report).toMatchObject({ admitted: report.requests, falselyDenied: 0 })
    expect(report.callsPerRequest).toBeLessThan(0.1)
    expect(report.busiestObject).toBeLessThan(1)
    expect(report.addedLatencyMs.p99).toBeLessThan(4 * (5 + 1 + 2 + 5))
  })

  test("a flood asks the object about once for each block and isolate, and each of its blocks is followed by the next", async () => {
    const slow = { ...near, requestsPerSecond: 1_000, latencyMs: 1 }
    const policy = { limit: 1, period: "1h", block: "1s" }
    const { admitted, objectCalls } = await simulate(scenario({ policy, locations: [slow], duration: "10s" }))
    expect(admitted).toBe(1)
    expect(objectCalls).toBeGreaterThanOrEqual(2 * 9)
    expect(objectCalls).toBeLessThan(100)
  })

  test("leases take a hot key beyond what one object can answer", async () => {
    const hot = { locations: [{ ...near, isolates: 10, requestsPerSecond: 5_000 }], policy: "100000/second" }
    const report = await simulate(scenario({ ...hot, lease: { units: 1_000, ttl: "2s" } }))
    expect(report.callsPerRequest).toBeLessThan(0.02)
    expect(report.busiestObject).toBeLessThan(0.2)
    expect(report.addedLatencyMs.p50).toBe(0)
    expect(report.denied).toBe(0)
  })

  test("leases of a key that is over its limit admit the limit, and keep the object from being flooded", async () => {
    const over = { locations: [{ ...far, isolates: 10, requestsPerSecond: 3_000 }], policy: "1000/second" }
    const report = await simulate(scenario({ ...over, lease: { units: 200, ttl: "2s" } }))
    expect(report.mostOfLimit).toBeLessThanOrEqual(1)
    expect(report.admitted).toBeGreaterThan(0.9 * 6_000)
    expect(report.busiestObject).toBeLessThan(0.5)
  })

  test.each([{}, { lease: { units: 40, ttl: "1s" } }, { lease: { units: 40, ttl: "1s", auto: true } }, { shards: 3 }])(
    "never admits more than the policy: %j",
    async (more) => {
      for (const traffic of ["steady", "bursts"] as const) {
        for (const seed of [1, 2, 3]) {
          const report = await simulate(
            scenario({ policy: "60/second burst 90", keys: 5, skew: 1, traffic, seed, ...more }),
          )
          expect(report.mostOfLimit).toBeLessThanOrEqual(1)
          expect(report.denied).toBeGreaterThan(0)
        }
      }
    },
  )

  test("an exact limiter without leases denies nothing falsely", async () => {
    const report = await simulate(scenario({ policy: "100/second", keys: 3 }))
    expect(report.denied).toBeGreaterThan(0)
    expect(report.falselyDenied).toBe(0)
  })

  test("the denial cache keeps a flood of blocked clients from the objects", async () => {
    const flood = { policy: "2/minute", keys: 4, duration: "30s" }
    const cached = await simulate(scenario(flood))
    expect(cached.denied).toBeGreaterThan(10_000)
    expect(cached.callsPerRequest).toBeLessThan(0.02)
    expect((await simulate(scenario({ ...flood, denialCache: false }))).callsPerRequest).toBeGreaterThan(0.8)
  })

  test("several keys at once: one call for each and one round trip where admitted, refunds where not", async () => {
    const locations = [{ ...near, requestsPerSecond: 100 }]
    const free = await simulate(scenario({ locations, keys: 5, keysPerRequest: 3 }))
    expect(free).toMatchObject({ denied: 0, callsPerRequest: 3 })
    expect(free.addedLatencyMs.p50).toBeLessThan(20)
    const full = await simulate(scenario({ locations, keys: 5, keysPerRequest: 3, policy: "30/second" }))
    expect(full.callsPerRequest).toBeGreaterThan(3)
    expect(full.mostOfLimit).toBeLessThanOrEqual(1)
  })

  test("several keys at once under a policy with a block: one after the other, each request to its end", async () => {
    const locations = [{ ...near, requestsPerSecond: 100 }]
    const several = { locations, keys: 5, keysPerRequest: 3 }
    const free = await simulate(scenario(several))
    const blocking = await simulate(scenario({ ...several, policy: { limit: 1_000_000, period: "1s", block: "1s" } }))
    expect(blocking).toMatchObject({ denied: 0, callsPerRequest: 3 })
    expect(blocking.addedLatencyMs.p50).toBeGreaterThan(2 * free.addedLatencyMs.p50)
    const full = await simulate(scenario({ ...several, policy: { limit: 30, period: "1s", block: "1s" } }))
    expect(full.denied).toBeGreaterThan(0)
    expect(full.admitted + full.denied).toBe(full.requests)
  })

  test("refuses what cannot be played, naming the field", async () => {
    await expect(simulate(scenario({ locations: [] }))).rejects.toThrow(/locations\.length is 0, allowed is 1 to 1000/)
    await expect(simulate(scenario({ locations: Array(1_001).fill(near) }))).rejects.toThrow(
      /locations\.length is 1001/,
    )
    const crowded = [near, { ...far, isolates: 99_999 }]
    await expect(simulate(scenario({ locations: crowded }))).rejects.toThrow(/isolates in all is 100001/)
    await expect(simulate(scenario({ keys: 0 }))).rejects.toThrow(/keys is 0, allowed is 1 to/)
    await expect(simulate(scenario({ cost: 1_001 }))).rejects.toThrow(/cost is 1001, allowed is 1 to 1000/)
    await expect(simulate(scenario({ traffic: "wild" as never }))).rejects.toThrow(/traffic is "wild"/)
    await expect(simulate(scenario({ lease: { units: 1, ttl: "1h" } }))).rejects.toThrow(/lease\.ttl/)
    const lease = { units: 1, ttl: "1s" } as const
    await expect(simulate(scenario({ policy: "9/second leaky_bucket", lease }))).rejects.toThrow(
      /lease is .* none with/,
    )
    await expect(simulate(scenario({ policy: "1/fortnight" }))).rejects.toThrow(/period/)
  })

  test("plays more keys than a call takes arguments", async () => {
    const report = await simulate(
      scenario({
        keys: 10_000_000,
        locations: [{ ...near, requestsPerSecond: 140_000 }],
        duration: "1s",
        serviceMs: 0,
      }),
    )
    expect(report.objects).toBeGreaterThan(130_000)
    expect(report.mostOfLimit).toBeGreaterThan(0)
  }, 60_000)
})
