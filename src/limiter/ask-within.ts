import { whenAnswered } from "../lib/awaitable.js"
import type { Decision } from "../types/decision.js"
import { isDecision } from "../types/is-decision.js"
import type { Awaitable, CheckOptions } from "../types/limiter.js"
import { NEVER_MS } from "./alarms.js"
import { isHeldFor } from "./is-held-for.js"
import type { LimitChoice } from "./named-limits.js"
import type { SettlingChecker } from "./permit.js"
import { isSynchronous } from "./sync-limiter.js"

/**
 * Asks and charges for one who waits. What would be held for longer than `maxDelayMs` is refused, so it need not be
 * charged: then the decision tells that delay, and has no receipt.
 */
export type AskLimiter = (key: string, options: CheckOptions & LimitChoice, maxDelayMs: number) => Awaitable<Decision>

/** So many limits are known to hold requests; then they are found out anew. */
const MAX_HOLDING = 1_000

/**
 * How a limiter is asked that knows of no waits: `check`, where it must be after a `peek`. Behind a promise that is one
 * question more, so only limits that have held a request before are asked it.
 */
export function askWithin(limiter: SettlingChecker): AskLimiter {
  const holding = new Set<string | undefined>()

  function note(decision: Decision, limit: string | undefined): Decision {
    if (isDecision(decision) && decision.delayMs > 0) {
      if (holding.size === MAX_HOLDING) holding.clear()
      holding.add(limit)
    }
    return decision
  }

  return (key, options, maxDelayMs) => {
    const { cost = 1, limit } = options
    if (maxDelayMs === NEVER_MS) return limiter.check(key, options)
    if (limiter.checkWithin && limit === undefined) return limiter.checkWithin(key, cost, maxDelayMs)
    const check = () => whenAnswered(limiter.check(key, options), (decision) => note(decision, limit))
    if (!limiter.peek || !(isSynchronous(limiter) || holding.has(limit))) return check()
    return whenAnswered(limiter.peek(key, options), (seen) => {
      return isDecision(seen) && isHeldFor(seen, maxDelayMs) ? seen : check()
    })
  }
}
