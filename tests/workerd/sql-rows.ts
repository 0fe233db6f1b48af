import { runInDurableObject } from "cloudflare:test"
import type { RegistryObject } from "./main.js"

/** What an object read and wrote since its rows are counted. */
export interface SqlRows {
  readonly read: number
  readonly written: number
}

/** Counts the rows that an instance of an object reads and writes from now on. */
export async function countRows(stub: DurableObjectStub<RegistryObject>): Promise<() => SqlRows> {
  const cursors: Pick<SqlStorageCursor<never>, "rowsRead" | "rowsWritten">[] = []
  await runInDurableObject(stub, (_object, { storage: { sql } }) => {
    const { exec } = sql
    const counted = (...asked: Parameters<typeof exec>) => {
      const cursor = exec.apply(sql, asked)
      cursors.push(cursor)
      return cursor
    }
    Object.defineProperty(sql, "exec", { value: counted, configurable: true })
  })
  // A cursor knows what it read when it has been read itself.
  return () => ({
    read: cursors.reduce((sum, { rowsRead }) => sum + rowsRead, 0),
    written: cursors.reduce((sum, { rowsWritten }) => sum + rowsWritten, 0),
  })
}
