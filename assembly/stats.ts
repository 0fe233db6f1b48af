import { findCell } from "./table/find"
import { insertCell } from "./table/insert"
import { removeCell } from "./table/remove"
import { CELL_HEAD, Table } from "./table/table"
import { NEIGHBOURS, homeSlot, nextCell, segmentIndex, startWalk } from "./table/walk"

/*
 * Statistics of a key, in a table of their own, only where a limit was made with them. One cell is a cache line.
 *
 *   value  │ allowed │ denied │ allowed cost │ denied cost │ last allowed │ last denied │ last reset │   7 × f64,
 *          a time of −1 is never
 */
export const STATS_BYTES: usize = 56
const ALLOWED: usize = 0
const DENIED: usize = 8
const ALLOWED_COST: usize = 16
const DENIED_COST: usize = 24
const LAST_ALLOWED: usize = 32
const LAST_DENIED: usize = 40
const LAST_RESET: usize = 48
/** The time of what has not happened. */
const NEVER: f64 = -1

/** The time of the last thing that was counted. */
export function lastCountedMs(stats: usize): f64 {
  return max(load<f64>(stats, LAST_ALLOWED), max(load<f64>(stats, LAST_DENIED), load<f64>(stats, LAST_RESET)))
}

/** Forgets the statistics among a new key's neighbours that were counted longest ago. There must be some. */
function dropOldest(table: Table, hash: u64): void {
  startWalk(segmentIndex(table, hash), homeSlot(table, hash))
  let oldest: usize = 0
  let oldestMs: f64 = f64.MAX_VALUE
  let looked: u32 = 0
  // Neighbours may all be empty slots: then the walk goes on to the first cell that there is.
  while (looked < NEIGHBOURS || oldest == 0) {
    const cell = nextCell(table, u32.MAX_VALUE)
    if (cell == 0) {
      if (oldest) break
      startWalk(0, 0)
      continue
    }
    const countedMs = lastCountedMs(cell + CELL_HEAD)
    if (countedMs < oldestMs) {
      oldestMs = countedMs
      oldest = cell
    }
    looked += 1
  }
  removeCell(table, load<u64>(oldest))
}

function statsOf(table: Table, maxKeys: u32, hash: u64): usize {
  let cell = findCell(table, hash)
  if (cell) return cell + CELL_HEAD
  if (table.count >= maxKeys) dropOldest(table, hash)
  cell = insertCell(table, hash)
  if (cell == 0) return 0
  const stats = cell + CELL_HEAD
  store<f64>(stats, NEVER, LAST_ALLOWED)
  store<f64>(stats, NEVER, LAST_DENIED)
  store<f64>(stats, NEVER, LAST_RESET)
  return stats
}

/** Counts a decision. Statistics never fail a check: without memory the count is lost. */
export function countDecision(table: Table, maxKeys: u32, hash: u64, allowed: bool, cost: i64, nowMs: i64): void {
  const stats = statsOf(table, maxKeys, hash)
  if (stats == 0) return
  const column = allowed ? ALLOWED : DENIED
  store<f64>(stats + column, load<f64>(stats + column) + 1)
  store<f64>(stats + ALLOWED_COST + column, load<f64>(stats + ALLOWED_COST + column) + <f64>cost)
  store<f64>(stats + LAST_ALLOWED + column, <f64>nowMs)
}

/** Counts denials that were not decided one by one. */
export function countDenials(table: Table, maxKeys: u32, hash: u64, count: f64, cost: f64, lastMs: f64): void {
  const stats = statsOf(table, maxKeys, hash)
  if (stats == 0) return
  store<f64>(stats + DENIED, load<f64>(stats + DENIED) + count)
  store<f64>(stats + DENIED_COST, load<f64>(stats + DENIED_COST) + count * cost)
  store<f64>(stats + LAST_DENIED, lastMs)
}

export function noteReset(table: Table, maxKeys: u32, hash: u64, nowMs: i64): void {
  const stats = statsOf(table, maxKeys, hash)
  if (stats) store<f64>(stats, <f64>nowMs, LAST_RESET)
}
