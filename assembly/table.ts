import { allocate, free } from "./heap"

/*
 * A hash table from 64-bit hashes to fixed-size values, in segments that grow by themselves: an insert moves at most
 * one segment's cells, whatever the table's size.
 *
 *   directory   2^depth pointers; the low bits of a hash choose its segment (extendible hashing: Fagin, Nievergelt,
 *               Pippenger, Strong 1979)
 *   segment     1 … 8 chunks; grows chunk by chunk to keep its load between 0.68 and 0.85, then splits into two of 4 or 5
 *   chunk       32 groups (a table's first chunk starts with 1 and doubles)
 *   group       5 cells; those of one rule and the group's head are 128 bytes, two cache lines that machines load together;
 *               the high bits of a hash choose its home group
 *
 *   segment  │ chunks 8 × u32 │ groups u32 │ count u32 │ depth u32 │ … 64 bytes
 *   group    │ overflow u32 │ round of the last save u32 │ 5 cells │
 *   cell     │ hash u64 (0: empty) │ value │
 *
 * A search compares all hashes of a group without a branch between, so that what it has to wait for it waits for once.
 * `overflow` counts the keys that found this group full and went on to the next (as in F14, Bronson and Shi 2019): a
 * search stops where it is 0, and a removal counts it down again, so that removals leave no tombstones.
 */
export const GROUP_CELLS: u32 = 5
/** Cells per group, in quarters, that a segment holds before it grows. */
const GROUP_ROOM_QUARTERS: u32 = 17
const HEADER_BYTES: usize = 8
const ROUND: usize = 4
const LINE_BYTES: usize = 64
const CHUNK_GROUPS: u32 = 32
const SEGMENT_CHUNKS: u32 = 8
const SEGMENT_BYTES: usize = 64
const GROUPS: usize = 32
const COUNT: usize = 36
const DEPTH: usize = 40
/** A hash's place in a cell; the value follows. */
export const CELL_HEAD: usize = 8

@unmanaged
export class Table {
  directory: usize
  depth: u32
  count: u32
  cellBytes: usize
  groupBytes: usize
  /** Groups per chunk: 32, less only in a small table's one chunk. */
  chunkGroups: u32
  /** Counts what may have moved a cell: inserts, removals and growth. */
  changes: u32
  /** Where the next sweep goes on. */
  sweepSegment: u32
  sweepSlot: u32
  /** The number of the save that is under way, 0 where none is: a group that has it was saved in it, or made since. */
  round: u32
}

/** Where a walk over a table's cells stands. */
export let walkSegment: u32 = 0
export let walkSlot: u32 = 0

export function initTable(table: Table, valueBytes: usize): void {
  table.cellBytes = CELL_HEAD + valueBytes
  table.groupBytes = HEADER_BYTES + <usize>GROUP_CELLS * table.cellBytes
}

function chunkBytes(table: Table, groups: u32): usize {
  return <usize>groups * table.groupBytes
}

function newSegment(table: Table, depth: u32, chunks: u32, chunkGroups: u32): usize {
  const segment = allocate(SEGMENT_BYTES)
  if (segment == 0) return 0
  for (let index: u32 = 0; index < chunks; index++) {
    const chunk = allocate(chunkBytes(table, chunkGroups))
    if (chunk == 0) {
      free(segment, SEGMENT_BYTES)
      return 0
    }
    store<u32>(segment + ((<usize>index) << 2), <u32>chunk)
    if (table.round == 0) continue
    for (let group: u32 = 0; group < chunkGroups; group++) {
      store<u32>(chunk + <usize>group * table.groupBytes, table.round, ROUND)
    }
  }
  store<u32>(segment, chunks * chunkGroups, GROUPS)
  store<u32>(segment, depth, DEPTH)
  return segment
}

function freeSegment(table: Table, segment: usize): void {
  const chunks = load<u32>(segment, GROUPS) / table.chunkGroups
  for (let index: u32 = 0; index < chunks; index++) {
    free(load<u32>(segment + ((<usize>index) << 2)), chunkBytes(table, table.chunkGroups))
  }
  free(segment, SEGMENT_BYTES)
}

// @ts-ignore: decorator
@inline
function segmentOf(table: Table, hash: u64): usize {
  const index = <usize>hash & (((<usize>1) << table.depth) - 1)
  return load<u32>(table.directory + (index << 2))
}

