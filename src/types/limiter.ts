import type { Awaitable } from "../lib/awaitable.js"
import type { Decision, RuleDecision } from "./decision.js"
import type { Receipt } from "./receipt.js"

export type { Awaitable }

/** What a check may say beside the key. */
export interface CheckOptions {
  /** Units to charge, 0 … 2^31; default 1. 0 asks and charges nothing. */
  readonly cost?: number | undefined
  /**
   * Names this call, so that repeating it after a lost answer charges once: an admission under the same id and key
   * within the next 5 minutes is told again, not made again: allowed and with its receipt as then, the rest as the key
   * stands by now. The receipt's policy is the name of the one in force by now. With another cost it is a `RangeError`.
   * An admission that was refunded or settled is not told again: the call is then charged anew. 1 … 64 printable ASCII
   * characters.
   */
  readonly id?: string | undefined
}

/** One of the checks that `checkAll` decides together. */
export interface CheckItem {
  readonly key: string
  /** Units to charge, 0 … 2^31; default 1. */
  readonly cost?: number | undefined
  /** The named limit that is asked, where the limiter has several. */
  readonly limit?: string | undefined
  /**
   * Names this item's check, as `CheckOptions.id` does: what was admitted under it before is told again, and the other
   * items are asked. Where each item has one, the call can be repeated and charges once.
   */
  readonly id?: string | undefined
}

/** What a call of `checkAll` may say beside its items. */
export interface AllOptions {
  /**
   * Names the call: it is the `id` of each item that has none. So the call can be repeated, and charges once.
   */
  readonly id?: string | undefined
}

/** The answer to `checkAll`: all were admitted and charged, or nothing was charged. */
export interface AllDecision {
  readonly allowed: boolean
  /** The key of the first item that was denied, or `null`. */
  readonly deniedKey: string | null
  /** The name of the policy that denied it, or `null`. */
  readonly deniedPolicy: string | null
  /** Each item's own decision, in the items' order. Receipts only where all were admitted. */
  readonly decisions: readonly Decision[]
}

/** What a limiter can be asked by middleware: the smallest interface that every limiter has. */
export interface Checker {
  /** Asks and charges. @throws {CostError} where the cost can never pass, {KeyError}, {RangeError} */
  check(key: string, options?: CheckOptions): Awaitable<Decision>
  /** Gives back what a check charged. */
  refund(receipt: Receipt, units?: number): Awaitable<void>
}

/** What can happen to a key, as its history tells it. */
export type KeyEvent = "admit" | "deny" | "charge" | "refund" | "block" | "unblock" | "reset" | "define"

/** What is known of a key. Counts are of checks, costs in units, times in ms since the epoch or `null`. */
export interface KeyStats {
  readonly totalAllowed: number
  readonly totalDenied: number
  readonly totalAllowedCost: number
  readonly totalDeniedCost: number
  readonly lastAllowedAt: number | null
  readonly lastDeniedAt: number | null
  readonly lastResetAt: number | null
}

/** The state of a key without a check. */
export interface KeyStatus {
  readonly key: string
  readonly policy: string
  /** Units left in the rule that binds most. */
  readonly remaining: number
  /** Time until the quota of every rule is full. */
  readonly resetAfterMs: number
  /** Time until a block ends; 0 where there is none. */
  readonly blockedForMs: number
  /** Each rule's own readout, in the policy's order. */
  readonly rules: readonly RuleDecision[]
}
