import { getEventListeners } from "node:events"
import { expect, test, vi } from "vitest"
import { sleep } from "../../src/lib/sleep.js"

test.each(["the time is up", "the client is gone"])("sleep() leaves nothing behind when %s", async (end) => {
  vi.useFakeTimers()
  try {
    const controller = new AbortController()
    const slept = sleep(1_000, controller.signal)
    if (end === "the client is gone") controller.abort()
    else vi.advanceTimersByTime(1_000)
    await slept
    expect(getEventListeners(controller.signal, "abort")).toEqual([])
    expect(vi.getTimerCount()).toBe(0)
  } finally {
    vi.useRealTimers()
  }
})
