import { describe, expect, test } from "vitest"
import type { ApiOptions } from "../../src/api/create-api.js"
import { configPolicies, limitsByConfig, parseConfig } from "../../src/config/index.js"
import { MemoryLimits } from "../../src/limiter/memory-limits.js"
import { ManualClock } from "../../src/types/clock.js"
import type { DecisionEvent } from "../../src/types/decision-event.js"
import { serveApi } from "./serve-api.js"

describe("POST /v1/check", () => {
  test("answers with the names of the API, an allowed and a denied check", async () => {
    const { ask, clock } = serveApi({ "user:1": "2/minute" })
    expect((await ask("POST", "/v1/check", { key: "user:1" })).json).toEqual({
      key: "user:1",
      allowed: true,
      cost: 1,
      remaining: 1,
      reset_at: "2026-11-21T12:00:30.000Z",
      algorithm: "gcra",
      limit: 2,
      retry_after_ms: 0,
      reset_after_ms: 30_000,
      delay_ms: 0,
      policy: "default",
      reason: "ok",
      receipt: { id: expect.any(String), key: "user:1", policy: "default", cost: 1, charged_at_ms: clock.now() },
    })
    const denied = await ask("POST", "/v1/check", { key: "user:1", cost: 2 })
    expect(denied.status).toBe(200)
    expect(denied.json).toMatchObject({ allowed: false, remaining: 1, retry_after_ms: 30_000, receipt: null })
  })

  test("answers a decision whatever those throw that hear of it, and hands that to onError", async () => {
    const errors: unknown[] = []
    const bad = (what: string) => () => {
      throw new Error(what)
    }
    const hooks = {
      onDecision: bad("decision"),
      onAnswer: bad("answer"),
      onError: (error: unknown) => errors.push(error),
    }
    const { ask } = serveApi({ a: "5/minute" }, hooks)
    const { status, json } = await ask("POST", "/v1/check", { key: "a" })
    expect({ status, remaining: json.remaining }).toEqual({ status: 200, remaining: 4 })
    expect(errors).toEqual([new Error("decision"), new Error("answer")])
  })

  test("counts a decision and puts it into the event stream also where a listener hears of it", async () => {
    const heard: [boolean, string][] = []
    const onDecision: ApiOptions["onDecision"] = ({ allowed }, { name }) => void heard.push([allowed, name])
    const { ask, api } = serveApi({ a: "1/minute" }, { onDecision })
    const events: DecisionEvent[] = []
    api.events.listen((event) => events.push(event))
    for (let times = 0; times < 2; times++) await ask("POST", "/v1/check", { key: "a" })
    expect(heard).toEqual([
      [true, "a"],
      [false, "a"],
    ])
    expect(events.map(({ allowed, limit }) => [allowed, limit])).toEqual(heard)
    expect((await ask("GET", "/v1/totals")).json).toMatchObject({ allowed: 1, denied: 1 })
  })

  test("charges once where the same id comes again", async () => {
    const { ask } = serveApi({ a: "5/minute" })
    for (let times = 0; times < 3; times++) {
      expect((await ask("POST", "/v1/check", { key: "a", id: "call-1" })).json.remaining).toBe(4)
    }
    expect((await ask("POST", "/v1/check", { key: "a", id: "call-2" })).json.remaining).toBe(3)
  })

  test("counts every denial of an id: none is told again", async () => {
    const { ask, api } = serveApi({ a: "1/minute" })
    for (const id of ["call-1", "call-2", "call-2"]) await ask("POST", "/v1/check", { key: "a", id })
    expect(api.metrics.sums()).toMatchObject({ allowed: 1, denied: 2 })
    expect(api.events.lastId).toBe(3)
  })

  test("refuses the same id with another cost, and charges anew what was refunded", async () => {
    const { ask } = serveApi({ a: "5/minute" })
    const first = (await ask("POST", "/v1/check", { key: "a", cost: 2, id: "call-1" })).json
    const { status, json, headers } = await ask("POST", "/v1/check", { key: "a", cost: 3, id: "call-1" })
    expect({ status, code: json.code }).toEqual({ status: 400, code: "OUT_OF_RANGE" })
    expect(headers.get("content-type")).toBe("application/problem+json")
    expect(json.detail).toContain('id "call-1": cost is 3, allowed is 2')
    await ask("POST", "/v1/refund", { receipt: first.receipt })
    expect((await ask("POST", "/v1/check", { key: "a", cost: 3, id: "call-1" })).json.remaining).toBe(2)
  })

  test("says that a limit is not configured as clients know it", async () => {
    const { ask } = serveApi()
    const { status, json, headers } = await ask("POST", "/v1/check", { key: "nobody" })
    expect(status).toBe(400)
    expect(headers.get("content-type")).toBe("application/problem+json")
    expect(json).toMatchObject({
      status: 400,
      code: "LIMIT_NOT_FOUND",
      error: "limit is not configured",
      limit: "nobody",
    })
  })

  test("tells the largest cost that can pass", async () => {
    const { ask } = serveApi({ a: "5/minute" })
    const { status, json } = await ask("POST", "/v1/check", { key: "a", cost: 6 })
    expect(status).toBe(400)
    expect(json).toMatchObject({ code: "COST_ABOVE_CAPACITY", cost: 6, maximum: 5 })
    expect((await ask("POST", "/v1/limits/a".replace("limits/a", "status"), { key: "a" })).json.total_denied).toBe(0)
  })

  test.each([
    [{}, "key is undefined"],
    [{ key: 5 }, "key is 5"],
    [{ key: "" }, "a key is not empty"],
    [{ key: "x".repeat(513) }, "longer than 512 bytes"],
    [{ key: "\ud800" }, "lone surrogate"],
    [{ key: "a", cost: -1 }, "cost is -1, allowed is a whole number from 0 to 2147483648"],
    [{ key: "a", cost: 1.5 }, "cost is 1.5"],
    [{ key: "a", cost: "1" }, 'cost is "1"'],
    [{ key: "a", cost: null }, "cost is null"],
    [{ key: "a", id: "" }, 'id is ""'],
    [{ key: "a", id: "a\u00e9" }, 'id is "a\u00e9"'],
    [{ key: "a", cots: 1 }, 'did you mean "cost"?'],
    ['{"key":"a","__proto__":{"cost":0}}', 'field is "__proto__"'],
    [[], "the body is"],
    ["null", "the body is null"],
    ["{", "the body is no JSON"],
    ["", "the body is no JSON"],
  ])("refuses %j and changes nothing", async (body, message) => {
    const { ask, limits } = serveApi({ a: "5/minute" })
    const { status, json } = await ask("POST", "/v1/check", body)
    expect({ status, error: json.error }).toEqual({ status: 400, error: expect.stringContaining(message) })
    expect(json.detail).toBe(json.error)
    expect(limits.status("a").remaining).toBe(5)
  })
})

