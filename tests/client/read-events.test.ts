import { expect, test, vi } from "vitest"
import { ApiError, SluiceClient } from "../../src/client/index.js"
import { StoreUnavailable } from "../../src/types/errors.js"

const EVENT_STREAM = { headers: { "Content-Type": "text/event-stream" } }

/** A stream of events that ends after these bytes. */
function streamOf(text: string): Response {
  return new Response(text, EVENT_STREAM)
}

const EVENT = { limit: "api", allowed: false, cost: 2, remaining: 1, reason: "limit", retry_after_ms: 30 }

/** An event as a server sends it. */
function decision(id: number, key = "a"): string {
  const data = JSON.stringify({ id, at: "2026-11-21T12:00:00.007Z", ...EVENT, key })
  return `id: x-${id}\nevent: decision\ndata: ${data}\n\n`
}

test("events() tells decisions in the library's names, times in ms", async () => {
  const told = { id: 7, key: "a", limit: "api", allowed: false, cost: 2, remaining: 1, reason: "limit" }
  const data = JSON.stringify({ ...told, at: "2026-11-21T12:00:00.007Z", retry_after_ms: 30 })
  const fetch = async () => streamOf(`id: x-7\nevent: decision\ndata: ${data}\n\n`)
  for await (const event of new SluiceClient("http://limits.test", { fetch }).events()) {
    expect(event).toEqual({ ...told, atMs: Date.parse("2026-11-21T12:00:00.007Z"), retryAfterMs: 30 })
    break
  }
  expect.assertions(1)
})

test.each(["{}", "no JSON", '{"id":7,"key":"a","limit":"b","cost":1,"remaining":0,"retry_after_ms":0,"at":"now"}'])(
  "events() of the past tells that %s is no event",
  async (data) => {
    const fetch = async () => streamOf(`id: x-7\nevent: decision\ndata: ${data}\n\n`)
    const events = new SluiceClient("http://limits.test", { fetch }).events({ follow: false })
    await expect(events.next()).rejects.toThrow(
      "Cannot use the answer of http://limits.test: its status is 200 and it is an event of another shape",
    )
  },
)

test("events() that waits to connect again ends as soon as its signal is aborted", async () => {
  vi.useFakeTimers()
  try {
    const fetch = vi.fn(async () => streamOf("id: x-0\n: listening\n\n"))
    const ending = new AbortController()
    const next = new SluiceClient("http://limits.test", { fetch }).events({ signal: ending.signal }).next()
    await vi.waitFor(() => expect(vi.getTimerCount()).toBe(1))
    ending.abort()
    expect(await next).toEqual({ done: true, value: undefined })
    expect(fetch).toHaveBeenCalledTimes(1)
    expect(vi.getTimerCount()).toBe(0)
  } finally {
    vi.useRealTimers()
  }
})

test("events() connects again when the server says, else after a second", async () => {
  vi.useFakeTimers()
  try {
    const texts = ["retry: 0\nid: x-7\n: more\n\n", "id: x-8\n: listening\n\n", ""]
    const asked: [number, string | null][] = []
    const fetch = async (_: unknown, init?: RequestInit) => {
      asked.push([Date.now(), new Headers(init?.headers).get("Last-Event-ID")])
      return streamOf(texts.shift() ?? "")
    }
    vi.setSystemTime(0)
    const ending = new AbortController()
    const next = new SluiceClient("http://limits.test", { fetch }).events({ signal: ending.signal }).next()
    await vi.advanceTimersByTimeAsync(2_500)
    ending.abort()
    await next
    expect(asked).toEqual([
      [0, null],
      [0, "x-7"],
      [1_000, "x-8"],
      [2_000, "x-8"],
    ])
  } finally {
    vi.useRealTimers()
  }
})

test("events() waits a minute at most, whatever the server says", async () => {
  vi.useFakeTimers()
  try {
    const fetch = vi.fn(async () => streamOf("retry: 3600000\nid: x-7\n: more\n\n"))
    const ending = new AbortController()
    const next = new SluiceClient("http://limits.test", { fetch }).events({ signal: ending.signal }).next()
    await vi.advanceTimersByTimeAsync(59_999)
    expect(fetch).toHaveBeenCalledTimes(1)
    await vi.advanceTimersByTimeAsync(1)
    expect(fetch).toHaveBeenCalledTimes(2)
    ending.abort()
    await next
  } finally {
    vi.useRealTimers()
  }
})

test("events() that does not follow tells the past, page by page, and ends where that does", async () => {
  const texts = [
    `retry: 1000\nid: x-6\n: listening\n\n${decision(7)}retry: 0\nid: x-7\n: more\n\n`,
    `${decision(8)}event: live\n\n`,
  ]
  const fetch = vi.fn(async () => streamOf(texts.shift()!))
  const told: unknown[] = []
  for await (const { key } of new SluiceClient("http://limits.test", { fetch }).events({ replay: 2, follow: false })) {
    told.push(key)
  }
  expect(told).toEqual(["a", "a"])
  expect(fetch).toHaveBeenCalledTimes(2)
})

