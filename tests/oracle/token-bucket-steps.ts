import type { Rule } from "../../src/policy/policy.js"
import { ceilDiv, MAXIMUM_USED, max } from "./exact-math.js"
import type { RuleOracle } from "./rule-oracle.js"
import { provenWait } from "./smallest-wait.js"

/** Tokens right after the step at `lastStep`; negative in debt. */
export interface StepState {
  readonly tokens: bigint
  readonly lastStep: bigint
}

/** `token_bucket` refilled in steps, whose clock starts with the first charge of a full bucket. */
export function tokenBucketSteps(rule: Rule): RuleOracle<StepState> {
  if (rule.refill === null) throw new Error("The oracle is wrong: a step bucket without steps.")
  const amount = BigInt(rule.refill.amount)
  const every = BigInt(rule.refill.everyMs)
  const capacity = BigInt(rule.capacity)

  /** The state after all steps up to `at`; `null` once they filled the bucket. */
  function stepped(state: StepState | null, at: bigint): StepState | null {
    if (state === null) return null
    const steps = (at - state.lastStep) / every
    const tokens = state.tokens + steps * amount
    return tokens >= capacity ? null : { tokens, lastStep: state.lastStep + steps * every }
  }
  const tokensAt = (state: StepState | null, at: bigint) => stepped(state, at)?.tokens ?? capacity
  const admits = (state: StepState | null, units: bigint, at: bigint) => units <= tokensAt(state, at)

  /** The wait from `at` until the bucket holds `tokens`. */
  function waitFor(tokens: bigint, state: StepState | null, at: bigint): bigint {
    const now = stepped(state, at)
    if (now === null || now.tokens >= tokens) return 0n
    return now.lastStep + ceilDiv(tokens - now.tokens, amount) * every - at
  }

  return {
    fullRefillMs: ceilDiv(capacity, amount) * every,
    mostUnits: (spanMs) => capacity + amount * ceilDiv(spanMs, every),
    lastMs: (state) => state.lastStep,
    used: (state, at) => capacity - tokensAt(state, at),
    admits,
    charge(state, units, at) {
      const now = stepped(state, at) ?? { tokens: capacity, lastStep: at }
      return { tokens: max(now.tokens - units, capacity - MAXIMUM_USED), lastStep: now.lastStep }
    },
    refund(state, units, chargedAt, at) {
      const now = stepped(state, at)
      const steps = ceilDiv(max(0n, at - chargedAt), every)
      const back = units - amount * steps
      if (back <= 0n) return state
      if (now === null || now.tokens + back >= capacity) return null
      return { tokens: now.tokens + back, lastStep: now.lastStep }
    },
    retryAfter: (state, units, at) => provenWait(waitFor(units, state, at), (wait) => admits(state, units, at + wait)),
    resetAfter: (state, at) => provenWait(waitFor(capacity, state, at), (wait) => stepped(state, at + wait) === null),
    healed: (state, nowMs) => ({ tokens: state.tokens, lastStep: nowMs }),
    delay: () => 0n,
  }
}
