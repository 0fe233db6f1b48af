import { MAX_RULES } from "../rule"
import { STATE_BYTES } from "../state"
import {
  CELL_HEAD,
  GROUP_CELLS,
  HEADER_BYTES,
  Segment,
  Table,
  cellOf,
  firstCell,
  firstSlot,
  groupOf,
  homeGroup,
  isPassed,
  segmentOf,
} from "./table"

/*
 * Finding the cell of a hash: in its home group or, where that was full, in the groups behind it. A search compares all
 * hashes of a group without a branch in between, so that it waits for the group's memory only once.
 */
const LINE_BYTES: usize = 64

/** The cell of a group that holds a hash, or 0. */
// @ts-ignore: decorator
@inline
export function cellIn(table: Table, group: usize, hash: u64): usize {
  const bytes = table.cellBytes
  const first = firstCell(group)
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
export function searchGroup(table: Table, group: usize, hash: u64): usize {
  return cellIn(table, group, hash)
}

/**
 * The cell of a hash, or 0.
 *
 * Most cells are in their first slot. It is looked at first and by itself: a machine that expects the key there goes on
 * with what follows the search while the memory answers. Both lines of the group are asked for before, so that where
 * the key is in another slot it is not waited for twice.
 */
export function findCell(table: Table, hash: u64): usize {
  if (table.count == 0) return 0
  const segment = segmentOf(table, hash)
  const groups = segment.groups
  const home = homeGroup(hash, groups)
  const group = groupOf(table, segment, home)
  touchGroup(group)
  const guess = cellOf(table, group, firstSlot(hash))
  if (load<u64>(guess) == hash) return guess
  return searchFrom(table, segment, home, groups, hash)
}

// @ts-ignore: decorator
@inline
function searchFrom(table: Table, segment: Segment, home: u32, groups: u32, hash: u64): usize {
  let number = home
  for (let tried: u32 = 0; tried < groups; tried++) {
    const group = groupOf(table, segment, number)
    const cell = cellIn(table, group, hash)
    if (cell) return cell
    if (!isPassed(group)) return 0
    if (++number == groups) number = 0
  }
  return 0
}

/** The longest value of a cell: the states of all rules. */
const MAX_VALUE_BYTES: usize = <usize>MAX_RULES * STATE_BYTES
/** The home group of every hash in a table without a directory: empty, and as large as a group can be. */
const nowhere = memory.data(<i32>(HEADER_BYTES + <usize>GROUP_CELLS * (CELL_HEAD + MAX_VALUE_BYTES)), 16)

/** Where the home group of a hash begins, until the table changes. */
// @ts-ignore: decorator
@inline
export function homeOf(table: Table, hash: u64): usize {
  if (table.directory == 0) return nowhere
  const segment = segmentOf(table, hash)
  return groupOf(table, segment, homeGroup(hash, segment.groups))
}

/** The group that a hash goes to where its home is full. */
export function groupAfterHome(table: Table, hash: u64): usize {
  const segment = segmentOf(table, hash)
  const groups = segment.groups
  const next = homeGroup(hash, groups) + 1
  return groupOf(table, segment, next == groups ? 0 : next)
}

/** Asks the machine for a group. The sum only keeps the loads alive. */
// @ts-ignore: decorator
@inline
export function touchGroup(group: usize): u32 {
  return load<u32>(group) + load<u32>(group + LINE_BYTES)
}

/** Whether no search for a hash, and no insert of one, goes on from a group to the next. */
export function endsSearch(table: Table, group: usize): bool {
  return !isPassed(group) && searchGroup(table, group, 0) != 0
}
