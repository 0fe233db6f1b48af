import type { Awaitable } from "../types/limiter.js"

/** What can be bound to a statement. */
export type SqlValue = number | Uint8Array

/** A row of the log. */
export interface LogRow {
  readonly id: number
  readonly body: Uint8Array
}

/** The few calls that a ledger needs of SQLite: Durable Objects and `node:sqlite` both fit. */
export interface SqlPort {
  /** Runs a statement that returns nothing. */
  run(statement: string, ...values: SqlValue[]): void
  /** Rows of a statement that selects `id` and `body`, in its order. */
  rows(statement: string, ...values: SqlValue[]): Iterable<LogRow>
  /** Runs `work` in one transaction: all of its writes, or none where it throws. */
  transaction<T>(work: () => T): T
}

export interface AfterOptions {
  readonly unref?: boolean
}

export interface WriteOptions {
  /** Whether answers wait for it, so that it should take as little time as it can. */
  readonly isAwaited: boolean
}

/** What a ledger needs of its platform. */
export interface LedgerPort {
  readonly sql: SqlPort
  /** SHA-256 of the bytes, 32 bytes. */
  sha256(bytes: Uint8Array): Awaitable<Uint8Array>
  /** The same at once, where the platform can. */
  sha256Now?(bytes: Uint8Array): Uint8Array
  /** Runs `work` once the callers that are ready now have been heard: the next turn of the event loop. */
  defer(work: () => void): void
  /** Runs `work` in a later turn of the event loop, on a platform where `defer` may run it at once. */
  nextTurn?(work: () => void): void
  /** Runs `work` after a time, ms. With `unref` a process need not stay for it. */
  after(ms: number, work: () => void, options?: AfterOptions): void
  /**
   * Runs `write`. What that wrote is durable when this returns or, where it is synced beside this thread, when the
   * promise resolves. A platform without this function makes every write durable at once.
   */
  durably?(write: () => void, options: WriteOptions): Promise<void> | undefined
  /**
   * Makes what is read from now on come from the file, where the platform keeps in memory what it has read or written.
   */
  readAnew?(): void
  /** Whether the disk has so little room left that the log is to be kept short. */
  lacksRoom?(): boolean
  /**
   * What the disk lacks, in words, to take a row of so many bytes beside what else is committed; `null` where nothing.
   */
  findLackFor?(rowBytes: number): string | null
  /**
   * An error that a statement threw as one of a store, where it tells that the file is damaged, say; others as they
   * are.
   */
  storeError?(error: unknown): unknown
  /** Called when commits begin to carry large rows: until that ends, the upkeep of the file may be spread. */
  beginsLargeWrites?(): void
  endsLargeWrites?(): void
}
