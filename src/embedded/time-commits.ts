import type { LedgerPort } from "../ledger/sql-port.js"
import { callListener } from "../limiter/call-listener.js"

/**
 * The same port, telling how many seconds each commit took until it was durable: of a transaction, or of a statement on
 * its own, which is one by itself. What `tell` throws, or rejects with, is dropped: what was committed is committed.
 */
export function timeCommits(port: LedgerPort, tell: (seconds: number) => void): LedgerPort {
  const { sql } = port
  let isWithin = false

  const told = (startedMs: number) => callListener(tell, (performance.now() - startedMs) / 1000)

  const within = <T>(work: () => T): T => {
    isWithin = true
    try {
      return work()
    } finally {
      isWithin = false
    }
  }

  const timed = <T>(commit: () => T): T => {
    if (isWithin) return commit()
    const startedMs = performance.now()
    const result = within(commit)
    told(startedMs)
    return result
  }

  const { durably } = port
  return {
    ...port,
    ...(durably && {
      durably(write, options) {
        const startedMs = performance.now()
        const syncing = durably(() => within(write), options)
        if (syncing !== undefined) return syncing.then(() => told(startedMs))
        told(startedMs)
        return undefined
      },
    }),
    sql: {
      run: (statement, ...values) => timed(() => sql.run(statement, ...values)),
      rows: (statement, ...values) => sql.rows(statement, ...values),
      transaction: (work) => timed(() => sql.transaction(work)),
    },
  }
}
