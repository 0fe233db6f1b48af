import { existsSync } from "node:fs"
import { join } from "node:path"
import type { DatabaseSync } from "node:sqlite"
import { LogTable } from "../ledger/log-table.js"
import { sqliteLedgerPort } from "../ledger/sqlite-port.node.js"
import { StoreCorrupt, StoreUnavailable, show } from "../types/errors.js"
import { LOG_FILE, WITNESS_FILE } from "./store-files.node.js"

/** Tables of SQLite itself begin so, such as the statistics that an ANALYZE makes: others cannot make any. */
const SQLITE_TABLES = "sqlite\\_%"
const OTHERS = `
  SELECT type, name FROM sqlite_master
  WHERE type <> 'table' OR (name <> 'sluice_log' AND name NOT LIKE '${SQLITE_TABLES}' ESCAPE '\\')
  LIMIT 1`

/**
 * What a database holds beside the log, such as `table "orders"`: the first that is found; `null` where nothing is. A
 * trigger on the log would run with every commit, and a view in its place could be read without end.
 */
export function findForeign(database: DatabaseSync): string | null {
  const found = database.prepare(OTHERS).get()
  return found === undefined ? null : `the ${String(found["type"])} ${show(String(found["name"]))}`
}

/**
 * Of what has no log, but something else. A repair would replace the file, so only one that a witness tells of is
 * called damaged.
 *
 * @throws {StoreUnavailable} where another program made it; {StoreCorrupt} where there is a witness
 */
export function requireOwn(database: DatabaseSync, path: string): void {
  const foreign = findForeign(database)
  if (foreign === null || new LogTable(sqliteLedgerPort(database).sql).exists()) return
  if (existsSync(join(path, WITNESS_FILE))) throw new StoreCorrupt("the log", `it is missing, and ${foreign} is there`)
  const file = show(join(path, LOG_FILE))
  throw new StoreUnavailable(`the file ${file} is a database of another program: it holds ${foreign}, and no log`)
}
