import { free } from "../heap"
import { searchGroup } from "./find"
import { firstSegmentAt, freeSegment } from "./segment"
import { Table, forgetPassing, groupOf, homeGroup, segmentOf } from "./table"

/** Removes a cell that is there. */
export function removeCell(table: Table, hash: u64): void {
  const segment = segmentOf(table, hash)
  const groups = segment.groups
  let number = homeGroup(hash, groups)
  for (let tried: u32 = 0; tried < groups; tried++) {
    const group = groupOf(table, segment, number)
    const cell = searchGroup(table, group, hash)
    if (cell) {
      store<u64>(cell, 0)
      segment.count -= 1
      table.count -= 1
      table.changes += 1
      return
    }
    forgetPassing(group)
    if (++number == groups) number = 0
  }
}

/** Frees what a table holds; it is then empty. */
export function freeTable(table: Table): void {
  if (table.directory == 0) return
  const segments: u32 = 1 << table.depth
  for (let index: u32 = 0; index < segments; index++) {
    // A table that was restored in part has entries without a segment.
    const segment = firstSegmentAt(table, index)
    if (segment !== null) freeSegment(table, segment)
  }
  free(table.directory, (<usize>4) << table.depth)
  table.directory = 0
  table.count = 0
  table.depth = 0
}
