import { createExecutionContext, evictDurableObject, runInDurableObject, waitOnExecutionContext } from "cloudflare:test"
import { env } from "cloudflare:workers"
import { afterEach, expect, test, vi } from "vitest"
import { Histogram } from "../../src/metrics/histogram.js"
import worker from "../../worker/index.js"
import type { ServiceEnv } from "../../worker/service.js"
import { faultyBinding } from "./faulty-binding.js"
import { freshName } from "./objects.js"

const JSON_TYPE = { "Content-Type": "application/json" }
const ONE = [{ name: "one", paths: ["/one"], policy: "1/day" }]

afterEach(() => {
  vi.restoreAllMocks()
})

/** The deployed Worker with its API, asked by this machine. */
function deployed(LIMITS: unknown, LIMITER = env.LIMITER) {
  return deployedWith({ LIMITS }, LIMITER)
}

function deployedWith(variables: Pick<ServiceEnv, "LIMITS" | "CONFIG">, LIMITER = env.LIMITER) {
  const { REGISTRY, EVENT_HUB } = env
  const workerEnv = { LIMITER, REGISTRY, EVENT_HUB, ...variables } as ServiceEnv
  return async (path: string, body?: unknown, headers: Record<string, string> = {}) => {
    const context = createExecutionContext()
    const init = body === undefined ? { headers } : { method: "POST", headers: JSON_TYPE, body: JSON.stringify(body) }
    const request = new Request(`http://localhost${path}`, init)
    const response = await worker.fetch(request as Parameters<typeof worker.fetch>[0], workerEnv, context)
    await waitOnExecutionContext(context)
    return { status: response.status, text: await response.text() }
  }
}

/** The value of a sample, as a Worker tells it that has kept no counts of before. */
async function told(ask: ReturnType<typeof deployed>, sample: string): Promise<number> {
  const { text } = await ask("/metrics")
  const line = text.split("\n").find((each) => each.startsWith(`${sample} `))!
  return Number(line.slice(sample.length + 1))
}

const MODES = ["open", "closed", "error"].map((mode) => `sluice_failures_total{mode="${mode}"}`)

test("/metrics of the Worker counts what its objects could not decide, by what was done instead", async () => {
  vi.spyOn(console, "error").mockReturnValue()
  const [open, closed, known] = [freshName(), freshName(), freshName()]
  const before = await Promise.all(MODES.map((sample) => told(deployed(ONE), sample)))
  const cut = faultyBinding(env.LIMITER, () => "lost-call")
  const ask = deployed(
    [
      { name: open, paths: ["/open"], policy: "2/day" },
      { name: closed, paths: ["/closed"], policy: "2/day", failMode: "closed" },
      { name: known, paths: ["/known"], policy: "2/day" },
    ],
    cut.binding,
  )
  expect((await ask("/open")).status).toBe(200)
  for (let times = 0; times < 2; times++) expect((await ask("/closed")).status).toBe(503)
  for (let times = 0; times < 3; times++) {
    expect((await ask("/v1/check", { key: "a", limit: known })).status).toBe(503)
  }
  const after = await Promise.all(MODES.map((sample) => told(ask, sample)))
  expect(after.map((count, index) => count - before[index]!)).toEqual([1, 2, 3])
})

test("/metrics of the Worker counts a group that its objects could not decide as one of each of its limits", async () => {
  vi.spyOn(console, "error").mockReturnValue()
  const [one, two, group] = [freshName(), freshName(), freshName()].map((name) => name.replace(" ", "-"))
  const limits = Object.fromEntries([one, two].map((name) => [name, { policy: "9/day", key: "address" }]))
  const CONFIG = { limits, groups: { [group!]: { limits: [one, two], paths: ["/both"] } } }
  const before = await Promise.all(MODES.map((sample) => told(deployed(ONE), sample)))
  const ask = deployedWith({ CONFIG }, faultyBinding(env.LIMITER, () => "lost-call").binding)
  expect((await ask("/both")).status).toBe(200)
  expect((await ask("/v1/check", { key: "a", limit: group })).status).toBe(503)
  const after = await Promise.all(MODES.map((sample) => told(ask, sample)))
  expect(after.map((count, index) => count - before[index]!)).toEqual([2, 0, 2])
})

