import { describe, expect, test } from "vitest"
import { serveApi } from "./serve-api.js"

describe("/v1/limits", () => {
  test("a status tells whether a configuration gives the limit, or fixes it", async () => {
    const { ask } = serveApi(
      { given: "5/minute", fixed: "5/minute", loose: "5/minute" },
      { givenNames: new Set(["given", "fixed"]), fixedNames: new Set(["fixed"]) },
    )
    const toldOf = async (body: object) => {
      const { fixed, configured } = (await ask("POST", "/v1/status", body)).json
      return { fixed, configured }
    }
    expect(await toldOf({ key: "given" })).toEqual({ configured: true })
    expect(await toldOf({ key: "a", limit: "given" })).toEqual({ configured: true })
    expect(await toldOf({ key: "fixed" })).toEqual({ fixed: true })
    expect(await toldOf({ key: "loose" })).toEqual({})
    const listed: { key: string; configured?: boolean }[] = (await ask("GET", "/v1/limits")).json
    expect(listed.filter(({ configured }) => configured).map(({ key }) => key)).toEqual(["given"])
  })

  test("POST configures a key by rate and per, GET tells its status", async () => {
    const { ask } = serveApi()
    const made = await ask("POST", "/v1/limits", {
      key: "user/1 ü",
      rate: 10,
      per: "1m",
      algorithm: "sliding_window_counter",
    })
    const status = {
      key: "user/1 ü",
      rate: 10,
      per_millis: 60_000,
      algorithm: "sliding_window",
      remaining: 10,
      reset_at: "2026-11-21T12:00:00.000Z",
      total_allowed: 0,
      total_denied: 0,
      total_allowed_cost: 0,
      total_denied_cost: 0,
      last_allowed_at: null,
      last_denied_at: null,
      last_reset_at: null,
    }
    expect(made.json).toMatchObject(status)
    await ask("POST", "/v1/check", { key: "user/1 ü", cost: 4 })
    await ask("POST", "/v1/check", { key: "user/1 ü", cost: 9 })
    const found = (await ask("GET", "/v1/limits/user%2F1%20%C3%BC")).json
    expect(found).toMatchObject({
      remaining: 6,
      total_allowed: 1,
      total_denied: 1,
      total_allowed_cost: 4,
      total_denied_cost: 9,
      last_allowed_at: "2026-11-21T12:00:00.000Z",
    })
    expect((await ask("GET", "/v1/limits")).json).toEqual([found])
  })

  test("GET tells figures of one rule: the one with the smallest share of its capacity left", async () => {
    const { ask } = serveApi()
    const rules = [
      { limit: 1, period: "1s", burst: 100, name: "burst" },
      { limit: 1000, period: "1d", name: "day" },
    ]
    await ask("POST", "/v1/limits", { key: "k", policy: rules })
    await ask("POST", "/v1/check", { key: "k", cost: 60 })
    expect((await ask("GET", "/v1/limits/k")).json).toMatchObject({
      policy: "burst",
      remaining: 40,
      rate: 1,
      per_millis: 1_000,
    })
  })

  test("GET answers null for a key that has no limit, DELETE tells whether there was one", async () => {
    const { ask } = serveApi({ a: "5/minute" })
    expect((await ask("GET", "/v1/limits/b")).json).toBeNull()
    expect((await ask("DELETE", "/v1/limits/a")).json).toEqual({ ok: true, removed: true })
    expect((await ask("DELETE", "/v1/limits/a")).json).toEqual({ ok: true, removed: false })
    expect((await ask("GET", "/v1/limits/a")).json).toBeNull()
  })

  test.each([
    [
      { key: "k", rate: "100/minute burst 20" },
      '[{"name":"default","algorithm":"gcra","limit":100,"period":60000,"burst":20}]',
      "100/minute burst 20",
    ],
    [
      { key: "k", rate: 5, per: 1000, burst: 9 },
      '[{"name":"default","algorithm":"gcra","limit":5,"period":1000,"burst":9}]',
      "5/second burst 9",
    ],
    [
      { key: "k", rate: 5, per: "minute" },
      '[{"name":"default","algorithm":"gcra","limit":5,"period":60000}]',
      "5/minute",
    ],
    [
      { key: "k", rate: 5, per: 60_000, block: "15m" },
      '[{"name":"default","algorithm":"gcra","limit":5,"period":60000,"block":900000}]',
      '{"limit":5,"period":"1m","block":"15m"}',
    ],
    [
      { name: "api", limit: 5, period: "1s" },
      '[{"name":"api","algorithm":"gcra","limit":5,"period":1000}]',
      "5/second as api",
    ],
    [
      { name: "api", policy: "7/second" },
      '[{"name":"api","algorithm":"gcra","limit":7,"period":1000}]',
      "7/second as api",
    ],
    [
      { name: "api", policy: "7/second as other" },
      '[{"name":"other","algorithm":"gcra","limit":7,"period":1000}]',
      "7/second as other",
    ],
  ])("POST reads %j and tells the policy for machines and for people", async (body, canonical, text) => {
    const { ask } = serveApi()
    const { status, json } = await ask("POST", "/v1/limits", body)
    const told = { definition: canonical, definition_text: text }
    expect({ status, json }).toMatchObject({ status: 200, json: told })
    const name = "name" in body ? body.name : body.key
    expect((await ask("GET", `/v1/limits/${name}`)).json).toMatchObject(told)
    expect((await ask("GET", "/v1/limits")).json).toMatchObject([told])
    expect((await ask("GET", `/v1/explain/${name}`)).json).toMatchObject(told)
    expect((await ask("POST", "/v1/limits", { key: "again", policy: text })).json.definition).toBe(canonical)
  })

  test.each([
    [{ rate: 5, per: "1s" }, "either a key or a name"],
    [{ key: "a", name: "a", rate: 5, per: "1s" }, "either a key or a name"],
    [{ key: "a" }, "one of rate, limit and policy"],
    [{ key: "a", rate: 5, limit: 5 }, "one of rate, limit and policy"],
    [{ key: "a", rate: 5, limit: 6 }, "rate is 5 and limit is 6, allowed is one of rate, limit and policy."],
    [{ key: "a" }, "none of rate, limit, policy is given, allowed is one of"],
    [{ rate: 5, per: "1s" }, "none of key, name is given, allowed is either a key or a name."],
    [{ key: "a", rate: 5 }, "per is undefined"],
    [{ key: "a", limit: 5 }, "period is undefined"],
    [{ key: "a", rate: 5, per: "minit" }, 'per is "minit", allowed is a duration in one of'],
    [{ key: "a", rate: 5, per: "minit" }, 'did you mean "minute"?'],
    [{ key: "a", rate: 5, per: "1.5s" }, 'per is "1.5s", allowed is a whole number'],
    [{ key: "a", rate: 5, period: "1s" }, "rate with per"],
    [{ key: "a", limit: 5, per: "1s" }, "limit with period"],
    [{ key: "a", rate: "5/minute", burst: 6 }, "burst is 6, allowed is none of these"],
    [{ key: "a", rate: 0, per: "1s" }, "rate is 0"],
    [{ key: "a", rate: 5, per: "1y" }, "per is"],
    [{ key: "a", rate: 5, per: "1s", algorithm: "gcrb" }, 'did you mean "gcra"?'],
    [{ key: "a", rate: 5, per: "1s", algorithm: "fixed_window", burst: 3 }, "burst"],
    [{ name: "é", rate: 5, per: "1s" }, "name"],
  ])("POST refuses %j and configures nothing", async (body, message) => {
    const { ask } = serveApi()
    const { status, json } = await ask("POST", "/v1/limits", body)
    expect({ status, error: json.error }).toEqual({ status: 400, error: expect.stringContaining(message) })
    expect((await ask("GET", "/v1/limits")).json).toEqual([])
  })

  test("GET tells a page at a time, and links to the next", async () => {
    const { ask } = serveApi({ a: "1/s", b: "1/s", "c&": "1/s", d: "1/s" })
    const first = await ask("GET", "/v1/limits?count=3")
    expect(first.json.map(({ key }: { key: string }) => key)).toEqual(["a", "b", "c&"])
    expect(first.headers.get("link")).toBe('</v1/limits?count=3&after=c%26>; rel="next"')
    const second = await ask("GET", "/v1/limits?count=3&after=c%26")
    expect(second.json.map(({ key }: { key: string }) => key)).toEqual(["d"])
    expect(second.headers.get("link")).toBeNull()
  })

  test("GET tells none where none is asked for, and links nowhere", async () => {
    const { ask } = serveApi({ a: "1/s" })
    const { status, json, headers } = await ask("GET", "/v1/limits?count=0")
    expect({ status, json, link: headers.get("link") }).toEqual({ status: 200, json: [], link: null })
  })
})

