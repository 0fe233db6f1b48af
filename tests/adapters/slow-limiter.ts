import type { RequestLimiter } from "../../src/http/index.js"
import { RateLimiter } from "../../src/limiter/rate-limiter.js"
import { ManualClock } from "../../src/types/clock.js"
import { deferred } from "../http/requests.js"

/** A limiter that answers when it is told to. */
export function slowLimiter(policy: string) {
  const counts = new RateLimiter(policy, { clock: new ManualClock(0) })
  const [asked, answer, refunded] = [deferred<void>(), deferred<void>(), deferred<void>()]
  const limiter: RequestLimiter = {
    async check(key, options) {
      asked.resolve()
      await answer.promise
      return counts.check(key, options)
    },
    refund(receipt) {
      counts.refund(receipt)
      refunded.resolve()
    },
    charge: (key, units) => counts.charge(key, units),
  }
  return { counts, limiter: () => limiter, asked: asked.promise, answer: answer.resolve, refunded: refunded.promise }
}
