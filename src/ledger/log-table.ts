import type { LogRow, SqlPort } from "./sql-port.js"

/*
 * The log's one table. An integer primary key is the row's own number in the file, so a row costs no index.
 *
 *   id 0          the meta row
 *   id < 0        the parts of snapshots: see snapshot.ts
 *   id 1, 2 …     the segments, by sequence
 */
const CREATE = "CREATE TABLE IF NOT EXISTS sluice_log (id INTEGER PRIMARY KEY, body BLOB NOT NULL)"
const EXISTS = "SELECT 1 AS id, x'00' AS body FROM sqlite_master WHERE type = 'table' AND name = 'sluice_log'"
const READ = "SELECT id, body FROM sluice_log ORDER BY id"
/** Of no row more than the length is read. */
const BYTES = "SELECT coalesce(sum(length(body)), 0) AS id, x'' AS body FROM sluice_log"
const SEGMENT_BEFORE = "SELECT id, body FROM sluice_log WHERE id > 0 AND id < ? ORDER BY id DESC LIMIT 1"
const ROW_FROM = "SELECT id, body FROM sluice_log WHERE id >= ? ORDER BY id LIMIT 1"
const WRITE = "INSERT INTO sluice_log (id, body) VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET body = excluded.body"
const DROP = "DELETE FROM sluice_log WHERE id = ?"

/** The rows of a log in SQLite. */
export class LogTable {
  readonly #sql: SqlPort

  constructor(sql: SqlPort) {
    this.#sql = sql
  }

  exists(): boolean {
    return Array.from(this.#sql.rows(EXISTS)).length > 0
  }

  create(): void {
    this.#sql.run(CREATE)
  }

  /**
   * All rows by id: the parts of snapshots last first, the meta row, the segments. Read to the end at once, since a
   * cursor that is left open in between would hold the table.
   */
  read(): readonly LogRow[] {
    return Array.from(this.#sql.rows(READ))
  }

  /** Sum of the rows' bytes. */
  bytes(): number {
    return Array.from(this.#sql.rows(BYTES))[0]!.id
  }

  /** The last segment before a sequence number. */
  segmentBefore(sequence: number): LogRow | undefined {
    return Array.from(this.#sql.rows(SEGMENT_BEFORE, sequence))[0]
  }

  /** The first row from an id on: a segment from sequence 1 on. */
  rowFrom(id: number): LogRow | undefined {
    return Array.from(this.#sql.rows(ROW_FROM, id))[0]
  }

  /** Writes a row, in place of the one that has its id. */
  writeRow(id: number, body: Uint8Array): void {
    this.#sql.run(WRITE, id, body)
  }

  drop(ids: Iterable<number>): void {
    for (const id of ids) this.#sql.run(DROP, id)
  }

  transaction<T>(work: () => T): T {
    return this.#sql.transaction(work)
  }
}
