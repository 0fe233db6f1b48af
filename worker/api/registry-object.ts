import { DurableObject } from "cloudflare:workers"
import { inNameOrder } from "../../src/limiter/name-order.js"
import type { HistoryEntry } from "../../src/limiter/named-limits.js"
import { Histogram, type HistogramCounts } from "../../src/metrics/histogram.js"
import type { AsideCount } from "../../src/metrics/metrics.js"
import type { KeyStats } from "../../src/types/limiter.js"
import { KeptAnswers, type Scanned } from "./kept-answers.js"
import { type KeyRow, SCHEMA, statsOf } from "./registry-tables.js"

/** A limit that was configured through the API. */
export interface DirectoryEntry {
  readonly name: string
  /** Canonical. */
  readonly policy: string
  /** Grows when a limit of this name is removed: another one of the name then has keys of its own. */
  readonly generation: number
  /** Grows with each change of the policy. */
  readonly version: number
}

/** What came of a removal. */
export interface Removed extends Pick<DirectoryEntry, "generation"> {
  /** Whether the limit was still there. */
  readonly isChange: boolean
}

/** What came of a definition. */
export interface Defined extends DirectoryEntry {
  /** Whether the limit was not the same before. */
  readonly isChange: boolean
}

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
  readonly events: readonly Pick<HistoryEntry, "atMs" | "event" | "units" | "count">[]
}

/** What was counted of a limit since the last report. */
export interface LimitReport {
  readonly limit: string
  readonly allowed: number
  readonly denied: number
  readonly allowedCost: number
  readonly deniedCost: number
}

/** What a shard counted. */
export interface Totals {
  readonly limits: readonly LimitReport[]
  /** Decisions that no object made. */
  readonly aside: readonly { readonly what: AsideCount; readonly count: number }[]
  /** How long decisions took, in seconds; `null` where none was told of. */
  readonly times: HistogramCounts | null
}

export interface TopRow {
  readonly scope: string
  readonly key: string
  readonly stats: KeyStats
}

/** A row that has these columns. */
type Row<Columns> = Columns & Record<string, SqlStorageValue>

/** A shard whose limits are fewer is told as a whole, so that isolates need not ask for each name. */
const MOST_TOLD = 2_000
/** How many of its last events are kept of each key. */
export const MOST_EVENTS_OF_KEY = 100
const KEEP_MS = 30 * 86_400_000
const SWEEP_EVERY_MS = 86_400_000
/** How long a removal is remembered: twice as long as an isolate may believe in the limit, at most. */
export const FORGOTTEN_MS = 3_600_000

/** What the one row of times is of. */
const DECISIONS = "decisions"

/**
 * One shard of what an operator asks: which limits there are, which keys were seen, what happened to them, and sums.
 * Nothing of it is asked while a check is decided.
 */
export class RegistryObject extends DurableObject {
  #hasTables = false
  /** To questions that have all keys read. */
  readonly #answers = new KeptAnswers()

