import { dropCell, isIdle } from "./cell"
import { allocate, free } from "./heap"
import { Limit, Save, saveOf } from "./limit"
import { BLOCKS, CELLS, STATS, bytesOf, saveCell, tableOf } from "./saved-cell"
import { lastCountedMs } from "./stats"
import { endsSearch } from "./table/find"
import { isCrowded } from "./table/grow"
import { removeCell } from "./table/remove"
import { firstSegmentAt } from "./table/segment"
import {
  CELL_HEAD,
  GROUP_CELLS,
  Table,
  firstCell,
  groupOf,
  homeGroup,
  roundOf,
  segmentOf,
  setRound,
} from "./table/table"

/*
 * All cells of a limit as they are at one moment, saved little by little while it goes on being used. A walk over all
 * groups of its tables saves what lies there; a call about a key first saves the groups that it may look at, if the
 * walk has not come to them. The cells that a save is to drop go when their group is saved, so no call ever finds one
 * of them.
 *
 * Where there is no memory for a cell, the save is lost: nothing more is saved, and what was is freed. It still goes on
 * to its end, and drops what it is to drop, since whoever began it counts on that.
 *
 * Saved cells lie in blocks, which the host takes:
 *
 *   block  │ next u32 │ kind u32 │ bytes of cells u32 │ bytes of the block u32 │ cells, as in saved-cell.ts … │
 */
const BLOCK_HEAD: usize = 16
const KIND: usize = 4
const USED: usize = 8
const SIZE: usize = 12
/** Cells of so many bytes share a block. */
const BLOCK_ROOM: usize = 16384
/** What it costs to look at a group, beside the bytes that are saved. */
const LOOK_BYTES: usize = 16

/** Starts a save. False where one is under way, or keys have a bound: a new one may drop others. */
export function beginSave(limit: Limit, idleAtMs: i64, statsSinceMs: f64): bool {
  if (limit.save !== null || limit.maxKeys != u32.MAX_VALUE) return false
  const save = saveOf(limit)
  memory.fill(changetype<usize>(save), 0, offsetof<Save>())
  save.idleAtMs = idleAtMs
  save.statsSinceMs = statsSinceMs
  limit.save = save
  limit.isSaving = true
  limit.saves += 1
  setRounds(limit, limit.saves)
  return true
}

function setRounds(limit: Limit, round: u32): void {
  limit.cells.round = round
  limit.blocks.round = round
  limit.stats.round = round
}

// @ts-ignore: decorator
@inline
function fillingAt(save: Save, kind: i32): usize {
  return changetype<usize>(save) + offsetof<Save>("filling0") + ((<usize>kind) << 2)
}

/** Moves the block that is being filled with cells of a kind to the end of the full ones. */
function endBlock(save: Save, kind: i32): void {
  const block = <usize>load<u32>(fillingAt(save, kind))
  if (block == 0) return
  store<u32>(fillingAt(save, kind), 0)
  if (save.last == 0) save.first = block
  else store<u32>(save.last, <u32>block)
  save.last = block
}

/** Saves a cell. Returns its bytes; 0 where the save is lost. */
function append(limit: Limit, save: Save, kind: i32, cell: usize): usize {
  if (save.isLost) return 0
  const bytes = bytesOf(limit, kind, cell)
  let block = <usize>load<u32>(fillingAt(save, kind))
  if (block == 0 || load<u32>(block, SIZE) - load<u32>(block, USED) < <u32>(BLOCK_HEAD + bytes)) {
    endBlock(save, kind)
    const table = tableOf(limit, kind)
    const size = BLOCK_HEAD + max(bytes, min(BLOCK_ROOM, <usize>table.count * table.cellBytes))
    block = allocate(size)
    if (block == 0) {
      save.isLost = true
      freeBlocks(limit, save)
      return 0
    }
    store<u32>(block, kind, KIND)
    store<u32>(block, <u32>size, SIZE)
    store<u32>(fillingAt(save, kind), <u32>block)
  }
  const used = load<u32>(block, USED)
  saveCell(limit, kind, cell, block + BLOCK_HEAD + used, bytes)
  store<u32>(block, used + <u32>bytes, USED)
  return bytes
}

