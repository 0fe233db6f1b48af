import type { Rule } from "../../src/policy/policy.js"
import { ceilDiv, gcd, MAXIMUM_AHEAD_MS, max, min } from "./exact-math.js"
import type { RuleOracle } from "./rule-oracle.js"
import { provenWait } from "./smallest-wait.js"

/** The theoretical arrival time, in 1/N ms, and the time of the last change. */
export interface ArrivalState {
  readonly tat: bigint
  readonly last: bigint
}

/** `gcra`, `token_bucket` with continuous refill and `leaky_bucket`: the three that keep an arrival time. */
export function gcra(rule: Rule): RuleOracle<ArrivalState> {
  const divisor = gcd(BigInt(rule.limit), BigInt(rule.periodMs))
  const n = BigInt(rule.limit) / divisor
  const p = BigInt(rule.periodMs) / divisor
  const tolerance = BigInt(rule.capacity) * p
  const shapes = rule.algorithm === "leaky_bucket"

  /** How far the arrival time lies ahead of `at`, in 1/N ms. */
  const ahead = (state: ArrivalState | null, at: bigint) => (state === null ? 0n : max(0n, state.tat - n * at))
  const admits = (state: ArrivalState | null, units: bigint, at: bigint) => ahead(state, at) + units * p <= tolerance

  return {
    fullRefillMs: ceilDiv(tolerance, n),
    mostUnits: (spanMs) => BigInt(rule.capacity) + (spanMs * n) / p,
    lastMs: (state) => state.last,
    used: (state, at) => ceilDiv(ahead(state, at), p),
    admits,
    charge: (state, units, at) => ({
      tat: n * at + min(ahead(state, at) + units * p, n * MAXIMUM_AHEAD_MS),
      last: at,
    }),
    refund(state, units, chargedAt, at) {
      const elapsed = max(0n, at - chargedAt)
      const back = units * p - n * elapsed
      if (back <= 0n) return state
      const left = max(0n, ahead(state, at) - back)
      return left === 0n ? null : { tat: n * at + left, last: at }
    },
    retryAfter(state, units, at) {
      const excess = ahead(state, at) + units * p - tolerance
      return provenWait(max(0n, ceilDiv(excess, n)), (wait) => admits(state, units, at + wait))
    },
    resetAfter: (state, at) => provenWait(ceilDiv(ahead(state, at), n), (wait) => ahead(state, at + wait) === 0n),
    healed: (state, nowMs) => ({ tat: state.tat + n * (nowMs - state.last), last: nowMs }),
    delay: (state, at) => (shapes ? ceilDiv(ahead(state, at), n) : 0n),
  }
}
