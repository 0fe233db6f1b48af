import { mulDiv, remainder } from "../math"
import { Rule } from "../rule"
import { MAX_WAIT_MS, TIME_BITS, TIME_MASK, sinceMs } from "../state"

/*
 * The cell that gcra, token_bucket and leaky_bucket share: the theoretical arrival time (TAT) of the generic cell
 * rate algorithm (ITU-T I.371, ATM Forum Traffic Management 4.0), kept as how far it lies ahead of `sinceMs`:
 *
 *   TAT = sinceMs + aheadMs + rest/N      0 ≤ rest < N ≤ 2³¹, aheadMs ≤ 2⁴⁶
 *
 *        63        48 47                                   0
 *   +0  │ rest 0-15  │ sinceMs                              │
 *   +8  │ rest 16-31 │ aheadMs                              │
 *
 * gcra spaces: the emission interval is P/N ms and `burst` of them may come at once. token_bucket counts: N/P tokens
 * drip in per millisecond, `burst` fit in; a bucket of B − (TAT − now)·N/P tokens and an arrival time are the same
 * number seen from two sides. leaky_bucket shapes: the level of the bucket is how far the arrival time lies ahead.
 *
 * Amounts of time are pairs (ms, rest in 1/N ms), so nothing is rounded and no product has to fit 64 bits.
 */

/**
 * Weights saturate here: at 2⁴⁸ ms, which is more than a state can lie ahead and the time since any charge together. So
 * a refund of units that weigh more gives back all.
 */
const MAX_WEIGHT_MS: i64 = 1 << 48

/** The pair that the functions below compute with. */
let pairMs: i64 = 0
let pairRest: i64 = 0

/** Puts max(0, TAT − now) into the pair. */
// @ts-ignore: decorator
@inline
function loadAhead(state: usize, nowMs: i64): void {
  const first = load<u64>(state)
  const second = load<u64>(state, 8)
  const ms = <i64>(second & TIME_MASK) - (nowMs - <i64>(first & TIME_MASK))
  if (ms < 0) {
    pairMs = 0
    pairRest = 0
  } else {
    pairMs = ms
    pairRest = <i64>((first >> TIME_BITS) | ((second >> TIME_BITS) << 16))
  }
}

/** Makes `now` the time from which the given pair counts. */
// @ts-ignore: decorator
@inline
function storeAhead(state: usize, nowMs: i64, ms: i64, rest: i64): void {
  store<u64>(state, <u64>nowMs | ((<u64>rest) << TIME_BITS))
  store<u64>(state, <u64>ms | ((<u64>rest >> 16) << TIME_BITS), 8)
}

/** Puts the weight of `units` into the pair: units·P/N ms, saturating at the heaviest. */
// @ts-ignore: decorator
@inline
function loadWeight(rule: Rule, units: i64): void {
  if (units == 1) {
    pairMs = rule.unitMs
    pairRest = rule.unitRest
  } else if (<f64>units * <f64>rule.periodP >= <f64>MAX_WEIGHT_MS * <f64>rule.unitsN) {
    pairMs = MAX_WEIGHT_MS
    pairRest = 0
  } else {
    pairMs = mulDiv(units, rule.periodP, rule.unitsN)
    pairRest = remainder
  }
}

/**
 * ⌊(ms·N + rest)/P⌋: how many units the time is worth, below 2³³. By the way of `mulDiv`, with a multiplication by the
 * rounded 1/P in place of the division: still off by at most one.
 */
// @ts-ignore: decorator
@inline
function unitsIn(rule: Rule, ms: i64, rest: i64): i64 {
  const periodP = rule.periodP
  let units = <i64>((<f64>ms * <f64>rule.unitsN + <f64>rest) * rule.inverseP)
  const left = ms * rule.unitsN + rest - units * periodP
  if (left < 0) units -= 1
  else if (left >= periodP) units += 1
  return units
}

/** ⌈B·P/N⌉ ms. */
export function mostAheadMs(rule: Rule): i64 {
  return rule.capacityMs + i64(rule.capacityRest > 0)
}

/** 0 where `cost` is admitted, else ⌈(base + c·P − B·P − N·now)/N⌉. */
export function wait(rule: Rule, state: usize, nowMs: i64, cost: i64): i64 {
  loadAhead(state, nowMs)
  const aheadMs = pairMs
  const aheadRest = pairRest
  loadWeight(rule, cost)
  let ms = aheadMs + pairMs - rule.capacityMs
  let rest = aheadRest + pairRest - rule.capacityRest
  if (rest < 0) {
    ms -= 1
    rest += rule.unitsN
  } else if (rest >= rule.unitsN) {
    ms += 1
    rest -= rule.unitsN
  }
  if (ms < 0) return 0
  return ms + i64(rest > 0)
}

export function charge(rule: Rule, state: usize, nowMs: i64, units: i64): void {
  loadAhead(state, nowMs)
  let ms = pairMs
  let rest = pairRest
  loadWeight(rule, units)
  ms += pairMs
  rest += pairRest
  if (rest >= rule.unitsN) {
    ms += 1
    rest -= rule.unitsN
  }
  if (ms >= MAX_WAIT_MS) {
    ms = MAX_WAIT_MS
    rest = 0
  }
  storeAhead(state, nowMs, ms, rest)
}

