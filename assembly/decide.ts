import * as algorithms from "./algorithms"
import { UNDECIDED, brief, decideFast } from "./algorithms/arrival-time"
import { blockedUntil, setBlock } from "./block"
import { dropCell, evaluate, reserveStates, skewMs, stateSeen } from "./cell"
import { DENY_NEW, KEEP_ALL, Limit, ruleAt, stateAt } from "./limit"
import { makeRoom, newCell, refuseForMemory, roomAfterMs, roomRule } from "./room"
import { MAX_RULES } from "./rule"
import { STATE_BYTES } from "./state"
import { countDecision } from "./stats"
import { findCell } from "./table/find"
import { CELL_HEAD } from "./table/table"

/** Outcomes of a decision. */
export const DENIED: i32 = 0
export const ADMITTED: i32 = 1
export const BLOCKED: i32 = 2
export const COST_ABOVE_CAPACITY: i32 = 3
export const NO_ROOM: i32 = 4

/*
 * What a decision says, each an f64; the host reads it after the call.
 *
 *   0 retryAfterMs │ 1 delayMs │ 2 binding rule │ 3 chargedAtMs │ then per rule: remaining, retryAfterMs, resetAfterMs
 */
const VERDICT_RULES: usize = 32
const VERDICT_RULE_BYTES: usize = 24
export const verdict = memory.data(<i32>(VERDICT_RULES + VERDICT_RULE_BYTES * <usize>MAX_RULES), 16)

/** Where the verdict says what the binding rule does. */
// @ts-ignore: decorator
@inline
export function bindingRule(): usize {
  return verdict + VERDICT_RULES + <usize>load<f64>(verdict, 16) * VERDICT_RULE_BYTES
}

/** Is added to the outcome of a decision that is told in short. */
export const BRIEF: i32 = 8

/** The states of a key that has none. */
const emptyStates = memory.data(<i32>STATE_BYTES * MAX_RULES, 16)

/** Decides, and charges where `charging` and admitted. The verdict says the rest. */
export function decide(limit: Limit, hash: u64, cost: i64, nowMs: i64, charging: bool): i32 {
  return decideAt(limit, hash, findCell(limit.cells, hash), cost, nowMs, charging)
}

/** `decide` where the cell of the hash is known: it is `cell`, or there is none where that is 0. */
export function decideAt(limit: Limit, hash: u64, cell: usize, cost: i64, nowMs: i64, charging: bool): i32 {
  if (cost > limit.maximumCost) return COST_ABOVE_CAPACITY
  charging = charging && cost > 0
  if (limit.hasFastPath && limit.blocks.count == 0) {
    let state = cell + CELL_HEAD
    if (cell == 0) {
      // A key without a state is admitted: no cost above the capacity comes here.
      state = cost > 0 ? newStates(limit, hash, nowMs, charging) : emptyStates
      if (state == 0) {
        tellNoRoom()
        return NO_ROOM
      }
    }
    const rule = ruleAt(limit, 0)
    const delayMs = algorithms.delay(rule, state, nowMs)
    const outcome = decideFast(rule, state, nowMs, cost, charging)
    if (outcome != UNDECIDED) {
      tellAtLength(nowMs, outcome == ADMITTED ? delayMs : 0)
      return outcome
    }
  }
  return decideRules(limit, hash, cell, cost, nowMs, charging)
}

/**
 * Charges one unit. Where the answer can be told in short it is, and `BRIEF` added to the outcome; else as `decideAt`.
 */
// @ts-ignore: decorator
@inline
export function decideUnitAt(limit: Limit, hash: u64, cell: usize, nowMs: i64): i32 {
  if (cell != 0 && limit.hasBriefAnswer && limit.blocks.count == 0) {
    const outcome = decideFast(ruleAt(limit, 0), cell + CELL_HEAD, nowMs, 1, true)
    if (outcome != UNDECIDED) {
      if ((load<i64>(brief, 8) | load<i64>(brief, 16)) <= i32.MAX_VALUE) {
        store<f64>(verdict, <f64>nowMs, 24)
        return outcome | BRIEF
      }
      tellAtLength(nowMs, 0)
      return outcome
    }
  }
  return decideAt(limit, hash, cell, 1, nowMs, true)
}

