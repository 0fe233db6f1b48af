import { inNameOrder } from "../../src/lib/name-order.js"
import type { HistoryEntry } from "../../src/limiter/named-limits.js"
import type { KeyStats } from "../../src/types/limiter.js"
import { KeptAnswers } from "./kept-answers.js"
import { settingsScope } from "./limit-scope.js"
import { type KeyRow, type RegistryTables, type Row, statsOf } from "./registry-tables.js"

/** Something that happened to a key, as a report tells it. */
export type ReportedEvent = Pick<HistoryEntry, "atMs" | "event" | "units" | "count">

/** What happened to a key since the last report. */
export interface KeyReport {
  /** What the keys of its limit are filed under. */
  readonly scope: string
  readonly key: string
  readonly allowed: number
  readonly denied: number
  readonly allowedCost: number
  readonly deniedCost: number
  readonly lastAllowedAt: number | null
  readonly lastDeniedAt: number | null
  readonly lastResetAt: number | null
  /** Oldest first. */
  readonly events: readonly ReportedEvent[]
}

export interface TopRow {
  readonly scope: string
  readonly key: string
  readonly stats: KeyStats
}

/** By what the keys are ordered that were seen most. */
export type TopCount = "allowed" | "denied"

/** How many of its last events are kept of each key. */
export const MAX_EVENTS_OF_KEY = 100
const KEEP_MS = 30 * 86_400_000
/** How long a removal is remembered: twice as long as an isolate may believe in the limit, at most. */
export const FORGOTTEN_MS = 3_600_000

/** The keys of one shard that were seen, and what happened to them. */
export class RegistryKeys {
  readonly #tables: RegistryTables
  /** To questions that have all keys read. */
  readonly #answers = new KeptAnswers()

  constructor(tables: RegistryTables) {
    this.#tables = tables
  }

  /** Takes what happened to keys of this shard. */
  report(reports: readonly KeyReport[]): void {
    const scopes = new Set(reports.map(({ scope }) => scope))
    const forgotten = new Set([...scopes].filter((scope) => this.#isForgotten(scope)))
    this.#tables.transaction(() => {
      for (const report of reports) if (!forgotten.has(report.scope)) this.#add(report)
    })
  }

