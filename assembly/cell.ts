import * as algorithms from "./algorithms"
import { Limit, releaseStates, ruleAt, stateAt } from "./limit"
import { Rule } from "./rule"
import { STATE_BYTES, sinceMs } from "./state"
import { removeCell } from "./table/remove"
import { CELL_HEAD } from "./table/table"

/*
 * What a key's cell says at a time: each rule's state is evaluated now, or later where the clock is behind what it has
 * seen. `evaluate` comes first: it returns that time, and sets `stateSeen` and `skewMs`, valid until the next call.
 */

/** Room to heal a copy of a state when a peek must not store. */
const healedState = memory.data(<i32>STATE_BYTES, 16)

/** How far the time of the evaluation lies ahead of the clock, where that is behind what the state has seen. */
export let skewMs: i64 = 0
/** The state as it is to be seen at that time: the stored one, or a healed copy. */
export let stateSeen: usize = 0

/** How often a state was healed in place. */
export let heals: u32 = 0

/**
 * The time at which a state is evaluated: now, but never before what it has seen. A state that lies further ahead than
 * its usage can explain comes from a clock that had jumped; it is healed, in place or as a copy. Sets `stateSeen` and
 * `skewMs`, valid until the next call.
 */
export function evaluate(rule: Rule, state: usize, nowMs: i64, inPlace: bool): i64 {
  const since = sinceMs(state)
  stateSeen = state
  skewMs = 0
  if (nowMs >= since) return nowMs
  const aheadMs = algorithms.reset(rule, state, since)
  if (since - nowMs + aheadMs <= max(rule.mostAheadMs, aheadMs)) {
    skewMs = since - nowMs
    return since
  }
  if (inPlace) heals += 1
  else {
    memory.copy(healedState, state, STATE_BYTES)
    stateSeen = healedState
  }
  algorithms.heal(rule, stateSeen, nowMs)
  return max(nowMs, sinceMs(stateSeen))
}

/** Whether nothing of a key's quota is used at `now`, so that its cell says no more than no cell. */
export function isIdle(limit: Limit, states: usize, nowMs: i64): bool {
  for (let index = 0; index < limit.ruleCount; index++) {
    const state = stateAt(states, index)
    const rule = ruleAt(limit, index)
    if (nowMs < sinceMs(state) || algorithms.reset(rule, state, nowMs) > 0) return false
  }
  return true
}

/** Heals each of a key's states in place that lies further ahead than its usage can explain. */
export function healStates(limit: Limit, states: usize, nowMs: i64): void {
  for (let index = 0; index < limit.ruleCount; index++) {
    evaluate(ruleAt(limit, index), stateAt(states, index), nowMs, true)
  }
}

/** The rule that `fullAfterOf` found to be full last. */
export let slowestRule: i32 = 0

/** Time until all rules of a key are full. */
export function fullAfterOf(limit: Limit, states: usize, nowMs: i64): i64 {
  let resetMs: i64 = 0
  slowestRule = 0
  for (let index = 0; index < limit.ruleCount; index++) {
    const rule = ruleAt(limit, index)
    const timeMs = evaluate(rule, stateAt(states, index), nowMs, false)
    const ruleMs = algorithms.reset(rule, stateSeen, timeMs)
    if (ruleMs > 0 && ruleMs + skewMs > resetMs) {
      resetMs = ruleMs + skewMs
      slowestRule = index
    }
  }
  return resetMs
}

/**
 * Finds the memory that a charge of every rule needs. False where there is none: what the states say is as it was, so
 * none is healed for it. Healing moves a state as a whole, and with it what a charge needs.
 */
export function reserveStates(limit: Limit, states: usize, nowMs: i64): bool {
  for (let index = 0; index < limit.ruleCount; index++) {
    const state = stateAt(states, index)
    if (!algorithms.reserve(ruleAt(limit, index), state, max(nowMs, sinceMs(state)))) return false
  }
  return true
}

export function dropCell(limit: Limit, cell: usize): void {
  releaseStates(limit, cell + CELL_HEAD)
  removeCell(limit.cells, load<u64>(cell))
}
