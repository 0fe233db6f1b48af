import type { Algorithm } from "./algorithm.js"
import type { Receipt } from "./receipt.js"

/** Why a decision is what it is. Everything but `ok` and `limit` is a decision that the quota alone did not make. */
export type Reason = "ok" | "limit" | "blocked" | "cached" | "fail-open" | "fail-closed" | "fail-local"

/** What one rule of a policy says of a check. Times are whole milliseconds, amounts whole units. */
export interface RuleDecision {
  /** The rule's name, as headers show it. */
  readonly policy: string
  readonly algorithm: Algorithm
  /** Units allowed per period. */
  readonly limit: number
  /** The period in milliseconds. */
  readonly periodMs: number
  /** Units left after the decision; on a denial, what was there. Rounded down, never negative. */
  readonly remaining: number
  /** 0 where this rule admits, else the smallest wait after which it would. */
  readonly retryAfterMs: number
  /** Time until the rule's quota is full again. Rounded up. */
  readonly resetAfterMs: number
}

/** The answer to a check. A denial is a value, not an exception. */
export interface Decision {
  readonly allowed: boolean
  readonly key: string
  /**
   * The name of the rule that binds most: the longest wait on a denial, else the least remaining share, also where only
   * a block denies.
   */
  readonly policy: string
  readonly algorithm: Algorithm
  /** Units allowed per period by that rule. */
  readonly limit: number
  /** Units left after the decision; on a denial, what was there. */
  readonly remaining: number
  /** The units that the check asked for. */
  readonly cost: number
  /**
   * 0 when admitted, else the smallest wait after which this check would pass if nothing else came. A denial for which
   * no wait helps, as of a key on a list, has 0 too.
   */
  readonly retryAfterMs: number
  /** Time until the quota of that rule is full; each rule's own is in `rules`. */
  readonly resetAfterMs: number
  /** `leaky_bucket` only: how long to hold this request so that the outflow is constant; else 0. */
  readonly delayMs: number
  readonly reason: Reason
  /**
   * Proof of a charge, for `refund` and `settle`; present when something was charged. Limiters in memory and in a
   * folder make it when it is asked for: a copy by spread or `structuredClone` has none, one by `copyDecision` or
   * `JSON.stringify` has it.
   */
  readonly receipt?: Receipt | undefined
  /** Each rule's own decision, in the policy's order; present when the policy has several rules. */
  readonly rules?: readonly RuleDecision[]
}
