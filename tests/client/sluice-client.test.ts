import { Readable } from "node:stream"
import { describe, expect, test, vi } from "vitest"
import { ApiError, SluiceClient, type SluiceClientOptions } from "../../src/client/index.js"
import {
  CostError,
  KeyError,
  LimitNotFound,
  PolicyError,
  StoreCorrupt,
  StoreLocked,
  StoreUnavailable,
  StoreVersion,
} from "../../src/types/errors.js"

const DECISION = {
  key: "a",
  allowed: true,
  cost: 1,
  remaining: 4,
  reset_at: "2026-11-21T12:00:00.000Z",
  algorithm: "gcra",
  limit: 5,
  retry_after_ms: 0,
  reset_after_ms: 12,
  delay_ms: 0,
  policy: "default",
  reason: "ok",
  receipt: { id: "r-1", key: "a", policy: "default", cost: 1, charged_at_ms: 7 },
}

type Reply = Response | Error | "silence"

interface Asked {
  readonly url: string
  readonly method: string
  readonly body: Record<string, unknown> | undefined
  readonly headers: Record<string, string>
  readonly redirect: string | undefined
}

const ok = (value: unknown = DECISION) => Response.json(value)
const problem = (status: number, members: object, headers: Record<string, string> = {}) => {
  return Response.json({ status, detail: "what went wrong", ...members }, { status, headers })
}
const lost = () => new TypeError("fetch failed")

/** A client whose requests get these replies, in order. */
function clientOf(replies: Reply[], options: object = {}) {
  const asked: Asked[] = []
  const client = new SluiceClient("http://limits.test/base/", {
    retryDelayMs: 0,
    ...options,
    fetch(url, { method, body, headers, signal, redirect }) {
      asked.push({
        url,
        method: method!,
        body: body === undefined ? undefined : JSON.parse(body as string),
        headers: headers as Record<string, string>,
        redirect,
      })
      const reply = replies.shift()!
      if (reply === "silence") {
        return new Promise((_, reject) => signal!.addEventListener("abort", () => reject(signal!.reason)))
      }
      return reply instanceof Error ? Promise.reject(reply) : Promise.resolve(reply)
    },
  })
  return { client, asked }
}

