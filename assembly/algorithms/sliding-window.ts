import { mulDiv, mulDivUp } from "../math"
import { Rule } from "../rule"
import { MAX_USED_UNITS, sinceMs } from "../state"

/*
 * Two aligned windows of length W; the older one counts by the share of it that still overlaps the last W ms:
 *
 *   used = current + ⌊previous·(W − e)/W⌋      e = ms into the current window
 *
 *   +0  │ 0 (16)     │ sinceMs: the last stored change       │
 *   +8  │ previous (32)         │ current (32)               │   as seen from the window of sinceMs
 */

/** The state brought to a time: both counts and W − e. */
let previous: i64 = 0
let current: i64 = 0
let leftMs: i64 = 0

function advance(rule: Rule, state: usize, nowMs: i64): void {
  const windowMs = rule.periodMs
  const since = sinceMs(state)
  const startMs = since - (since % windowMs)
  const counts = load<u64>(state, 8)
  previous = <i64>(counts >> 32)
  current = <i64>(counts & 0xffff_ffff)
  let elapsed = nowMs - startMs
  if (elapsed >= windowMs) {
    const passed = elapsed / windowMs
    previous = passed == 1 ? current : 0
    current = 0
    elapsed -= passed * windowMs
  }
  leftMs = windowMs - elapsed
}

function usedNow(rule: Rule): i64 {
  return current + (previous == 0 ? 0 : mulDiv(previous, leftMs, rule.periodMs))
}

function write(state: usize, nowMs: i64): void {
  store<i64>(state, nowMs)
  store<u64>(state, ((<u64>previous) << 32) | <u64>current, 8)
}

/** The most that may be left of a window so that ⌊count·left/W⌋ ≤ allowed, for 0 ≤ allowed < count. */
function mostLeft(count: i64, allowed: i64, windowMs: i64): i64 {
  return mulDivUp(allowed + 1, windowMs, count) - 1
}

export function mostAheadMs(rule: Rule): i64 {
  return rule.periodMs * 2
}

export function wait(rule: Rule, state: usize, nowMs: i64, cost: i64): i64 {
  advance(rule, state, nowMs)
  if (usedNow(rule) + cost <= rule.capacity) return 0
  const windowMs = rule.periodMs
  const allowed = rule.capacity - cost - current
  if (allowed >= 0) return leftMs - mostLeft(previous, allowed, windowMs)
  return leftMs + windowMs - mostLeft(current, rule.capacity - cost, windowMs)
}

export function charge(rule: Rule, state: usize, nowMs: i64, units: i64): void {
  advance(rule, state, nowMs)
  // A full quota is no state: what rounds to nothing now must not count again when a clock goes back.
  if (usedNow(rule) == 0) previous = 0
  current = min(current + units, MAX_USED_UNITS)
  write(state, nowMs)
}

export function remaining(rule: Rule, state: usize, nowMs: i64): i64 {
  advance(rule, state, nowMs)
  return max<i64>(0, rule.capacity - usedNow(rule))
}

export function reset(rule: Rule, state: usize, nowMs: i64): i64 {
  advance(rule, state, nowMs)
  if (usedNow(rule) == 0) return 0
  const windowMs = rule.periodMs
  return current > 0 ? leftMs + windowMs - mostLeft(current, 0, windowMs) : leftMs - mostLeft(previous, 0, windowMs)
}

export function used(rule: Rule, state: usize, nowMs: i64): i64 {
  advance(rule, state, nowMs)
  return usedNow(rule)
}

/** Gives back only to the window that was charged, while it still counts. */
export function refund(rule: Rule, state: usize, nowMs: i64, chargedAtMs: i64, units: i64): void {
  advance(rule, state, nowMs)
  const startMs = nowMs + leftMs - rule.periodMs
  if (chargedAtMs >= startMs + rule.periodMs) return
  if (chargedAtMs >= startMs) {
    if (current == 0) return
    current = max<i64>(0, current - units)
  } else {
    if (chargedAtMs < startMs - rule.periodMs || previous == 0) return
    previous = max<i64>(0, previous - units)
  }
  write(state, nowMs)
}

/**
 * What was used, counted in the window that contains `now`. The previous count by itself would weigh by the place of
 * `now` in its window, which has nothing to do with how long ago it was charged.
 */
export function heal(rule: Rule, state: usize, nowMs: i64): void {
  advance(rule, state, sinceMs(state))
  current = min(usedNow(rule), MAX_USED_UNITS)
  previous = 0
  write(state, nowMs)
}
