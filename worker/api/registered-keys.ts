import { BoundedMap } from "../../src/lib/bounded-map.js"
import { cachedFor } from "../../src/lib/cached-for.js"
import { inNameOrder } from "../../src/lib/name-order.js"
import type { HistoryEntry, Page, TopEntry } from "../../src/limiter/named-limits.js"
import { TopKeys } from "../../src/limiter/top-keys.js"
import { systemClock } from "../../src/types/clock.js"
import type { KeyStats } from "../../src/types/limiter.js"
import { nameIn } from "./limit-scope.js"
import type { Registry } from "./registry.js"
import { MAX_EVENTS_OF_KEY, type TopCount } from "./registry-keys.js"
import type { Reporter } from "./reporter.js"

const MAX_NAMES = 1_000
const KEEP_TOP_MS = 5_000
const MAX_TOPS = 32

/** What the registry holds of keys: which there are, what was counted of them, and what happened to them. */
export class RegisteredKeys {
  readonly #registry: Registry
  readonly #reporter: Reporter
  readonly #settings: readonly string[]
  /** The questions for the top that were asked lately; each keeps its answer for a while. */
  readonly #tops = new BoundedMap<string, () => Promise<readonly TopEntry[]>>(MAX_TOPS)

  /** @param settings the scopes of the limits that the Worker's settings define */
  constructor(registry: Registry, reporter: Reporter, settings: readonly string[]) {
    this.#registry = registry
    this.#reporter = reporter
    this.#settings = settings
  }

  /** `null` where it knows of none. */
  async stats(scope: string, key: string): Promise<KeyStats | null> {
    await this.#reporter.tryFlushKey(scope, key)
    return this.#registry.ofKey(key).stats(scope, key)
  }

  /** The keys in the order of their names, under one scope or, where it is `null`, under any. */
  async names(scope: string | null, { after, count = MAX_NAMES }: Page): Promise<string[]> {
    await this.#reporter.tryFlush()
    // SQL knows no infinite LIMIT.
    const most = Math.min(count, Number.MAX_SAFE_INTEGER)
    const pages = await this.#registry.fromKeys((shard) => shard.keys(scope, after ?? null, most))
    return pages.flat().sort(inNameOrder).slice(0, count)
  }

  /**
   * Of any limit where `scope` is `null`, but for those that only former settings had: of their keys nothing else can
   * be asked.
   *
   * Some seconds old where others asked: the question goes to all shards, and a dashboard asks it again and again.
   */
  async top(by: TopCount, count: number, scope: string | null): Promise<readonly TopEntry[]> {
    const question = `${by} ${count} ${scope ?? ""}`
    let ask = this.#tops.get(question)
    if (ask === undefined) {
      ask = cachedFor(() => this.#askTop(by, count, scope), KEEP_TOP_MS, systemClock)
      this.#tops.set(question, ask)
    }
    return ask()
  }

  async #askTop(by: TopCount, count: number, scope: string | null): Promise<readonly TopEntry[]> {
    await this.#reporter.tryFlush()
    const settings = scope === null ? this.#settings : undefined
    const rows = (await this.#registry.fromKeys((shard) => shard.top(by, scope, count, settings))).flat()
    const top = new TopKeys({ by, count })
    for (const { scope: filed, key, stats } of rows) top.add(key, nameIn(filed), stats)
    return top.best()
  }

  /** A key's last events under a scope, and the definitions of its limit; newest first. */
  async history(scope: string, key: string, count: number): Promise<HistoryEntry[]> {
    const limit = nameIn(scope)
    await this.#reporter.tryFlushKey(scope, key)
    const [own, ofLimit] = await Promise.all([
      this.#registry.ofKey(key).history(scope, key, count),
      this.#definitions(scope, limit, key),
    ])
    return [...own, ...ofLimit]
      .sort((a, b) => b.atMs - a.atMs)
      .slice(0, count)
      .map((event) => ({ ...event, key, limit }))
  }

  /** The definitions of a limit, which are filed under its name: a key of that name has them among its own events. */
  async #definitions(scope: string, limit: string, key: string) {
    if (key === limit) return []
    const events = await this.#registry.ofKey(limit).history(scope, limit, MAX_EVENTS_OF_KEY)
    return events.filter(({ event }) => event === "define")
  }

  /** The keys that were used last, so many of each shard of the registry. */
  async lastUsed(ofEachShard: number) {
    await this.#reporter.tryFlush()
    return (await this.#registry.fromKeys((shard) => shard.recent(ofEachShard))).flat()
  }
}
