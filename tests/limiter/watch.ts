import { vi } from "vitest"
import type { RateLimiter, SettlingChecker } from "../../src/index.js"

/** Notes at which ms a promise was settled, and how. */
export function watch(promise: Promise<unknown>) {
  const startMs = Date.now()
  const seen: { atMs: number | null; error: unknown; value: unknown } = { atMs: null, error: null, value: null }
  promise.then(
    (value) => Object.assign(seen, { atMs: Date.now() - startMs, value }),
    (error) => Object.assign(seen, { atMs: Date.now() - startMs, error }),
  )
  return seen
}

export const settled = () => vi.advanceTimersByTimeAsync(0)

/** The same limiter, by promise: as a Durable Object or a server would answer. */
export function remote(limiter: RateLimiter, latencyMs = 10): SettlingChecker & { readonly calls: number } {
  let calls = 0
  const later = () => new Promise((resolve) => setTimeout(resolve, latencyMs))
  return {
    get calls() {
      return calls
    },
    async check(key, options) {
      calls += 1
      await later()
      return limiter.check(key, options)
    },
    async refund(receipt, units) {
      await later()
      limiter.refund(receipt, units)
    },
    async settle(receipt, cost) {
      await later()
      limiter.settle(receipt, cost)
    },
  }
}
