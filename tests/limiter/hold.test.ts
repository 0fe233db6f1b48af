import { getEventListeners } from "node:events"
import { expect, test, vi } from "vitest"
import { hold } from "../../src/limiter/hold.js"

test.each(["the time is up", "the client is gone"])("hold() leaves nothing behind when %s", async (end) => {
  vi.useFakeTimers()
  try {
    const controller = new AbortController()
    const held = hold(1_000, controller.signal)
    if (end === "the client is gone") controller.abort()
    else vi.advanceTimersByTime(1_000)
    await held
    expect(getEventListeners(controller.signal, "abort")).toEqual([])
    expect(vi.getTimerCount()).toBe(0)
  } finally {
    vi.useRealTimers()
  }
})
