import { expect, test, vi } from "vitest"
import { SluiceClient } from "../../src/client/index.js"

/** A stream of events that ends after these bytes. */
function streamOf(text: string): Response {
  return new Response(text, { headers: { "Content-Type": "text/event-stream" } })
}

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