test("POST /v1/check of a group counts a call once that comes again under its id", async () => {
  const config = parseConfig('limits.a = { policy = "9/minute" }\ngroups.g = { limits = ["a"] }')
  const limits = new MemoryLimits({ clock: new ManualClock(0), limits: configPolicies(config) })
  const { ask, api } = serveApi({}, { limits: limitsByConfig(limits, config) })
  const check = async () => (await ask("POST", "/v1/check", { key: "k", limit: "g", id: "x" })).json
  const first = await check()
  expect(await check()).toEqual(first)
  expect(api.metrics.sums()).toMatchObject({ allowed: 1 })
  await limits.refund({ ...first.limits[0].receipt, chargedAtMs: 0 })
  await check()
  expect(api.metrics.sums()).toMatchObject({ allowed: 2 })
})

test("the API tells the limits of a group that is no limit, in a status too, which is null of other names", async () => {
  const config = parseConfig('limits.a = { policy = "9/minute" }\ngroups.g = { limits = ["a"] }')
  const limits = new MemoryLimits({ limits: configPolicies(config), stats: true })
  const { ask } = serveApi({}, { limits: limitsByConfig(limits, config) })
  const detail = 'Cannot find the limit "g": it is a group, of a.'
  for (const verb of ["status", "explain", "unblock", "reset"]) {
    expect(await ask("POST", `/v1/${verb}`, { key: "k", limit: "g" })).toMatchObject({
      status: 400,
      json: { code: "LIMIT_NOT_FOUND", detail, limit: "g", of: "limit" },
    })
  }
  expect(await ask("POST", "/v1/status", { key: "k", limit: "h" })).toMatchObject({ status: 200, json: null })
})

