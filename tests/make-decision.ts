import type { Decision } from "../src/types/decision.js"

/** An admission, or what else of it is given. */
export function makeDecision(over: Partial<Decision> = {}): Decision {
  return {
    allowed: true,
    key: "a",
    policy: "default",
    algorithm: "gcra",
    limit: 5,
    remaining: 4,
    cost: 1,
    retryAfterMs: 0,
    resetAfterMs: 10,
    delayMs: 0,
    reason: "ok",
    ...over,
  }
}
