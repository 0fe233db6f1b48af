import { afterEach, beforeEach, expect, test, vi } from "vitest"
import { StoreUnavailable } from "../../src/types/errors.js"
import { EdgeLimiter } from "../../worker/edge-limiter.js"
import type { LimiterObject } from "../../worker/limiter-object.js"

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

/** Objects that answer no draw. */
function silentBinding() {
  const draw = vi.fn(() => new Promise<never>(() => undefined))
  const binding = { getByName: () => ({ draw }) } as unknown as DurableObjectNamespace<LimiterObject>
  return { binding, draw }
}

test.each([
  [100, 100],
  [60_000, 2_000],
  [undefined, 2_000],
])(
  "check() with a lease and timeoutMs %s waits %s ms for a draw whose request was cancelled",
  async (timeoutMs, mostMs) => {
    const { binding, draw } = silentBinding()
    const limiter = new EdgeLimiter(binding, "100/minute", { lease: { units: 9, ttl: "20s" }, timeoutMs })
    void limiter.check("a")
    await vi.advanceTimersByTimeAsync(0)
    expect(draw).toHaveBeenCalledOnce()
    // The timers of a request go with it.
    vi.clearAllTimers()
    const failed = vi.fn()
    limiter.check("a").catch(failed)
    await vi.advanceTimersByTimeAsync(mostMs - 1)
    expect(failed).not.toHaveBeenCalled()
    await vi.advanceTimersByTimeAsync(1)
    expect(failed).toHaveBeenCalledExactlyOnceWith(expect.any(StoreUnavailable))
    expect(draw).toHaveBeenCalledOnce()
    expect(vi.getTimerCount()).toBe(0)
  },
)
