import { createExecutionContext, waitOnExecutionContext } from "cloudflare:test"
import { env } from "cloudflare:workers"
import { describe, expect, test } from "vitest"
import type { Decision } from "../../src/types/decision.js"
import { KEY_SHARDS, LIMIT_SHARDS, Registry } from "../../worker/api/registry.js"
import type { KeyReport } from "../../worker/api/registry-keys.js"
import { Reporter } from "../../worker/api/reporter.js"
import worker from "../../worker/index.js"
import type { ServiceEnv } from "../../worker/service.js"
import { EdgeLimiter, rateLimit } from "../../worker/sluice-worker.js"
import { freshName } from "./objects.js"
import { countRows, type SqlRows } from "./sql-rows.js"

/** Tells the rows that the registry's objects wrote since now. */
async function registryRows(): Promise<() => number> {
  const names = [
    ...Array.from({ length: KEY_SHARDS }, (_, shard) => `keys ${shard}`),
    ...Array.from({ length: LIMIT_SHARDS }, (_, shard) => `limits ${shard}`),
  ]
  const counts: (() => SqlRows)[] = []
  for (const name of names) {
    const shard = env.REGISTRY.getByName(name)
    // So that the tables are made and the alarm is set, which happens once.
    await shard.report([WARMING])
    counts.push(await countRows(shard))
  }
  return () => counts.reduce((sum, count) => sum + count().written, 0)
}

const NO_TIMES = { lastAllowedAt: null, lastDeniedAt: null, lastResetAt: null }
const NO_COUNTS = { allowed: 0, denied: 0, allowedCost: 0, deniedCost: 0 }
const WARMING: KeyReport = { scope: "0 warming", key: "warming", ...NO_COUNTS, ...NO_TIMES, events: [] }

test("a flood of denials of one key writes four rows in each report, none of them in the key's object", async () => {
  const name = freshName()
  const LIMITS = [{ name, paths: ["/api"], policy: "1/day" }]
  const workerEnv = { LIMITER: env.LIMITER, REGISTRY: env.REGISTRY, EVENT_HUB: env.EVENT_HUB, LIMITS } as ServiceEnv
  const ask = async (path: string, init: RequestInit = {}) => {
    const context = createExecutionContext()
    const request = new Request(`http://localhost${path}`, { headers: { "CF-Connecting-IP": "192.0.2.1" }, ...init })
    const response = await worker.fetch(request as Parameters<typeof worker.fetch>[0], workerEnv, context)
    await waitOnExecutionContext(context)
    return response.status
  }
  const flush = () => ask("/v1/log/flush", { method: "POST", headers: { "Content-Type": "application/json" } })
  const rows = await registryRows()
  const object = env.LIMITER.getByName(`${name}\nip:192.0.2.1`)
  expect(await ask("/api")).toBe(200)
  expect(await flush()).toBe(200)
  const before = { registry: rows(), limiter: (await object.report()).rowsWritten }
  for (let requests = 0; requests < 500; requests++) expect(await ask("/api")).toBe(429)
  expect(await flush()).toBe(200)
  // The key, its last event, the sums of its limit, and how many denials were remembered.
  expect(rows() - before.registry).toBe(4)
  expect((await object.report()).rowsWritten).toBe(before.limiter)
})

test("an object that has something stored writes a row for each reset, and two for a verify after new records", async () => {
  const name = freshName()
  const limiter = new EdgeLimiter(env.LIMITER, "9/day", { name })
  const rowsOf = async (work: (key: string) => Promise<unknown>, key = "a") => {
    const object = env.LIMITER.getByName(`${name}\n${key}`)
    const { rowsWritten } = await object.report()
    await work(key)
    return (await object.report()).rowsWritten - rowsWritten
  }
  const reset = (key: string) => limiter.reset(key)
  const unblock = (key: string) => limiter.unblock(key)
  const verify = (key: string) => limiter.verify(key)
  for (const work of [reset, unblock, verify]) expect(await rowsOf(work, "never used")).toBe(0)
  await limiter.check("a")
  expect([await rowsOf(reset), await rowsOf(reset), await rowsOf(unblock)]).toEqual([1, 1, 0])
  // The segment that was open, and the next; what was verified before is read again as it is.
  expect([await rowsOf(verify), await rowsOf(verify)]).toEqual([2, 0])
})