describe("SluiceClient", () => {
  test("follows no redirect, to a stream neither: the token would go along", async () => {
    const moved = () => new Response(null, { status: 302, headers: { Location: "http://elsewhere.test/" } })
    const { client, asked } = clientOf([moved(), moved()], { token: "the-token" })
    await expect(client.check("a")).rejects.toThrow(ApiError)
    await expect(client.events().next()).rejects.toThrow(ApiError)
    expect(asked.map(({ redirect }) => redirect)).toEqual(["manual", "manual"])
  })

  test("sends the token and the body, and reads the decision", async () => {
    const { client, asked } = clientOf([ok()], { token: "the-token" })
    expect(await client.check("a", { cost: 2, limit: "api" })).toEqual({
      allowed: true,
      key: "a",
      policy: "default",
      algorithm: "gcra",
      limit: 5,
      remaining: 4,
      cost: 1,
      retryAfterMs: 0,
      resetAfterMs: 12,
      delayMs: 0,
      reason: "ok",
      receipt: { id: "r-1", key: "a", policy: "default", cost: 1, chargedAtMs: 7 },
    })
    expect(asked).toEqual([
      {
        url: "http://limits.test/base/v1/check",
        method: "POST",
        body: { key: "a", cost: 2, limit: "api", id: expect.stringMatching(/^[0-9a-f-]{36}$/) },
        headers: { Authorization: "Bearer the-token", "Content-Type": "application/json" },
        redirect: "manual",
      },
    ])
  })

  test("check() is tried again under the same id, each call under its own", async () => {
    const { client, asked } = clientOf([lost(), problem(503, {}), ok(), ok()])
    expect((await client.check("a")).allowed).toBe(true)
    await client.check("a")
    const ids = asked.map(({ body }) => body!["id"])
    expect(ids.slice(0, 3)).toEqual([ids[0], ids[0], ids[0]])
    expect(ids[3]).not.toBe(ids[0])
  })

  test.each([502, 503, 504])("check() is tried again after a %d, whose body is not left open", async (status) => {
    const cancel = vi.fn()
    const { client, asked } = clientOf([new Response(new ReadableStream({ cancel }), { status }), ok()])
    expect((await client.check("a")).allowed).toBe(true)
    expect(asked).toHaveLength(2)
    expect(cancel).toHaveBeenCalledOnce()
  })

  test.each([{ garbage: 1 }, null, "text", { receipt: null, rules: [], limits: null }])(
    "an answer of another shape is an ApiError, whatever is asked: %j",
    async (json) => {
      const asks: ((client: SluiceClient) => Promise<unknown>)[] = [
        ...(["check", "peek", "allow", "status", "stats", "unblock", "reset", "history", "explain"] as const).map(
          (verb) => (client: SluiceClient) => client[verb]("a"),
        ),
        ...(["limits", "list", "compact", "health", "totals", "verify", "doctor"] as const).map(
          (verb) => (client: SluiceClient) => client[verb](),
        ),
        (client) => client.checkAll([{ key: "a" }]),
        (client) => client.remove("a"),
        (client) => client.top({ by: "denied" }),
        ...(json === null ? [] : [(client: SluiceClient) => client.limit("a")]),
      ]
      for (const ask of asks) {
        const told = await ask(clientOf([ok(json)]).client).then(
          (value) => value,
          (error: unknown) => error,
        )
        if (told instanceof LimitNotFound && json === null) continue
        expect(told, String(ask)).toBeInstanceOf(ApiError)
        expect(told).toMatchObject({
          message:
            "Cannot use the answer of http://limits.test/base: its status is 200 and it is JSON of another shape, allowed is an answer of sluice's API.",
        })
      }
    },
  )

  const HOSTILE = "\u001b[31m7"
  const STATS = { total_allowed: 1, total_denied: 0, total_allowed_cost: 1, total_denied_cost: 0 }
  const TIMES = { last_allowed_at: null, last_denied_at: null, last_reset_at: null }
  test.each<[string, (client: SluiceClient) => Promise<unknown>, object, readonly string[]]>([
    ["check", (client) => client.check("a"), DECISION, ["limit", "remaining", "cost", "delay_ms"]],
    [
      "stats",
      (client) => client.stats("a"),
      { ...STATS, ...TIMES, policy: "default", remaining: 1, reset_after_ms: 0, blocked_for_ms: 0, rules: [] },
      ["total_allowed", "total_denied_cost"],
    ],
    [
      "verify",
      (client) => client.verify(),
      { ok: true, segments: 1, records: 2, problems: [] },
      ["segments", "records"],
    ],
    [
      "compact",
      (client) => client.compact(),
      { records: 1, bytes_before: 2, bytes_after: 3 },
      ["records", "bytes_before", "bytes_after"],
    ],
  ])("%s() takes no text for a number", async (_, ask, answer, numbers) => {
    await ask(clientOf([ok(answer)]).client)
    for (const name of numbers) {
      await expect(ask(clientOf([ok({ ...answer, [name]: HOSTILE })]).client), name).rejects.toThrow("another shape")
    }
  })

  test("verify() and doctor() take no number for a text", async () => {
    const check = { ok: false, segments: 1, records: 2, problems: [7] }
    await expect(clientOf([ok(check)]).client.verify()).rejects.toThrow("another shape")
    const diagnosis = { ok: true, findings: [{ name: "log", ok: true, detail: 7 }] }
    await expect(clientOf([ok(diagnosis)]).client.doctor()).rejects.toThrow("another shape")
  })

  test("is tried again when the server wants it, and not where that is after the timeout", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance", "Date"] })
    try {
      const busy = (retryAfter: string) => problem(503, { code: "STORE_UNAVAILABLE" }, { "Retry-After": retryAfter })
      const { client, asked } = clientOf([busy("1"), ok(), busy("5")])
      const answer = client.check("a")
      await vi.advanceTimersByTimeAsync(999)
      expect(asked).toHaveLength(1)
      await vi.advanceTimersByTimeAsync(1)
      expect((await answer).allowed).toBe(true)
      await expect(client.check("a")).rejects.toMatchObject({ code: "STORE_UNAVAILABLE", message: "what went wrong" })
      expect(asked).toHaveLength(3)
    } finally {
      vi.useRealTimers()
    }
  })

  test("an id that is undefined is none: the call gets its own", async () => {
    const { client, asked } = clientOf([lost(), ok()])
    await client.check("a", { id: undefined } as object)
    const ids = asked.map(({ body }) => body!["id"])
    expect(ids).toEqual([expect.stringMatching(/^[0-9a-f-]{36}$/), ids[0]])
  })

  test("checkAll() is tried again where every item has an id", async () => {
    const answer = { allowed: true, denied_key: null, denied_policy: null, results: [] }
    const { client, asked } = clientOf([lost(), ok(answer)])
    const items = [
      { key: "a", id: "one" },
      { key: "b", id: "two" },
    ]
    await client.checkAll(items)
    expect(asked.map(({ body }) => body)).toEqual([{ items }, { items }])
  })

  test("checkAll() is tried again where the call has an id", async () => {
    const answer = { allowed: true, denied_key: null, denied_policy: null, results: [] }
    const { client, asked } = clientOf([lost(), ok(answer)])
    const body = { items: [{ key: "a" }, { key: "b" }], id: "one" }
    await client.checkAll(body.items, { id: "one" })
    expect(asked.map((each) => each.body)).toEqual([body, body])
  })

  test("an id of the caller's is kept", async () => {
    const { client, asked } = clientOf([ok()])
    await client.check("a", { id: "mine" })
    expect(asked[0]!.body).toEqual({ key: "a", id: "mine" })
  })

  test.each([
    ["charge()", (client: SluiceClient) => client.charge("a", 1)],
    ["reset()", (client: SluiceClient) => client.reset("a")],
    [
      "checkAll() with an item without an id",
      (client: SluiceClient) => client.checkAll([{ key: "a", id: "one" }, { key: "b" }]),
    ],
  ])("%s is not tried again: it may have taken effect", async (_name, call) => {
    const { client, asked } = clientOf([lost(), ok()])
    await expect(call(client)).rejects.toThrow(StoreUnavailable)
    expect(asked).toHaveLength(1)
  })

  test("gives up after its retries", async () => {
    const { client, asked } = clientOf([lost(), lost(), lost(), ok()])
    await expect(client.peek("a")).rejects.toMatchObject({
      code: "STORE_UNAVAILABLE",
      cause: { message: "fetch failed" },
    })
    expect(asked).toHaveLength(3)
    const never = clientOf([lost(), ok()], { retries: 0 })
    await expect(never.client.peek("a")).rejects.toThrow(StoreUnavailable)
  })

  test.each([
    [{}, "fetch failed"],
    [{ cause: new Error("connect ECONNREFUSED 127.0.0.1:1") }, "connect ECONNREFUSED 127.0.0.1:1"],
    [{ cause: Object.assign(new AggregateError([]), { code: "ECONNREFUSED" }) }, "ECONNREFUSED"],
    [{ cause: new Error("It is gone.") }, "It is gone"],
    [
      {
        cause: new Error(
          "404D2247CB7F0000:error:0A00010B:SSL routines:tls_validate_record_header:wrong version number:../ssl/tlsany_meth.c:77:\n",
        ),
      },
      "the TLS handshake failed, wrong version number",
    ],
  ])("tells which server did not answer and why, of a stream too: %o", async (options, why) => {
    const fail = () => new TypeError("fetch failed", options)
    const { client } = clientOf([fail(), fail()], { retries: 0, token: "the-token" })
    const message = `Cannot reach the store: the server http://limits.test did not answer: ${why}.`
    await expect(client.peek("a")).rejects.toMatchObject({ code: "STORE_UNAVAILABLE", message })
    await expect(client.events().next()).rejects.toMatchObject({ code: "STORE_UNAVAILABLE", message })
  })

  test("gives up after its time, with all its retries", async () => {
    const { client } = clientOf(["silence"], { timeoutMs: 5 })
    await expect(client.check("a")).rejects.toThrow(
      "Cannot reach the store: the server http://limits.test did not answer within 5 ms.",
    )
  })

  test("gives up after its time also where fetch heeds no signal, neither before its answer nor in it", async () => {
    const cancel = vi.fn(() => new Promise<void>(() => {}))
    const slow = (status: number) => new Response(new ReadableStream({ cancel }), { status })
    for (const reply of [new Promise<Response>(() => {}), slow(200), slow(503)]) {
      const fetch = () => Promise.resolve(reply)
      const client = new SluiceClient("http://limits.test", { fetch, timeoutMs: 5 })
      await expect(client.check("a")).rejects.toThrow("did not answer within 5 ms")
    }
    expect(cancel).toHaveBeenCalledTimes(2)
  })

  test.each([200, 500])("reads no more of an answer than one can have, at the status %i", async (status) => {
    const cancel = vi.fn()
    const part = new Uint8Array(1 << 20).fill(0x20)
    let parts = 0
    const pull = (controller: ReadableStreamDefaultController) => {
      parts++
      controller.enqueue(part)
    }
    const { client } = clientOf([new Response(new ReadableStream({ pull, cancel }), { status })])
    await expect(client.check("a")).rejects.toThrow(`status is ${status} and it is longer than 33554432 bytes`)
    expect(parts).toBeLessThan(40)
    expect(cancel).toHaveBeenCalledOnce()
  })

  test("reads an answer that comes in parts, of which one begins within a character", async () => {
    const bytes = new TextEncoder().encode(JSON.stringify({ ...DECISION, key: "ключ" }))
    const body = new ReadableStream({
      start(controller) {
        for (const byte of bytes) controller.enqueue(Uint8Array.of(byte))
        controller.close()
      },
    })
    const { client } = clientOf([new Response(body)])
    expect((await client.check("ключ")).key).toBe("ключ")
  })

  /** An answer as a `fetch` gives it whose bodies are streams of Node's. */
  function nodeAnswer(text: () => Promise<string>): Response {
    const { status, ok, headers } = Response.json({})
    return { status, ok, headers, body: Readable.from(["{}"]) as unknown, text } as Response
  }

  test("reads an answer whose body is no web stream, and ends in its time where that has no end", async () => {
    const { client } = clientOf([nodeAnswer(async () => JSON.stringify(DECISION))])
    expect((await client.check("a")).remaining).toBe(4)
    const { client: other } = clientOf([nodeAnswer(() => new Promise(() => {}))], { timeoutMs: 20 })
    await expect(other.check("a")).rejects.toThrow("did not answer within 20 ms")
  })

  test("ends with the reason of the caller's signal", async () => {
    const { client } = clientOf(["silence"])
    const ending = new AbortController()
    const call = client.check("a", { signal: ending.signal })
    ending.abort(new Error("enough"))
    await expect(call).rejects.toThrow("enough")
    const { client: other, asked } = clientOf([ok()])
    await expect(other.check("a", { signal: AbortSignal.abort(new Error("before")) })).rejects.toThrow("before")
    expect(asked).toHaveLength(0)
  })

  test.each([
    [400, { code: "COST_ABOVE_CAPACITY", key: "a", cost: 9, maximum: 5 }, CostError, { maximum: 5, key: "a" }],
    [400, { code: "LIMIT_NOT_FOUND", limit: "a" }, LimitNotFound, { limit: "a", of: "limit" }],
    [400, { code: "LIMIT_NOT_FOUND", limit: "a", of: "key" }, LimitNotFound, { limit: "a", of: "key" }],
    [
      400,
      { code: "POLICY_INVALID", field: "limit", value: 0, allowed: "1 to 5" },
      PolicyError,
      { field: "limit", value: 0 },
    ],
    [400, { code: "OUT_OF_RANGE" }, RangeError, {}],
    [400, { code: "REQUEST_INVALID" }, RangeError, {}],
    [500, { code: "STORE_CORRUPT", row: "segment 3", failure: "x" }, StoreCorrupt, { row: "segment 3" }],
    [500, { code: "STORE_VERSION", found: 9, supported: 4 }, StoreVersion, { found: 9, supported: 4 }],
    [503, { code: "STORE_UNAVAILABLE" }, StoreUnavailable, {}],
    [503, { code: "STORE_LOCKED" }, StoreLocked, {}],
    [400, { code: "KEY_INVALID" }, KeyError, {}],
    // By its code, whatever the status.
    [429, { code: "STORE_UNAVAILABLE" }, StoreUnavailable, {}],
    [429, { code: "RATE_LIMIT_EXCEEDED" }, ApiError, { status: 429, code: "RATE_LIMIT_EXCEEDED" }],
    [401, { code: "UNAUTHORIZED" }, ApiError, { status: 401, code: "UNAUTHORIZED", retryAfterMs: null }],
    [400, { code: "COST_INVALID" }, ApiError, { status: 400, code: "COST_INVALID" }],
    [500, { code: "INTERNAL" }, ApiError, { status: 500, code: "INTERNAL" }],
    // By the status where an answer of another server has none.
    [401, {}, ApiError, { status: 401, code: "UNAUTHORIZED" }],
    [403, {}, ApiError, { status: 403, code: "FORBIDDEN" }],
    [404, { code: 7 }, ApiError, { status: 404, code: "NOT_FOUND" }],
    [405, {}, ApiError, { status: 405, code: "METHOD_NOT_ALLOWED" }],
    [408, {}, ApiError, { status: 408, code: "REQUEST_TIMEOUT" }],
    [413, {}, ApiError, { status: 413, code: "CONTENT_TOO_LARGE" }],
    [415, {}, ApiError, { status: 415, code: "UNSUPPORTED_MEDIA_TYPE" }],
    [429, {}, ApiError, { status: 429, code: "TOO_MANY_REQUESTS" }],
    [418, {}, ApiError, { status: 418, code: "HTTP_ERROR" }],
    [500, { code: "__proto__" }, ApiError, { status: 500 }],
  ])("a %d %j is an error of its class", async (status, members, Class, fields) => {
    const { client } = clientOf([problem(status, members)], { retries: 0 })
    const error = await client.check("a").catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(Class)
    expect(error).toMatchObject({ message: "what went wrong", ...fields })
  })

  test("refuses a key that cannot be before any call, with the error of a limiter in the process", async () => {
    const { client, asked } = clientOf([])
    for (const key of [null, 5, "", "\ud83d", "x".repeat(513)] as string[]) {
      for (const ask of [
        () => client.check(key),
        () => client.peek(key),
        () => client.charge(key, 1),
        () => client.block(key, "1m"),
        () => client.unblock(key),
        () => client.reset(key),
        () => client.status(key),
        () => client.stats(key),
        () => client.history(key),
        () => client.explain(key),
      ]) {
        await expect(ask()).rejects.toBeInstanceOf(KeyError)
      }
    }
    expect(asked).toEqual([])
  })

  test("tells how long to wait after too many wrong tokens, and does not try again", async () => {
    const { client, asked } = clientOf([problem(429, {}, { "Retry-After": "6" })])
    await expect(client.check("a")).rejects.toMatchObject({ status: 429, retryAfterMs: 6_000 })
    const atHttpDate = clientOf([problem(429, {}, { "Retry-After": "Sun, 06 Nov 1994 08:49:37 GMT" })])
    await expect(atHttpDate.client.check("a")).rejects.toMatchObject({ status: 429, retryAfterMs: 0 })
    expect(asked).toHaveLength(1)
  })

  test("an answer that is no JSON is an error, not a decision", async () => {
    const { client } = clientOf([new Response("<html>"), new Response("<html>", { status: 500 })])
    await expect(client.check("a")).rejects.toThrow(ApiError)
    await expect(client.check("a")).rejects.toThrow("status is 500")
  })

  test("an answer that is not of sluice tells whose it is and what was expected, of a stream too", async () => {
    const cancel = vi.fn()
    const html = (body: BodyInit) => new Response(body, { headers: { "Content-Type": "text/html" } })
    const endless = html(new ReadableStream({ cancel }))
    const { client } = clientOf([html("<html>"), Response.json({}, { status: 418 }), endless])
    const message = (what: string) =>
      `Cannot use the answer of http://limits.test/base: its status is ${what}, allowed is an answer of sluice's API.`
    const error = (what: string) => ({ code: "HTTP_ERROR", message: message(what) })
    await expect(client.check("a")).rejects.toMatchObject(error("200 and it is no JSON"))
    await expect(client.check("a")).rejects.toMatchObject(error("418 and it is JSON without a detail"))
    await expect(client.events().next()).rejects.toMatchObject(error("200 and it is no stream of events"))
    expect(cancel).toHaveBeenCalledOnce()
  })

  test.each([
    ["http://me:secret@host/base", '"http://host/base" with credentials, allowed'],
    ["http://host/?token=secret", '"http://host/" with a query, allowed'],
    ["https://me@host/?token=secret", '"https://host/" with credentials and a query, allowed'],
    ["ftp://host/", '"ftp://host/", allowed'],
  ])("of the URL %s tells what it may not have, and not what that is", (url, told) => {
    const make = () => new SluiceClient(url)
    expect(make).toThrow(`Cannot make a client: url is ${told} is an http or https URL without`)
    expect(make).not.toThrow("secret")
  })

  test("reads what a server tells of itself, its counts and its log in the library's names, times in ms", async () => {
    const at = "2026-11-21T12:00:00.007Z"
    const atMs = Date.parse(at)
    const seen = [{ key: "a", count: 3, error: 1 }]
    const { client } = clientOf([
      ok({ ok: true, service: "sluice", version: "1.2.3", storage: "memory", started_at: at, now: at }),
      ok({
        at,
        allowed: 1,
        denied: 2,
        allowed_cost: 3,
        denied_cost: 4,
        failures: 5,
        most_denied: seen,
        most_allowed: [],
      }),
      ok({ ok: true, records: 5, bytes_before: 600, bytes_after: 70 }),
      ok({ ok: true, records: 0, bytes_before: null, bytes_after: null, detail: "There is no log." }),
    ])
    const health = { ok: true, version: "1.2.3", storage: "memory", startedAtMs: atMs, nowMs: atMs }
    expect(await client.health()).toEqual(health)
    const sums = { allowed: 1, denied: 2, allowedCost: 3, deniedCost: 4, failures: 5 }
    expect(await client.totals()).toEqual({ atMs, ...sums, mostDenied: seen, mostAllowed: [] })
    expect(await client.compact()).toEqual({ records: 5, bytesBefore: 600, bytesAfter: 70 })
    const nothing = { records: 0, bytesBefore: null, bytesAfter: null, detail: "There is no log." }
    expect(await client.compact()).toEqual(nothing)
  })

  test("lists limits on to the page that the server says comes next, though one is short or empty", async () => {
    const page = (names: readonly string[], after?: string) => {
      const link = `</v1/limits?count=1000&after=${encodeURIComponent(after ?? "")}>; rel="next"`
      const statuses = names.map((limit) => ({ limit, definition: "5/minute" }))
      return Response.json(statuses, { headers: after === undefined ? {} : { Link: link } })
    }
    const { client, asked } = clientOf([page(["a"], "b&c"), page([], "d"), page(["e"])])
    expect((await client.limits()).map(({ name }) => name)).toEqual(["a", "e"])
    expect(asked.map(({ url }) => new URL(url).searchParams.get("after"))).toEqual([null, "b&c", "d"])
  })

  test.each<[string, unknown, string | undefined]>([
    ["a page that leads to itself", [], "x"],
    ["a page that leads back", [], "b"],
    ["a page that leads to the start", [], ""],
    ["a full page of the same keys", Array(1_000).fill("k"), undefined],
    ["a full page of no names", Array(1_000).fill(1), undefined],
  ])("gives up a listing at %s, which would never end", async (_, keys, after) => {
    const page = () => {
      const headers = after === undefined ? {} : { Link: `</v1/keys?after=${after}>; rel="next"` }
      return Response.json(keys, { headers })
    }
    const first = Response.json([], { headers: { Link: '</v1/keys?after=x>; rel="next"' } })
    const { client, asked } = clientOf([first, ...Array.from({ length: 9 }, page)])
    await expect(client.list()).rejects.toMatchObject({
      code: "HTTP_ERROR",
      message: expect.stringContaining("it is a page that does not go on after the one before"),
    })
    expect(asked.length).toBeLessThanOrEqual(3)
  })

  test("goes on after names in the order of their code points, which is not that of their code units", async () => {
    const page = (after?: string) => {
      const link = `</v1/keys?after=${encodeURIComponent(after ?? "")}>; rel="next"`
      return Response.json([], { headers: after === undefined ? {} : { Link: link } })
    }
    const { client, asked } = clientOf([page("\uffee"), page("\u{1f600}"), page()])
    expect(await client.list()).toEqual([])
    expect(asked).toHaveLength(3)
  })

  test("takes an answer whose Link is long and leads nowhere", async () => {
    // Were its parts looked for from each of its brackets, this would take 10^10 steps.
    const { client } = clientOf([Response.json([], { headers: { Link: "<?".repeat(6_000) } })])
    expect(await client.limits()).toEqual([])
  })

  test.each(["nothing", "ftp://x", "http://user:pass@x", "http://x/?q=1"])(
    "refuses the URL %s, and shows no secret",
    (url) => {
      const make = () => new SluiceClient(url)
      expect(make).toThrow("allowed is an http or https URL")
      expect(make).not.toThrow("pass")
    },
  )

  test.each<[string, unknown]>([
    ["timeoutMs", { timeoutMs: 0 }],
    ["timeoutMs", { timeoutMs: 2 ** 31 }],
    ["timeoutMs", { timeoutMs: "5000" }],
    ["retries", { retries: -1 }],
    ["retries", { retries: 1.5 }],
    ["retryDelayMs", { retryDelayMs: Number.NaN }],
    ["token", { token: 5 }],
    ['token is "", allowed is printable ASCII without space, not empty.', { token: "" }],
    ["token has other characters, allowed is printable ASCII without space, not empty.", { token: "my secret" }],
    ["fetch", { fetch: "fetch" }],
    ['did you mean "timeoutMs"?', { timeoutMS: 5 }],
    ['option is "tokens"', { tokens: "secret" }],
    ["options is null", null],
  ])("refuses a %s that cannot be: %j", (field, options) => {
    expect(() => new SluiceClient("http://x", options as SluiceClientOptions)).toThrow(RangeError)
    expect(() => new SluiceClient("http://x", options as SluiceClientOptions)).toThrow(field)
    expect(() => new SluiceClient("http://x", options as SluiceClientOptions)).not.toThrow("my secret")
  })
})
