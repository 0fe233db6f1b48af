import type { LedgerPort, LogRow, SqlPort, SqlValue } from "../src/ledger/sql-port.js"

/** The bounds of `commitMs`. */
const MAX_COMMIT_MS = 50
const COMMIT_LEAST_MS = 5

/**
 * Where checks are grouped, a commit that was begun longer ago, ms, is taken to be durable: twice what one took when
 * this isolate last waited for one.
 */
let commitMs = MAX_COMMIT_MS

/** A Durable Object's storage as a ledger's SQL; it counts the rows that are billed as written. */
class ObjectSql implements SqlPort {
  readonly #storage: DurableObjectStorage
  /** Settles when what was written last is durable; `null` when it is, or nobody asked. */
  #syncing: Promise<void> | null = null
  #isDurable = true
  #writtenAtMs = 0
  rowsWritten = 0

  constructor(storage: DurableObjectStorage) {
    this.#storage = storage
  }

  run(statement: string, ...values: SqlValue[]): void {
    const cursor = this.#storage.sql.exec(statement, ...values)
    this.rowsWritten += cursor.rowsWritten
    const nowMs = Date.now()
    const isBusy = this.#wroteAt(nowMs)
    this.#isDurable = false
    this.#writtenAtMs = nowMs
    // Others will come while this one is on its way, and then know at once when it is durable.
    if (isBusy) void this.#sync()
  }

  #wroteAt(nowMs: number): boolean {
    return Math.abs(nowMs - this.#writtenAtMs) < commitMs
  }

  #sync(): Promise<void> {
    const done = () => {
      this.#syncing = null
      this.#isDurable = true
      const tookMs = Math.abs(Date.now() - this.#writtenAtMs)
      commitMs = Math.min(MAX_COMMIT_MS, Math.max(COMMIT_LEAST_MS, 2 * tookMs))
    }
    // A sync that fails takes the object with it; whoever waits only needs to go on.
    this.#syncing ??= this.#storage.sync().then(done, done)
    return this.#syncing
  }

  *rows(statement: string, ...values: SqlValue[]): Iterable<LogRow> {
    for (const { id, body } of this.#storage.sql.exec(statement, ...values)) {
      yield { id: Number(id), body: body instanceof ArrayBuffer ? new Uint8Array(body) : (body as never) }
    }
  }

  transaction<T>(work: () => T): T {
    return this.#storage.transactionSync(work)
  }

  /**
   * Runs `work` now, or once the commit that is on its way is durable. Being told of that costs about as much as a row,
   * so an object that is asked now and then asks only where somebody comes right after a write.
   */
  afterCommit(work: () => void): void {
    if (this.#isDurable || !this.#wroteAt(Date.now())) work()
    else void this.#sync().then(work)
  }
}

/** The platform of a ledger in a Durable Object. */
export interface ObjectLedgerPort extends LedgerPort {
  readonly sql: ObjectSql
}

export function objectLedgerPort(storage: DurableObjectStorage): ObjectLedgerPort {
  const sql = new ObjectSql(storage)
  return {
    sql,
    sha256: (bytes) => crypto.subtle.digest("SHA-256", bytes).then((hash) => new Uint8Array(hash)),
    // A lone check is written at once. Checks that come while a commit is on its way share the next row. An answer
    // still waits for the output gate, which opens when its row is durable.
    defer: (work) => sql.afterCommit(work),
    // No `setTimeout`, which a test may have replaced.
    nextTurn: (work) => void scheduler.wait(0).then(work),
    after: (ms, work) => {
      setTimeout(work, ms)
    },
  }
}