describe("a flood of requests that a leaky bucket would hold for too long", () => {
  const leaky = { limit: 1, period: "1d", algorithm: "leaky_bucket", burst: 9 } as const
  const key = () => "a"

  test.each([
    ["of one limit, asked each time", 1, false, 20],
    ["of one limit, remembered", 1, undefined, 0],
    ["of several limits, asked each time", 2, false, 0],
    ["of several limits, remembered", 2, undefined, 0],
  ] as const)("%s, writes no row of its key and counts as no admission", async (_, count, denialCache, denied) => {
    const [paced, other] = [freshName(), freshName()]
    const limits = [
      { policy: { ...leaky, name: paced }, key },
      { policy: { limit: 1_000, period: "1d", name: other }, key },
    ] as const
    const limited = rateLimit<Cloudflare.Env>(() => new Response("hello"), {
      limits: limits.slice(0, count),
      delay: { maxMs: 100 },
      ...(denialCache === false && { denialCache }),
    })
    const ask = async () => {
      const context = createExecutionContext()
      const response = await limited(new Request("http://localhost/"), env, context)
      await waitOnExecutionContext(context)
      return response
    }
    const object = env.LIMITER.getByName(`${paced}\na`)
    expect((await ask()).status).toBe(200)
    const before = await object.report()
    for (let requests = 0; requests < 20; requests++) {
      const { status, headers } = await ask()
      expect([status, headers.get("Retry-After")]).toEqual([429, "86400"])
      expect(headers.get("RateLimit")).toMatch(/r=8;t=86400/)
    }
    const after = await object.report()
    expect({ ...after, calls: 0, denied: 0 }).toEqual({ ...before, calls: 0, denied: 0 })
    expect(after.denied).toBe(denied)
    expect(await new EdgeLimiter(env.LIMITER, limits[0].policy).stats("a")).toMatchObject({ totalAllowed: 1 })
    expect(await new EdgeLimiter(env.LIMITER, limits[1].policy).status("a")).toMatchObject({
      remaining: count === 1 ? 1_000 : 999,
    })
  })
})

const denial: Decision = {
  allowed: false,
  key: "",
  policy: "api",
  algorithm: "gcra",
  limit: 5,
  remaining: 0,
  cost: 1,
  retryAfterMs: 10,
  resetAfterMs: 12,
  delayMs: 0,
  reason: "cached",
}

test.each([
  ["of one cost", [1]],
  ["of two costs in turn", [1, 2]],
])("a flood of denials of 16 keys, %s, writes 34 rows in each report", async (_, costs) => {
  const name = freshName()
  const reporter = new Reporter(new Registry(env))
  const rows = await registryRows()
  for (let reports = 0; reports < 4; reports++) {
    const before = rows()
    for (let index = 0; index < 500; index++) {
      // Each report ends with another cost than the one before, so that no event goes on over its edge.
      const cost = costs[(Math.floor(index / 16) + reports) % costs.length]!
      reporter.decided({ ...denial, cost, key: `key ${index % 16}` }, { name, label: name }, `1 ${name}`)
    }
    await reporter.flush()
    // Each key and its last event, the sums of the limit, and how many denials were remembered.
    expect(rows() - before).toBe(34)
  }
})

test("a flood of denials of 10,000 keys writes less than 0.04 rows for each, and shows the key that is denied most", async () => {
  const name = freshName()
  const rows = await registryRows()
  const registry = new Registry(env)
  const reporter = new Reporter(registry)
  const scope = `1 ${name}`
  let denials = 0
  const before = rows()
  // A minute of 1,000 denials a second, told every five seconds; one in a hundred is of one key.
  for (let reports = 0; reports < 12; reports++) {
    for (let index = 0; index < 5_000; index++) {
      const key = denials % 100 === 0 ? "most" : `key ${(denials * 7_919) % 10_000}`
      reporter.decided({ ...denial, key }, { name, label: name }, scope)
      denials += 1
    }
    await reporter.flush()
  }
  expect((rows() - before) / denials).toBeLessThan(0.04)
  const top = (await registry.fromKeys((shard) => shard.top("denied", scope, 3))).flat()
  top.sort((a, b) => b.stats.totalDenied - a.stats.totalDenied)
  expect(top[0]).toMatchObject({ key: "most", stats: { totalDenied: 600 } })
})