/** Whether the save drops a cell. */
function isDropped(limit: Limit, save: Save, kind: i32, cell: usize): bool {
  if (kind == STATS) return lastCountedMs(cell + CELL_HEAD) < save.statsSinceMs
  if (save.idleAtMs < 0) return false
  return kind == BLOCKS
    ? <i64>load<f64>(cell + CELL_HEAD) <= save.idleAtMs
    : isIdle(limit, cell + CELL_HEAD, save.idleAtMs)
}

/** Saves a group, if this save has not yet. Returns the bytes that were saved. */
function saveGroup(limit: Limit, save: Save, kind: i32, table: Table, group: usize): usize {
  if (roundOf(group) == table.round) return 0
  setRound(group, table.round)
  let bytes: usize = 0
  let cell = firstCell(group)
  for (let slot: u32 = 0; slot < GROUP_CELLS; slot++, cell += table.cellBytes) {
    if (load<u64>(cell) == 0) continue
    if (!isDropped(limit, save, kind, cell)) bytes += append(limit, save, kind, cell)
    else if (kind == CELLS) dropCell(limit, cell)
    else removeCell(table, load<u64>(cell))
  }
  return bytes
}

/** Saves what a call about a key may look at or change, of one table. */
function saveAround(limit: Limit, save: Save, kind: i32, hash: u64): void {
  const table = tableOf(limit, kind)
  if (table.directory == 0) return
  const segment = segmentOf(table, hash)
  const groups = segment.groups
  let number = homeGroup(hash, groups)
  // An insert would move all cells of the segment.
  const isAll = isCrowded(table, hash)
  for (let tried: u32 = 0; tried < groups; tried++) {
    const group = groupOf(table, segment, number)
    saveGroup(limit, save, kind, table, group)
    if (!isAll && endsSearch(table, group)) return
    if (++number == groups) number = 0
  }
}

/** Saves what a call about a key may look at or change. */
export function saveKey(limit: Limit, hash: u64): void {
  const save = limit.save!
  for (let kind = CELLS; kind <= STATS; kind++) saveAround(limit, save, kind, hash)
}

/** Goes on by about `budget` bytes of cells. Whether there is more. */
export function saveMore(limit: Limit, budget: usize): bool {
  const save = limit.save!
  let done: usize = 0
  while (save.kind <= STATS) {
    if (done >= budget) return true
    const table = tableOf(limit, save.kind)
    if (table.directory == 0 || save.segment >= (<u32>1) << table.depth) {
      save.kind += 1
      save.segment = 0
      continue
    }
    // A segment that several entries show belongs to the first of them. One that splits while the walk goes on was
    // saved.
    const segment = firstSegmentAt(table, save.segment)
    done += LOOK_BYTES
    if (segment === null || save.group >= segment.groups) {
      save.segment += 1
      save.group = 0
      continue
    }
    done += saveGroup(limit, save, save.kind, table, groupOf(table, segment, save.group++))
  }
  endWalk(limit, save)
  return false
}

function endWalk(limit: Limit, save: Save): void {
  for (let kind = CELLS; kind <= STATS; kind++) endBlock(save, kind)
  setRounds(limit, 0)
  limit.isSaving = false
}

/** The next full block, which is the caller's from here on; 0 where there is none. */
export function takeBlock(limit: Limit): usize {
  const save = limit.save
  if (save === null) return 0
  const block = save.first
  if (block) {
    save.first = load<u32>(block)
    if (save.first == 0) save.last = 0
  }
  return block
}

/** Frees the blocks that nobody took. */
function freeBlocks(limit: Limit, save: Save): void {
  for (let kind = CELLS; kind <= STATS; kind++) endBlock(save, kind)
  for (let block = takeBlock(limit); block; block = takeBlock(limit)) free(block, load<u32>(block, SIZE))
}

/** Ends a save, and frees the blocks that nobody took. Whether it came to its end, with memory for every cell. */
export function endSave(limit: Limit): bool {
  const save = limit.save
  if (save === null) return false
  const isWhole = save.kind > STATS && !save.isLost
  endWalk(limit, save)
  freeBlocks(limit, save)
  limit.save = null
  return isWhole
}