describe("POST /v1/check-all", () => {
  test("charges all, or nothing and names who was denied", async () => {
    const { ask } = serveApi({ api: "3/minute", login: "1/minute as login" })
    const items = [
      { key: "a", limit: "api", cost: 2 },
      { key: "a", limit: "login" },
    ]
    expect((await ask("POST", "/v1/check-all", { items })).json).toMatchObject({ allowed: true, denied_key: null })
    const denied = (await ask("POST", "/v1/check-all", { items: items.map((item) => ({ ...item, cost: 1 })) })).json
    expect(denied).toMatchObject({ allowed: false, denied_key: "a", denied_policy: "login" })
    expect(denied.results).toHaveLength(2)
    expect((await ask("POST", "/v1/peek", { key: "a", limit: "api" })).json.remaining).toBe(1)
  })

  test("counts none as admitted where one was denied", async () => {
    const { ask, api } = serveApi({ api: "3/minute", login: "1/minute as login" })
    const items = [
      { key: "a", limit: "api" },
      { key: "b", limit: "login" },
    ]
    for (const allowed of [true, false]) {
      expect((await ask("POST", "/v1/check-all", { items })).json.allowed).toBe(allowed)
    }
    expect(api.metrics.sums()).toEqual({ allowed: 2, denied: 1, allowedCost: 2, deniedCost: 1 })
    expect(api.events.lastId).toBe(3)
  })

  test("charges and counts an item once where its id comes again", async () => {
    const { ask, api } = serveApi({ api: "3/minute" })
    const items = [
      { key: "a", limit: "api", id: "x" },
      { key: "b", limit: "api" },
    ]
    const told = [await ask("POST", "/v1/check-all", { items }), await ask("POST", "/v1/check-all", { items })]
    expect(told.map(({ json }) => json.results.map((each: { remaining: number }) => each.remaining))).toEqual([
      [2, 2],
      [2, 1],
    ])
    expect(told[1]!.json.results[0].receipt).toEqual(told[0]!.json.results[0].receipt)
    expect(api.metrics.sums()).toMatchObject({ allowed: 3, denied: 0 })
    expect(api.events.lastId).toBe(3)
  })

  test("an id of the whole call is that of each item that has none", async () => {
    const { ask, limits } = serveApi({ api: "9/minute" })
    const items = [{ key: "a", cost: 2, id: "x" }, { key: "b" }].map((item) => ({ ...item, limit: "api" }))
    for (const id of ["y", "y", "z"]) expect((await ask("POST", "/v1/check-all", { items, id })).status).toBe(200)
    expect(["a", "b"].map((key) => limits.status(key, { limit: "api" }).remaining)).toEqual([7, 7])
    expect((await ask("POST", "/v1/check", { key: "b", limit: "api", id: "z" })).json.remaining).toBe(7)
    expect((await ask("POST", "/v1/check-all", { items, id: "" })).status).toBe(400)
  })

  test.each([[{ items: [] }], [{ items: [{ key: "a" }, { key: "a" }] }], [{ items: [{ key: "a", id: "" }] }], [{}]])(
    "refuses %j",
    async (body) => {
      const { ask } = serveApi({ a: "5/minute" })
      expect((await ask("POST", "/v1/check-all", body)).status).toBe(400)
    },
  )
})

describe("POST /v1/refund and /v1/settle", () => {
  test("settle a receipt once", async () => {
    const { ask } = serveApi({ a: "10/minute" })
    const { receipt } = (await ask("POST", "/v1/check", { key: "a", cost: 4 })).json
    expect((await ask("POST", "/v1/refund", { receipt, units: 3 })).json).toEqual({ ok: true })
    await ask("POST", "/v1/refund", { receipt })
    expect((await ask("POST", "/v1/peek", { key: "a" })).json.remaining).toBe(9)
    const second = (await ask("POST", "/v1/check", { key: "a", cost: 4 })).json.receipt
    await ask("POST", "/v1/settle", { receipt: second, cost: 6 })
    expect((await ask("POST", "/v1/peek", { key: "a" })).json.remaining).toBe(3)
  })

  test("a receipt that was changed gives no more than a full quota, and settles its charge", async () => {
    const { ask } = serveApi({ a: "10/minute" })
    const left = async () => (await ask("POST", "/v1/peek", { key: "a" })).json.remaining
    const { receipt } = (await ask("POST", "/v1/check", { key: "a", cost: 4 })).json
    await ask("POST", "/v1/check", { key: "a", cost: 3 })
    const changed = { ...receipt, cost: 2 ** 31, charged_at_ms: 0 }
    for (const id of [
      `${receipt.id}0`,
      `${receipt.id} `,
      receipt.id.replace("-", "-0"),
      receipt.id.replace(/.$/, "z"),
    ]) {
      expect((await ask("POST", "/v1/refund", { receipt: { ...changed, id } })).status).toBe(400)
    }
    expect(await left()).toBe(3)
    await ask("POST", "/v1/refund", { receipt: { ...receipt, cost: 2 ** 31 } })
    expect(await left()).toBe(10)
    await ask("POST", "/v1/check", { key: "a", cost: 5 })
    await ask("POST", "/v1/refund", { receipt })
    expect(await left()).toBe(5)
  })

  test("refuse a receipt of nobody", async () => {
    const { ask } = serveApi({ a: "10/minute" })
    const receipt = { id: "made-up-1", key: "a", policy: "default", cost: 4, charged_at_ms: 0 }
    expect((await ask("POST", "/v1/refund", { receipt })).json).toMatchObject({ status: 400, code: "OUT_OF_RANGE" })
  })
})
