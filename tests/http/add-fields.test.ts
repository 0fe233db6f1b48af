import { describe, expect, test, vi } from "vitest"
import { addFields } from "../../src/http/add-fields.js"

const ITEMS = { RateLimit: '"a";r=1;t=1' }

/** A native getter refuses a proxy in the place of its request. */
const ownHeaders: ProxyHandler<Request> = { get: (request, name) => Reflect.get(request, name) }

function add(response: Response, fields: Record<string, string> = ITEMS, defaults: Record<string, string> = {}) {
  return addFields(response, { fields, defaults }, new Request("http://localhost/"))
}

describe("addFields()", () => {
  test("writes in place where it can", () => {
    const response = new Response("body", { headers: { "x-own": "1" } })
    expect(add(response)).toBe(response)
    expect(Object.fromEntries(response.headers)).toMatchObject({ "x-own": "1", ratelimit: '"a";r=1;t=1' })
  })

  test("copies a response with immutable headers, with status, status text, every header and its streamed body", async () => {
    const fetched = await fetch("data:text/plain,streamed")
    expect(() => fetched.headers.set("a", "b")).toThrow(TypeError)
    const response = add(fetched)
    expect(response).not.toBe(fetched)
    expect(response.status).toBe(200)
    expect(response.statusText).toBe(fetched.statusText)
    expect(response.headers.get("content-type")).toBe("text/plain")
    expect(response.headers.get("ratelimit")).toBe('"a";r=1;t=1')
    expect(fetched.bodyUsed).toBe(false)
    expect(await response.text()).toBe("streamed")
  })

  test("keeps a redirect a redirect", () => {
    const response = add(Response.redirect("http://localhost/next", 307))
    expect(response.status).toBe(307)
    expect(response.headers.get("location")).toBe("http://localhost/next")
    expect(response.headers.get("ratelimit")).toBe('"a";r=1;t=1')
  })

  test("does not wait for a body that is still being written", async () => {
    let controller: ReadableStreamDefaultController<Uint8Array> | undefined
    const body = new ReadableStream<Uint8Array>({
      start(started) {
        controller = started
      },
    })
    const response = add(new Response(body))
    const reader = response.body!.getReader()
    controller!.enqueue(Uint8Array.of(1))
    expect((await reader.read()).value).toEqual(Uint8Array.of(1))
    controller!.enqueue(Uint8Array.of(2))
    expect((await reader.read()).value).toEqual(Uint8Array.of(2))
  })

  test.each([204, 205, 304])("keeps the null body of status %s, used twice too", (status) => {
    const shared = new Response(null, { status })
    for (const r of [1, 2]) {
      const response = add(shared, { RateLimit: `"a";r=${r};t=1` })
      expect(response.status).toBe(status)
      expect(response.body).toBeNull()
      expect(response.headers.get("ratelimit")).toBe(`"a";r=${r};t=1`)
    }
  })

  test.each([{ "x-own": "1" }, { "content-type": "text/plain" }])(
    "never shows one client's answer to the next, where a handler returns the same response again: one with %j",
    (own) => {
      const shared = new Response(null, { status: 404, headers: own })
      const first = add(shared, ITEMS, { "Retry-After": "9" })
      const second = add(shared, { RateLimit: '"a";r=0;t=1' })
      expect(Object.fromEntries(second.headers)).toEqual({ ...own, ratelimit: '"a";r=0;t=1' })
      expect(first.headers.get("ratelimit")).toBe('"a";r=1;t=1')
      const unlimited = add(shared, {})
      expect(Object.fromEntries(unlimited.headers)).toEqual(own)
    },
  )

  test("never shows one client's answer to HEAD to the next, where a server drops the body of the same response", async () => {
    const shared = new Response("body")
    for (const r of [2, 1, 0]) {
      const request = new Request("http://localhost/", { method: "HEAD" })
      const item = `"a";r=${r};t=1`
      const response = addFields(shared, { fields: { RateLimit: item }, defaults: {} }, request)
      expect(response.headers.get("ratelimit")).toBe(item)
      expect(response.headers.get("content-type")).toContain("text/plain")
      await response.body?.cancel()
    }
  })

  test("looks at no body that tells its type of content", () => {
    const response = new Response("body")
    const body = vi.spyOn(response, "body", "get")
    expect(add(response)).toBe(response)
    expect(body).not.toHaveBeenCalled()
  })

  test("keeps what limits within wrote to the answer to the same request, the first time and the next", () => {
    const shared = new Response(null, { status: 204 })
    for (const r of [2, 1]) {
      const request = new Request("http://localhost/")
      const items = ["inner", "middle", "outer"].map((name) => `"${name}";r=${r};t=1`)
      let response = shared
      for (const item of items) response = addFields(response, { fields: { RateLimit: item }, defaults: {} }, request)
      expect(response.headers.get("ratelimit")).toBe(items.join(", "))
    }
  })

  const typed = { "content-type": "text/plain" }
  test.each<[string, (request: Request) => Request, Response]>([
    ["a body", (request) => new Request(request), new Response("body")],
    ["bytes", (request) => new Request(request), new Response(Uint8Array.of(1))],
    ["no body", (request) => new Request(request), new Response(null, { status: 429 })],
    ["status 304", (request) => new Request(request), new Response(null, { status: 304, headers: typed })],
    [
      "a type of content for no body, where its object is a proxy",
      (request) => new Proxy(request, ownHeaders),
      new Response(null, { headers: typed }),
    ],
  ])(
    "keeps what a limit within wrote to the answer to the same request in another object: one with %s",
    (_, of, response) => {
      const request = new Request("http://localhost/")
      const inner = addFields(response, { fields: ITEMS, defaults: {} }, of(request))
      const outer = addFields(inner, { fields: { RateLimit: '"b";r=1;t=1' }, defaults: {} }, request)
      expect(outer.headers.get("ratelimit")).toBe('"a";r=1;t=1, "b";r=1;t=1')
    },
  )

  test("adds to the list of another limiter, and replaces what tells of no quota", () => {
    const present = { RateLimit: '"b";r=5;t=5', "X-RateLimit-Limit": "5" }
    const response = add(new Response("", { headers: present }), { ...ITEMS, "X-RateLimit-Limit": "1" })
    expect(response.headers.get("ratelimit")).toBe('"b";r=5;t=5, "a";r=1;t=1')
    expect(response.headers.get("x-ratelimit-limit")).toBe("1")
    const older = add(new Response("", { headers: { RateLimit: "limit=5, remaining=5, reset=5" } }))
    expect(older.headers.get("ratelimit")).toBe('"a";r=1;t=1')
  })

  test("writes defaults only where they are absent", () => {
    const response = add(new Response("", { headers: { "retry-after": "7" } }), {}, { "Retry-After": "1", Vary: "x" })
    expect(response.headers.get("retry-after")).toBe("7")
    expect(response.headers.get("vary")).toBe("x")
  })

  test("touches nothing where there is nothing to write", async () => {
    const fetched = await fetch("data:,x")
    expect(add(fetched, {})).toBe(fetched)
  })

  test("leaves Response.error() alone", () => {
    const response = Response.error()
    expect(add(response)).toBe(response)
    expect(response.headers.get("ratelimit")).toBeNull()
  })

  test("leaves an upgrade and the nothing of a Bun handler alone", () => {
    // Node makes no response of status 101, so this one is made up. The real one is workerd's.
    const upgrade = { status: 101, headers: new Headers() } as Response
    expect(add(upgrade)).toBe(upgrade)
    expect([...upgrade.headers]).toEqual([])
    expect(add(undefined as unknown as Response)).toBeUndefined()
  })
})