test("/metrics of the Worker counts the denials that were remembered", async () => {
  const name = freshName()
  const before = await told(deployed(ONE), "sluice_denial_cache_hits_total")
  const ask = deployed([{ name, paths: ["/api"], policy: "1/day" }])
  for (const status of [200, 429, 429, 429]) expect((await ask("/api")).status).toBe(status)
  expect((await told(ask, "sluice_denial_cache_hits_total")) - before).toBe(2)
})

test("/metrics of the Worker tells how long decisions of the API took, also those on several keys", async () => {
  const count = "sluice_decision_duration_seconds_count"
  const before = await told(deployed(ONE), count)
  const ask = deployed([{ name: freshName(), paths: ["/api"], policy: "5/day" }])
  const [name, other] = [freshName(), freshName()]
  for (const key of [name, other]) await ask("/v1/limits", { key, rate: 5, per: "30d" })
  for (const body of [{ key: name }, { key: name, cost: 0 }, { key: other, id: "one" }, { key: other, id: "one" }]) {
    expect((await ask("/v1/check", body)).status).toBe(200)
  }
  expect((await ask("/v1/check-all", { items: [{ key: name }, { key: other }] })).status).toBe(200)
  // What stands in front of a path is not asked through the API.
  expect((await ask("/api")).status).toBe(200)
  expect((await told(ask, count)) - before).toBe(4)
  const { text } = await deployed(ONE)("/metrics")
  expect(text).toMatch(/^sluice_decision_duration_seconds_bucket\{le="\+Inf"\} [1-9]/m)
})

test("a shard of the registry adds up times, and begins anew with those of another version's buckets", async () => {
  const shard = env.REGISTRY.getByName(freshName())
  const timesOf = (...seconds: number[]) => {
    const histogram = new Histogram()
    for (const each of seconds) histogram.observe(each)
    return histogram.told()
  }
  await runInDurableObject(shard, (_object, { storage }) => void storage.sql.exec("DROP TABLE IF EXISTS times"))
  await evictDurableObject(shard)
  expect((await shard.totals(1)).times).toBeNull()
  await shard.addTotals([], timesOf(0.02, 11))
  await shard.addTotals([], null)
  await shard.addTotals([], timesOf(0.5))
  expect((await shard.totals(1)).times).toEqual(timesOf(0.02, 11, 0.5))
  const older = JSON.stringify({ counts: [7], count: 7, sum: 7 })
  await runInDurableObject(shard, (_object, { storage }) => void storage.sql.exec("UPDATE times SET told = ?", older))
  await shard.addTotals([], timesOf(0.5))
  expect((await shard.totals(1)).times).toEqual(timesOf(0.5))
})

test("a shard of the registry that has no table for them yet gets one when it is asked", async () => {
  const shard = env.REGISTRY.getByName(freshName())
  await shard.addTotals([{ limit: "earlier", allowed: 1, denied: 0, allowedCost: 1, deniedCost: 0 }])
  await runInDurableObject(shard, (_object, { storage }) => void storage.sql.exec("DROP TABLE aside"))
  await evictDurableObject(shard)
  const { limits, aside } = await shard.totals(1_000)
  expect(limits).toContainEqual({ limit: "earlier", allowed: 1, denied: 0, allowedCost: 1, deniedCost: 0 })
  expect(aside).toEqual([])
})

test("a path's group counts the denial of the limit that denied, and none of one that was only looked at", async () => {
  const [flat, blocking, group] = [freshName(), freshName(), freshName()].map((name) => name.replace(" ", "-"))
  const CONFIG = {
    limits: {
      [flat!]: { policy: "1/day", key: "header:X-User" },
      [blocking!]: { policy: { limit: 1, period: "1d", block: "15m" }, key: "header:X-User" },
    },
    groups: { [group!]: { limits: [flat, blocking], paths: ["/guarded"] } },
  }
  const ask = deployedWith({ CONFIG })
  expect([(await ask("/guarded")).status, (await ask("/guarded")).status]).toEqual([200, 429])
  const denied = async (limit: string) => {
    const { text } = await ask("/metrics")
    return Number(new RegExp(`^sluice_requests_denied_total{limit="${limit}"} (\\d+)$`, "m").exec(text)?.[1] ?? 0)
  }
  await expect.poll(() => denied(flat!), { timeout: 20_000, interval: 500 }).toBe(1)
  expect(await denied(blocking!)).toBe(0)
}, 30_000)

