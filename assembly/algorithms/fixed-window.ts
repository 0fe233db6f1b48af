import { ANCHOR_FIRST, Rule } from "../rule"
import { MAX_USED_UNITS, sinceMs } from "../state"

/*
 * A count per window of `periodMs`. Windows are aligned to the epoch, shifted by an offset, or start with a key's
 * first charge, or where the clock was set back to.
 *
 *   +0  │ 0 (16)     │ sinceMs: the window's start           │
 *   +8  │ units counted in it, a debt included               │
 */

/** Units counted in the window that `now` lies in. */
// @ts-ignore: decorator
@inline
function countAt(rule: Rule, state: usize, nowMs: i64): i64 {
  return nowMs - sinceMs(state) < rule.periodMs ? load<i64>(state, 8) : 0
}

/** Where the window that contains `now` starts when it has no charge yet; before 0 for the first, shifted one. */
function windowStart(rule: Rule, nowMs: i64): i64 {
  if (rule.offsetMs == ANCHOR_FIRST) return nowMs
  const shifted = nowMs - rule.offsetMs + rule.periodMs
  return nowMs - (shifted % rule.periodMs)
}

function write(rule: Rule, state: usize, nowMs: i64, count: i64): void {
  const since = sinceMs(state)
  const open = load<i64>(state, 8) > 0 && nowMs - since < rule.periodMs
  store<i64>(state, open ? since : windowStart(rule, nowMs))
  store<i64>(state, count, 8)
}

export function mostAheadMs(rule: Rule): i64 {
  return rule.periodMs
}

export function wait(rule: Rule, state: usize, nowMs: i64, cost: i64): i64 {
  const count = countAt(rule, state, nowMs)
  return count + cost <= rule.capacity ? 0 : sinceMs(state) + rule.periodMs - nowMs
}

export function charge(rule: Rule, state: usize, nowMs: i64, units: i64): void {
  write(rule, state, nowMs, min(countAt(rule, state, nowMs) + units, MAX_USED_UNITS))
}

export function remaining(rule: Rule, state: usize, nowMs: i64): i64 {
  return max<i64>(0, rule.capacity - countAt(rule, state, nowMs))
}

export function reset(rule: Rule, state: usize, nowMs: i64): i64 {
  return countAt(rule, state, nowMs) == 0 ? 0 : sinceMs(state) + rule.periodMs - nowMs
}

export function used(rule: Rule, state: usize, nowMs: i64): i64 {
  return countAt(rule, state, nowMs)
}

/** Gives back only to the window that was charged. */
export function refund(rule: Rule, state: usize, nowMs: i64, chargedAtMs: i64, units: i64): void {
  const since = sinceMs(state)
  const count = countAt(rule, state, nowMs)
  if (count == 0 || chargedAtMs < since || chargedAtMs - since >= rule.periodMs) return
  store<i64>(state, max<i64>(0, count - units), 8)
}

/**
 * The count stays for one period from `now` on, in a window of its own: moved into the one that contains `now`, it
 * would be forgotten as soon as that ends. The next window is aligned again.
 */
export function heal(rule: Rule, state: usize, nowMs: i64): void {
  store<i64>(state, nowMs)
}
