import { noteToldAgain, TOLD_REMEMBERED } from "../../src/api/note-told-again.js"
import { isFailure } from "../../src/api/problem-answer.js"
import { decidingLimit } from "../../src/api/told-limit.js"
import { requireKey } from "../../src/engine/key-bytes.js"
import { foreignReceipt } from "../../src/engine/receipt-id.js"
import { RecentTexts } from "../../src/lib/recent-texts.js"
import { explain, RECENT_EVENTS } from "../../src/limiter/explain.js"
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
import { itemsOf, requireItems, requireRefund, requireSettlement } from "../../src/limiter/require-check-options.js"
import type { Duration, PolicyInput } from "../../src/policy/policy.js"
import type { Decision } from "../../src/types/decision.js"
import { LimitNotFound } from "../../src/types/errors.js"
import type { AllDecision, AllOptions, CheckItem, CheckOptions, KeyStats, KeyStatus } from "../../src/types/limiter.js"
import type { Receipt } from "../../src/types/receipt.js"
import { decideAcross } from "../check-across.js"
import type { LimiterObject } from "../limiter-object.js"
import { LimitDefinitions, type LimitDefinitionsParts } from "./limit-definitions.js"
import { LimitFinder, type LimitInForce } from "./limit-finder.js"
import { settingsScope, splitScope, withScope } from "./limit-scope.js"
import { RegisteredKeys } from "./registered-keys.js"
import { type KeysVerification, verifyKeys } from "./verify-keys.js"

export interface EdgeLimitsParts extends LimitDefinitionsParts {
  readonly limiter: DurableObjectNamespace<LimiterObject>
}

/** Keys of each shard of the registry whose logs `verify` has read. */
const VERIFIED_OF_SHARD = 2

/**
 * Named limits on Durable Objects: each key has an object of its own, and what an operator asks (which limits, which
 * keys, what happened) lies in others, sharded by hash, that learn of it after the answers.
 */
export class EdgeLimits implements NamedLimits {
  readonly #parts: EdgeLimitsParts
  readonly #definitions: LimitDefinitions
  readonly #finder: LimitFinder
  readonly #keys: RegisteredKeys
  /** The receipts told lately to calls that had an id. */
  readonly #recent = new RecentTexts(TOLD_REMEMBERED)

  constructor(parts: EdgeLimitsParts) {
    const { limiter, registry, directory, reporter, ofSettings } = parts
    this.#parts = parts
    this.#definitions = new LimitDefinitions(parts)
    this.#finder = new LimitFinder(limiter, directory, ofSettings, (scope, event, key, units) =>
      reporter.noted(event, scope, key, units),
    )
    this.#keys = new RegisteredKeys(registry, reporter, [...ofSettings.keys()].map(settingsScope))
  }

  async define(name: string, policy: PolicyInput): Promise<NamedLimit> {
    return this.#definitions.define(name, policy)
  }

  async remove(name: string): Promise<boolean> {
    return this.#definitions.remove(name)
  }

  async limits(page?: Page): Promise<NamedLimit[]> {
    return this.#definitions.page(page)
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

  async checkAll(asked: readonly CheckItem[], options?: AllOptions): Promise<AllDecision> {
    requireItems(asked)
    const items = itemsOf(asked, options)
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

  async allowAll(items: readonly CheckItem[], options?: AllOptions): Promise<boolean> {
    return (await this.checkAll(items, options)).allowed
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

  /**
   * The limit that a receipt is of: `null` where it was removed since. @throws {RangeError} where there was none such
   */
  async #ofReceipt(receipt: Receipt): Promise<{ inForce: LimitInForce | null; own: Receipt }> {
    const split = splitScope(receipt)
    if (split === null) throw foreignReceipt(receipt.id)
    const { scope, own } = split
    const inForce = await this.#finder.ofScope(scope)
    if (inForce === null && !(await this.#definitions.wasDefined(scope))) throw foreignReceipt(receipt.id)
    return { inForce, own }
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

  /** Also of a limit that only former settings had, for as long as the registry holds keys of it. */
  async list({ limit, ...page }: LimitChoice & Page = {}): Promise<string[]> {
    requirePage(page)
    if (limit === undefined) return this.#keys.names(null, page)
    const inForce = await this.#finder.find(limit)
    const scope = inForce?.scope ?? settingsScope(limit)
    const names = await this.#keys.names(scope, page)
    // A page may be empty where others are not.
    const isKnown = inForce !== null || names.length > 0 || (await this.#keys.names(scope, { count: 1 })).length > 0
    if (!isKnown) throw new LimitNotFound(limit)
    return names
  }

  /** Up to five seconds old, and a minute more where a shard has very many keys. */
  async top({ by, count = DEFAULT_TOP, limit }: TopOptions): Promise<readonly TopEntry[]> {
    requireCount(count)
    return this.#keys.top(by, count, limit === undefined ? null : (await this.#finder.named(limit)).scope)
  }

  /**
   * What the keys of a limit are filed under; of one that there is not any more, or that cannot be found now, as one of
   * the settings. So this does not fail where what is to be filed was decided already.
   */
  async scopeOf(name: string): Promise<string> {
    try {
      return (await this.#finder.find(name))?.scope ?? settingsScope(name)
    } catch (error) {
      if (!isFailure(error)) throw error
      return settingsScope(name)
    }
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
   * Has the objects of the keys that were used last read their logs anew, at most two keys of each shard of the
   * registry. A fault is told, not thrown.
   */
  async verify(): Promise<KeysVerification> {
    return verifyKeys(await this.#keys.lastUsed(VERIFIED_OF_SHARD), this.#finder)
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
