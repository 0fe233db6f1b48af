import type { SqlPort } from "../ledger/sql-port.js"

/**
 * The same SQL, telling how many seconds each commit took: of a transaction, or of a statement on its own, which is one
 * by itself. What `tell` throws is dropped: what was committed is committed.
 */
export function timeCommits(sql: SqlPort, tell: (seconds: number) => void): SqlPort {
  let isInTransaction = false
  const timed = <T>(commit: () => T): T => {
    const startedMs = performance.now()
    const result = commit()
    try {
      tell((performance.now() - startedMs) / 1000)
    } catch {
      // Who waits for the commit must hear of that alone.
    }
    return result
  }
  return {
    run(statement, ...values) {
      const run = () => sql.run(statement, ...values)
      if (isInTransaction) run()
      else timed(run)
    },
    rows: (statement, ...values) => sql.rows(statement, ...values),
    transaction: (work) =>
      timed(() => {
        isInTransaction = true
        try {
          return sql.transaction(work)
        } finally {
          isInTransaction = false
        }
      }),
  }
}
