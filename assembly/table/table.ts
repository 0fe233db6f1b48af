/*
 * A hash table from 64-bit hashes to fixed-size values, in segments that grow by themselves: an insert moves at most
 * one segment's cells, whatever the table's size.
 *
 *   directory   2^depth pointers; the low bits of a hash choose its segment (extendible hashing: Fagin, Nievergelt,
 *               Pippenger, Strong 1979)
 *   segment     1 … 8 chunks; grows by a chunk where its load is 0.85, and from 8 splits into two of 4 or 5. So growth
 *               leaves a load of 0.68 or more from the first split on
 *   chunk       32 groups (a table's first chunk starts with 1 and doubles)
 *   group       5 cells; those of one rule and the group's head are 128 bytes, two cache lines that machines load together;
 *               the high bits of a hash choose its home group
 *
 *   segment  │ chunks 8 × u32 │ groups u32 │ count u32 │ depth u32 │ … 64 bytes
 *   group    │ overflow u32 │ round of the last save u32 │ 5 cells │
 *   cell     │ hash u64 (0: empty) │ value │
 *
 * `overflow` counts the keys that found this group full and went on to the next (as in F14, Bronson and Shi 2019): a
 * search stops where it is 0, and a removal counts it down again, so that removals leave no tombstones.
 *
 * This file says where things lie; beside it one for each thing that is done: segment, find, insert, remove, grow,
 * walk, restore.
 */
export const GROUP_CELLS: u32 = 5
/** Cells per group, in quarters, that a segment holds before it grows. */
const GROUP_ROOM_QUARTERS: u32 = 17
export const HEADER_BYTES: usize = 8
const ROUND: usize = 4
export const CHUNK_GROUPS: u32 = 32
export const SEGMENT_CHUNKS: u32 = 8
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

export function initTable(table: Table, valueBytes: usize): void {
  table.cellBytes = CELL_HEAD + valueBytes
  table.groupBytes = HEADER_BYTES + <usize>GROUP_CELLS * table.cellBytes
}

/** Bytes of a chunk of so many groups. */
export function chunkBytes(table: Table, groups: u32): usize {
  return <usize>groups * table.groupBytes
}

// @ts-ignore: decorator
@inline
export function chunkOf(segment: Segment, chunk: u32): usize {
  return load<u32>(changetype<usize>(segment) + ((<usize>chunk) << 2))
}

/** How many cells so many groups hold before they become more. */
// @ts-ignore: decorator
@inline
export function roomOf(groups: u32): u32 {
  return (groups * GROUP_ROOM_QUARTERS) >> 2
}

/** What an entry of the directory shows: a segment, or 0 in a table that is restored in part. */
// @ts-ignore: decorator
@inline
export function entryAt(table: Table, index: usize): usize {
  return load<u32>(table.directory + (index << 2))
}

/** The segment of a hash. The table must have a directory. */
// @ts-ignore: decorator
@inline
export function segmentOf(table: Table, hash: u64): Segment {
  return changetype<Segment>(entryAt(table, <usize>hash & (((<usize>1) << table.depth) - 1)))
}

/** The number of a hash's home group in a segment of so many. */
// @ts-ignore: decorator
@inline
export function homeGroup(hash: u64, groups: u32): u32 {
  return <u32>(((hash >> 32) * <u64>groups) >> 32)
}

/** A group of a segment. */
// @ts-ignore: decorator
@inline
export function groupOf(table: Table, segment: Segment, number: u32): usize {
  return groupIn(table, chunkOf(segment, number / CHUNK_GROUPS), number % CHUNK_GROUPS)
}

/** A group of a chunk. */
// @ts-ignore: decorator
@inline
export function groupIn(table: Table, chunk: usize, number: u32): usize {
  return chunk + <usize>number * table.groupBytes
}

// @ts-ignore: decorator
@inline
export function cellOf(table: Table, group: usize, slot: u32): usize {
  return firstCell(group) + <usize>slot * table.cellBytes
}

/** The first cell of a group, which has five. */
// @ts-ignore: decorator
@inline
export function firstCell(group: usize): usize {
  return group + HEADER_BYTES
}

/** The slot of its home group that a hash takes where it is free. */
// @ts-ignore: decorator
@inline
export function firstSlot(hash: u64): u32 {
  return ((<u32>(hash >> 8) & 0xffff) * GROUP_CELLS) >> 16
}

/** Whether keys went on from a group because it was full. */
// @ts-ignore: decorator
@inline
export function isPassed(group: usize): bool {
  return load<u32>(group) != 0
}

/** Counts a key that goes on from a group. */
// @ts-ignore: decorator
@inline
export function notePassing(group: usize): void {
  store<u32>(group, load<u32>(group) + 1)
}

/** Counts one less, where that key is removed. */
// @ts-ignore: decorator
@inline
export function forgetPassing(group: usize): void {
  store<u32>(group, load<u32>(group) - 1)
}

/** The save that a group was saved in last. */
// @ts-ignore: decorator
@inline
export function roundOf(group: usize): u32 {
  return load<u32>(group, ROUND)
}

// @ts-ignore: decorator
@inline
export function setRound(group: usize, round: u32): void {
  store<u32>(group, round, ROUND)
}
