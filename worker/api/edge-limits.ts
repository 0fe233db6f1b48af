import { waitUntil } from "cloudflare:workers"
import { noteToldAgain, TOLD_REMEMBERED } from "../../src/api/note-told-again.js"
import { isFailure } from "../../src/api/problem-answer.js"
import { RecentTexts } from "../../src/api/recent-texts.js"
import { decidingLimit } from "../../src/api/told-limit.js"
import { requireKey } from "../../src/engine/key-bytes.js"
import { foreignReceipt } from "../../src/engine/receipt-id.js"
import { requireItems, requireRefund, requireSettlement } from "../../src/limiter/check-options.js"
import { explain, RECENT_EVENTS } from "../../src/limiter/explain.js"
import { inParallel } from "../../src/limiter/in-parallel.js"
import { inNameOrder } from "../../src/limiter/name-order.js"
import {
  DEFAULT_HISTORY,
  DEFAULT_TOP,
  type Explanation,
  type HistoryEntry,
  type HistoryOptions,
  type LimitChoice,
  type NamedLimit,
  type NamedLimits,
  type Page,
  type TopEntry,
  type TopOptions,
} from "../../src/limiter/named-limits.js"
import { requireCount, requirePage } from "../../src/limiter/page.js"
import { parsePolicy } from "../../src/policy/parse-policy.js"
import type { Duration, Policy, PolicyInput } from "../../src/policy/policy.js"
import type { Decision } from "../../src/types/decision.js"
import { show } from "../../src/types/errors.js"
import type { AllDecision, CheckItem, CheckOptions, KeyStats, KeyStatus } from "../../src/types/limiter.js"
import type { Receipt } from "../../src/types/receipt.js"
import { decideAcross } from "../check-across.js"
import type { LimiterObject } from "../limiter-object.js"
import type { LimitDirectory } from "./limit-directory.js"
import { LimitFinder, type LimitInForce } from "./limit-finder.js"
import { generationIn, nameIn, scopeOf, settingsScope, splitScope, withScope } from "./limit-scope.js"
import { RegisteredKeys } from "./registered-keys.js"
import type { Registry } from "./registry.js"
import type { Reporter } from "./reporter.js"

export interface EdgeLimitsParts {
  readonly limiter: DurableObjectNamespace<LimiterObject>
  readonly registry: Registry
  readonly directory: LimitDirectory
  readonly reporter: Reporter
  /** Limits that the Worker's settings define: they stand in front of paths, and nobody changes them from outside. */
  readonly ofSettings: ReadonlyMap<string, Policy>
}

const MOST_TOLD = 1_000
const VERIFIED_OF_SHARD = 2
/** Keys whose logs are read at the same time. */
const MOST_VERIFIED = 8

/**
 * Named limits on Durable Objects: each key has an object of its own, and what an operator asks (which limits, which
 * keys, what happened) lies in others, sharded by hash, that learn of it after the answers.
 */
export class EdgeLimits implements NamedLimits {
  readonly #parts: EdgeLimitsParts
  readonly #finder: LimitFinder
  readonly #keys: RegisteredKeys
  /** The receipts told lately to calls that had an id. */
  readonly #recent = new RecentTexts(TOLD_REMEMBERED)

