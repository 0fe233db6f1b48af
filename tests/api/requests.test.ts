import { describe, expect, test, vi } from "vitest"
import type { LimitStorage } from "../../src/api/storage.js"
import { StoreCorrupt, StoreUnavailable } from "../../src/types/errors.js"
import { settled } from "../http/requests.js"
import { answerOf, serveApi, TOKEN } from "./serve-api.js"

describe("a request", () => {
  test.each([
    ["PUT", "/v1/check", 405, "POST"],
    ["GET", "/v1/check", 405, "POST"],
    ["HEAD", "/v1/check", 405, "POST"],
    ["POST", "/v1/limits/a", 405, "GET, HEAD, DELETE"],
  ])("%s %s is a %d that tells what is allowed", async (method, path, status, allow) => {
    const { ask } = serveApi()
    const answer = await ask(method, path)
    expect({ status: answer.status, allow: answer.headers.get("allow") }).toEqual({ status, allow })
  })

  test.each(["/v1/health", "/v1/limits", "/v1/limits/a", "/v1/openapi.json", "/metrics", "/v1/events"])(
    "HEAD %s is answered as a GET, without a body",
    async (path) => {
      const { ask, api } = serveApi({ a: "5/minute" })
      const head = await ask("HEAD", path)
      expect({ status: head.status, text: head.text }).toEqual({ status: 200, text: "" })
      const request = new Request(`http://sluice.test${path}`, { headers: { Authorization: `Bearer ${TOKEN}` } })
      const { headers, body } = await api.fetch(request)
      await body?.cancel()
      expect(head.headers.get("content-type")).toBe(headers.get("content-type"))
    },
  )

  test.each([
    "/",
    "/v1",
    "/v1/",
    "/v1/checks",
    "/v1/check/",
    "/v1/limits/",
    "/v1/limits/a/b",
    "/metrics/x",
    "//v1/check",
  ])("%s is a 404", async (path) => {
    const { ask } = serveApi()
    expect((await ask("GET", path)).status).toBe(404)
  })

  test.each(["/v1/limits/%", "/v1/limits/%ff", "/v1/limits/%c3%28", "/v1/history/%ed%a0%80"])(
    "%s has no UTF-8 key: a 400",
    async (path) => {
      const { ask } = serveApi({ default: "1/s" })
      expect((await ask("GET", path)).status).toBe(400)
    },
  )

  test.each([
    ["/v1/top?by=most", "by is"],
    ["/v1/top?limit=x", "limit is"],
    ["/v1/top?limit=1&limit=2", "twice"],
    ["/v1/top?limt=1", "did you mean"],
    ["/v1/top?__proto__=1", "field is"],
    ["/v1/health?x=1", "no query"],
    ["/v1/explain/a?cost=-1", "cost is"],
    ["/v1/explain/a?cost=1e3", "cost is"],
  ])("%s is a 400", async (path, message) => {
    const { ask } = serveApi({ a: "5/minute" })
    const { status, json } = await ask("GET", path)
    expect({ status, error: json.error }).toEqual({ status: 400, error: expect.stringContaining(message) })
  })

  test("a body of 64 KiB is read, a longer one is refused, whether or not its length is said", async () => {
    const { ask, api } = serveApi({ a: "5/minute" })
    const padded = (bytes: number) => `{"key":"a"${" ".repeat(bytes - 11)}}`
    expect((await ask("POST", "/v1/check", padded(65_536))).status).toBe(200)
    expect((await ask("POST", "/v1/check", padded(65_537))).status).toBe(413)
    let pulled = 0
    const endless = new ReadableStream({
      pull(controller) {
        pulled++
        controller.enqueue(new Uint8Array(1024).fill(0x20))
      },
    })
    const response = await api.fetch(
      new Request("http://sluice.test/v1/check", {
        method: "POST",
        headers: { Authorization: `Bearer ${TOKEN}` },
        body: endless,
        duplex: "half",
      } as RequestInit),
    )
    expect((await answerOf(response)).status).toBe(413)
    expect(pulled).toBeLessThan(100)
  })

  test.each(["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "application/jsonp"])(
    "a body of %s is a 415",
    async (type) => {
      const { ask } = serveApi({ a: "5/minute" })
      expect((await ask("POST", "/v1/check", { key: "a" }, { "Content-Type": type })).status).toBe(415)
    },
  )

  test.each(["gzip", "br", "gzip, identity", "x"])("a body that is encoded as %s is a 415", async (coding) => {
    const { ask } = serveApi({ a: "5/minute" })
    for (const path of ["/v1/check", "/v1/log/flush"]) {
      const refused = await ask("POST", path, "{}", { "Content-Encoding": coding })
      expect(refused).toMatchObject({
        status: 415,
        json: { error: `Cannot read the request: its Content-Encoding is "${coding}", allowed is none.` },
      })
      expect(refused.headers.get("Accept-Encoding")).toBe("identity")
    }
    expect((await ask("POST", "/v1/check", { key: "a" }, { "Content-Encoding": "Identity" })).status).toBe(200)
  })

  test.each(["PUT", "OPTIONS", "POST"])("%s of the document is a 405 that says what is allowed", async (method) => {
    const { status, headers } = await serveApi().ask(method, "/v1/openapi.json")
    expect([status, headers.get("Allow")]).toEqual([405, "GET, HEAD"])
  })

  test("a body that is no UTF-8 is a 400", async () => {
    const { api } = serveApi({ default: "5/minute" })
    const request = new Request("http://sluice.test/v1/check", {
      method: "POST",
      headers: { Authorization: `Bearer ${TOKEN}`, "Content-Type": "application/json" },
      body: new Uint8Array([...new TextEncoder().encode('{"key":"'), 0xff, 0x22, 0x7d]),
    })
    expect((await answerOf(await api.fetch(request))).json.error).toContain("no UTF-8")
  })

  test.each(["flush", "compact", "verify"])("a body of /v1/log/%s may say nothing", async (verb) => {
    const { ask } = serveApi({ a: "5/minute" })
    const form = { "Content-Type": "application/x-www-form-urlencoded" }
    for (const [body, headers] of [[undefined], ["", form], ["{}"]] as const) {
      expect((await ask("POST", `/v1/log/${verb}`, body, headers)).status).toBe(200)
    }
    const refused = await ask("POST", `/v1/log/${verb}`, { force: true })
    expect(refused).toMatchObject({
      status: 400,
      json: { error: 'Cannot read the request: field is "force", allowed is none.' },
    })
    expect((await ask("POST", `/v1/log/${verb}`, "force=1", form)).status).toBe(415)
    expect((await ask("POST", `/v1/log/${verb}`, "x".repeat(65_537))).status).toBe(413)
  })

  test("POST /v1/log/flush is not answered before the store has flushed, and fails as it does", async () => {
    const flushed = Promise.withResolvers<void>()
    const storage = { flush: () => flushed.promise } as LimitStorage
    const { ask } = serveApi({}, { storage })
    const answered = vi.fn()
    const answer = ask("POST", "/v1/log/flush").finally(answered)
    await settled()
    expect(answered).not.toHaveBeenCalled()
    flushed.reject(new StoreUnavailable("a commit failed"))
    expect(await answer).toMatchObject({ status: 503, json: { code: "STORE_UNAVAILABLE" } })
  })

  test.each<[string, number, string, Parameters<ReturnType<typeof serveApi>["ask"]>]>([
    ["UNAUTHORIZED", 401, "Unauthorized", ["GET", "/v1/limits", undefined, { Authorization: "Bearer wrong" }]],
    ["FORBIDDEN", 403, "Forbidden", ["GET", "/v1/limits", undefined, { Origin: "http://evil.test" }]],
    ["NOT_FOUND", 404, "Not Found", ["GET", "/v1/nothing"]],
    ["METHOD_NOT_ALLOWED", 405, "Method Not Allowed", ["PUT", "/v1/check"]],
    ["CONTENT_TOO_LARGE", 413, "Content Too Large", ["POST", "/v1/check", " ".repeat(65_537)]],
    ["UNSUPPORTED_MEDIA_TYPE", 415, "Unsupported Media Type", ["POST", "/v1/check", "{}", { "Content-Type": "a/b" }]],
    ["REQUEST_INVALID", 400, "Bad Request", ["POST", "/v1/check", { kye: "a" }]],
    ["KEY_INVALID", 400, "Bad Request", ["POST", "/v1/check", { key: "" }]],
    ["LIMIT_NOT_FOUND", 400, "Bad Request", ["POST", "/v1/check", { key: "a", limit: "b" }]],
    ["COST_ABOVE_CAPACITY", 400, "Bad Request", ["POST", "/v1/check", { key: "a", cost: 6 }]],
    ["POLICY_INVALID", 400, "Bad Request", ["POST", "/v1/limits", { key: "a", policy: "5/never" }]],
    ["OUT_OF_RANGE", 400, "Bad Request", ["POST", "/v1/block", { key: "a", duration: "0s" }]],
  ])("is refused with the code %s, a %d under the title %s", async (code, status, title, asked) => {
    const { ask } = serveApi({ a: "5/minute" })
    expect(await ask(...asked)).toMatchObject({ status, json: { type: "about:blank", title, status, code } })
  })

  test("what fails inside is a 500 that tells nothing of it", async () => {
    const errors: unknown[] = []
    const { ask, limits } = serveApi({ a: "5/minute" }, { onError: (error) => errors.push(error) })
    limits.check = () => {
      throw new TypeError("the secret inside")
    }
    const { status, text, json } = await ask("POST", "/v1/check", { key: "a" })
    expect({ status, code: json.code }).toEqual({ status: 500, code: "INTERNAL" })
    expect(text).not.toContain("secret")
    expect(errors).toHaveLength(1)
  })

  test("a damaged store is told to the server's log too, and one that cannot be reached by whoever holds it", async () => {
    const errors: unknown[] = []
    const { ask, limits } = serveApi({ a: "5/minute" }, { onError: (error) => errors.push(error) })
    const corrupt = new StoreCorrupt("segment 3", "its hash is another")
    for (const error of [corrupt, new StoreUnavailable("the disk is full")]) {
      limits.check = () => {
        throw error
      }
      await ask("POST", "/v1/check", { key: "a" })
    }
    expect(errors).toEqual([corrupt])
  })

  test("a clock that tells no time is the server's failure: told to its log, and counted", async () => {
    const errors: unknown[] = []
    const { ask, clock } = serveApi({ a: "5/minute" }, { onError: (error) => errors.push(error) })
    clock.set(-1)
    const detail = expect.stringMatching(/^Cannot decide: nowMs is -1, allowed is /)
    for (const [path, body] of [
      ["/v1/check", { key: "a" }],
      ["/v1/check-all", { items: [{ key: "a" }] }],
      ["/v1/peek", { key: "a" }],
    ] as const) {
      expect(await ask("POST", path, body)).toMatchObject({ status: 500, json: { code: "INTERNAL", detail } })
    }
    expect(errors).toHaveLength(3)
    expect((await ask("GET", "/v1/health")).status).toBe(200)
    const { status, text } = await ask("GET", "/metrics")
    expect([status, text]).toEqual([200, expect.stringContaining('sluice_failures_total{mode="error"} 2\n')])
    clock.set(0)
    expect((await ask("POST", "/v1/check", { key: "a" })).status).toBe(200)
  })
})
