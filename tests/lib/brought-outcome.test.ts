import { afterEach, beforeEach, expect, test, vi } from "vitest"
import { BroughtOutcome } from "../../src/lib/brought-outcome.js"

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

/** Where another request's answer resumes nobody: what is brought is seen by the timers alone. */
function brokenOff() {
  const never = Promise.withResolvers<void>()
  vi.spyOn(Promise, "withResolvers").mockReturnValueOnce({ ...never, resolve: () => undefined })
  return new BroughtOutcome<string>()
}

test("wait() tells at once what is brought, and leaves no timer", async () => {
  const outcome = new BroughtOutcome<string>()
  const told = outcome.wait({ timeoutMs: 5_000 })
  outcome.bring("first")
  outcome.bring("second")
  expect(await told).toBe("first")
  expect(vi.getTimerCount()).toBe(0)
})

test("wait() tells at its first look, after 50 ms, what resumed nobody", async () => {
  const outcome = brokenOff()
  const told = vi.fn()
  void outcome.wait({ timeoutMs: 5_000 }).then(told)
  outcome.bring("answer")
  await vi.advanceTimersByTimeAsync(49)
  expect(told).not.toHaveBeenCalled()
  await vi.advanceTimersByTimeAsync(1)
  expect(told).toHaveBeenCalledExactlyOnceWith("answer")
  expect(vi.getTimerCount()).toBe(0)
})

test("wait() looks each time after twice as long, the last time at its end", async () => {
  const startMs = Date.now()
  const looks: number[] = []
  const told = brokenOff().wait({ timeoutMs: 1_000, onLook: () => looks.push(Date.now() - startMs) })
  await vi.advanceTimersByTimeAsync(999)
  expect(looks).toEqual([50, 100, 200, 400, 800])
  expect(vi.getTimerCount()).toBe(1)
  await vi.advanceTimersByTimeAsync(1)
  expect(await told).toBeUndefined()
  expect(looks).toHaveLength(5)
  expect(vi.getTimerCount()).toBe(0)
})

test("wait() looks first when it is told to, then after 50 ms at least", async () => {
  const startMs = Date.now()
  const looks: number[] = []
  const told = brokenOff().wait({ timeoutMs: 300, firstLookMs: 10, onLook: () => looks.push(Date.now() - startMs) })
  await vi.advanceTimersByTimeAsync(300)
  expect(await told).toBeUndefined()
  expect(looks).toEqual([10, 60, 120, 240])
})

test("wait() tells at its end what was brought since its last look", async () => {
  const outcome = brokenOff()
  const told = outcome.wait({ timeoutMs: 1_000 })
  await vi.advanceTimersByTimeAsync(900)
  outcome.bring("late")
  await vi.advanceTimersByTimeAsync(100)
  expect(await told).toBe("late")
})

test("wait() ends in time though the clock is set back meanwhile", async () => {
  const told = vi.fn()
  void brokenOff().wait({ timeoutMs: 1_000 }).then(told)
  await vi.advanceTimersByTimeAsync(400)
  vi.setSystemTime(Date.now() - 3_600_000)
  await vi.advanceTimersByTimeAsync(600)
  expect(told).toHaveBeenCalledExactlyOnceWith(undefined)
})