  constructor(parts: EdgeLimitsParts) {
    const { limiter, registry, directory, reporter, ofSettings } = parts
    this.#parts = parts
    this.#finder = new LimitFinder(limiter, directory, ofSettings, (scope, event, key, units) =>
      reporter.noted(event, scope, key, units),
    )
    this.#keys = new RegisteredKeys(registry, reporter, [...ofSettings.keys()].map(settingsScope))
  }

  /**
   * Defines a limit, or puts another policy in its place. Other isolates know it some seconds later.
   *
   * @throws {PolicyError} {KeyError}; {RangeError} where the Worker's settings define it
   */
  async define(name: string, policy: PolicyInput): Promise<NamedLimit> {
    requireKey(name)
    const parsed = parsePolicy(policy)
    this.#refuseOfSettings(name)
    const { registry, directory, reporter } = this.#parts
    const { isChange, ...entry } = await registry.ofLimit(name).define(name, parsed.canonical)
    directory.note(name, entry)
    if (isChange) reporter.noted("define", scopeOf(name, entry.generation), name, 0)
    return { name, policy: parsed }
  }

  /**
   * What is known of its keys goes in the background. Where some of it could not be reached, removing the limit again does
   * the rest, unless it was defined anew before.
   */
  async remove(name: string): Promise<boolean> {
    this.#refuseOfSettings(name)
    const { registry, directory } = this.#parts
    const removed = await registry.ofLimit(name).remove(name)
    directory.note(name, null)
    if (removed === null) return false
    const forgotten = registry.forget(scopeOf(name, removed.generation))
    waitUntil(forgotten.catch((error: unknown) => console.error("Keys of a removed limit are left:", error)))
    return removed.isChange
  }

  #refuseOfSettings(name: string): void {
    if (!this.#parts.ofSettings.has(name)) return
    throw new RangeError(`Cannot change the limit ${show(name)}: the Worker's settings define it.`)
  }

  async limits(page: Page = {}): Promise<NamedLimit[]> {
    requirePage(page)
    const { after, count = Number.POSITIVE_INFINITY } = page
    const most = Math.min(count, MOST_TOLD + 1)
    const pages = await this.#parts.registry.fromLimits((shard) => shard.page(after ?? null, most))
    const named = pages.flat().map(({ name, policy }) => ({ name, policy: parsePolicy(policy) }))
    const ofSettings = [...this.#parts.ofSettings].map(([name, policy]) => ({ name, policy }))
    return [...named.filter(({ name }) => !this.#parts.ofSettings.has(name)), ...ofSettings]
      .filter(({ name }) => after === undefined || inNameOrder(name, after) > 0)
      .sort((a, b) => inNameOrder(a.name, b.name))
      .slice(0, most)
  }

  async limit(name: string): Promise<NamedLimit | null> {
    const found = await this.#finder.find(name)
    return found && { name, policy: found.policy }
  }

  async check(key: string, options: CheckOptions & LimitChoice = {}): Promise<Decision> {
    const startedMs = performance.now()
    const inForce = await this.#finder.of(key, options)
    const { limit: _, ...asked } = options
    const decision = await inForce.limiter.check(key, asked)
    if (!noteToldAgain(this.#recent, decision, asked.id)) this.#tell(decision, inForce, secondsSince(startedMs))
    return withScope(decision, inForce.scope)
  }

  async allow(key: string, options?: CheckOptions & LimitChoice): Promise<boolean> {
    return (await this.check(key, options)).allowed
  }

  async peek(key: string, options: CheckOptions & LimitChoice = {}): Promise<Decision> {
    const inForce = await this.#finder.of(key, options)
    const { limit: _, ...asked } = options
    return withScope(await inForce.limiter.peek(key, asked), inForce.scope)
  }

  async checkAll(items: readonly CheckItem[]): Promise<AllDecision> {
    requireItems(items)
    const startedMs = performance.now()
    const inForce = await eachOf(items.map((item) => this.#finder.of(item.key, item)))
    const { all, isDecided } = await decideAcross(
      items.map(({ limit: _, ...item }, index) => ({ limiter: inForce[index]!.limiter, ...item })),
    )
    const seconds = secondsSince(startedMs)
    for (const [index, decision] of all.decisions.entries()) {
      // Where one was denied, those that would have passed were not charged, and some were only looked at.
      if (!all.allowed && (decision.allowed || !isDecided[index])) continue
      if (!noteToldAgain(this.#recent, decision, items[index]!.id)) this.#tell(decision, inForce[index]!, seconds)
    }
    return { ...all, decisions: all.decisions.map((decision, index) => withScope(decision, inForce[index]!.scope)) }
  }

  async allowAll(items: readonly CheckItem[]): Promise<boolean> {
    return (await this.checkAll(items)).allowed
  }

  #tell(decision: Decision, limit: LimitInForce, seconds: number): void {
    const { reporter, ofSettings } = this.#parts
    reporter.decided(decision, decidingLimit(limit, ofSettings), limit.scope, seconds)
  }

  async refund(receipt: Receipt, units?: number): Promise<void> {
    await this.#settle(receipt, requireRefund(receipt, units))
  }

  async settle(receipt: Receipt, actualCost: number): Promise<void> {
    await this.#settle(receipt, requireSettlement(receipt, actualCost))
  }

  async #settle(receipt: Receipt, units: number): Promise<void> {
    const { inForce, own } = await this.#ofReceipt(receipt)
    await inForce?.limiter.settleUnits(own, units)
  }

  /** The limit that a receipt is of: `null` where it was removed since. @throws {RangeError} where there was none such */
  async #ofReceipt(receipt: Receipt): Promise<{ inForce: LimitInForce | null; own: Receipt }> {
    const split = splitScope(receipt)
    if (split === null) throw foreignReceipt(receipt.id)
    const { scope, own } = split
    const inForce = await this.#finder.ofScope(scope)
    if (inForce === null && !(await this.#wasDefined(scope))) throw foreignReceipt(receipt.id)
    return { inForce, own }
  }

  async #wasDefined(scope: string): Promise<boolean> {
    const [name, generation] = [nameIn(scope), generationIn(scope)]
    // Which limits former settings had, nobody knows.
    return Number.isNaN(generation) || this.#parts.registry.ofLimit(name).wasDefined(name, generation)
  }

  async charge(key: string, units: number, choice?: LimitChoice): Promise<void> {
    await (await this.#finder.of(key, choice)).limiter.charge(key, units)
  }

  async block(key: string, duration: Duration, choice?: LimitChoice): Promise<void> {
    const inForce = await this.#finder.of(key, choice)
    await inForce.limiter.block(key, duration)
    this.#note("block", inForce, key, 0)
  }

  async unblock(key: string, choice?: LimitChoice): Promise<boolean> {
    const inForce = await this.#finder.of(key, choice)
    const did = await inForce.limiter.unblock(key)
    if (did) this.#note("unblock", inForce, key, 0)
    return did
  }

  async reset(key: string, choice?: LimitChoice): Promise<boolean> {
    const inForce = await this.#finder.of(key, choice)
    const did = await inForce.limiter.reset(key)
    // Also where nothing was used: it counts in the statistics of the key.
    this.#note("reset", inForce, key, 0)
    return did
  }

  #note(event: HistoryEntry["event"], { scope }: LimitInForce, key: string, units: number): void {
    this.#parts.reporter.noted(event, scope, key, units)
  }

  async status(key: string, choice?: LimitChoice): Promise<KeyStatus> {
    return (await this.#finder.of(key, choice)).limiter.status(key)
  }

  /** What the key's object counted since it was last wiped, and the registry all along. */
  async stats(key: string, choice?: LimitChoice): Promise<KeyStats> {
    const { limiter, scope } = await this.#finder.of(key, choice)
    const [own, told] = await Promise.all([limiter.stats(key), this.#keys.stats(scope, key)])
    if (told === null) return own
    const later = (a: number | null, b: number | null) => (a === null ? b : b === null ? a : Math.max(a, b))
    return {
      totalAllowed: Math.max(own.totalAllowed, told.totalAllowed),
      totalDenied: Math.max(own.totalDenied, told.totalDenied),
      totalAllowedCost: Math.max(own.totalAllowedCost, told.totalAllowedCost),
      totalDeniedCost: Math.max(own.totalDeniedCost, told.totalDeniedCost),
      lastAllowedAt: later(own.lastAllowedAt, told.lastAllowedAt),
      lastDeniedAt: later(own.lastDeniedAt, told.lastDeniedAt),
      lastResetAt: later(own.lastResetAt, told.lastResetAt),
    }
  }

  async list({ limit, ...page }: LimitChoice & Page = {}): Promise<string[]> {
    requirePage(page)
    return this.#keys.names(await this.#scopeIfNamed(limit), page)
  }

  /** Up to five seconds old, and a minute more where a shard has very many keys. */
  async top({ by, count = DEFAULT_TOP, limit }: TopOptions): Promise<readonly TopEntry[]> {
    requireCount(count)
    return this.#keys.top(by, count, await this.#scopeIfNamed(limit))
  }

  /**
   * What the keys of a limit are filed under; of one that there is not any more, or that cannot be found now, as one of the
   * settings. So this does not fail where what is to be filed was decided already.
   */
  async scopeOf(name: string): Promise<string> {
    try {
      return (await this.#finder.find(name))?.scope ?? settingsScope(name)
    } catch (error) {
      if (!isFailure(error)) throw error
      return settingsScope(name)
    }
  }

  /** @throws {LimitNotFound} */
  async #scopeIfNamed(limit: string | undefined): Promise<string | null> {
    return limit === undefined ? null : (await this.#finder.named(limit)).scope
  }

  async history(key: string, options: HistoryOptions = {}): Promise<HistoryEntry[]> {
    const { count = DEFAULT_HISTORY } = options
    requireCount(count)
    requireKey(key)
    const { scope } = await this.#finder.of(key, options)
    return this.#keys.history(scope, key, count)
  }

  async explain(key: string, options: Pick<CheckOptions, "cost"> & LimitChoice = {}): Promise<Explanation> {
    const { name, policy, limiter } = await this.#finder.of(key, options)
    const { cost } = options
    // The state first: told later than the decision, a block would seem to end before the wait that it makes.
    const status = await limiter.status(key)
    const [decision, recent] = await Promise.all([
      limiter.peek(key, cost === undefined ? {} : { cost }),
      this.history(key, { limit: name, count: RECENT_EVENTS }),
    ])
    return explain({ limit: name, policy, decision, status, nowMs: Date.now(), recent })
  }

  /**
   * Has the objects of the keys that were used last read their logs anew, at most two keys of each shard of the registry.
   * A fault is told, not thrown.
   */
  async verify(): Promise<{ ok: boolean; segments: number; records: number; problems: string[] }> {
    const recent = await this.#keys.lastUsed(VERIFIED_OF_SHARD)
    const problems: string[] = []
    let [segments, records] = [0, 0]
    await inParallel(recent, MOST_VERIFIED, async ({ scope, key }) => {
      const limit = nameIn(scope)
      const inForce = await this.#finder.find(limit)
      if (inForce?.scope !== scope) return
      const of = `key ${show(key)} of limit ${show(limit)}`
      try {
        const found = await inForce.limiter.verify(key)
        segments += found.segments
        records += found.records
        if (!found.replayEqualsLive) problems.push(`Replaying the log of ${of} does not give its state.`)
      } catch (error) {
        problems.push(`The log of ${of}: ${error instanceof Error ? error.message : String(error)}`)
      }
    })
    return { ok: problems.length === 0, segments, records, problems }
  }
}

/** All that was asked for; of what failed the first one's error, whichever failed sooner. */
async function eachOf<T>(asked: readonly Promise<T>[]): Promise<T[]> {
  await Promise.allSettled(asked)
  return Promise.all(asked)
}

/** As the platform's clock has it: it stands still while code runs, and so tells what calls to objects took. */
function secondsSince(startedMs: number): number {
  return (performance.now() - startedMs) / 1_000
}