/** Makes a verdict of what was told in short. */
function tellAtLength(nowMs: i64, delayMs: i64): void {
  const retryMs = <f64>load<i64>(brief, 8)
  store<f64>(verdict, retryMs)
  store<f64>(verdict, <f64>delayMs, 8)
  store<f64>(verdict, 0, 16)
  store<f64>(verdict, <f64>nowMs, 24)
  store<f64>(verdict, <f64>load<u32>(brief), 32)
  store<f64>(verdict, retryMs, 40)
  store<f64>(verdict, <f64>load<i64>(brief, 16), 48)
}

/** Tells a new key when there is room for it, and the rule whose units keep it out until then. */
function tellNoRoom(): void {
  store<f64>(verdict, <f64>roomAfterMs)
  store<f64>(verdict, <f64>roomRule, 16)
}

/**
 * States for an admitted key that has none: new ones where it is charged, else empty ones. 0 where there is no room.
 */
function newStates(limit: Limit, hash: u64, nowMs: i64, charging: bool): usize {
  if (charging) {
    const made = newCell(limit, hash, nowMs)
    return made == 0 ? 0 : made + CELL_HEAD
  }
  // A peek makes room too, to answer as a check would: the idle neighbours that it drops say nothing.
  const isFull = limit.onFull == DENY_NEW && limit.cells.count >= limit.maxKeys
  return isFull && !makeRoom(limit, hash, nowMs) ? 0 : emptyStates
}

/** The states of an admitted key with all that a charge needs, or those that a peek sees. 0 where there is no room. */
function statesToCharge(limit: Limit, hash: u64, cell: usize, nowMs: i64, charging: bool): usize {
  const states = cell == 0 ? newStates(limit, hash, nowMs, charging) : cell + CELL_HEAD
  if (states == 0 || !charging || reserveStates(limit, states, nowMs)) return states
  if (cell == 0) dropCell(limit, states - CELL_HEAD)
  return refuseForMemory(limit)
}

