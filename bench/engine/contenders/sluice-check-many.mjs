import { kept } from "../keep.mjs"
import { keyAt } from "../key-source.mjs"
import { RateLimiter, turnClock } from "../sluice.mjs"

const BATCH = 256

export function make({ limit, burst, periodMs }) {
  const limiter = new RateLimiter({ limit, burst, period: periodMs }, { clock: turnClock })
  const answers = limiter.checkMany(
    Array.from({ length: BATCH }, (_, index) => `answers:${index}`),
    new Uint8Array(BATCH),
  )
  return {
    run(from, count) {
      let admitted = 0
      for (let start = from; start < from + count; start += BATCH) {
        const size = Math.min(BATCH, from + count - start)
        const keys = new Array(size)
        for (let index = 0; index < size; index++) keys[index] = keyAt(start + index)
        const decisions = limiter.checkMany(keys, undefined, answers)
        kept.answer = decisions
        const { allowed } = decisions
        for (let index = 0; index < size; index++) admitted += allowed[index]
      }
      return admitted
    },
    size: () => limiter.size,
  }
}
