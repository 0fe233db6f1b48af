import type { LogRow, SqlPort } from "./sql-port.js"

const IDS = "SELECT id, x'' AS body FROM sluice_log ORDER BY id"
const ROW = "SELECT id, body FROM sluice_log WHERE id = ?"

const MAX_ID = Number.MAX_SAFE_INTEGER

/** Ids that are tried one after the other where none can be found: more than forty damaged pages hold. */
const MAX_MISSES = 2_000

/** Is told what cannot be read, a row or the file, and why. */
type OnFault = (what: `row ${number}` | "the file", error: unknown) => void

/** The rows of a damaged log that can be read, each on its own, by id; `onFault` hears of the others. */
export function readDamaged(sql: SqlPort, onFault: OnFault): LogRow[] {
  const rows: LogRow[] = []
  for (const id of idsOf(sql, onFault)) {
    try {
      const row = Array.from(sql.rows(ROW, id))[0]
      if (row === undefined) throw new Error("it is not found by its id")
      if (!(row.body instanceof Uint8Array)) throw new Error("its body is no blob")
      rows.push(row)
    } catch (error) {
      onFault(`row ${id}`, error)
    }
  }
  return rows
}

/** The ids that can be found, ascending. */
function idsOf(sql: SqlPort, onFault: OnFault): number[] {
  const ids = new Set<number>()
  try {
    // A damaged page may give them in any order, and twice.
    for (const { id } of Array.from(sql.rows(IDS))) ids.add(id)
  } catch (error) {
    onFault("the file", error)
    // Rows up to the meta row and segments are walked from both ends each, so that one damaged place hides only itself.
    for (const [low, high] of [
      [-MAX_ID, 0],
      [1, MAX_ID],
    ] as const) {
      walk(sql, "ASC", low, high, ids)
      walk(sql, "DESC", low, high, ids)
    }
  }
  return [...ids].sort((a, b) => a - b)
}

/**
 * Adds the ids of a range from one end on, up to one that is known. Where a fault is in the way, the ids after it are
 * tried: those of segments follow each other, and so do those of a snapshot's parts.
 */
function walk(sql: SqlPort, order: "ASC" | "DESC", low: number, high: number, ids: Set<number>): void {
  const statement = `SELECT id, x'' AS body FROM sluice_log WHERE id BETWEEN ? AND ? ORDER BY id ${order} LIMIT 1`
  let misses = 0
  while (low <= high && misses < MAX_MISSES) {
    let id: number | undefined
    try {
      id = Array.from(sql.rows(statement, low, high))[0]?.id
      if (id === undefined || ids.has(id)) return
      // A damaged page may give what was not asked for.
      if (id < low || id > high) id = undefined
    } catch {
      // It lies in a damaged page, or what lies before it does.
    }
    if (id !== undefined) ids.add(id)
    misses = id === undefined ? misses + 1 : 0
    if (order === "ASC") low = (id ?? low) + 1
    else high = (id ?? high) - 1
  }
}
