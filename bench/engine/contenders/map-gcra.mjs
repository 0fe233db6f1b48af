// What a careful author writes in an hour: GCRA over a Map, no bound, no expiry, times in floating-point milliseconds.
import { kept } from "../keep.mjs"
import { keyAt } from "../key-source.mjs"

export function make({ limit, burst, periodMs }) {
  const arrivals = new Map()
  const intervalMs = periodMs / limit
  const capacityMs = burst * intervalMs

  function check(key) {
    const nowMs = Date.now()
    const base = Math.max(arrivals.get(key) ?? 0, nowMs)
    const next = base + intervalMs
    const overMs = next - nowMs - capacityMs
    if (overMs > 0) return { allowed: false, remaining: 0, retryAfterMs: Math.ceil(overMs) }
    arrivals.set(key, next)
    return { allowed: true, remaining: Math.floor((capacityMs - (next - nowMs)) / intervalMs), retryAfterMs: 0 }
  }

  return {
    run(from, count) {
      let admitted = 0
      for (let position = from; position < from + count; position++) {
        const decision = check(keyAt(position))
        kept.answer = decision
        if (decision.allowed) admitted++
      }
      return admitted
    },
    size: () => arrivals.size,
  }
}
