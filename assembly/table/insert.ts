import { allocate } from "../heap"
import { growSegment, isCrowded } from "./grow"
import { freeSegment, newSegment, place } from "./segment"
import { CELL_HEAD, Table, segmentOf } from "./table"

/** A new cell with a zeroed value for a hash that is not there; 0 when memory cannot grow. */
export function insertCell(table: Table, hash: u64): usize {
  if (table.directory == 0) {
    table.chunkGroups = 1
    const segment = newSegment(table, 0, 1, 1)
    if (segment === null) return 0
    const directory = allocate(4)
    if (directory == 0) {
      freeSegment(table, segment)
      return 0
    }
    store<u32>(directory, <u32>changetype<usize>(segment))
    table.directory = directory
  }
  while (isCrowded(table, hash)) if (!growSegment(table, hash)) return 0
  const cell = place(table, segmentOf(table, hash), hash)
  memory.fill(cell + CELL_HEAD, 0, table.cellBytes - CELL_HEAD)
  table.count += 1
  table.changes += 1
  return cell
}
