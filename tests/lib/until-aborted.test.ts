import { getEventListeners } from "node:events"
import { describe, expect, test } from "vitest"
import { untilAborted } from "../../src/lib/until-aborted.js"

const NEVER = new Promise<never>(() => undefined)

describe("untilAborted()", () => {
  test("comes to what the promise comes to, and leaves no listener", async () => {
    const { signal } = new AbortController()
    expect(await untilAborted(Promise.resolve("done"), signal)).toBe("done")
    await expect(untilAborted(Promise.reject(new Error("refused")), signal)).rejects.toThrow("refused")
    expect(getEventListeners(signal, "abort")).toEqual([])
  })

  test("fails with the signal's reason where that comes first", async () => {
    const controller = new AbortController()
    const told = untilAborted(NEVER, controller.signal)
    controller.abort(new Error("gone"))
    await expect(told).rejects.toThrow("gone")
  })

  test("fails at once where the signal was aborted before", async () => {
    await expect(untilAborted(NEVER, AbortSignal.abort(new Error("gone")))).rejects.toThrow("gone")
  })
})