describe("keys", () => {
  test("block, unblock, reset and charge", async () => {
    const { ask } = serveApi({ a: "5/minute" })
    await ask("POST", "/v1/block", { key: "a", duration: "10s" })
    expect((await ask("POST", "/v1/check", { key: "a" })).json).toMatchObject({ allowed: false, reason: "blocked" })
    expect((await ask("POST", "/v1/unblock", { key: "a" })).json).toEqual({ ok: true, unblocked: true })
    await ask("POST", "/v1/charge", { key: "a", units: 5 })
    expect((await ask("POST", "/v1/check", { key: "a" })).json).toMatchObject({ allowed: false, reason: "limit" })
    expect((await ask("POST", "/v1/reset", { key: "a" })).json).toEqual({ ok: true, reset: true })
    expect((await ask("POST", "/v1/check", { key: "a" })).json.allowed).toBe(true)
  })

  test("history, top and explain, by path and by body", async () => {
    const { ask } = serveApi({ default: "1/minute" })
    for (const key of ["a", "a", "a", "b"]) await ask("POST", "/v1/check", { key })
    const { json } = await ask("GET", "/v1/history/a?count=5")
    expect(json.map(({ event, count }: { event: string; count: number }) => ({ event, count }))).toEqual([
      { event: "deny", count: 2 },
      { event: "admit", count: 1 },
      { event: "define", count: 1 },
    ])
    expect((await ask("POST", "/v1/history", { key: "a", count: 5 })).json).toEqual(json)
    expect((await ask("GET", "/v1/top?by=denied&limit=1")).json).toMatchObject([{ key: "a", total_denied: 2 }])
    const explained = (await ask("GET", "/v1/explain/a?cost=1")).json
    expect(explained).toMatchObject({
      limit: "default",
      next_admission_at: "2026-11-21T12:01:00.000Z",
      decision: { allowed: false },
      because: expect.stringContaining("default"),
    })
    expect((await ask("POST", "/v1/explain", { key: "a", cost: 1 })).json).toEqual(explained)
    expect((await ask("GET", "/v1/keys?limit=default")).json).toEqual(["a", "b"])
  })
})
