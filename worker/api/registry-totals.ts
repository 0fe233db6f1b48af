import { Histogram, type HistogramCounts } from "../../src/metrics/histogram.js"
import type { AsideCount } from "../../src/metrics/metrics.js"
import type { RegistryTables, Row } from "./registry-tables.js"

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

/** What the one row of times is of. */
const DECISIONS = "decisions"

/** What one shard counted. */
export class RegistryTotals {
  readonly #tables: RegistryTables

  constructor(tables: RegistryTables) {
    this.#tables = tables
  }

  /** @param times how long decisions took, of whatever limits; `null` where nobody knows */
  add(reports: readonly LimitReport[], times: HistogramCounts | null): void {
    if (times !== null) this.#addTimes(times)
    for (const { limit, allowed, denied, allowedCost, deniedCost } of reports) {
      this.#tables.sql.exec(
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
    this.#tables.sql.exec("INSERT OR REPLACE INTO times VALUES (?, ?)", DECISIONS, JSON.stringify(sums.told()))
  }

  #times(): HistogramCounts | null {
    const [row] = this.#tables.read<{ told: string }>("SELECT told FROM times WHERE what = ?", DECISIONS)
    return row === undefined ? null : (JSON.parse(row.told) as HistogramCounts)
  }

  addAside(what: AsideCount, count: number): void {
    this.#tables.sql.exec(
      "INSERT INTO aside VALUES (?, ?) ON CONFLICT (what) DO UPDATE SET count = count + excluded.count",
      what,
      count,
    )
  }

  /** The limits of which most was decided, and all else. */
  told(count: number): Totals {
    const limits = this.#tables.read<Row<LimitReport>>(
      `SELECT name AS "limit", allowed, denied, allowed_cost AS allowedCost, denied_cost AS deniedCost FROM totals
        ORDER BY allowed + denied DESC LIMIT ?`,
      count,
    )
    const aside = this.#tables.read<Row<Totals["aside"][number]>>("SELECT what, count FROM aside")
    return { limits, aside, times: this.#times() }
  }
}
