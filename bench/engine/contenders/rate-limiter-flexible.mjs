import flexible from "rate-limiter-flexible"
import { kept } from "../keep.mjs"
import { keyAt } from "../key-source.mjs"

export function make({ burst, periodMs }) {
  // Without a prefix it need not join two strings per call.
  const limiter = new flexible.RateLimiterMemory({ points: burst, duration: periodMs / 1000, keyPrefix: "" })
  return {
    async run(from, count) {
      let admitted = 0
      for (let position = from; position < from + count; position++) {
        try {
          kept.answer = await limiter.consume(keyAt(position))
          admitted++
        } catch (denial) {
          if (denial instanceof Error) throw denial
          kept.answer = denial
        }
      }
      return admitted
    },
  }
}
