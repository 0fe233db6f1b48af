import type { SqlPort } from "../ledger/sql-port.js"

/** The same SQL, telling how many seconds each transaction took that was committed. */
export function timeCommits(sql: SqlPort, tell: (seconds: number) => void): SqlPort {
  return {
    run: (statement, ...values) => sql.run(statement, ...values),
    rows: (statement, ...values) => sql.rows(statement, ...values),
    transaction(work) {
      const startedMs = performance.now()
      const result = sql.transaction(work)
      tell((performance.now() - startedMs) / 1000)
      return result
    },
  }
}
