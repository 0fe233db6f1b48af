import { GROUP_CELLS, Segment, Table, cellOf, entryAt, groupOf, homeGroup, segmentOf } from "./table"

/*
 * A walk over a table's cells, segment by segment and slot by slot. There is one at a time; where it stands is known to
 * all, so that it can be left and continued.
 */
export let walkSegment: u32 = 0
export let walkSlot: u32 = 0

/**
 * How far a walk from a new key's home slot looks for what can make room for it, where a table holds all that it may.
 */
export const NEIGHBOURS: u32 = 28

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
    const segment = changetype<Segment>(entryAt(table, walkSegment))
    // A segment that several entries show belongs to the first of them.
    if (walkSegment < (<u32>1) << segment.depth) {
      const slots = segment.groups * GROUP_CELLS
      while (walkSlot < slots) {
        if (budget-- == 0) return 0
        const slot = walkSlot++
        const cell = cellOf(table, groupOf(table, segment, slot / GROUP_CELLS), slot % GROUP_CELLS)
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
  return <u32>hash & (((<u32>1) << segmentOf(table, hash).depth) - 1)
}

/** The slot where the home group of a hash starts, as a walk counts. */
export function homeSlot(table: Table, hash: u64): u32 {
  return homeGroup(hash, segmentOf(table, hash).groups) * GROUP_CELLS
}
