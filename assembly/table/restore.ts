import { allocate } from "../heap"
import { newSegment, segmentAt, show } from "./segment"
import { CHUNK_GROUPS, GROUP_CELLS, SEGMENT_CHUNKS, Table, cellOf, groupIn, roomOf } from "./table"

/*
 * A table that is made again of chunks that were copied as they lay in memory.
 */

/** The deepest directory that could be filled: 2^26 segments. */
const MAX_DEPTH: u32 = 26

/**
 * Places an empty segment where the directory of a table, made at the first one, shows none yet. `count` cells are to
 * be copied into its chunks. False where it does not fit, or without memory.
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
  if (tableDepth > MAX_DEPTH || depth > tableDepth || index >= (<u32>1) << depth) return false
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
  if (segment === null) return false
  segment.count = count
  show(table, index, depth, segment)
  table.count += count
  table.changes += 1
  return true
}

/** How many cells of a chunk are taken. */
export function liveCells(table: Table, chunk: usize): u32 {
  let count: u32 = 0
  for (let number: u32 = 0; number < table.chunkGroups; number++) {
    const group = groupIn(table, chunk, number)
    for (let slot: u32 = 0; slot < GROUP_CELLS; slot++) count += u32(load<u64>(cellOf(table, group, slot)) != 0)
  }
  return count
}

/** Whether every entry of the directory shows a segment and the table holds so many cells. */
export function isWhole(table: Table, cells: u32): bool {
  if (table.directory == 0) return true
  for (let index: u32 = 0; index < (<u32>1) << table.depth; index++) if (segmentAt(table, index) === null) return false
  return table.count == cells
}