  #isForgotten(scope: string): boolean {
    return this.#tables.sql.exec("SELECT 1 FROM forgotten WHERE scope = ?", scope).toArray().length > 0
  }

  #add({ scope, key, events, ...counts }: KeyReport): void {
    const { allowed, denied, allowedCost, deniedCost, lastAllowedAt, lastDeniedAt, lastResetAt } = counts
    this.#tables.sql.exec(
      `INSERT INTO keys VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (scope, key) DO UPDATE SET
        allowed = allowed + excluded.allowed, denied = denied + excluded.denied,
        allowed_cost = allowed_cost + excluded.allowed_cost, denied_cost = denied_cost + excluded.denied_cost,
        last_allowed = nullif(max(coalesce(last_allowed, 0), coalesce(excluded.last_allowed, 0)), 0),
        last_denied = nullif(max(coalesce(last_denied, 0), coalesce(excluded.last_denied, 0)), 0),
        last_reset = nullif(max(coalesce(last_reset, 0), coalesce(excluded.last_reset, 0)), 0), seen_at = excluded.seen_at`,
      ...[scope, key, allowed, denied, allowedCost, deniedCost, lastAllowedAt, lastDeniedAt, lastResetAt, Date.now()],
    )
    if (events.length > 0) this.#addEvents(scope, key, events)
  }

  #addEvents(scope: string, key: string, events: readonly ReportedEvent[]): void {
    const [newest] = this.#tables.read<{ number: number; event: string; units: number }>(
      "SELECT number, event, units FROM events WHERE scope = ? AND key = ? ORDER BY number DESC LIMIT 1",
      ...[scope, key],
    )
    const last = newest?.number ?? 0
    const [first] = events
    // Denials of one kind that came one after the other are one, over the edge of a report too.
    const goesOn = newest?.event === "deny" && first!.event === "deny" && newest.units === first!.units
    if (goesOn) {
      this.#tables.sql.exec(
        "UPDATE events SET count = count + ?, at = max(at, ?) WHERE scope = ? AND key = ? AND number = ?",
        ...[first!.count, first!.atMs, scope, key, last],
      )
    }
    const added = goesOn ? events.slice(1) : events
    for (const [index, event] of added.entries()) this.#addEvent(scope, key, last + 1 + index, event)
  }

  /** Takes the place of the oldest event where a key has as many as are kept: deleting that would be a second row. */
  #addEvent(scope: string, key: string, number: number, { atMs, event, units, count }: ReportedEvent): void {
    const values = [scope, key, number, atMs, event, units, count]
    const { rowsWritten } = this.#tables.sql.exec(
      `UPDATE events SET number = ?3, at = ?4, event = ?5, units = ?6, count = ?7
        WHERE scope = ?1 AND key = ?2 AND number = ?3 - ${MAX_EVENTS_OF_KEY}`,
      ...values,
    )
    if (rowsWritten === 0) this.#tables.sql.exec("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?)", ...values)
  }

  /** Keys in their order, of one limit or of any. What is filed of a limit's definitions alone is of no key. */
  list(scope: string | null, after: string | null, count: number): string[] {
    // The order of the table is that of one scope after the other, so each is read no further than it has to be.
    const found = (scope === null ? this.#scopes() : [scope]).flatMap((each) => this.#keysOf(each, after, count))
    return [...new Set(found)].sort(inNameOrder).slice(0, count)
  }

  #keysOf(scope: string, after: string | null, count: number): string[] {
    const rows = this.#tables.read<{ key: string }>(
      `SELECT key FROM keys WHERE scope = ?1 AND key > ?2 AND (allowed > 0 OR denied > 0 OR EXISTS (
          SELECT 1 FROM events WHERE events.scope = keys.scope AND events.key = keys.key AND event != 'define'
        )) ORDER BY key LIMIT ?3`,
      ...[scope, after ?? "", count],
    )
    return rows.map(({ key }) => key)
  }

  /** The scopes of the keys: each is found by a step over all keys of the one before. */
  #scopes(): string[] {
    const rows = this.#tables.read<{ scope: string }>(
      `WITH RECURSIVE scopes (scope) AS (
        SELECT min(scope) FROM keys
        UNION ALL SELECT (SELECT min(keys.scope) FROM keys WHERE keys.scope > scopes.scope) FROM scopes
          WHERE scopes.scope IS NOT NULL
      ) SELECT scope FROM scopes WHERE scope IS NOT NULL`,
    )
    return rows.map(({ scope }) => scope)
  }

  /**
   * Where keys are many, as old as `KeptAnswers` says.
   *
   * @param scope `null`: of any limit; where `settings` are given, of no scope of settings that is not among these
   */
  top(by: TopCount, scope: string | null, count: number, settings?: readonly string[]): readonly TopRow[] {
    const column = by === "allowed" ? "allowed" : "denied"
    const [where, values] = among(scope, settings)
    // The limit's name is what follows the space in a scope.
    const order = `${column} DESC, key, substr(scope, instr(scope, ' ') + 1)`
    const question = `SELECT * FROM keys WHERE ${where}${column} > 0 ORDER BY ${order} LIMIT ?1`
    const rows = this.#answers.ask(JSON.stringify([question, count, values]), () =>
      this.#tables.scan<KeyRow>(question, count, ...values),
    )
    return rows.map((row) => ({ scope: row.scope, key: row.key, stats: statsOf(row) }))
  }

  /** The keys that were told of last; where keys are many, as old as `KeptAnswers` says. */
  recent(count: number): readonly { scope: string; key: string }[] {
    const question = "SELECT scope, key FROM keys ORDER BY seen_at DESC LIMIT ?"
    return this.#answers.ask(`${count} recent`, () =>
      this.#tables.scan<{ scope: string; key: string }>(question, count),
    )
  }

  stats(scope: string, key: string): KeyStats | null {
    const [row] = this.#tables.read<KeyRow>("SELECT * FROM keys WHERE scope = ? AND key = ?", scope, key)
    return row === undefined ? null : statsOf(row)
  }

  /** Newest first; denials that came one after the other are one. */
  history(scope: string, key: string, count: number): ReportedEvent[] {
    return this.#tables.read<Row<ReportedEvent>>(
      `SELECT at AS atMs, event, units, count FROM events WHERE scope = ? AND key = ? ORDER BY at DESC, number DESC LIMIT ?`,
      ...[scope, key, count],
    )
  }

  /**
   * Drops what is known of a limit that was removed, and what is told of it later: an isolate that has not heard of the
   * removal goes on for a while.
   */
  forget(scope: string): void {
    this.#tables.sql.exec("DELETE FROM keys WHERE scope = ?", scope)
    this.#tables.sql.exec("DELETE FROM events WHERE scope = ?", scope)
    this.#tables.sql.exec("INSERT OR REPLACE INTO forgotten VALUES (?, ?)", scope, Date.now())
    this.#answers.clear()
  }

  /** Forgets keys that nobody asked about for long. Whether there is anything left that will be forgotten some day. */
  sweep(): boolean {
    const before = Date.now() - KEEP_MS
    this.#tables.sql.exec("DELETE FROM forgotten WHERE at < ?", Date.now() - FORGOTTEN_MS)
    const idle = this.#tables.read<Row<Pick<KeyReport, "scope" | "key">>>(
      "DELETE FROM keys WHERE seen_at < ? RETURNING scope, key",
      before,
    )
    for (const { scope, key } of idle) {
      this.#tables.sql.exec("DELETE FROM events WHERE scope = ? AND key = ?", scope, key)
    }
    this.#answers.clear()
    const left = "SELECT EXISTS (SELECT 1 FROM keys) OR EXISTS (SELECT 1 FROM forgotten) AS hasLeft"
    return this.#tables.sql.exec<{ hasLeft: number }>(left).one().hasLeft === 1
  }
}

/** The condition of `top`, with its values: from the second on. */
function among(scope: string | null, settings: readonly string[] | undefined): readonly [string, readonly string[]] {
  if (scope !== null) return ["scope = ?2 AND ", [scope]]
  if (settings === undefined) return ["", []]
  // A list of any length is one value: more than a hundred cannot be bound.
  const isThere = "(substr(scope, 1, length(?2)) != ?2 OR scope IN (SELECT value FROM json_each(?3))) AND "
  return [isThere, [settingsScope(""), JSON.stringify(settings)]]
}