/** The general way: any rules, blocks, statistics, and a clock that is behind what a state has seen. */
function decideRules(limit: Limit, hash: u64, cell: usize, cost: i64, nowMs: i64, charging: bool): i32 {
  const ruleCount = limit.ruleCount
  let states = cell == 0 ? emptyStates : cell + CELL_HEAD

  let binding = 0
  let retryMs: i64 = 0
  for (let index = 0; index < ruleCount; index++) {
    const rule = ruleAt(limit, index)
    // Nothing is healed in place before it is known that there is room: where there is none, nothing changes.
    const timeMs = evaluate(rule, stateAt(states, index), nowMs, false)
    let waitMs = algorithms.wait(rule, stateSeen, timeMs, cost)
    if (waitMs > 0) waitMs += skewMs
    if (waitMs > retryMs) {
      retryMs = waitMs
      binding = index
    }
    store<f64>(verdict + VERDICT_RULES + <usize>index * VERDICT_RULE_BYTES, <f64>waitMs, 8)
  }

  const noneWaits = retryMs == 0
  let outcome = noneWaits ? ADMITTED : DENIED
  if (limit.blocks.count > 0) {
    const until = blockedUntil(limit, hash)
    if (until > nowMs) {
      outcome = BLOCKED
      retryMs = max(retryMs, until - nowMs)
    }
  }
  if (outcome == DENIED && charging && limit.blockMs > 0) {
    // Where as many keys are blocked as may be held, this one is only denied: its wait is then that of its quota.
    if (setBlock(limit, hash, nowMs + limit.blockMs, nowMs)) retryMs = max(retryMs, limit.blockMs)
    else if (limit.onFull == KEEP_ALL) return NO_ROOM
  }

  if (outcome == ADMITTED && cost > 0) {
    states = statesToCharge(limit, hash, cell, nowMs, charging)
    if (states == 0) {
      // Without a bound of keys that is a failure and no denial: it is not counted.
      if (limit.onFull == KEEP_ALL) return NO_ROOM
      outcome = NO_ROOM
      states = cell == 0 ? emptyStates : cell + CELL_HEAD
    }
  }
  let delayMs: i64 = 0
  if (outcome == ADMITTED) {
    for (let index = 0; index < ruleCount; index++) {
      const rule = ruleAt(limit, index)
      const timeMs = evaluate(rule, stateAt(states, index), nowMs, charging)
      delayMs = max(delayMs, algorithms.delay(rule, stateSeen, timeMs))
      if (charging) algorithms.charge(rule, stateSeen, timeMs, cost)
    }
  }

  let leastRemaining: i64 = 0
  // A charge counts from the earliest time of its states, as the charge left them: a later one would say that less of
  // it has leaked since than has.
  let chargedAtMs = i64.MAX_VALUE
  for (let index = 0; index < ruleCount; index++) {
    const rule = ruleAt(limit, index)
    const timeMs = evaluate(rule, stateAt(states, index), nowMs, charging)
    chargedAtMs = min(chargedAtMs, timeMs)
    const remaining = algorithms.remaining(rule, stateSeen, timeMs)
    let resetMs = algorithms.reset(rule, stateSeen, timeMs)
    if (resetMs > 0) resetMs += skewMs
    const out = verdict + VERDICT_RULES + <usize>index * VERDICT_RULE_BYTES
    store<f64>(out, <f64>remaining)
    store<f64>(out, <f64>resetMs, 16)
    // Where none waits, also under a block, the smallest share of the capacity binds: r/c < R/C ⇔ r·C < R·c, products
    // below 2⁶².
    if (noneWaits) {
      const least = ruleAt(limit, binding)
      if (index == 0 || remaining * least.capacity < leastRemaining * rule.capacity) {
        binding = index
        leastRemaining = remaining
      }
    }
  }
  store<f64>(verdict, <f64>retryMs)
  store<f64>(verdict, <f64>delayMs, 8)
  store<f64>(verdict, <f64>binding, 16)
  store<f64>(verdict, <f64>chargedAtMs, 24)
  if (outcome == NO_ROOM) tellNoRoom()
  if (limit.keepsStats && charging) countDecision(limit.stats, limit.maxKeys, hash, outcome == ADMITTED, cost, nowMs)
  return outcome
}

/**
 * Charges as `decide` does, and returns only whether it was admitted. A denial is neither counted nor starts a block.
 */
export function admit(limit: Limit, hash: u64, cost: i64, nowMs: i64): bool {
  if (cost == 0) return decide(limit, hash, 0, nowMs, true) == ADMITTED
  if (cost > limit.maximumCost || (limit.blocks.count > 0 && blockedUntil(limit, hash) > nowMs)) return false
  const cell = findCell(limit.cells, hash)
  let states = cell == 0 ? emptyStates : cell + CELL_HEAD
  for (let index = 0; index < limit.ruleCount; index++) {
    const rule = ruleAt(limit, index)
    const timeMs = evaluate(rule, stateAt(states, index), nowMs, true)
    if (algorithms.wait(rule, stateSeen, timeMs, cost) > 0) return false
  }
  states = statesToCharge(limit, hash, cell, nowMs, true)
  if (states == 0) return false
  for (let index = 0; index < limit.ruleCount; index++) {
    const rule = ruleAt(limit, index)
    const timeMs = evaluate(rule, stateAt(states, index), nowMs, true)
    algorithms.charge(rule, stateSeen, timeMs, cost)
    // `decide` evaluates the state again to tell what is left, which heals it where the charge moved it too far ahead.
    evaluate(rule, stateSeen, nowMs, true)
  }
  if (limit.keepsStats) countDecision(limit.stats, limit.maxKeys, hash, true, cost, nowMs)
  return true
}
