import type { Algorithm } from "../types/algorithm.js"

/** A duration as users write it: `"250ms"`, `"10s"`, `"1m"`, `"2h"`, `"1d"`, `"1w"`, or a number of milliseconds. */
export type Duration = string | number

/** One rule as users write it in full. */
export interface RuleInput {
  /** Units allowed per period, 1 … 2^31. */
  limit: number
  /** 1 ms … 10 years. */
  period: Duration
  /** Default `"gcra"`. `fixed_window_counter` and `sliding_window_counter` are accepted as aliases. */
  algorithm?: Algorithm | "fixed_window_counter" | "sliding_window_counter" | undefined
  /** Most units at once, for `gcra`, `token_bucket` and `leaky_bucket`; default `limit`. */
  burst?: number | undefined
  /** `token_bucket` only. A step refill must be the policy's rate: `amount / every = limit / period`. */
  refill?: "continuous" | { amount: number; every: Duration } | undefined
  /** `fixed_window` only: where windows start. */
  anchor?: "epoch" | "first" | undefined
  /** `fixed_window` with anchor `"epoch"` only: shifts the windows' starts, 0 ≤ offset < period. */
  offset?: Duration | undefined
  /** How long a key stays denied once it was denied. */
  block?: Duration | undefined
  /** Printable ASCII; in headers, metrics and config. */
  name?: string | undefined
}

/**
 * What `parsePolicy` accepts: a short form such as `"10/second; 1000/hour"`, a rule, several of either, or a policy.
 */
export type PolicyInput = string | RuleInput | readonly (string | RuleInput)[] | Policy

/** A validated rule: whole numbers only. */
export interface Rule {
  readonly name: string
  readonly algorithm: Algorithm
  /** Units per period, 1 … 2^31. */
  readonly limit: number
  /** 1 … 315,360,000,000 ms. */
  readonly periodMs: number
  /** The most units at once: the burst where the algorithm has one, else the limit. */
  readonly capacity: number
  /** Step refill of a token bucket, or `null`. */
  readonly refill: { readonly amount: number; readonly everyMs: number } | null
  /** Where a fixed window starts: `null` for the other algorithms. */
  readonly anchor: "epoch" | "first" | null
  /** Shift of epoch-aligned windows, 0 ≤ offset < period. */
  readonly offsetMs: number
}

/** A validated policy: one or more rules on the same key, all of which must admit. */
export interface Policy {
  readonly name: string
  readonly rules: readonly [Rule, ...Rule[]]
  /** How long a key stays denied once it was denied; 0 where the policy does not block. */
  readonly blockMs: number
  /** A text that is equal for equal policies and that `parsePolicy` reads back to an equal policy. */
  readonly canonical: string
  /**
   * Where a function chose the policy, and others of the same name are in force at the same time: the limit whose
   * counts are meant, in whatever holds several. It is in no text of the policy.
   */
  readonly limitName?: string
}