// @ts-ignore: decorator
@inline
function homeGroup(hash: u64, groups: u32): u32 {
  return <u32>(((hash >> 32) * <u64>groups) >> 32)
}

// @ts-ignore: decorator
@inline
function headerOf(table: Table, segment: usize, group: u32): usize {
  const chunk = <usize>load<u32>(segment + ((<usize>(group / CHUNK_GROUPS)) << 2))
  return chunk + <usize>(group % CHUNK_GROUPS) * table.groupBytes
}

// @ts-ignore: decorator
@inline
function cellOf(table: Table, header: usize, slot: u32): usize {
  return header + HEADER_BYTES + <usize>slot * table.cellBytes
}

/** How many cells so many groups hold before they become more. */
// @ts-ignore: decorator
@inline
function roomOf(groups: u32): u32 {
  return (groups * GROUP_ROOM_QUARTERS) >> 2
}

/** The cell of a group that holds a hash, or 0. */
// @ts-ignore: decorator
@inline
export function cellIn(table: Table, header: usize, hash: u64): usize {
  const bytes = table.cellBytes
  const first = header + HEADER_BYTES
  const second = first + bytes
  const third = second + bytes
  const fourth = third + bytes
  const fifth = fourth + bytes
  let cell = select<usize>(first, 0, load<u64>(first) == hash)
  cell = select<usize>(second, cell, load<u64>(second) == hash)
  cell = select<usize>(third, cell, load<u64>(third) == hash)
  cell = select<usize>(fourth, cell, load<u64>(fourth) == hash)
  return select<usize>(fifth, cell, load<u64>(fifth) == hash)
}

/** `cellIn` as a call instead of a copy of it, for what is done less often than finding a key. */
function searchGroup(table: Table, header: usize, hash: u64): usize {
  return cellIn(table, header, hash)
}

/** The slot of its home group that a hash takes where it is free. */
// @ts-ignore: decorator
@inline
function firstSlot(hash: u64): u32 {
  return ((<u32>(hash >> 8) & 0xffff) * GROUP_CELLS) >> 16
}

/**
 * The cell of a hash, or 0.
 *
 * Most cells are in their first slot. It is looked at first and by itself: a machine that expects the key there goes on
 * with what follows the search while the memory answers.
 */
export function findCell(table: Table, hash: u64): usize {
  if (table.count == 0) return 0
  const segment = segmentOf(table, hash)
  const groups = load<u32>(segment, GROUPS)
  const group = homeGroup(hash, groups)
  const header = headerOf(table, segment, group)
  const guess = cellOf(table, header, firstSlot(hash))
  if (load<u64>(guess) == hash) return guess
  return searchFrom(table, segment, group, groups, hash)
}

/** What a table without a directory shows as every hash's home group. The most that a group takes, all empty. */
const nowhere = memory.data(8 + 5 * (8 + 8 * 16), 16)

/** Where the home group of a hash begins, until the table changes. */
// @ts-ignore: decorator
@inline
export function homeOf(table: Table, hash: u64): usize {
  if (table.directory == 0) return nowhere
  const segment = segmentOf(table, hash)
  return headerOf(table, segment, homeGroup(hash, load<u32>(segment, GROUPS)))
}

/** The group that a hash goes to where its home is full. */
export function groupAfterHome(table: Table, hash: u64): usize {
  const segment = segmentOf(table, hash)
  const groups = load<u32>(segment, GROUPS)
  const next = homeGroup(hash, groups) + 1
  return headerOf(table, segment, next == groups ? 0 : next)
}

/** Whether keys went on from a group because it was full. */
// @ts-ignore: decorator
@inline
export function isPassed(header: usize): bool {
  return load<u32>(header) != 0
}

/** Asks the machine for a group. The sum only keeps the loads alive. */
// @ts-ignore: decorator
@inline
export function touchGroup(home: usize): u32 {
  return load<u32>(home) + load<u32>(home + LINE_BYTES)
}

// @ts-ignore: decorator
@inline
function searchFrom(table: Table, segment: usize, home: u32, groups: u32, hash: u64): usize {
  let group = home
  for (let tried: u32 = 0; tried < groups; tried++) {
    const header = headerOf(table, segment, group)
    const cell = cellIn(table, header, hash)
    if (cell) return cell
    if (!isPassed(header)) return 0
    if (++group == groups) group = 0
  }
  return 0
}

