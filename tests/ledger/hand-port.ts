import type { LedgerPort } from "../../src/ledger/sql-port.js"

/** A store of a process that can die. */
export interface HandPort extends LedgerPort {
  readonly due: (() => void)[]
  /** Runs what waits for its time. */
  runDue(): void
  /** From now on nothing is written: the process is dead. */
  die(): void
}

/** A store whose timers run when it is told to, so that a test need not wait. */
export function handPort(port: LedgerPort): HandPort {
  const due: (() => void)[] = []
  let isDead = false
  const requireAlive = () => {
    if (isDead) throw new Error("the process is dead")
  }
  return {
    sql: {
      run: (statement, ...values) => {
        requireAlive()
        port.sql.run(statement, ...values)
      },
      rows: (statement, ...values) => port.sql.rows(statement, ...values),
      transaction: (work) => {
        requireAlive()
        return port.sql.transaction(work)
      },
    },
    due,
    runDue: () => {
      for (const work of due.splice(0)) work()
    },
    die: () => {
      isDead = true
    },
    sha256: (bytes) => port.sha256(bytes),
    defer: (work) => port.defer(work),
    after: (_, work) => {
      due.push(work)
    },
  }
}