  /** The tables: those are made that there are not yet. */
  get #sql(): SqlStorage {
    this.#makeTables()
    return this.ctx.storage.sql
  }

  #makeTables(): void {
    if (this.#hasTables) return
    this.ctx.storage.sql.exec(SCHEMA)
    this.#hasTables = true
  }

  /** An object that was told nothing has no tables, and no question makes any. */
  #isEmpty(): boolean {
    if (this.#hasTables) return false
    return this.ctx.storage.sql.exec("SELECT 1 FROM sqlite_master WHERE name = 'totals'").toArray().length === 0
  }

  #read<Found extends Record<string, SqlStorageValue>>(question: string, ...values: SqlStorageValue[]): Found[] {
    return this.#scan<Found>(question, ...values).rows
  }

  #scan<Found extends Record<string, SqlStorageValue>>(question: string, ...values: SqlStorageValue[]): Scanned<Found> {
    if (this.#isEmpty()) return { rows: [], rowsRead: 0 }
    const cursor = this.#sql.exec<Found>(question, ...values)
    return { rows: cursor.toArray(), rowsRead: cursor.rowsRead }
  }

  /** Defines a limit of this shard, or puts another policy in its place. */
  define(name: string, policy: string): Defined {
    const isChange = this.find(name)?.policy !== policy
    if (isChange) this.#put(name, policy)
    return { ...this.find(name)!, isChange }
  }

  #put(name: string, policy: string): void {
    this.#sql.exec(
      `INSERT INTO limits VALUES (?, ?, 1, 1)
        ON CONFLICT (name) DO UPDATE SET policy = excluded.policy, version = version + 1`,
      name,
      policy,
    )
  }

  /**
   * Its row stays, since the next limit of the name has to differ from it.
   *
   * @returns the one that was removed, also where that was before; `null` where there never was one
   */
  remove(name: string): Removed | null {
    const entry = this.find(name)
    if (entry !== null) {
      this.#sql.exec("UPDATE limits SET policy = NULL, generation = generation + 1 WHERE name = ?", name)
      return { isChange: true, generation: entry.generation }
    }
    const [row] = this.#read<{ generation: number }>("SELECT generation FROM limits WHERE name = ?", name)
    return row === undefined ? null : { isChange: false, generation: row.generation - 1 }
  }

  /** Whether there is or was a limit of this name and generation. */
  wasDefined(name: string, generation: number): boolean {
    const question = "SELECT 1 FROM limits WHERE name = ?1 AND generation + (policy IS NOT NULL) > ?2"
    return this.#read(question, name, generation).length > 0
  }

  find(name: string): DirectoryEntry | null {
    return this.#limits("AND name = ?", name)[0] ?? null
  }

  /** All limits of this shard, or `null` where they are too many to be told. */
  directory(): DirectoryEntry[] | null {
    const found = this.#limits("LIMIT ?", MOST_TOLD + 1)
    return found.length > MOST_TOLD ? null : found
  }

  /** Limits in the order of their names. */
  page(after: string | null, count: number): DirectoryEntry[] {
    return this.#limits("AND (?1 IS NULL OR name > ?1) ORDER BY name LIMIT ?2", after, count)
  }

  #limits(rest: string, ...values: SqlStorageValue[]): DirectoryEntry[] {
    return this.#read<Row<DirectoryEntry>>(
      `SELECT name, policy, generation, version FROM limits WHERE policy IS NOT NULL ${rest}`,
      ...values,
    )
  }

  /** Takes what happened to keys of this shard. */
  async report(reports: readonly KeyReport[]): Promise<void> {
    // Before the transaction: one that fails takes with it what it made.
    this.#makeTables()
    const scopes = new Set(reports.map(({ scope }) => scope))
    const forgotten = new Set([...scopes].filter((scope) => this.#isForgotten(scope)))
    this.ctx.storage.transactionSync(() => {
      for (const report of reports) if (!forgotten.has(report.scope)) this.#add(report)
    })
    await this.#sweepLater()
  }

  async #sweepLater(): Promise<void> {
    if ((await this.ctx.storage.getAlarm()) === null) await this.ctx.storage.setAlarm(Date.now() + SWEEP_EVERY_MS)
  }

  #isForgotten(scope: string): boolean {
    return this.#sql.exec("SELECT 1 FROM forgotten WHERE scope = ?", scope).toArray().length > 0
  }

  #add({ scope, key, events, ...counts }: KeyReport): void {
    const { allowed, denied, allowedCost, deniedCost, lastAllowedAt, lastDeniedAt, lastResetAt } = counts
    this.#sql.exec(
      `INSERT INTO keys VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (scope, key) DO UPDATE SET
        allowed = allowed + excluded.allowed, denied = denied + excluded.denied,
        allowed_cost = allowed_cost + excluded.allowed_cost, denied_cost = denied_cost + excluded.denied_cost,
        last_allowed = nullif(max(coalesce(last_allowed, 0), coalesce(excluded.last_allowed, 0)), 0),
        last_denied = nullif(max(coalesce(last_denied, 0), coalesce(excluded.last_denied, 0)), 0),
        last_reset = nullif(max(coalesce(last_reset, 0), coalesce(excluded.last_reset, 0)), 0), seen_at = excluded.seen_at`,
      ...[scope, key, allowed, denied, allowedCost, deniedCost, lastAllowedAt, lastDeniedAt, lastResetAt, Date.now()],
    )
    if (events.length === 0) return
    const [newest] = this.#sql
      .exec<{ number: number; event: string; units: number }>(
        "SELECT number, event, units FROM events WHERE scope = ? AND key = ? ORDER BY number DESC LIMIT 1",
        ...[scope, key],
      )
      .toArray()
    const last = newest?.number ?? 0
    const [first] = events
    // Denials of one kind that came one after the other are one, over the edge of a report too.
    const goesOn = newest?.event === "deny" && first!.event === "deny" && newest.units === first!.units
    if (goesOn) {
      this.#sql.exec(
        "UPDATE events SET count = count + ?, at = max(at, ?) WHERE scope = ? AND key = ? AND number = ?",
        ...[first!.count, first!.atMs, scope, key, last],
      )
    }
    const added = goesOn ? events.slice(1) : events
    for (const [index, event] of added.entries()) this.#addEvent(scope, key, last + 1 + index, event)
  }

  /** Takes the place of the oldest event where a key has as many as are kept: deleting that would be a second row. */
  #addEvent(
    scope: string,
    key: string,
    number: number,
    { atMs, event, units, count }: KeyReport["events"][number],
  ): void {
    const values = [scope, key, number, atMs, event, units, count]
    const { rowsWritten } = this.#sql.exec(
      `UPDATE events SET number = ?3, at = ?4, event = ?5, units = ?6, count = ?7
        WHERE scope = ?1 AND key = ?2 AND number = ?3 - ${MOST_EVENTS_OF_KEY}`,
      ...values,
    )
    if (rowsWritten === 0) this.#sql.exec("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?)", ...values)
  }

  /** Keys in their order, of one limit or of any. What is filed of a limit's definitions alone is of no key. */
  keys(scope: string | null, after: string | null, count: number): string[] {
    // The order of the table is that of one scope after the other, so each is read no further than it has to be.
    const found = (scope === null ? this.#scopes() : [scope]).flatMap((each) => this.#keysOf(each, after, count))
    return [...new Set(found)].sort(inNameOrder).slice(0, count)
  }

  #keysOf(scope: string, after: string | null, count: number): string[] {
    const rows = this.#read<{ key: string }>(
      `SELECT key FROM keys WHERE scope = ?1 AND key > ?2 AND (allowed > 0 OR denied > 0 OR EXISTS (
          SELECT 1 FROM events WHERE events.scope = keys.scope AND events.key = keys.key AND event != 'define'
        )) ORDER BY key LIMIT ?3`,
      ...[scope, after ?? "", count],
    )
    return rows.map(({ key }) => key)
  }

  /** The scopes of the keys: each is found by a step over all keys of the one before. */
  #scopes(): string[] {
    const rows = this.#read<{ scope: string }>(
      `WITH RECURSIVE scopes (scope) AS (
        SELECT min(scope) FROM keys
        UNION ALL SELECT (SELECT min(keys.scope) FROM keys WHERE keys.scope > scopes.scope) FROM scopes
          WHERE scopes.scope IS NOT NULL
      ) SELECT scope FROM scopes WHERE scope IS NOT NULL`,
    )
    return rows.map(({ scope }) => scope)
  }

  /** Where keys are many, as old as `KeptAnswers` says. */
  top(by: "allowed" | "denied", scope: string | null, count: number): readonly TopRow[] {
    const column = by === "allowed" ? "allowed" : "denied"
    const ofScope = scope === null ? "" : "scope = ?2 AND "
    const question = `SELECT * FROM keys WHERE ${ofScope}${column} > 0 ORDER BY ${column} DESC, key LIMIT ?1`
    const values = scope === null ? [count] : [count, scope]
    const rows = this.#answers.ask(JSON.stringify([question, values]), () => this.#scan<KeyRow>(question, ...values))
    return rows.map((row) => ({ scope: row.scope, key: row.key, stats: statsOf(row) }))
  }

  /** The keys that were denied and admitted most, of any limit. */
  mostSeen(count: number): Record<"denied" | "allowed", readonly TopRow[]> {
    return { denied: this.top("denied", null, count), allowed: this.top("allowed", null, count) }
  }

  /** The keys that were told of last; where keys are many, as old as `KeptAnswers` says. */
  recent(count: number): readonly { scope: string; key: string }[] {
    const question = "SELECT scope, key FROM keys ORDER BY seen_at DESC LIMIT ?"
    return this.#answers.ask(`${count} recent`, () => this.#scan<{ scope: string; key: string }>(question, count))
  }

  stats(scope: string, key: string): KeyStats | null {
    const [row] = this.#read<KeyRow>("SELECT * FROM keys WHERE scope = ? AND key = ?", scope, key)
    return row === undefined ? null : statsOf(row)
  }

  /** Newest first; denials that came one after the other are one. */
  history(scope: string, key: string, count: number): Pick<HistoryEntry, "atMs" | "event" | "units" | "count">[] {
    return this.#read<Row<KeyReport["events"][number]>>(
      `SELECT at AS atMs, event, units, count FROM events WHERE scope = ? AND key = ? ORDER BY at DESC, number DESC LIMIT ?`,
      ...[scope, key, count],
    )
  }

  /**
   * Drops what is known of a limit that was removed, and what is told of it later: an isolate that has not heard of the
   * removal goes on for a while.
   */
  async forget(scope: string): Promise<void> {
    this.#sql.exec("DELETE FROM keys WHERE scope = ?", scope)
    this.#sql.exec("DELETE FROM events WHERE scope = ?", scope)
    this.#sql.exec("INSERT OR REPLACE INTO forgotten VALUES (?, ?)", scope, Date.now())
    this.#answers.clear()
    await this.#sweepLater()
  }

  /** @param times how long decisions took, of whatever limits; `null` where nobody knows */
  addTotals(reports: readonly LimitReport[], times: HistogramCounts | null = null): void {
    if (times !== null) this.#addTimes(times)
    for (const { limit, allowed, denied, allowedCost, deniedCost } of reports) {
      this.#sql.exec(
        `INSERT INTO totals VALUES (?, ?, ?, ?, ?) ON CONFLICT (name) DO UPDATE SET
          allowed = allowed + excluded.allowed, denied = denied + excluded.denied,
          allowed_cost = allowed_cost + excluded.allowed_cost, denied_cost = denied_cost + excluded.denied_cost`,
        ...[limit, allowed, denied, allowedCost, deniedCost],
      )
    }
  }

  /** One row for all, written whole: it costs as much as one count. */
  #addTimes(times: HistogramCounts): void {
    const sums = new Histogram()
    for (const each of [this.#times(), times]) if (each !== null) sums.add(each)
    this.#sql.exec("INSERT OR REPLACE INTO times VALUES (?, ?)", DECISIONS, JSON.stringify(sums.told()))
  }

  #times(): HistogramCounts | null {
    const [row] = this.#read<{ told: string }>("SELECT told FROM times WHERE what = ?", DECISIONS)
    return row === undefined ? null : (JSON.parse(row.told) as HistogramCounts)
  }

  addAside(what: AsideCount, count: number): void {
    this.#sql.exec(
      "INSERT INTO aside VALUES (?, ?) ON CONFLICT (what) DO UPDATE SET count = count + excluded.count",
      what,
      count,
    )
  }

  totals(count: number): Totals {
    const limits = this.#read<Row<LimitReport>>(
      `SELECT name AS "limit", allowed, denied, allowed_cost AS allowedCost, denied_cost AS deniedCost FROM totals
        ORDER BY allowed + denied DESC LIMIT ?`,
      count,
    )
    const aside = this.#read<Row<Totals["aside"][number]>>("SELECT what, count FROM aside")
    return { limits, aside, times: this.#times() }
  }

  /** Forgets keys that nobody asked about for long, and limits of which nothing is told any more. */
  override async alarm(): Promise<void> {
    const before = Date.now() - KEEP_MS
    this.#sql.exec("DELETE FROM forgotten WHERE at < ?", Date.now() - FORGOTTEN_MS)
    const idle = this.#read<Row<Pick<KeyReport, "scope" | "key">>>(
      "DELETE FROM keys WHERE seen_at < ? RETURNING scope, key",
      before,
    )
    for (const { scope, key } of idle) this.#sql.exec("DELETE FROM events WHERE scope = ? AND key = ?", scope, key)
    this.#answers.clear()
    const left = "SELECT EXISTS (SELECT 1 FROM keys) OR EXISTS (SELECT 1 FROM forgotten) AS hasLeft"
    if (this.#sql.exec<{ hasLeft: number }>(left).one().hasLeft === 1)
      await this.ctx.storage.setAlarm(Date.now() + SWEEP_EVERY_MS)
  }
}
