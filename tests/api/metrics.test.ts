import { describe, expect, test, vi } from "vitest"
import { limitGauges } from "../../src/api/limit-gauges.js"
import { configPolicies, limitsByConfig, parseConfig } from "../../src/config/index.js"
import { MemoryLimits } from "../../src/limiter/memory-limits.js"
import { Metrics } from "../../src/metrics/metrics.js"
import { ManualClock } from "../../src/types/clock.js"
import { LimitNotFound, StoreCorrupt, StoreUnavailable } from "../../src/types/errors.js"
import { type Served, serveApi } from "./serve-api.js"

/** The samples of a metric, by their labels as they are written. */
async function samples({ ask }: Served, name: string): Promise<Record<string, string>> {
  const { text } = await ask("GET", "/metrics")
  return Object.fromEntries(
    [...text.matchAll(new RegExp(`^${name}(?:\\{(.*)\\})? (\\S+)$`, "gm"))].map(([, a = "", b]) => [a, b!]),
  )
}

function eventLimits({ api, clock }: Served): string[] {
  return api.events.since(0, clock.now()).map(({ limit }) => limit)
}

describe("GET /metrics without keys", () => {
  test("counts keys' own limits together, whoever asks them by name, and tells no key", async () => {
    const served = serveApi()
    const { ask } = served
    await ask("POST", "/v1/limits", { key: "secret@mail.example", rate: 2, per: "1m" })
    await ask("POST", "/v1/limits", { key: "10", policy: "10/second; 1000/hour" })
    await ask("POST", "/v1/check", { key: "secret@mail.example" })
    await ask("POST", "/v1/check", { key: "secret@mail.example", limit: "secret@mail.example" })
    await ask("POST", "/v1/check", { key: "x", limit: "secret@mail.example" })
    await ask("POST", "/v1/check-all", { items: [{ key: "10" }, { key: "x", limit: "10" }] })
    expect(await samples(served, "sluice_requests_allowed_total")).toEqual({ 'limit="(own)"': "5" })
    expect(await samples(served, "sluice_limit_info")).toEqual({})
    expect((await ask("GET", "/metrics")).text).not.toMatch(/secret|limit="10/)
  })

  test("counts nothing under a default limit that decided nothing", async () => {
    const served = serveApi({ default: "5/minute" })
    await served.ask("POST", "/v1/limits", { key: "own", rate: 2, per: "1m" })
    for (const key of ["own", "own", "anybody"]) await served.ask("POST", "/v1/check", { key })
    expect(await samples(served, "sluice_requests_allowed_total")).toEqual({
      'limit="(own)"': "2",
      'limit="default"': "1",
    })
  })

  test("tells the same names in counters and gauges, and all names in events, history and top", async () => {
    const served = serveApi({ login: "5/minute", shown: "5/minute as shown" })
    const { ask } = served
    await ask("POST", "/v1/limits", { name: "several", policy: "10/second; 1000/hour" })
    for (const limit of ["login", "shown", "several"]) await ask("POST", "/v1/check", { key: "k", limit })
    await ask("POST", "/v1/check", { key: "login" })
    const told = ['limit="several"', 'limit="shown"']
    expect(Object.keys(await samples(served, "sluice_requests_allowed_total")).sort()).toEqual([
      'limit="(own)"',
      ...told,
    ])
    for (const gauge of ["sluice_limit_rate", "sluice_limit_per_millis"]) {
      expect(Object.keys(await samples(served, gauge))).toEqual(told)
    }
    expect(eventLimits(served)).toEqual(["login", "shown", "several", "login"])
    expect((await ask("GET", "/v1/history/k?limit=login")).json[0].limit).toBe("login")
    const top = (await ask("GET", "/v1/top?by=allowed")).json.map(({ limit }: { limit: string }) => limit)
    expect(top.sort()).toEqual(["login", "login", "several", "shown"])
  })

  test("tells the limits and groups of a configuration by their names, whatever their rules are called", async () => {
    const served = serveApi({ login: "5/minute; 9/hour" }, { givenNames: new Set(["login"]) })
    await served.ask("POST", "/v1/check", { key: "k", limit: "login" })
    expect(await samples(served, "sluice_requests_allowed_total")).toEqual({ 'limit="login"': "1" })
    expect(await samples(served, "sluice_limit_rate")).toEqual({ 'limit="login"': "5" })
  })

  describe("counts a group's check", () => {
    const config = parseConfig(`
      limits.api = { policy = "4/minute", cost = 2 }
      limits.org = "9/minute"
      groups.both.limits = ["api", "org"]
      deny.keys = ["eve"]`)
    const onDecision = vi.fn()
    const serveGroup = () => {
      onDecision.mockClear()
      const limits = limitsByConfig(new MemoryLimits({ limits: configPolicies(config) }), config)
      return serveApi({}, { limits, onDecision, givenNames: new Set([...configPolicies(config).keys(), "both"]) })
    }
    const check = (served: Served, key = "k", id?: string) => {
      return served.ask("POST", "/v1/check", { key, limit: "both", ...(id !== undefined && { id }) })
    }

    test("as one of each of its limits, and one that is denied of those that denied it", async () => {
      const served = serveGroup()
      for (const allowed of [true, true, false]) expect((await check(served)).json.allowed).toBe(allowed)
      const counts = { 'limit="api"': "2", 'limit="org"': "2" }
      expect(await samples(served, "sluice_requests_allowed_total")).toEqual(counts)
      expect(await samples(served, "sluice_request_cost_allowed_total")).toEqual({ ...counts, 'limit="api"': "4" })
      const denied = { 'limit="api"': "1", 'limit="org"': "0" }
      expect(await samples(served, "sluice_requests_denied_total")).toEqual(denied)
      expect((await served.ask("GET", "/v1/totals")).json).toMatchObject({ allowed: 4, denied: 1 })
      expect(eventLimits(served)).toEqual(["api", "org", "api", "org", "api"])
      const told = onDecision.mock.calls.map(([{ cost }, { name }]) => `${name} ${cost}`)
      expect(told).toEqual(["api 2", "org 1", "api 2", "org 1", "api 2"])
    })

    test("that comes again under its id once, and what was charged anew of it", async () => {
      const served = serveGroup()
      const { json } = await check(served, "k", "x")
      await served.ask("POST", "/v1/refund", { receipt: json.limits[1].receipt })
      for (let again = 0; again < 2; again++) await check(served, "k", "x")
      const counts = { 'limit="api"': "1", 'limit="org"': "2" }
      expect(await samples(served, "sluice_requests_allowed_total")).toEqual(counts)
    })

    test("under the group's name where a list decided", async () => {
      const served = serveGroup()
      await check(served, "eve")
      expect(await samples(served, "sluice_requests_denied_total")).toEqual({ 'limit="both"': "1" })
    })
  })

  test("tells every shared limit, however many keys' own limits stand before it by name", async () => {
    const served = serveApi(
      { login: "5/minute", shown: "5/minute as shown" },
      { givenNames: new Set(["login", "site"]) },
    )
    for (let user = 0; user < 1_100; user++) served.limits.define(`api:user-${user}`, "10/minute")
    expect(await samples(served, "sluice_limit_rate")).toEqual({ 'limit="login"': "5", 'limit="shown"': "5" })
  })

  test("tells every limit of a configuration, also after 10,000 others, of which no more are looked through", async () => {
    const { limits } = serveApi({ login: "5/minute", shown: "5/minute as shown" })
    const others = Array.from({ length: 10_000 }, (_, at) => ({ ...limits.limit("login")!, name: `api:user-${at}` }))
    // As on the Worker, which tells no more than so many at a time.
    vi.spyOn(limits, "limits").mockImplementation(({ after, count } = {}) => {
      const start = others.findIndex(({ name }) => name === after) + 1
      return others.slice(start, start + Math.min(count!, 1_001))
    })
    const clock = new ManualClock(0)
    const told = await limitGauges({ limits, clock, givenNames: new Set(["login"]) }, new Metrics())
    expect(told.map(({ limit }) => limit)).toEqual(["login"])
    others[9_000] = limits.limit("shown")!
    const more = await limitGauges({ limits, clock, givenNames: new Set(["login"]) }, new Metrics())
    expect(more.map(({ limit }) => limit)).toEqual(["login", "shown"])
  })

  test("tells at most 1,000 keys' own limits, and every shared one beside them", async () => {
    const served = serveApi({ shown: "5/minute as shown" }, { metrics: new Metrics({ keyLabel: (key) => key }) })
    for (let user = 0; user < 1_100; user++) served.limits.define(`api:user-${user}`, "10/minute")
    const labels = Object.keys(await samples(served, "sluice_limit_rate"))
    expect(labels.filter((label) => label.startsWith("key="))).toHaveLength(1_000)
    expect(labels).toContain('limit="shown"')
  })

  test("tells a key's own limit as the key where keys are told", async () => {
    const metrics = new Metrics({ keyLabel: (key) => key })
    const served = serveApi({}, { metrics })
    await served.ask("POST", "/v1/limits", { key: "10", policy: "10/second; 1000/hour" })
    await served.ask("POST", "/v1/check", { key: "10" })
    expect(await samples(served, "sluice_limit_rate")).toEqual({ 'key="10"': "10" })
    expect(await samples(served, "sluice_requests_allowed_total")).toEqual({ 'limit="(own)"': "1" })
  })
})

test("a key's gauges are of the rule with the smallest share of its capacity left, but for the label", async () => {
  const served = serveApi({}, { metrics: new Metrics({ keyLabel: (key) => key }) })
  const rules = ["1000/day", { limit: 1, period: "1s", burst: 100, algorithm: "token_bucket" }]
  await served.ask("POST", "/v1/limits", { key: "k", policy: rules })
  await served.ask("POST", "/v1/check", { key: "k", cost: 60 })
  expect(await samples(served, "sluice_limit_remaining")).toEqual({ 'key="k"': "40" })
  expect(await samples(served, "sluice_limit_rate")).toEqual({ 'key="k"': "1" })
  expect(await samples(served, "sluice_limit_per_millis")).toEqual({ 'key="k"': "1000" })
  expect(await samples(served, "sluice_limit_info")).toEqual({ 'key="k",algorithm="gcra"': "1" })
})

test("a check is answered whose limit cannot be looked up for the metrics afterwards", async () => {
  const served = serveApi({ default: "5/minute" })
  vi.spyOn(served.limits, "limit").mockImplementationOnce(() => {
    throw new StoreUnavailable("the limiter is closed")
  })
  expect(await served.ask("POST", "/v1/check", { key: "ann" })).toMatchObject({ status: 200, json: { remaining: 4 } })
  expect(await samples(served, "sluice_requests_allowed_total")).toEqual({ 'limit="(own)"': "1" })
  expect(await samples(served, "sluice_failures_total")).toEqual({ 'mode="error"': "0" })
})

test("a limit that is removed while the limits are told is left out", async () => {
  const served = serveApi({}, { metrics: new Metrics({ keyLabel: (key) => key }) })
  for (const key of ["gone", "here"]) await served.ask("POST", "/v1/limits", { key, rate: 2, per: "1m" })
  const status = served.limits.status.bind(served.limits)
  vi.spyOn(served.limits, "status").mockImplementation((key) => {
    if (key === "gone") throw new LimitNotFound(key)
    return status(key)
  })
  expect(await samples(served, "sluice_limit_rate")).toEqual({ 'key="here"': "2" })
})

test("what was counted is told while the store cannot be asked", async () => {
  const served = serveApi({ default: "5/minute" })
  await served.ask("POST", "/v1/check", { key: "ann" })
  expect(await samples(served, "sluice_limit_rate")).toEqual({ 'limit="default"': "5" })
  const asked = vi.spyOn(served.limits, "limits")
  asked.mockRejectedValueOnce(new StoreUnavailable("the disk is full"))
  const { status, text } = await served.ask("GET", "/metrics")
  expect([status, text]).toEqual([200, expect.stringMatching(/^sluice_requests_allowed_total\{limit="default"\} 1$/m)])
  expect(text).not.toContain("sluice_limit_rate{")
  // What is none of the store's failures is not hidden.
  asked.mockRejectedValueOnce(new TypeError("a mistake"))
  expect((await served.ask("GET", "/metrics")).status).toBe(500)
})

describe("sluice_failures_total", () => {
  test("counts a group's check that failed as one of each of its limits, also where it is the default one", async () => {
    const limits = new MemoryLimits({ limits: { api: "4/minute", org: "9/minute" } })
    const limitsAsked = (name: string) => ({ both: 2, default: 3 })[name] ?? 1
    const served = serveApi({}, { limits, limitsAsked })
    vi.spyOn(limits, "check").mockImplementation(() => {
      throw new StoreUnavailable("the disk is full")
    })
    for (const named of [{ limit: "both" }, { limit: "api" }, {}]) {
      expect((await served.ask("POST", "/v1/check", { key: "k", ...named })).status).toBe(503)
    }
    expect(await samples(served, "sluice_failures_total")).toEqual({ 'mode="error"': "6" })
  })

  test("counts the checks that the store failed to decide, and no others", async () => {
    const served = serveApi({ default: "5/minute" })
    const { ask, limits } = served
    expect(await samples(served, "sluice_failures_total")).toEqual({ 'mode="error"': "0" })
    vi.spyOn(limits, "check").mockImplementationOnce(() => {
      throw new StoreUnavailable("the disk is full")
    })
    vi.spyOn(limits, "checkAll").mockImplementationOnce(() => {
      throw new StoreCorrupt("row 2", "its hash is another")
    })
    expect((await ask("POST", "/v1/check", { key: "a" })).status).toBe(503)
    expect((await ask("POST", "/v1/check-all", { items: [{ key: "a" }, { key: "b" }] })).status).toBe(500)
    // What cannot be asked is no failure.
    expect((await ask("POST", "/v1/check", { key: "a", limit: "none" })).status).toBe(400)
    expect((await ask("POST", "/v1/check", { key: "a", cost: 99 })).status).toBe(400)
    expect((await ask("POST", "/v1/check", { key: "a" })).status).toBe(200)
    expect(await samples(served, "sluice_failures_total")).toEqual({ 'mode="error"': "3" })
    expect((await ask("GET", "/v1/totals")).json).toMatchObject({ allowed: 1, failures: 3 })
    expect(await samples(served, "sluice_denial_cache_hits_total")).toEqual({})
  })
})
