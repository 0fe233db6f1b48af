import * as algorithms from "./algorithms"
import { clearBlock } from "./block"
import { dropCell, evaluate, healStates, isIdle, reserveStates, stateSeen } from "./cell"
import { Limit, ruleAt, stateAt } from "./limit"
import { newCell } from "./room"
import { sinceMs } from "./state"
import { noteReset } from "./stats"
import { findCell } from "./table/find"
import { CELL_HEAD } from "./table/table"

/*
 * What is used of a key's quota, changed without a question: charged, given back, forgotten.
 */

/**
 * Takes units whatever is left, into debt if need be; no units only heal the key. False where there is no room for it.
 */
export function charge(limit: Limit, hash: u64, units: i64, nowMs: i64): bool {
  const held = findCell(limit.cells, hash)
  if (units == 0) {
    if (held) healStates(limit, held + CELL_HEAD, nowMs)
    return true
  }
  const cell = held == 0 ? newCell(limit, hash, nowMs) : held
  if (cell == 0) return false
  if (!reserveStates(limit, cell + CELL_HEAD, nowMs)) {
    if (held == 0) dropCell(limit, cell)
    return false
  }
  for (let index = 0; index < limit.ruleCount; index++) {
    const rule = ruleAt(limit, index)
    const timeMs = evaluate(rule, stateAt(cell + CELL_HEAD, index), nowMs, true)
    algorithms.charge(rule, stateSeen, timeMs, units)
    // What was charged while the clock was behind may now lie too far ahead of it.
    evaluate(rule, stateSeen, nowMs, true)
  }
  return true
}

/** Gives back units of a charge made at `chargedAtMs`, as far as each rule's state still holds them. */
export function refund(limit: Limit, hash: u64, units: i64, chargedAtMs: i64, nowMs: i64): void {
  const cell = findCell(limit.cells, hash)
  if (cell == 0) return
  for (let index = 0; index < limit.ruleCount; index++) {
    const rule = ruleAt(limit, index)
    const timeMs = evaluate(rule, stateAt(cell + CELL_HEAD, index), nowMs, true)
    algorithms.refund(rule, stateSeen, timeMs, chargedAtMs, units)
    // A full quota has seen nothing, whatever the clock says.
    if (algorithms.reset(rule, stateSeen, timeMs) == 0) algorithms.release(rule, stateSeen)
    else evaluate(rule, stateSeen, nowMs, true)
  }
  if (isIdle(limit, cell + CELL_HEAD, nowMs)) dropCell(limit, cell)
}

/**
 * The time from which a rule's state of a key counts; Infinity where nothing is used: a full quota has seen nothing.
 */
export function since(limit: Limit, hash: u64, index: i32, nowMs: i64): f64 {
  const cell = findCell(limit.cells, hash)
  if (cell == 0) return Infinity
  const state = stateAt(cell + CELL_HEAD, index)
  const heldMs = sinceMs(state)
  return algorithms.reset(ruleAt(limit, index), state, max(nowMs, heldMs)) == 0 ? Infinity : <f64>heldMs
}

/** Makes a key's quota full and ends its block. Whether there was anything to forget. */
export function resetKey(limit: Limit, hash: u64, nowMs: i64): bool {
  let had = clearBlock(limit, hash)
  const cell = findCell(limit.cells, hash)
  if (cell) {
    dropCell(limit, cell)
    had = true
  }
  if (limit.keepsStats) noteReset(limit.stats, limit.maxKeys, hash, nowMs)
  return had
}
