import { afterEach, beforeEach, describe, expect, test, vi } from "vitest"
import { withTimeout } from "../../src/lib/with-timeout.js"

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

describe("withTimeout()", () => {
  test("comes to what the work comes to, and leaves no timer", async () => {
    const work = Promise.withResolvers<string>()
    const told = withTimeout(work.promise, 1_000, () => "late")
    await vi.advanceTimersByTimeAsync(999)
    work.resolve("done")
    expect(await told).toBe("done")
    await vi.advanceTimersByTimeAsync(0)
    expect(vi.getTimerCount()).toBe(0)
  })

  test("fails as the work does, and leaves no timer", async () => {
    const told = withTimeout(Promise.reject(new Error("refused")), 1_000, () => "late")
    await expect(told).rejects.toThrow("refused")
    await vi.advanceTimersByTimeAsync(0)
    expect(vi.getTimerCount()).toBe(0)
  })

  test("comes to what onTimeout says where the work takes longer", async () => {
    const told = withTimeout(new Promise<string>(() => undefined), 1_000, () => "late")
    await vi.advanceTimersByTimeAsync(1_000)
    expect(await told).toBe("late")
  })

  test("fails where onTimeout does, and what the work fails with later is nobody's error", async () => {
    const work = Promise.withResolvers<string>()
    const told = withTimeout(work.promise, 1_000, () => Promise.reject(new Error("late")))
    const failed = expect(told).rejects.toThrow("late")
    await vi.advanceTimersByTimeAsync(1_000)
    await failed
    work.reject(new Error("nobody hears it"))
    await vi.advanceTimersByTimeAsync(0)
  })
})
