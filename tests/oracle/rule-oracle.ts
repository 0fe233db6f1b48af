import type { Rule } from "../../src/policy/policy.js"

/**
 * One algorithm for one rule, as plain BigInt arithmetic on values that never change. `null` is the state of a
 * full quota; every other state is read and changed at a time `at` that is not before its last change.
 * Amounts are units, times are milliseconds, both exact.
 */
export interface RuleOracle<State> {
  /** The time that a full quota's worth of units takes to come back. */
  readonly fullRefillMs: bigint
  /** The most units that may be admitted from one moment to another `spanMs` later, both included. */
  mostUnits(spanMs: bigint): bigint
  /** The time of the last change that the state keeps. */
  lastMs(state: State): bigint
  /** Units used at `at`, rounded up; above the capacity where the key is in debt. */
  used(state: State | null, at: bigint): bigint
  /** Whether a charge of `units` made at `at` stays within the capacity. */
  admits(state: State | null, units: bigint, at: bigint): boolean
  /** The state after `units` ≥ 1 were charged at `at`, whether or not they are admitted. */
  charge(state: State | null, units: bigint, at: bigint): State
  /** The state after a refund of `units` charged at `chargedAt`; the same object where nothing comes back. */
  refund(state: State, units: bigint, chargedAt: bigint, at: bigint): State | null
  /** The smallest wait after `at` when `admits` turns true; 0 where it is true already. */
  retryAfter(state: State | null, units: bigint, at: bigint): bigint
  /** The smallest wait after `at` when nothing is used any more. */
  resetAfter(state: State | null, at: bigint): bigint
  /** The state moved as a whole so that its last change was at `nowMs`, with the usage of its last change. */
  healed(state: State, nowMs: bigint): State
  /** How long a request admitted at `at` is to be held; 0 where the algorithm does not shape. */
  delay(state: State | null, at: bigint): bigint
}

/** Makes a rule's oracle: the one signature that every algorithm has. */
export type MakeRuleOracle<State> = (rule: Rule) => RuleOracle<State>
