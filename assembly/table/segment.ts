import { allocate, free } from "../heap"
import { searchGroup } from "./find"
import {
  Segment,
  Table,
  cellOf,
  chunkBytes,
  chunkOf,
  entryAt,
  firstSlot,
  groupIn,
  groupOf,
  homeGroup,
  notePassing,
  setRound,
} from "./table"

/*
 * The segments of a table: made, filled, shown by the directory, freed.
 */
const SEGMENT_BYTES: usize = 64

/** An empty segment that no entry of the directory shows yet; `null` without memory. */
export function newSegment(table: Table, depth: u32, chunks: u32, chunkGroups: u32): Segment | null {
  const segment = changetype<Segment | null>(allocate(SEGMENT_BYTES))
  if (segment === null) return null
  for (let index: u32 = 0; index < chunks; index++) {
    const chunk = allocate(chunkBytes(table, chunkGroups))
    if (chunk == 0) {
      freeSegment(table, segment)
      return null
    }
    store<u32>(changetype<usize>(segment) + ((<usize>index) << 2), <u32>chunk)
    segment.groups += chunkGroups
    if (table.round) startRounds(table, chunk, chunkGroups)
  }
  segment.depth = depth
  return segment
}

/** Groups that are made need no saving by the save that is under way, where there is one. */
export function startRounds(table: Table, chunk: usize, groups: u32): void {
  for (let group: u32 = 0; group < groups; group++) setRound(groupIn(table, chunk, group), table.round)
}

export function freeSegment(table: Table, segment: Segment): void {
  const chunks = segment.groups / table.chunkGroups
  for (let index: u32 = 0; index < chunks; index++) {
    free(chunkOf(segment, index), chunkBytes(table, table.chunkGroups))
  }
  free(changetype<usize>(segment), SEGMENT_BYTES)
}

/** Puts a hash that is not there into a segment that has room; its value is whatever the cell held. */
export function place(table: Table, segment: Segment, hash: u64): usize {
  const groups = segment.groups
  let number = homeGroup(hash, groups)
  while (true) {
    const group = groupOf(table, segment, number)
    const first = cellOf(table, group, firstSlot(hash))
    // No hash is 0: what is found is an empty cell.
    const cell = load<u64>(first) ? searchGroup(table, group, 0) : first
    if (cell) {
      segment.count += 1
      store<u64>(cell, hash)
      return cell
    }
    notePassing(group)
    if (++number == groups) number = 0
  }
}

/** The segment that an entry of the directory shows; `null` where it shows none. */
export function segmentAt(table: Table, index: u32): Segment | null {
  if (table.directory == 0 || index >= (<u32>1) << table.depth) return null
  return changetype<Segment | null>(entryAt(table, index))
}

/** The segment that an entry shows, where it is the first to show it. */
export function firstSegmentAt(table: Table, index: u32): Segment | null {
  const segment = segmentAt(table, index)
  return segment !== null && index < (<u32>1) << segment.depth ? segment : null
}

/** Makes every directory entry that showed a segment of this prefix show `segment`. */
export function show(table: Table, prefix: u64, depth: u32, segment: Segment): void {
  const step: u32 = 1 << depth
  const end: u32 = 1 << table.depth
  for (let index = <u32>prefix & (step - 1); index < end; index += step) {
    store<u32>(table.directory + ((<usize>index) << 2), <u32>changetype<usize>(segment))
  }
}