test("events() that does not follow fails where the past is not told to its end", async () => {
  const fetch = vi.fn(async () => streamOf("id: x-0\n: listening\n\n"))
  const events = new SluiceClient("http://limits.test", { fetch }).events({ follow: false })
  await expect(events.next()).rejects.toThrow(StoreUnavailable)
  expect(fetch).toHaveBeenCalledTimes(1)
})

test.each([
  [401, "UNAUTHORIZED"],
  [403, "FORBIDDEN"],
])("events() that is refused with %d when it connects again ends with that error", async (status, code) => {
  vi.useFakeTimers()
  try {
    const detail = "Cannot serve the request."
    const answers = [streamOf("id: x-7\n: listening\n\n"), Response.json({ code, detail }, { status })]
    const fetch = vi.fn(async () => answers.shift()!)
    const next = new SluiceClient("http://limits.test", { fetch }).events().next()
    const told = next.catch((error: unknown) => error)
    await vi.advanceTimersByTimeAsync(1_000)
    expect(await told).toEqual(new ApiError(status, code, detail, null))
    expect(fetch).toHaveBeenCalledTimes(2)
    expect(vi.getTimerCount()).toBe(0)
  } finally {
    vi.useRealTimers()
  }
})

test("events() that is told to wait, for wrong tokens of others, waits and goes on", async () => {
  vi.useFakeTimers()
  try {
    const refused = Response.json({ code: "TOO_MANY_REQUESTS" }, { status: 429, headers: { "Retry-After": "6" } })
    const answers = [streamOf("id: x-7\n: listening\n\n"), refused]
    const fetch = vi.fn(async () => answers.shift() ?? streamOf(""))
    const ending = new AbortController()
    const next = new SluiceClient("http://limits.test", { fetch }).events({ signal: ending.signal }).next()
    await vi.advanceTimersByTimeAsync(6_999)
    expect(fetch).toHaveBeenCalledTimes(2)
    await vi.advanceTimersByTimeAsync(1)
    expect(fetch).toHaveBeenCalledTimes(3)
    ending.abort()
    await next
  } finally {
    vi.useRealTimers()
  }
})

/** Streams that end only when they are given up, as those of `fetch` do, and what each was asked for with. */
function silentStreams() {
  const asked: Headers[] = []
  const streams: ReadableStreamDefaultController<Uint8Array>[] = []
  const fetch = async (_: unknown, init: RequestInit) => {
    asked.push(new Headers(init.headers))
    const start = (controller: ReadableStreamDefaultController<Uint8Array>) => {
      streams.push(controller)
      init.signal!.addEventListener("abort", () => controller.error(init.signal!.reason))
    }
    return new Response(new ReadableStream({ start }), { headers: { "Content-Type": "text/event-stream" } })
  }
  const send = (text: string) => streams.at(-1)!.enqueue(new TextEncoder().encode(text))
  const fail = () => streams.at(-1)!.error(new TypeError("terminated"))
  return { fetch, asked, send, fail }
}

test("events() gives up a connection that is silent for three heartbeats, and resumes", async () => {
  vi.useFakeTimers()
  try {
    const { fetch, asked, send } = silentStreams()
    const ending = new AbortController()
    const next = new SluiceClient("http://limits.test", { fetch }).events({ signal: ending.signal }).next()
    await vi.advanceTimersByTimeAsync(0)
    send("retry: 1000\nid: x-7\n: listening\n\n")
    await vi.advanceTimersByTimeAsync(44_999)
    send(": alive\n\n")
    await vi.advanceTimersByTimeAsync(45_999)
    expect(asked).toHaveLength(1)
    await vi.advanceTimersByTimeAsync(1)
    expect(asked.map((fields) => fields.get("Last-Event-ID"))).toEqual([null, "x-7"])
    ending.abort()
    expect(await next).toEqual({ done: true, value: undefined })
    expect(vi.getTimerCount()).toBe(0)
  } finally {
    vi.useRealTimers()
  }
})

test("events() does not take for silence what its reader does with an event", async () => {
  vi.useFakeTimers()
  try {
    const { fetch, asked, send } = silentStreams()
    const events = new SluiceClient("http://limits.test", { fetch }).events()
    const first = events.next()
    await vi.advanceTimersByTimeAsync(0)
    send(decision(7))
    expect((await first).value).toMatchObject({ id: 7 })
    await vi.advanceTimersByTimeAsync(600_000)
    const second = events.next()
    send(decision(8))
    expect((await second).value).toMatchObject({ id: 8 })
    expect(asked).toHaveLength(1)
    await events.return(undefined)
  } finally {
    vi.useRealTimers()
  }
})

