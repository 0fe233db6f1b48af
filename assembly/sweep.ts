import { dropCell, fullAfterOf, healStates, isIdle } from "./cell"
import { Limit } from "./limit"
import { freeTable, removeCell } from "./table/remove"
import { CELL_HEAD, Table } from "./table/table"
import { nextCell, startWalk, walkEnded, walkSegment, walkSlot } from "./table/walk"

/*
 * Drops cells that say nothing any more, a few with each sweep. `fullAfter` tells when none says anything.
 */

/**
 * Removes idle cells and ended blocks among the next `budget` slots of each table, from where the last sweep stopped
 * and at most once around.
 */
export function sweep(limit: Limit, nowMs: i64, budget: u32): u32 {
  return sweepTable(limit, limit.cells, nowMs, budget) + sweepTable(limit, limit.blocks, nowMs, budget)
}

function sweepTable(limit: Limit, table: Table, nowMs: i64, budget: u32): u32 {
  const before = table.count
  const startSegment = table.sweepSegment
  let isAround = false
  startWalk(startSegment, table.sweepSlot)
  for (let left = budget; left > 0 && table.count > 0; left--) {
    const cell = nextCell(table, 1)
    if (cell) {
      if (table == limit.blocks) {
        if (<i64>load<f64>(cell + CELL_HEAD) <= nowMs) removeCell(table, load<u64>(cell))
      } else {
        // A key that nobody asks for must not keep its cell for ever where a clock had jumped.
        healStates(limit, cell + CELL_HEAD, nowMs)
        if (isIdle(limit, cell + CELL_HEAD, nowMs)) dropCell(limit, cell)
      }
    }
    if (walkEnded(table)) {
      startWalk(0, 0)
      if (isAround) break
      isAround = true
    }
    if (isAround && walkSegment > startSegment) break
  }
  table.sweepSegment = walkSegment
  table.sweepSlot = walkSlot
  // A table of one group stays, so that one whose few keys come and go is not made anew each time.
  if (table.count == 0 && table.chunkGroups > 1) freeTable(table)
  return before - table.count
}

/** Removes idle cells among the next `budget` slots of the walk, which are healed first or not. Returns how many. */
export function sweepCells(limit: Limit, nowMs: i64, budget: u32, isHealing: bool): u32 {
  const before = limit.cells.count
  const endSegment = walkSegment
  const end = walkSlot + budget
  while (walkSegment == endSegment && walkSlot < end) {
    const cell = nextCell(limit.cells, end - walkSlot)
    if (cell == 0) break
    if (isHealing) healStates(limit, cell + CELL_HEAD, nowMs)
    if (isIdle(limit, cell + CELL_HEAD, nowMs)) dropCell(limit, cell)
  }
  return before - limit.cells.count
}

/** Time until nothing is used of any key and no block lasts. Looks at every cell. */
export function fullAfter(limit: Limit, nowMs: i64): i64 {
  let latestMs: i64 = 0
  startWalk(0, 0)
  for (let cell = nextCell(limit.cells, u32.MAX_VALUE); cell; cell = nextCell(limit.cells, u32.MAX_VALUE)) {
    latestMs = max(latestMs, fullAfterOf(limit, cell + CELL_HEAD, nowMs))
  }
  startWalk(0, 0)
  for (let cell = nextCell(limit.blocks, u32.MAX_VALUE); cell; cell = nextCell(limit.blocks, u32.MAX_VALUE)) {
    latestMs = max(latestMs, <i64>load<f64>(cell + CELL_HEAD) - nowMs)
  }
  return latestMs
}