/** Puts a hash that is not there into a segment that has room; its value is whatever the cell held. */
function place(table: Table, segment: usize, hash: u64): usize {
  const groups = load<u32>(segment, GROUPS)
  let group = homeGroup(hash, groups)
  while (true) {
    const header = headerOf(table, segment, group)
    const first = cellOf(table, header, firstSlot(hash))
    // No hash is 0: what is found is an empty cell.
    const cell = load<u64>(first) ? searchGroup(table, header, 0) : first
    if (cell) {
      store<u32>(segment, load<u32>(segment, COUNT) + 1, COUNT)
      store<u64>(cell, hash)
      return cell
    }
    store<u32>(header, load<u32>(header) + 1)
    if (++group == groups) group = 0
  }
}

/** Moves every cell of `from` to its place in `low` or, where its hash has the bit `splitBit`, in `high`. */
function moveCells(table: Table, from: usize, low: usize, high: usize, splitBit: u64): void {
  const groups = load<u32>(from, GROUPS)
  for (let group: u32 = 0; group < groups; group++) {
    const header = headerOf(table, from, group)
    for (let slot: u32 = 0; slot < GROUP_CELLS; slot++) {
      const cell = cellOf(table, header, slot)
      const hash = load<u64>(cell)
      if (hash == 0) continue
      const to = place(table, hash & splitBit ? high : low, hash)
      memory.copy(to + CELL_HEAD, cell + CELL_HEAD, table.cellBytes - CELL_HEAD)
    }
  }
}

function countWithBit(table: Table, segment: usize, bit: u64): u32 {
  const groups = load<u32>(segment, GROUPS)
  let count: u32 = 0
  for (let group: u32 = 0; group < groups; group++) {
    const header = headerOf(table, segment, group)
    for (let slot: u32 = 0; slot < GROUP_CELLS; slot++) {
      count += u32((load<u64>(cellOf(table, header, slot)) & bit) != 0)
    }
  }
  return count
}

/** The chunks of a segment that has room for `count` cells: 5 of 8 where a full segment splits evenly. */
function chunksFor(count: u32): u32 {
  const room = roomOf(CHUNK_GROUPS)
  return max(1, (count + room - 1) / room)
}

