import type { LedgerPort, LogRow, SqlPort, SqlValue } from "../../src/ledger/sql-port.js"

/** Where a write breaks off: before it is made, or when it is made but not yet answered. */
export interface Break {
  /** Counts from 1. */
  readonly atWrite: number
  readonly when: "before" | "after"
}

/** What a broken write throws. */
export class BrokenWrite extends Error {}

/** A store that counts its writes and can break off at one of them: from then on it refuses every write. */
export class WatchedPort implements LedgerPort {
  readonly sql: SqlPort
  readonly #port: LedgerPort
  readonly #break: Break | null
  /** Statements that write, so far. */
  writes = 0
  /** Transactions so far; a write outside of one is its own. */
  commits = 0

  constructor(port: LedgerPort, breakOff: Break | null = null) {
    this.#port = port
    this.#break = breakOff
    let inTransaction = false
    this.sql = {
      run: (statement: string, ...values: SqlValue[]): void => {
        this.writes += 1
        if (!inTransaction) this.commits += 1
        this.#refuse("before")
        port.sql.run(statement, ...values)
        this.#refuse("after")
      },
      rows: (statement: string, ...values: SqlValue[]): Iterable<LogRow> => port.sql.rows(statement, ...values),
      transaction: <T>(work: () => T): T => {
        this.commits += 1
        inTransaction = true
        try {
          return port.sql.transaction(work)
        } finally {
          inTransaction = false
        }
      },
    }
  }

  #refuse(when: Break["when"]): void {
    const at = this.#break
    if (at === null || this.writes < at.atWrite || (this.writes === at.atWrite && when !== at.when)) return
    throw new BrokenWrite(`write ${this.writes} breaks off`)
  }

  sha256(bytes: Uint8Array) {
    return this.#port.sha256(bytes)
  }

  defer(work: () => void): void {
    this.#port.defer(work)
  }

  after(ms: number, work: () => void): void {
    this.#port.after(ms, work)
  }
}

/** A store whose commits and hashes wait for turns of the event loop, so that callers come meanwhile. */
export function slowPort(port: LedgerPort): LedgerPort {
  return {
    sql: port.sql,
    sha256: async (bytes) => {
      const hash = await port.sha256(bytes)
      await turn()
      return hash
    },
    defer: (work) => {
      void turn()
        .then(turn)
        .then(() => port.defer(work))
    },
    after: (ms, work) => port.after(ms, work),
  }
}

/** A store whose next turn is that of `turn`, so that a test can look between any two steps. */
export function steppedPort(port: LedgerPort): LedgerPort {
  return {
    sql: port.sql,
    sha256: (bytes) => port.sha256(bytes),
    defer: (work) => {
      void turn().then(work)
    },
    after: (ms, work) => port.after(ms, work),
  }
}

/** The next turn of the event loop. */
export function turn(): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, 0)
  })
}

/** A store whose long work is interrupted: between two turns of it, `between` is called, with their number from 0. */
export function interruptedPort(port: LedgerPort, between: (turn: number) => void): LedgerPort {
  let turns = 0
  return {
    sql: port.sql,
    sha256: (bytes) => port.sha256(bytes),
    defer: (work) => port.defer(work),
    nextTurn: (work) => {
      between(turns++)
      port.defer(work)
    },
    after: (ms, work) => port.after(ms, work),
  }
}
