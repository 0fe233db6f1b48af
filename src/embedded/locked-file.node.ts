import { DatabaseSync } from "node:sqlite"
import { storeError } from "../ledger/sqlite-port.node.js"
import { StoreLocked } from "../types/errors.js"

/** Whether another process holds SQLite's lock on a file, which this one has not open. */
export function isLocked(file: string): boolean {
  let database: DatabaseSync | null = null
  try {
    database = new DatabaseSync(file, { timeout: 0, readOnly: true })
    database.prepare("SELECT COUNT(*) FROM sqlite_schema").get()
    return false
  } catch (error) {
    return storeError(error, file) instanceof StoreLocked
  } finally {
    database?.close()
  }
}
