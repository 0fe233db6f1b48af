import { divUp } from "../math"
import { Rule } from "../rule"
import { MAX_USED_UNITS, MAX_WAIT_MS, clear, sinceMs } from "../state"

/*
 * A token bucket that refills `amount` units every `everyMs`. Steps count from the first charge on a full bucket
 * and stay in that rhythm until the bucket is full again, so no part of a step is ever lost.
 *
 *   +0  │ 0 (16)     │ sinceMs: the last step that was taken │
 *   +8  │ units used, a debt included                        │
 */

/** The state brought to a time. */
let usedUnits: i64 = 0
let stepMs: i64 = 0

function advance(rule: Rule, state: usize, nowMs: i64): void {
  const since = sinceMs(state)
  const units = load<i64>(state, 8)
  const steps = (nowMs - since) / rule.everyMs
  if (steps >= divUp(units, rule.amount)) {
    usedUnits = 0
    stepMs = nowMs
  } else {
    usedUnits = units - steps * rule.amount
    stepMs = since + steps * rule.everyMs
  }
}

function write(state: usize, units: i64, atMs: i64): void {
  if (units == 0) return clear(state)
  store<i64>(state, atMs)
  store<i64>(state, units, 8)
}

/** Time from `now` until `units` have come back. */
function waitFor(rule: Rule, units: i64, nowMs: i64): i64 {
  const steps = divUp(units, rule.amount)
  // The last step is less than one step ago, so a wait of one step more than the longest is too long in any case.
  if (<f64>steps * <f64>rule.everyMs >= <f64>(MAX_WAIT_MS + rule.everyMs)) return MAX_WAIT_MS
  return min(MAX_WAIT_MS, stepMs + steps * rule.everyMs - nowMs)
}

export function mostAheadMs(rule: Rule): i64 {
  return divUp(rule.capacity, rule.amount) * rule.everyMs
}

export function wait(rule: Rule, state: usize, nowMs: i64, cost: i64): i64 {
  advance(rule, state, nowMs)
  const missing = usedUnits + cost - rule.capacity
  return missing <= 0 ? 0 : waitFor(rule, missing, nowMs)
}

export function charge(rule: Rule, state: usize, nowMs: i64, units: i64): void {
  advance(rule, state, nowMs)
  write(state, min(usedUnits + units, MAX_USED_UNITS), stepMs)
}

export function remaining(rule: Rule, state: usize, nowMs: i64): i64 {
  advance(rule, state, nowMs)
  return max<i64>(0, rule.capacity - usedUnits)
}

export function reset(rule: Rule, state: usize, nowMs: i64): i64 {
  advance(rule, state, nowMs)
  return usedUnits == 0 ? 0 : waitFor(rule, usedUnits, nowMs)
}

export function used(rule: Rule, state: usize, nowMs: i64): i64 {
  advance(rule, state, nowMs)
  return usedUnits
}

/** Gives back what no step since the charge can have refilled: at most u − amount·⌈(now − t₀)/every⌉. */
export function refund(rule: Rule, state: usize, nowMs: i64, chargedAtMs: i64, units: i64): void {
  advance(rule, state, nowMs)
  const steps = divUp(max<i64>(0, nowMs - chargedAtMs), rule.everyMs)
  if (steps >= divUp(units, rule.amount)) return
  write(state, max<i64>(0, usedUnits - (units - steps * rule.amount)), stepMs)
}

export function heal(rule: Rule, state: usize, nowMs: i64): void {
  store<i64>(state, nowMs)
}
