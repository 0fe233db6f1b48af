import type { KeyStats } from "../../src/types/limiter.js"
import type { Scanned } from "./kept-answers.js"

/** Those that there are already stay. */
const SCHEMA = `
CREATE TABLE IF NOT EXISTS limits (
  name TEXT PRIMARY KEY, policy TEXT, generation INTEGER NOT NULL, version INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS keys (
  scope TEXT NOT NULL, key TEXT NOT NULL, allowed INTEGER NOT NULL, denied INTEGER NOT NULL,
  allowed_cost INTEGER NOT NULL, denied_cost INTEGER NOT NULL,
  last_allowed INTEGER, last_denied INTEGER, last_reset INTEGER, seen_at INTEGER NOT NULL, PRIMARY KEY (scope, key)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS events (
  scope TEXT NOT NULL, key TEXT NOT NULL, number INTEGER NOT NULL, at INTEGER NOT NULL, event TEXT NOT NULL,
  units INTEGER NOT NULL, count INTEGER NOT NULL, PRIMARY KEY (scope, key, number)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS totals (
  name TEXT PRIMARY KEY, allowed INTEGER NOT NULL, denied INTEGER NOT NULL, allowed_cost INTEGER NOT NULL,
  denied_cost INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS forgotten (scope TEXT PRIMARY KEY, at INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS aside (what TEXT PRIMARY KEY, count INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS times (what TEXT PRIMARY KEY, told TEXT NOT NULL) WITHOUT ROWID;`

/** A row that has these columns. */
export type Row<Columns> = Columns & Record<string, SqlStorageValue>

/** The tables of one shard of the registry. They are made with the first report: no question makes any. */
export class RegistryTables {
  readonly #storage: DurableObjectStorage
  #areMade = false

  constructor(storage: DurableObjectStorage) {
    this.#storage = storage
  }

  /** To write: makes the tables that there are not yet. */
  get sql(): SqlStorage {
    this.#make()
    return this.#storage.sql
  }

  #make(): void {
    if (this.#areMade) return
    this.#storage.sql.exec(SCHEMA)
    this.#areMade = true
  }

  #areThere(): boolean {
    if (this.#areMade) return true
    return this.#storage.sql.exec("SELECT 1 FROM sqlite_master WHERE name = 'totals'").toArray().length > 0
  }

  read<Found extends Record<string, SqlStorageValue>>(question: string, ...values: SqlStorageValue[]): Found[] {
    return this.scan<Found>(question, ...values).rows
  }

  scan<Found extends Record<string, SqlStorageValue>>(question: string, ...values: SqlStorageValue[]): Scanned<Found> {
    if (!this.#areThere()) return { rows: [], rowsRead: 0 }
    const cursor = this.sql.exec<Found>(question, ...values)
    return { rows: cursor.toArray(), rowsRead: cursor.rowsRead }
  }

  /** Does all or nothing. */
  transaction(work: () => void): void {
    // Before the transaction: one that fails takes with it what it made.
    this.#make()
    this.#storage.transactionSync(work)
  }
}

/** A row of `keys`. */
export interface KeyRow extends Record<string, SqlStorageValue> {
  readonly scope: string
  readonly key: string
  readonly allowed: number
  readonly denied: number
  readonly allowed_cost: number
  readonly denied_cost: number
  readonly last_allowed: number | null
  readonly last_denied: number | null
  readonly last_reset: number | null
}

export function statsOf(row: KeyRow): KeyStats {
  return {
    totalAllowed: row.allowed,
    totalDenied: row.denied,
    totalAllowedCost: row.allowed_cost,
    totalDeniedCost: row.denied_cost,
    lastAllowedAt: row.last_allowed,
    lastDeniedAt: row.last_denied,
    lastResetAt: row.last_reset,
  }
}