/** ⌊(B·P − max(0, TAT − N·now))/P⌋, never below 0. */
export function remaining(rule: Rule, state: usize, nowMs: i64): i64 {
  loadAhead(state, nowMs)
  const ms = rule.capacityMs - pairMs
  const rest = rule.capacityRest - pairRest
  if (ms < 0 || (ms == 0 && rest < 0)) return 0
  return unitsIn(rule, ms, rest)
}

/** ⌈max(0, TAT − N·now)/N⌉. */
export function reset(rule: Rule, state: usize, nowMs: i64): i64 {
  loadAhead(state, nowMs)
  return pairMs + i64(pairRest > 0)
}

/** Units that are used, rounded up. */
export function used(rule: Rule, state: usize, nowMs: i64): i64 {
  loadAhead(state, nowMs)
  const ms = pairMs
  const rest = pairRest
  const whole = unitsIn(rule, ms, rest)
  return ms * rule.unitsN + rest == whole * rule.periodP ? whole : whole + 1
}

/** Gives back at most max(0, u·P − N·(now − t₀)): what has leaked since the charge at t₀ is gone. */
export function refund(rule: Rule, state: usize, nowMs: i64, chargedAtMs: i64, units: i64): void {
  loadAhead(state, nowMs)
  const aheadMs = pairMs
  const aheadRest = pairRest
  loadWeight(rule, units)
  const giveMs = pairMs - max<i64>(0, nowMs - chargedAtMs)
  if (giveMs < 0 || (giveMs == 0 && pairRest == 0)) return
  let ms = aheadMs - giveMs
  let rest = aheadRest - pairRest
  if (rest < 0) {
    ms -= 1
    rest += rule.unitsN
  }
  if (ms < 0) {
    ms = 0
    rest = 0
  }
  storeAhead(state, nowMs, ms, rest)
}

/** Moves the state to `now` as it is: the same distance ahead. */
export function heal(rule: Rule, state: usize, nowMs: i64): void {
  loadAhead(state, sinceMs(state))
  storeAhead(state, nowMs, pairMs, pairRest)
}

/** 2⁶², less than what fits an i64. */
const MAX_PRODUCT: f64 = 4611686018427387904

/** Whether `decideFast` may decide by a rule of these algorithms: its capacity in 1/N ms fits a word. */
export function fitsFastPath(rule: Rule): bool {
  return <f64>rule.capacity * <f64>rule.periodP < MAX_PRODUCT
}

/** What `decideFast` returns where it has decided nothing. */
export const UNDECIDED: i32 = -1

/*
 * What `decideFast` says.
 *
 *   remaining u32 │ 0 u32 │ retryAfterMs i64 │ resetAfterMs i64
 */
export const brief = memory.data(24, 16)

/**
 * The fast path: `wait`, `charge`, `remaining` and `reset` in one pass, for the commonest of limits, one rule. Charges
 * `state` where `cost` is admitted and `charging`. Returns 1 where it is admitted, 0 where not, and `UNDECIDED` where
 * the state has seen a later time.
 */
export function decideFast(rule: Rule, state: usize, nowMs: i64, cost: i64, charging: bool): i32 {
  // As `loadAhead` does, but in locals: this is the path whose length counts.
  const first = load<u64>(state)
  const second = load<u64>(state, 8)
  const passedMs = nowMs - <i64>(first & TIME_MASK)
  if (passedMs < 0) return UNDECIDED
  let aheadMs = <i64>(second & TIME_MASK) - passedMs
  let aheadRest = <i64>((first >> TIME_BITS) | ((second >> TIME_BITS) << 16))
  if (aheadMs < 0) {
    aheadMs = 0
    aheadRest = 0
  }
  let nextMs = aheadMs
  let nextRest = aheadRest
  if (cost == 1) {
    nextMs += rule.unitMs
    nextRest += rule.unitRest
  } else {
    loadWeight(rule, cost)
    nextMs += pairMs
    nextRest += pairRest
  }
  if (nextRest >= rule.unitsN) {
    nextMs += 1
    nextRest -= rule.unitsN
  }
  const overMs = nextMs - rule.capacityMs
  const overRest = nextRest - rule.capacityRest
  const admitted = overMs < 0 || (overMs == 0 && overRest <= 0)
  if (admitted) {
    if (charging) {
      storeAhead(state, nowMs, nextMs, nextRest)
      aheadMs = nextMs
      aheadRest = nextRest
    }
    store<i64>(brief, 0, 8)
  } else {
    // ⌈over⌉: a rest above the capacity's is one more millisecond, one below it takes none away.
    store<i64>(brief, overMs + i64(overRest > 0), 8)
  }
  // In 1/N ms, of which a unit weighs P. For a large debt the product may overflow; the sign of `leftMs` then tells.
  const leftMs = rule.capacityMs - aheadMs
  const left = leftMs * rule.unitsN + rule.capacityRest - aheadRest
  store<u32>(brief, (leftMs | left) < 0 ? 0 : <u32>(<u64>left / <u64>rule.periodP))
  store<i64>(brief, aheadMs + i64(aheadRest > 0), 16)
  return i32(admitted)
}
