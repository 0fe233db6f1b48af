import type { LogRow, SqlPort } from "./sql-port.js"

const IDS = "SELECT id, x'' AS body FROM sluice_log ORDER BY id"
const FIRST = "SELECT id, x'' AS body FROM sluice_log WHERE id BETWEEN ? AND ? ORDER BY id LIMIT 1"
const LAST = "SELECT id, x'' AS body FROM sluice_log WHERE id BETWEEN ? AND ? ORDER BY id DESC LIMIT 1"
const ROW = "SELECT id, body FROM sluice_log WHERE id = ?"

const ID_MAX = Number.MAX_SAFE_INTEGER

/** Ids that are tried one after the other where none can be found: more than forty damaged pages hold. */
const MISSES_MAX = 2_000

/** Hears what cannot be read, a row or the file, and why. */
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
    // From both ends of the snapshots and the meta row, and of the segments: one damage in each hides no more than itself.
    for (const [low, high] of [
      [-ID_MAX, 0],
      [1, ID_MAX],
    ] as const) {
      walkUp(sql, low, high, ids)
      walkDown(sql, low, high, ids)
    }
  }
  return [...ids].sort((a, b) => a - b)
}

/** Adds the ids of a range from its first on. Where none is found for a fault, the next may be: most follow each other. */
function walkUp(sql: SqlPort, low: number, high: number, ids: Set<number>): void {
  let misses = 0
  for (let from = low; from <= high && misses < MISSES_MAX; from++) {
    const id = idIn(sql, FIRST, from, high)
    if (id === null) return
    misses = id === undefined ? misses + 1 : 0
    if (id === undefined) continue
    ids.add(id)
    from = id
  }
}

/** Adds the ids of a range from its last on, down to one that is known. */
function walkDown(sql: SqlPort, low: number, high: number, ids: Set<number>): void {
  let misses = 0
  for (let to = high; to >= low && misses < MISSES_MAX; to--) {
    const id = idIn(sql, LAST, low, to)
    if (id === null || (id !== undefined && ids.has(id))) return
    misses = id === undefined ? misses + 1 : 0
    if (id === undefined) continue
    ids.add(id)
    to = id
  }
}

/** The id that a statement finds in a range; `null` where there is none, `undefined` where a fault is in the way. */
function idIn(sql: SqlPort, statement: string, low: number, high: number): number | null | undefined {
  try {
    const row = Array.from(sql.rows(statement, low, high))[0]
    if (row === undefined) return null
    // A damaged page may give what was not asked for.
    return row.id >= low && row.id <= high ? row.id : undefined
  } catch {
    return undefined
  }
}
