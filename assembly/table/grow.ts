import { allocate, free } from "../heap"
import { freeSegment, newSegment, place, show } from "./segment"
import {
  CELL_HEAD,
  CHUNK_GROUPS,
  GROUP_CELLS,
  SEGMENT_CHUNKS,
  Segment,
  Table,
  cellOf,
  groupOf,
  roomOf,
  segmentOf,
} from "./table"

/*
 * The growth of a table, one segment at a time.
 */

/** How many cells the segment of a hash holds before it grows. */
export function segmentRoom(table: Table, hash: u64): u32 {
  return roomOf(segmentOf(table, hash).groups)
}

/** Whether the next cell for this hash needs its segment to grow. */
export function isCrowded(table: Table, hash: u64): bool {
  if (table.directory == 0) return false
  const segment = segmentOf(table, hash)
  return segment.count >= roomOf(segment.groups)
}

/** Gives the segment of `hash` more room: a larger first chunk, one more chunk, or a split. False without memory. */
export function growSegment(table: Table, hash: u64): bool {
  table.changes += 1
  const segment = segmentOf(table, hash)
  const groups = segment.groups
  const depth = segment.depth
  if (groups < CHUNK_GROUPS) {
    const larger = newSegment(table, depth, 1, groups * 2)
    if (larger === null) return false
    moveCells(table, segment, larger, larger, 0)
    freeSegment(table, segment)
    table.chunkGroups = groups * 2
    store<u32>(table.directory, <u32>changetype<usize>(larger))
    return true
  }
  const chunks = groups / CHUNK_GROUPS
  if (chunks < SEGMENT_CHUNKS) {
    const larger = newSegment(table, depth, chunks + 1, CHUNK_GROUPS)
    if (larger === null) return false
    moveCells(table, segment, larger, larger, 0)
    show(table, hash, depth, larger)
  } else {
    if (depth == table.depth && !doubleDirectory(table)) return false
    // Hashes that come in their own order may all go to one side, which is then as large as this one.
    const splitBit = (<u64>1) << depth
    const count = segment.count
    const highCount = countWithBit(table, segment, splitBit)
    const low = newSegment(table, depth + 1, chunksFor(count - highCount), CHUNK_GROUPS)
    if (low === null) return false
    const high = newSegment(table, depth + 1, chunksFor(highCount), CHUNK_GROUPS)
    if (high === null) {
      freeSegment(table, low)
      return false
    }
    moveCells(table, segment, low, high, splitBit)
    show(table, hash & ~splitBit, depth + 1, low)
    show(table, hash | splitBit, depth + 1, high)
  }
  freeSegment(table, segment)
  return true
}

/** Moves every cell of `from` to its place in `low` or, where its hash has the bit `splitBit`, in `high`. */
function moveCells(table: Table, from: Segment, low: Segment, high: Segment, splitBit: u64): void {
  const groups = from.groups
  for (let number: u32 = 0; number < groups; number++) {
    const group = groupOf(table, from, number)
    for (let slot: u32 = 0; slot < GROUP_CELLS; slot++) {
      const cell = cellOf(table, group, slot)
      const hash = load<u64>(cell)
      if (hash == 0) continue
      const to = place(table, hash & splitBit ? high : low, hash)
      memory.copy(to + CELL_HEAD, cell + CELL_HEAD, table.cellBytes - CELL_HEAD)
    }
  }
}

function countWithBit(table: Table, segment: Segment, bit: u64): u32 {
  const groups = segment.groups
  let count: u32 = 0
  for (let number: u32 = 0; number < groups; number++) {
    const group = groupOf(table, segment, number)
    for (let slot: u32 = 0; slot < GROUP_CELLS; slot++) {
      count += u32((load<u64>(cellOf(table, group, slot)) & bit) != 0)
    }
  }
  return count
}

/** The chunks of a segment that has room for `count` cells: 5 of 8 where a full segment splits evenly. */
function chunksFor(count: u32): u32 {
  const room = roomOf(CHUNK_GROUPS)
  return max(1, (count + room - 1) / room)
}

function doubleDirectory(table: Table): bool {
  const bytes = (<usize>4) << table.depth
  const directory = allocate(bytes * 2)
  if (directory == 0) return false
  memory.copy(directory, table.directory, bytes)
  memory.copy(directory + bytes, table.directory, bytes)
  free(table.directory, bytes)
  table.directory = directory
  table.depth += 1
  return true
}
