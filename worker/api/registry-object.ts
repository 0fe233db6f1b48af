import { DurableObject } from "cloudflare:workers"
import type { HistogramCounts } from "../../src/metrics/histogram.js"
import type { AsideCount } from "../../src/metrics/metrics.js"
import type { KeyStats } from "../../src/types/limiter.js"
import { type KeyReport, RegistryKeys, type ReportedEvent, type TopCount, type TopRow } from "./registry-keys.js"
import { type Defined, type DirectoryEntry, RegistryLimits, type Removed } from "./registry-limits.js"
import { RegistryTables } from "./registry-tables.js"
import { type LimitReport, RegistryTotals, type Totals } from "./registry-totals.js"

const SWEEP_EVERY_MS = 86_400_000

/**
 * One shard of what an operator asks: which limits there are, which keys were seen, what happened to them, and sums.
 * Nothing of it is asked while a check is decided.
 */
export class RegistryObject extends DurableObject {
  readonly #limits: RegistryLimits
  readonly #keys: RegistryKeys
  readonly #totals: RegistryTotals

  constructor(ctx: DurableObjectState, env: Cloudflare.Env) {
    super(ctx, env)
    const tables = new RegistryTables(this.ctx.storage)
    this.#limits = new RegistryLimits(tables)
    this.#keys = new RegistryKeys(tables)
    this.#totals = new RegistryTotals(tables)
  }

  define(name: string, policy: string): Defined {
    return this.#limits.define(name, policy)
  }

  remove(name: string): Removed | null {
    return this.#limits.remove(name)
  }

  wasDefined(name: string, generation: number): boolean {
    return this.#limits.wasDefined(name, generation)
  }

  find(name: string): DirectoryEntry | null {
    return this.#limits.find(name)
  }

  directory(): DirectoryEntry[] | null {
    return this.#limits.directory()
  }

  page(after: string | null, count: number): DirectoryEntry[] {
    return this.#limits.page(after, count)
  }

  async report(reports: readonly KeyReport[]): Promise<void> {
    this.#keys.report(reports)
    await this.#sweepLater()
  }

  keys(scope: string | null, after: string | null, count: number): string[] {
    return this.#keys.list(scope, after, count)
  }

  top(by: TopCount, scope: string | null, count: number, settings?: readonly string[]): readonly TopRow[] {
    return this.#keys.top(by, scope, count, settings)
  }

  /** The keys that were denied and admitted most, of any limit. */
  mostSeen(count: number): Record<"denied" | "allowed", readonly TopRow[]> {
    return { denied: this.top("denied", null, count), allowed: this.top("allowed", null, count) }
  }

  recent(count: number): readonly Pick<KeyReport, "scope" | "key">[] {
    return this.#keys.recent(count)
  }

  stats(scope: string, key: string): KeyStats | null {
    return this.#keys.stats(scope, key)
  }

  history(scope: string, key: string, count: number): ReportedEvent[] {
    return this.#keys.history(scope, key, count)
  }

  async forget(scope: string): Promise<void> {
    this.#keys.forget(scope)
    await this.#sweepLater()
  }

  addTotals(reports: readonly LimitReport[], times: HistogramCounts | null = null): void {
    this.#totals.add(reports, times)
  }

  addAside(what: AsideCount, count: number): void {
    this.#totals.addAside(what, count)
  }

  totals(count: number): Totals {
    return this.#totals.told(count)
  }

  override async alarm(): Promise<void> {
    if (this.#keys.sweep()) await this.#sweepAgain()
  }

  async #sweepLater(): Promise<void> {
    if ((await this.ctx.storage.getAlarm()) === null) await this.#sweepAgain()
  }

  async #sweepAgain(): Promise<void> {
    await this.ctx.storage.setAlarm(Date.now() + SWEEP_EVERY_MS)
  }
}