/** Makes every directory entry that showed a segment of this prefix show `segment`. */
function point(table: Table, prefix: u64, depth: u32, segment: usize): void {
  const step: u32 = 1 << depth
  const end: u32 = 1 << table.depth
  for (let index = <u32>prefix & (step - 1); index < end; index += step) {
    store<u32>(table.directory + ((<usize>index) << 2), <u32>segment)
  }
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

/** Gives the segment of `hash` more room: a larger first chunk, one more chunk, or a split. False without memory. */
export function growSegment(table: Table, hash: u64): bool {
  table.changes += 1
  const segment = segmentOf(table, hash)
  const groups = load<u32>(segment, GROUPS)
  const depth = load<u32>(segment, DEPTH)
  if (groups < CHUNK_GROUPS) {
    const larger = newSegment(table, depth, 1, groups * 2)
    if (larger == 0) return false
    moveCells(table, segment, larger, larger, 0)
    freeSegment(table, segment)
    table.chunkGroups = groups * 2
    store<u32>(table.directory, <u32>larger)
    return true
  }
  const chunks = groups / CHUNK_GROUPS
  if (chunks < SEGMENT_CHUNKS) {
    const larger = newSegment(table, depth, chunks + 1, CHUNK_GROUPS)
    if (larger == 0) return false
    moveCells(table, segment, larger, larger, 0)
    point(table, hash, depth, larger)
  } else {
    if (depth == table.depth && !doubleDirectory(table)) return false
    // Hashes that come in their own order may all go to one side, which is then as large as this one.
    const splitBit = (<u64>1) << depth
    const count = load<u32>(segment, COUNT)
    const highCount = countWithBit(table, segment, splitBit)
    const low = newSegment(table, depth + 1, chunksFor(count - highCount), CHUNK_GROUPS)
    const high = newSegment(table, depth + 1, chunksFor(highCount), CHUNK_GROUPS)
    if (low == 0 || high == 0) return false
    moveCells(table, segment, low, high, splitBit)
    point(table, hash & ~splitBit, depth + 1, low)
    point(table, hash | splitBit, depth + 1, high)
  }
  freeSegment(table, segment)
  return true
}

/** How many cells the segment of a hash holds before it grows. */
export function segmentRoom(table: Table, hash: u64): u32 {
  return roomOf(load<u32>(segmentOf(table, hash), GROUPS))
}

/** Whether the next cell for this hash needs its segment to grow. */
export function isCrowded(table: Table, hash: u64): bool {
  if (table.directory == 0) return false
  const segment = segmentOf(table, hash)
  return load<u32>(segment, COUNT) >= roomOf(load<u32>(segment, GROUPS))
}

/** A new cell with a zeroed value for a hash that is not there; 0 when memory cannot grow. */
export function insertCell(table: Table, hash: u64): usize {
  if (table.directory == 0) {
    table.chunkGroups = 1
    const segment = newSegment(table, 0, 1, 1)
    if (segment == 0) return 0
    const directory = allocate(4)
    if (directory == 0) return 0
    store<u32>(directory, <u32>segment)
    table.directory = directory
  }
  while (isCrowded(table, hash)) if (!growSegment(table, hash)) return 0
  const cell = place(table, segmentOf(table, hash), hash)
  memory.fill(cell + CELL_HEAD, 0, table.cellBytes - CELL_HEAD)
  table.count += 1
  table.changes += 1
  return cell
}

/** Removes a cell that is there. */
export function removeCell(table: Table, hash: u64): void {
  const segment = segmentOf(table, hash)
  const groups = load<u32>(segment, GROUPS)
  let group = homeGroup(hash, groups)
  for (let tried: u32 = 0; tried < groups; tried++) {
    const header = headerOf(table, segment, group)
    const cell = searchGroup(table, header, hash)
    if (cell) {
      store<u64>(cell, 0)
      store<u32>(segment, load<u32>(segment, COUNT) - 1, COUNT)
      table.count -= 1
      table.changes += 1
      return
    }
    store<u32>(header, load<u32>(header) - 1)
    if (++group == groups) group = 0
  }
}

/** Starts a walk: `nextCell` then goes on from here. */
export function startWalk(segment: u32, slot: u32): void {
  walkSegment = segment
  walkSlot = slot
}

/** The next cell of a walk that looks at up to `budget` slots; 0 when they are used up or the walk is at its end. */
export function nextCell(table: Table, budget: u32): usize {
  if (table.directory == 0) return 0
  const segments: u32 = 1 << table.depth
  while (walkSegment < segments) {
    const segment = <usize>load<u32>(table.directory + ((<usize>walkSegment) << 2))
    // A segment that several entries show belongs to the first of them.
    if (walkSegment < (<u32>1) << load<u32>(segment, DEPTH)) {
      const slots = load<u32>(segment, GROUPS) * GROUP_CELLS
      while (walkSlot < slots) {
        if (budget-- == 0) return 0
        const slot = walkSlot++
        const cell = cellOf(table, headerOf(table, segment, slot / GROUP_CELLS), slot % GROUP_CELLS)
        if (load<u64>(cell)) return cell
      }
    }
    walkSegment += 1
    walkSlot = 0
  }
  return 0
}

/** Whether a walk has seen every segment. */
export function walkEnded(table: Table): bool {
  return table.directory == 0 || walkSegment >= (<u32>1) << table.depth
}

/** The directory's index of the segment that a hash lies in, as a walk counts. */
export function segmentIndex(table: Table, hash: u64): u32 {
  return <u32>hash & (((<u32>1) << load<u32>(segmentOf(table, hash), DEPTH)) - 1)
}

/** The slot where the home group of a hash starts, as a walk counts. */
export function homeSlot(table: Table, hash: u64): u32 {
  return homeGroup(hash, load<u32>(segmentOf(table, hash), GROUPS)) * GROUP_CELLS
}

export function freeTable(table: Table): void {
  if (table.directory == 0) return
  const segments: u32 = 1 << table.depth
  for (let index: u32 = 0; index < segments; index++) {
    const segment = <usize>load<u32>(table.directory + ((<usize>index) << 2))
    // A table that was restored in part has entries without a segment.
    if (segment != 0 && index < (<u32>1) << load<u32>(segment, DEPTH)) freeSegment(table, segment)
  }
  free(table.directory, (<usize>4) << table.depth)
  table.directory = 0
  table.count = 0
  table.depth = 0
}

/** A segment as others see it. */
@unmanaged
export class Segment {
  private chunk0: u32
  private chunk1: u32
  private chunk2: u32
  private chunk3: u32
  private chunk4: u32
  private chunk5: u32
  private chunk6: u32
  private chunk7: u32
  groups: u32
  count: u32
  depth: u32
}

/** The segment that an entry of the directory shows. */
export function segmentAt(table: Table, index: u32): Segment | null {
  if (table.directory == 0 || index >= (<u32>1) << table.depth) return null
  return changetype<Segment | null>(<usize>load<u32>(table.directory + ((<usize>index) << 2)))
}

/** The segment that an entry shows, where it is the first to show it. */
export function firstSegmentAt(table: Table, index: u32): Segment | null {
  const segment = segmentAt(table, index)
  return segment !== null && index < (<u32>1) << segment.depth ? segment : null
}

export function chunkOf(segment: Segment, chunk: u32): usize {
  return load<u32>(changetype<usize>(segment) + ((<usize>chunk) << 2))
}

/** Bytes of each of a table's chunks. */
export function chunkBytesOf(table: Table): usize {
  return chunkBytes(table, table.chunkGroups)
}

/** A group of a segment. */
export function groupOf(table: Table, segment: Segment, group: u32): usize {
  return headerOf(table, changetype<usize>(segment), group)
}

/** The first cell of a group, which has five. */
export function firstCell(group: usize): usize {
  return group + HEADER_BYTES
}

/** Notes that a group is saved. Whether it was not before, in this save. */
export function noteSaved(table: Table, group: usize): bool {
  if (load<u32>(group, ROUND) == table.round) return false
  store<u32>(group, table.round, ROUND)
  return true
}

/** Where a search for a hash begins: the segment, and the number of its home group. */
export function findHome(table: Table, hash: u64): u32 {
  homeSegment = changetype<Segment | null>(segmentOf(table, hash))
  return homeGroup(hash, load<u32>(segmentOf(table, hash), GROUPS))
}
export let homeSegment: Segment | null = null

/** Whether no search for a hash, and no insert of one, goes on from a group to the next. */
export function endsSearch(table: Table, group: usize): bool {
  return !isPassed(group) && searchGroup(table, group, 0) != 0
}

/** How many cells of a chunk are taken. */
export function liveCells(table: Table, chunk: usize): u32 {
  let count: u32 = 0
  for (let group: u32 = 0; group < table.chunkGroups; group++) {
    const header = chunk + <usize>group * table.groupBytes
    for (let slot: u32 = 0; slot < GROUP_CELLS; slot++) count += u32(load<u64>(cellOf(table, header, slot)) != 0)
  }
  return count
}

/** The deepest directory that could be filled: 2^26 segments. */
const DEPTH_MAX: u32 = 26

/**
 * Places an empty segment where the directory of a table, made at the first one, shows none yet. `count` cells are to be
 * copied into its chunks. False where it does not fit, or without memory.
 */
export function placeSegment(
  table: Table,
  tableDepth: u32,
  chunkGroups: u32,
  index: u32,
  depth: u32,
  groups: u32,
  count: u32,
): bool {
  if (tableDepth > DEPTH_MAX || depth > tableDepth || index >= (<u32>1) << depth) return false
  if (chunkGroups == 0 || chunkGroups > CHUNK_GROUPS || popcnt(chunkGroups) != 1) return false
  if (groups == 0 || groups % chunkGroups != 0 || groups > CHUNK_GROUPS * SEGMENT_CHUNKS) return false
  if (chunkGroups < CHUNK_GROUPS && (tableDepth > 0 || groups != chunkGroups)) return false
  if (count > roomOf(groups)) return false
  if (table.directory == 0) {
    table.directory = allocate((<usize>4) << tableDepth)
    if (table.directory == 0) return false
    table.depth = tableDepth
    table.chunkGroups = chunkGroups
  } else if (table.depth != tableDepth || table.chunkGroups != chunkGroups) {
    return false
  }
  for (let other = index; other < (<u32>1) << tableDepth; other += (<u32>1) << depth) {
    if (segmentAt(table, other) !== null) return false
  }
  const segment = newSegment(table, depth, groups / chunkGroups, chunkGroups)
  if (segment == 0) return false
  store<u32>(segment, count, COUNT)
  point(table, index, depth, segment)
  table.count += count
  table.changes += 1
  return true
}

/** Whether every entry of the directory shows a segment and the table holds so many cells. */
export function isWhole(table: Table, cells: u32): bool {
  if (table.directory == 0) return true
  for (let index: u32 = 0; index < (<u32>1) << table.depth; index++) if (segmentAt(table, index) === null) return false
  return table.count == cells
}
