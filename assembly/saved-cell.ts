import * as algorithms from "./algorithms"
import { dropCell, isIdle } from "./cell"
import { allocate, free } from "./heap"
import { Limit, ruleAt, stateAt } from "./limit"
import { findCell } from "./table/find"
import { insertCell } from "./table/insert"
import { CELL_HEAD, Table } from "./table/table"
import { nextCell } from "./table/walk"

/*
 * Cells as bytes, without a pointer in them, so that equal states are equal bytes.
 *
 *   cells   │ hash u64 │ state 16 × rules │ per sliding_window_log rule: length u32, ring │
 *   blocks  │ hash u64 │ until f64 │
 *   stats   │ hash u64 │ 7 × f64 │
 */
export const CELLS: i32 = 0
export const BLOCKS: i32 = 1
export const STATS: i32 = 2
const RING_POINTER: usize = 8

export function tableOf(limit: Limit, kind: i32): Table {
  return kind == CELLS ? limit.cells : kind == BLOCKS ? limit.blocks : limit.stats
}

/** Whether cells of this kind hold all that they say: no pointer to a ring. */
export function isFlat(limit: Limit, kind: i32): bool {
  if (kind == CELLS) {
    for (let index = 0; index < limit.ruleCount; index++)
      if (algorithms.reachesOutside(ruleAt(limit, index))) return false
  }
  return true
}

/** Bytes of a cell when it is saved. */
export function bytesOf(limit: Limit, kind: i32, cell: usize): usize {
  let bytes = tableOf(limit, kind).cellBytes
  if (kind != CELLS) return bytes
  for (let index = 0; index < limit.ruleCount; index++) {
    if (algorithms.reachesOutside(ruleAt(limit, index)))
      bytes += 4 + algorithms.outsideBytes(ruleAt(limit, index), stateAt(cell + CELL_HEAD, index))
  }
  return bytes
}

/** The next cell of the walk that says something at `now`; 0 at the end. */
export function nextSaved(limit: Limit, kind: i32, nowMs: i64): usize {
  const table = tableOf(limit, kind)
  while (true) {
    const cell = nextCell(table, u32.MAX_VALUE)
    if (cell == 0) return 0
    if (kind == CELLS && isIdle(limit, cell + CELL_HEAD, nowMs)) continue
    if (kind == BLOCKS && <i64>load<f64>(cell + CELL_HEAD) <= nowMs) continue
    return cell
  }
}

/** Writes a cell to `output`. Returns its bytes; where they are more than `room`, nothing was written. */
export function saveCell(limit: Limit, kind: i32, cell: usize, output: usize, room: usize): usize {
  const bytes = bytesOf(limit, kind, cell)
  if (bytes > room) return bytes
  const fixed = tableOf(limit, kind).cellBytes
  memory.copy(output, cell, fixed)
  if (kind != CELLS) return bytes
  let outside = output + fixed
  for (let index = 0; index < limit.ruleCount; index++) {
    if (!algorithms.reachesOutside(ruleAt(limit, index))) continue
    const state = stateAt(cell + CELL_HEAD, index)
    const rule = ruleAt(limit, index)
    const length = algorithms.outsideBytes(rule, state)
    store<u32>(stateAt(output + CELL_HEAD, index), 0, RING_POINTER)
    store<u32>(outside, <u32>length)
    algorithms.saveOutside(rule, state, outside + 4)
    outside += 4 + length
  }
  return bytes
}

/** Bytes of the saved cell at `input`, of which `room` are there; 0 where it does not fit in them. */
function savedBytes(limit: Limit, kind: i32, input: usize, room: usize): usize {
  let bytes = tableOf(limit, kind).cellBytes
  if (kind == CELLS && room >= bytes) {
    for (let index = 0; index < limit.ruleCount; index++) {
      if (!algorithms.reachesOutside(ruleAt(limit, index))) continue
      if (room - bytes < 4) return 0
      const length = <usize>load<u32>(input + bytes)
      if (length > room - bytes - 4) return 0
      bytes += 4 + length
    }
  }
  return bytes <= room ? bytes : 0
}

/** Whether bytes are one or more whole cells. */
function areWhole(limit: Limit, kind: i32, input: usize, bytes: usize): bool {
  const end = input + bytes
  do {
    const length = savedBytes(limit, kind, input, end - input)
    if (length == 0 || load<u64>(input) == 0) return false
    input += length
  } while (input < end)
  return true
}

/**
 * Puts saved cells back that lie one after the other. False at the first that cannot be, also without memory; those
 * before it then are back. Where the bytes are not whole cells, none is.
 */
export function loadCells(limit: Limit, kind: i32, input: usize, bytes: usize): bool {
  if (!areWhole(limit, kind, input, bytes)) return false
  const end = input + bytes
  for (; input < end; input += savedBytes(limit, kind, input, end - input)) {
    if (!loadCell(limit, kind, input)) return false
  }
  return true
}

/**
 * Whether each of the saved cells that lie one after the other is held as it was saved. False without memory to
 * compare.
 */
export function hasCells(limit: Limit, kind: i32, input: usize, bytes: usize): bool {
  if (!areWhole(limit, kind, input, bytes)) return false
  const end = input + bytes
  while (input < end) {
    const length = savedBytes(limit, kind, input, end - input)
    if (!hasCell(limit, kind, input, length)) return false
    input += length
  }
  return true
}

/**
 * Puts a saved cell into its table, where its hash must not be yet. False where it cannot be one, or without memory.
 */
function loadCell(limit: Limit, kind: i32, input: usize): bool {
  const table = tableOf(limit, kind)
  const fixed = table.cellBytes
  const hash = load<u64>(input)
  if (findCell(table, hash)) return false
  const cell = insertCell(table, hash)
  if (cell == 0) return false
  memory.copy(cell + CELL_HEAD, input + CELL_HEAD, fixed - CELL_HEAD)
  if (kind != CELLS) return true
  let outside = input + fixed
  let good = true
  for (let index = 0; index < limit.ruleCount; index++) {
    if (!algorithms.reachesOutside(ruleAt(limit, index))) continue
    const state = stateAt(cell + CELL_HEAD, index)
    store<u32>(state, 0, RING_POINTER)
    const length = <usize>load<u32>(outside)
    good = good && algorithms.loadOutside(ruleAt(limit, index), state, outside + 4, length)
    outside += 4 + length
  }
  if (!good) dropCell(limit, cell)
  return good
}

/** Whether a saved cell is held as it was saved. False without memory to compare. */
function hasCell(limit: Limit, kind: i32, input: usize, bytes: usize): bool {
  const cell = findCell(tableOf(limit, kind), load<u64>(input))
  const copy = allocate(bytes)
  if (copy == 0) return false
  let isSame = cell != 0 && saveCell(limit, kind, cell, copy, bytes) == bytes
  for (let at: usize = 0; isSame && at < bytes; at += 4) isSame = load<u32>(copy + at) == load<u32>(input + at)
  free(copy, bytes)
  return isSame
}
