import { expect, test, vi } from "vitest"
import { SluiceClient } from "../../src/client/index.js"
import { StoreUnavailable } from "../../src/types/errors.js"

/** A stream of events that ends after these bytes. */
function streamOf(text: string): Response {
  return new Response(text, { headers: { "Content-Type": "text/event-stream" } })
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
  const data = JSON.stringify({ id: 7, key: "a", at: "2026-11-21T12:00:00.007Z" })
  const event = `event: decision\ndata: ${data}\n\n`
  const texts = [
    `retry: 1000\nid: x-6\n: listening\n\nid: x-7\n${event}retry: 0\nid: x-7\n: more\n\n`,
    `id: x-8\n${event}event: live\n\n`,
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