test("events() gives up a silent connection also where fetch does not heed its signal", async () => {
  vi.useFakeTimers()
  try {
    const headers = { "Content-Type": "text/event-stream" }
    const silent = () => new Response(new ReadableStream(), { headers })
    const answers = [streamOf("id: x-7\n: listening\n\n"), silent(), new Promise<Response>(() => {})]
    const fetch = vi.fn(async () => answers.shift() ?? silent())
    const ending = new AbortController()
    const next = new SluiceClient("http://limits.test", { fetch }).events({ signal: ending.signal }).next()
    await vi.advanceTimersByTimeAsync(1_000)
    expect(fetch).toHaveBeenCalledTimes(2)
    for (const calls of [3, 4]) {
      await vi.advanceTimersByTimeAsync(46_000)
      expect(fetch).toHaveBeenCalledTimes(calls)
    }
    ending.abort()
    await vi.advanceTimersByTimeAsync(45_000)
    expect(await next).toEqual({ done: true, value: undefined })
  } finally {
    vi.useRealTimers()
  }
})

test.each([
  ["the answer", () => new Promise<Response>(() => {})],
  ["the next event", async () => new Response(new ReadableStream(), EVENT_STREAM)],
  ["a refusal's text", async () => new Response(new ReadableStream(), { status: 400 })],
])("events() that waits for %s ends with its signal, also where fetch does not heed that", async (_, fetch) => {
  vi.useFakeTimers()
  try {
    const ending = new AbortController()
    const next = new SluiceClient("http://limits.test", { fetch }).events({ signal: ending.signal }).next()
    await vi.advanceTimersByTimeAsync(1_000)
    ending.abort()
    await vi.advanceTimersByTimeAsync(0)
    expect(await Promise.race([next, "it waits"])).toEqual({ done: true, value: undefined })
    expect(vi.getTimerCount()).toBe(0)
  } finally {
    vi.useRealTimers()
  }
})

test("events() that is left ends, though the connection broke while its reader was busy", async () => {
  const { fetch, asked, send, fail } = silentStreams()
  const events = new SluiceClient("http://limits.test", { fetch }).events()
  const first = events.next()
  await vi.waitFor(() => expect(asked).toHaveLength(1))
  send(`retry: 0\n${decision(7)}`)
  expect((await first).value).toMatchObject({ id: 7 })
  fail()
  expect(await events.return(undefined)).toEqual({ done: true, value: undefined })
  expect(asked).toHaveLength(1)
})

test("events() whose server does not answer at all says so", async () => {
  vi.useFakeTimers()
  try {
    const fetch = (_: unknown, { signal }: RequestInit) =>
      new Promise<Response>((_, reject) => signal!.addEventListener("abort", () => reject(signal!.reason)))
    const next = new SluiceClient("http://limits.test", { fetch }).events().next()
    const told = next.catch((error: unknown) => error)
    await vi.advanceTimersByTimeAsync(45_000)
    expect(await told).toMatchObject({ code: "STORE_UNAVAILABLE", message: expect.stringContaining("45000 ms") })
  } finally {
    vi.useRealTimers()
  }
})

test.each(["a", "a\n"])("events() gives up a stream of %j without the end of an event, and resumes", async (part) => {
  vi.useFakeTimers()
  try {
    const cancel = vi.fn()
    const chunk = new TextEncoder().encode(part.repeat(1_000))
    let chunks = 0
    const pull = (controller: ReadableStreamDefaultController) => {
      chunks++
      controller.enqueue(chunk)
    }
    const headers = { "Content-Type": "text/event-stream" }
    const answers = [
      streamOf("id: x-7\n: listening\n\n"),
      new Response(new ReadableStream({ pull, cancel }), { headers }),
    ]
    const fetch = vi.fn(async () => answers.shift() ?? streamOf(decision(8)))
    const events = new SluiceClient("http://limits.test", { fetch }).events()
    const next = events.next()
    await vi.advanceTimersByTimeAsync(2_000)
    expect((await next).value).toMatchObject({ id: 8 })
    expect(fetch).toHaveBeenCalledTimes(3)
    expect(cancel).toHaveBeenCalledOnce()
    expect(chunks).toBeLessThan(100)
    await events.return(undefined)
  } finally {
    vi.useRealTimers()
  }
})

test("events() reads events however they are cut into parts, and any number of them", async () => {
  const key = "ключ".repeat(30)
  const text = Array.from({ length: 500 }, (_, id) => `${decision(id, key)}\n`).join("")
  const bytes = new TextEncoder().encode(text)
  for (const size of [1, 7, bytes.length]) {
    const body = new ReadableStream({
      start(controller) {
        for (let at = 0; at < bytes.length; at += size) controller.enqueue(bytes.slice(at, at + size))
        controller.close()
      },
    })
    const fetch = async () => new Response(body, { headers: { "Content-Type": "text/event-stream" } })
    const ids: unknown[] = []
    for await (const event of new SluiceClient("http://limits.test", { fetch }).events()) {
      expect(event).toMatchObject({ key })
      ids.push(event.id)
      if (ids.length === 500) break
    }
    expect(ids).toEqual(Array.from({ length: 500 }, (_, id) => id))
  }
})
