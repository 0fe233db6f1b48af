import * as algorithms from "./algorithms"
import { evaluate, stateSeen } from "./cell"
import { giveSchedule, shareSchedule } from "./hash"
import { Limit, ruleAt, stateAt } from "./limit"
import { insertCell } from "./table/insert"
import { CELL_HEAD } from "./table/table"
import { nextCell, startWalk } from "./table/walk"
import { Rule } from "./rule"

/** Both refills of a token bucket are one algorithm. */
function kindOf(rule: Rule): i32 {
  return rule.algorithm == algorithms.TOKEN_BUCKET_STEPS ? algorithms.TOKEN_BUCKET : rule.algorithm
}

/** Whose usage a new rule takes over: the old rule of the same kind and period, else of its place, else the last. */
function ancestor(from: Limit, rule: Rule, index: i32): i32 {
  for (let old = 0; old < from.ruleCount; old++) {
    const other = ruleAt(from, old)
    if (kindOf(other) == kindOf(rule) && other.periodMs == rule.periodMs) return old
  }
  return min(index, from.ruleCount - 1)
}

/**
 * Carries every key of which something is used from one limit to another, which replaces it: used units stay used,
 * capped at the new capacity, as a charge made now; blocks and statistics move as they are. False without memory, with
 * `to` only partly filled.
 */
export function carryOver(from: Limit, to: Limit, nowMs: i64): bool {
  startWalk(0, 0)
  for (let cell = nextCell(from.cells, u32.MAX_VALUE); cell; cell = nextCell(from.cells, u32.MAX_VALUE)) {
    let made: usize = 0
    for (let index = 0; index < to.ruleCount; index++) {
      const rule = ruleAt(to, index)
      const old = ancestor(from, rule, index)
      const timeMs = evaluate(ruleAt(from, old), stateAt(cell + CELL_HEAD, old), nowMs, false)
      const used = min(algorithms.used(ruleAt(from, old), stateSeen, timeMs), rule.capacity)
      if (used == 0) continue
      if (made == 0) made = insertCell(to.cells, load<u64>(cell))
      if (made == 0) return false
      const state = stateAt(made + CELL_HEAD, index)
      if (!algorithms.reserve(rule, state, nowMs)) return false
      algorithms.charge(rule, state, nowMs, used)
    }
  }
  const blocks = from.blocks
  from.blocks = to.blocks
  to.blocks = blocks
  const stats = from.stats
  from.stats = to.stats
  to.stats = stats
  // Groups that move keep the number of the save that they were in last.
  to.saves = from.saves
  giveSchedule(to.schedule)
  to.schedule = shareSchedule(from.schedule)
  return true
}
