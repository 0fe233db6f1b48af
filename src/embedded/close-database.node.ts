import type { DatabaseSync } from "node:sqlite"

/** Those that were closed here. Node tells by `isOpen`, but only from 22.15. */
const closed = new WeakSet<object>()

/** Closes a database, which may have been closed so before: then it does nothing. */
export function closeDatabase(database: Pick<DatabaseSync, "close">): void {
  if (closed.has(database)) return
  database.close()
  closed.add(database)
}
