import { allocate, free } from "./heap"
import { findCell } from "./table/find"
import { insertCell } from "./table/insert"
import { freeTable } from "./table/remove"
import { Table, initTable } from "./table/table"

/*
 * A set of keys, as a table whose cells hold nothing but a hash. With it a host that reads a log knows which keys it
 * has met, without making texts of them.
 */

/** An empty set; 0 without memory. */
export function newKeySet(): usize {
  const table = allocate(offsetof<Table>())
  if (table != 0) initTable(changetype<Table>(table), 0)
  return table
}

export function freeKeySet(set: usize): void {
  freeTable(changetype<Table>(set))
  free(set, offsetof<Table>())
}

/** Puts a key in. Whether it is new; without memory it is not put in, and so is new again the next time. */
export function addKey(set: usize, hash: u64): bool {
  const table = changetype<Table>(set)
  if (findCell(table, hash) != 0) return false
  insertCell(table, hash)
  return true
}