test("what a list decides counts under the name that was asked for, of a group under the group's", async () => {
  const [limit, group, own] = [freshName(), freshName(), freshName()].map((name) => name.replace(" ", "-"))
  const CONFIG = {
    limits: { [limit!]: { policy: "9/day", key: "address" } },
    groups: { [group!]: { limits: [limit], paths: ["/both"], deny: { addresses: ["192.0.2.0/24"], keys: ["eve"] } } },
    deny: { keys: [own] },
  }
  const ask = deployedWith({ CONFIG })
  const denied = async (name: string) => {
    const { text } = await ask("/metrics")
    return Number(new RegExp(`^sluice_requests_denied_total{limit="${name}"} (\\d+)$`, "m").exec(text)?.[1] ?? 0)
  }
  expect((await ask("/v1/check", { key: "eve", limit: group })).text).toContain('"allowed":false')
  await expect.poll(() => denied(group!), { timeout: 20_000, interval: 500 }).toBe(1)
  expect((await ask("/both", undefined, { "CF-Connecting-IP": "192.0.2.1" })).status).toBe(403)
  await expect.poll(() => denied(group!), { timeout: 20_000, interval: 500 }).toBe(2)
  expect(await denied(limit!)).toBe(0)

  // The name of a key's own limit may be the key, so all such count together.
  const before = await denied("\\(own\\)")
  await ask("/v1/limits", { key: own, rate: 5, per: "1d" })
  expect((await ask("/v1/check", { key: own })).text).toContain('"allowed":false')
  await expect.poll(() => denied("\\(own\\)"), { timeout: 20_000, interval: 500 }).toBe(before + 1)
  // Its statistics are those of a limit, of which every other verb may be asked.
  for (const name of [limit, own]) {
    const [top] = JSON.parse((await ask(`/v1/top?by=denied&name=${name}`)).text) as { key: string }[]
    expect(top).toMatchObject({ limit: name })
  }
}, 60_000)

test("the Worker's doctor tells of a group that has the name of a limit which was defined through the API", async () => {
  const [limit, taken] = [freshName(), freshName()].map((name) => name.replace(" ", "-"))
  const limits = { [limit!]: { policy: "1/day", paths: ["/one"] } }
  const before = deployedWith({ CONFIG: { limits } })
  expect((await before("/v1/limits", { name: taken, limit: 5, period: "1d" })).status).toBe(200)
  const findings = async (ask: typeof before) =>
    (JSON.parse((await ask("/v1/doctor")).text) as { findings: { name: string; ok: boolean }[] }).findings.find(
      ({ name }) => name === "groups",
    )
  expect(await findings(before)).toMatchObject({ ok: true })
  const after = deployedWith({ CONFIG: { limits, groups: { [taken!]: { limits: [limit] } } } })
  expect(await findings(after)).toMatchObject({ ok: false, detail: expect.stringContaining(taken!) })
})

test("the history of a key has what a path's limit charged as a penalty", async () => {
  const [strict, lenient, group] = [freshName(), freshName(), freshName()].map((name) => name.replace(" ", "-"))
  const ofUser = { policy: "10/day", key: "header:X-User" }
  const CONFIG = {
    limits: {
      [strict!]: { ...ofUser, paths: ["/strict"], penalty: { status: [200], units: 3 } },
      [lenient!]: ofUser,
    },
    groups: { [group!]: { limits: [lenient], paths: ["/group"], penalty: { status: [200], units: 2 } } },
  }
  const ask = deployedWith({ CONFIG })
  const eventsOf = async (limit: string) => {
    const { text } = await ask("/v1/history", { key: "unidentified", limit })
    return (JSON.parse(text) as { event: string; units: number }[]).map(({ event, units }) => [event, units])
  }
  await ask("/strict")
  await ask("/group")
  await expect
    .poll(() => eventsOf(strict!), { timeout: 10_000 })
    .toEqual([
      ["charge", 3],
      ["admit", 1],
    ])
  await expect
    .poll(() => eventsOf(lenient!), { timeout: 10_000 })
    .toEqual([
      ["charge", 2],
      ["admit", 1],
    ])
}, 30_000)
