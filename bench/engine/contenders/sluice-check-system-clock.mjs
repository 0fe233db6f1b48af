import { kept } from "../keep.mjs"
import { keyAt } from "../key-source.mjs"
import { RateLimiter } from "../sluice.mjs"

export function make({ limit, burst, periodMs }) {
  const limiter = new RateLimiter({ limit, burst, period: periodMs })
  return {
    run(from, count) {
      let admitted = 0
      for (let position = from; position < from + count; position++) {
        const decision = limiter.check(keyAt(position))
        kept.answer = decision
        if (decision.allowed) admitted++
      }
      return admitted
    },
    size: () => limiter.size,
  }
}
