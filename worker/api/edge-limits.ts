import { waitUntil } from "cloudflare:workers"
import { kept } from "../../src/api/kept.js"
import { decidingLimit } from "../../src/api/told-limit.js"
import { requireKey } from "../../src/engine/key-bytes.js"
import { foreignReceipt } from "../../src/engine/receipt-id.js"
import { explain } from "../../src/limiter/explain.js"
import { inParallel } from "../../src/limiter/in-parallel.js"
import { inNameOrder } from "../../src/limiter/name-order.js"
import {
  DEFAULT_LIMIT,
  type Explanation,
  type HistoryEntry,
  type LimitChoice,
  type NamedLimit,
  type NamedLimits,
  type Page,
  type TopEntry,
} from "../../src/limiter/named-limits.js"
import { requireCount } from "../../src/limiter/page.js"
import type { RecentIds } from "../../src/metrics/recent-ids.js"
import { parsePolicy } from "../../src/policy/parse-policy.js"
import type { Duration, Policy, PolicyInput } from "../../src/policy/policy.js"
import { systemClock } from "../../src/types/clock.js"
import type { Decision } from "../../src/types/decision.js"
import { LimitNotFound, show } from "../../src/types/errors.js"
import type { AllDecision, CheckItem, CheckOptions, KeyStats, KeyStatus } from "../../src/types/limiter.js"
import type { Receipt } from "../../src/types/receipt.js"
import { checkAcross } from "../check-across.js"
import { EdgeLimiter } from "../edge-limiter.js"
import type { LimiterObject } from "../limiter-object.js"
import type { LimitDirectory } from "./limit-directory.js"
import type { Registry } from "./registry.js"
import { MOST_EVENTS_OF_KEY } from "./registry-object.js"
import type { Reporter } from "./reporter.js"

export interface EdgeLimitsParts {
  readonly limiter: DurableObjectNamespace<LimiterObject>
  readonly registry: Registry
  readonly directory: LimitDirectory
  readonly reporter: Reporter
  /** The receipts told lately to calls that had an id. */
  readonly recent: RecentIds
  /** Limits that the Worker's settings define: they stand in front of paths, and nobody changes them from outside. */
  readonly settled: ReadonlyMap<string, Policy>
  /** Limiters made so far, by scope and policy; shared by the requests of an isolate. */
  readonly limiters: Map<string, EdgeLimiter>
}

/** A limit as it is in force. */
interface InForce {
  readonly name: string
  readonly policy: Policy
  /** What its keys are filed under. */
  readonly scope: string
  readonly limiter: EdgeLimiter
}

const MOST_LIMITERS = 1_000
const DEFAULT_COUNT = 100
const DEFAULT_TOP = 10
const MOST_TOLD = 1_000
const RECENT = 10
const KEEP_TOP_MS = 1_000
const MOST_TOPS = 32
const VERIFIED_OF_SHARD = 2
/** Keys whose logs are read at the same time. */
const MOST_VERIFIED = 8
/** No name of an object has it, so a receipt's id and its scope are one text in one way. */
const RECEIPT_MARK = "~"
/** What the objects of limits that were configured from outside are called, apart from those of the settings. */
const CONFIGURED = "configured"

/**
 * Named limits on Durable Objects: each key has an object of its own, and what an operator asks (which limits, which
 * keys, what happened) lies in others, sharded by hash, that learn of it after the answers.
 */
export class EdgeLimits implements NamedLimits {
  readonly #parts: EdgeLimitsParts
  /** The questions for the top that were asked lately; each keeps its answer for a while. */
  readonly #tops = new Map<string, () => Promise<readonly TopEntry[]>>()

  constructor(parts: EdgeLimitsParts) {
    this.#parts = parts
  }

  /**
   * Defines a limit, or puts another policy in its place. Other isolates know it some seconds later.
   *
   * @throws {PolicyError} {KeyError}; {RangeError} where the Worker's settings define it
   */
  async define(name: string, policy: PolicyInput): Promise<NamedLimit> {
    requireKey(name)
    const parsed = parsePolicy(policy)
    this.#refuseSettled(name)
    const { registry, directory, reporter } = this.#parts
    const entry = await registry.ofLimit(name).define(name, parsed.canonical)
    directory.note(name, entry)
    reporter.noted("define", scopeOf(name, entry.generation), name, 0)
    return { name, policy: parsed }
  }

  async remove(name: string): Promise<boolean> {
    this.#refuseSettled(name)
    const { registry, directory, reporter } = this.#parts
    await reporter.flush()
    const entry = await registry.ofLimit(name).remove(name)
    directory.note(name, null)
    if (entry === null) return false
    const scope = scopeOf(name, entry.generation)
    waitUntil(registry.fromKeys((shard) => shard.forget(scope)))
    return true
  }

  #refuseSettled(name: string): void {
    if (!this.#parts.settled.has(name)) return
    throw new RangeError(`Cannot change the limit ${show(name)}: the Worker's settings define it.`)
  }

  async limits(page: Page = {}): Promise<NamedLimit[]> {
    const { after, count = Number.POSITIVE_INFINITY } = page
    if (count !== Number.POSITIVE_INFINITY) requireCount(count)
    const most = Math.min(count, MOST_TOLD + 1)
    const pages = await this.#parts.registry.fromLimits((shard) => shard.page(after ?? null, most))
    const named = pages.flat().map(({ name, policy }) => ({ name, policy: parsePolicy(policy) }))
    const settled = [...this.#parts.settled].map(([name, policy]) => ({ name, policy }))
    return [...named.filter(({ name }) => !this.#parts.settled.has(name)), ...settled]
      .filter(({ name }) => after === undefined || inNameOrder(name, after) > 0)
      .sort((a, b) => inNameOrder(a.name, b.name))
      .slice(0, most)
  }

  async limit(name: string): Promise<NamedLimit | null> {
    const found = await this.#find(name)
    return found && { name, policy: found.policy }
  }

  async check(key: string, options: CheckOptions & LimitChoice = {}): Promise<Decision> {
    const startedMs = performance.now()
    const inForce = await this.#limitFor(key, options)
    const { limit: _, ...asked } = options
    const decision = await inForce.limiter.check(key, asked)
    if (asked.id === undefined || !this.#parts.recent.isRepeated(decision.receipt?.id)) {
      this.#tell(decision, inForce, secondsSince(startedMs))
    }
    return withReceipt(decision, inForce)
  }

  async allow(key: string, options?: CheckOptions & LimitChoice): Promise<boolean> {
    return (await this.check(key, options)).allowed
  }

  async peek(key: string, options: CheckOptions & LimitChoice = {}): Promise<Decision> {
    const inForce = await this.#limitFor(key, options)
    const { limit: _, ...asked } = options
    return withReceipt(await inForce.limiter.peek(key, asked), inForce)
  }

  async checkAll(items: readonly CheckItem[]): Promise<AllDecision> {
    const startedMs = performance.now()
    const inForce = await Promise.all(items.map((item) => this.#limitFor(item.key, item)))
    const all = await checkAcross(
      items.map(({ key, cost }, index) => {
        return { limiter: inForce[index]!.limiter, key, ...(cost !== undefined && { cost }) }
      }),
    )
    const seconds = secondsSince(startedMs)
    for (const [index, decision] of all.decisions.entries()) {
      // Where one was denied, those that would have passed were not charged.
      if (all.allowed || !decision.allowed) this.#tell(decision, inForce[index]!, seconds)
    }
    if (all.allowed) {
      return { ...all, decisions: all.decisions.map((decision, index) => withReceipt(decision, inForce[index]!)) }
    }
    // A denial that was known is told without a call.
    if (all.decisions.some(({ reason }) => reason === "cached")) return all
    // What was charged and given back is told as it is now.
    const decisions = all.decisions.map((decision, index) => {
      const { key, cost = 1 } = items[index]!
      return decision.allowed ? inForce[index]!.limiter.peek(key, { cost }) : decision
    })
    return { ...all, decisions: await Promise.all(decisions) }
  }

  #tell(decision: Decision, limit: InForce, seconds: number): void {
    const { reporter, settled } = this.#parts
    reporter.decided(decision, decidingLimit(limit, settled), limit.scope, seconds)
  }

  async refund(receipt: Receipt, units: number = receipt.cost): Promise<void> {
    const { inForce, own } = await this.#ofReceipt(receipt)
    if (inForce === null) return
    await inForce.limiter.refund(own, units)
    this.#note("refund", inForce, receipt.key, units)
  }

  async settle(receipt: Receipt, actualCost: number): Promise<void> {
    const { inForce, own } = await this.#ofReceipt(receipt)
    if (inForce === null) return
    await inForce.limiter.settle(own, actualCost)
    const unused = receipt.cost - actualCost
    if (unused !== 0) this.#note(unused > 0 ? "refund" : "charge", inForce, receipt.key, Math.abs(unused))
  }

  /** The limit that a receipt is of: `null` where it was removed since. */
  async #ofReceipt(receipt: Receipt): Promise<{ inForce: InForce | null; own: Receipt }> {
    const mark = receipt.id.indexOf(RECEIPT_MARK)
    const scope = mark < 0 ? null : decodeScope(receipt.id.slice(mark + 1))
    if (scope === null) throw foreignReceipt(receipt.id)
    const inForce = await this.#find(scope.slice(scope.indexOf(" ") + 1))
    return {
      inForce: inForce?.scope === scope ? inForce : null,
      own: { ...receipt, id: receipt.id.slice(0, mark) },
    }
  }

  async charge(key: string, units: number, choice?: LimitChoice): Promise<void> {
    const inForce = await this.#limitFor(key, choice)
    await inForce.limiter.charge(key, units)
    this.#note("charge", inForce, key, units)
  }

  async block(key: string, duration: Duration, choice?: LimitChoice): Promise<void> {
    const inForce = await this.#limitFor(key, choice)
    await inForce.limiter.block(key, duration)
    this.#note("block", inForce, key, 0)
  }

  async unblock(key: string, choice?: LimitChoice): Promise<boolean> {
    const inForce = await this.#limitFor(key, choice)
    const did = await inForce.limiter.unblock(key)
    if (did) this.#note("unblock", inForce, key, 0)
    return did
  }

  async reset(key: string, choice?: LimitChoice): Promise<boolean> {
    const inForce = await this.#limitFor(key, choice)
    const did = await inForce.limiter.reset(key)
    if (did) this.#note("reset", inForce, key, 0)
    return did
  }

  #note(event: HistoryEntry["event"], { scope }: InForce, key: string, units: number): void {
    this.#parts.reporter.noted(event, scope, key, units)
  }

  async status(key: string, choice?: LimitChoice): Promise<KeyStatus> {
    return (await this.#limitFor(key, choice)).limiter.status(key)
  }

  /** What the key's object counted since it was last wiped, and the registry all along. */
  async stats(key: string, choice?: LimitChoice): Promise<KeyStats> {
    const { limiter, scope } = await this.#limitFor(key, choice)
    await this.#parts.reporter.flush()
    const [own, told] = await Promise.all([limiter.stats(key), this.#parts.registry.ofKey(key).stats(scope, key)])
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

  async list({ limit, after, count = MOST_TOLD }: LimitChoice & Page = {}): Promise<string[]> {
    requireCount(count)
    const scope = limit === undefined ? null : (await this.#named(limit)).scope
    await this.#parts.reporter.flush()
    const pages = await this.#parts.registry.fromKeys((shard) => shard.keys(scope, after ?? null, count))
    return pages.flat().sort(inNameOrder).slice(0, count)
  }

  /** Up to a second old: the question goes to all shards, and a dashboard asks it again and again. */
  async top({ by, count = DEFAULT_TOP, limit }: Parameters<NamedLimits["top"]>[0]): Promise<readonly TopEntry[]> {
    requireCount(count)
    const scope = limit === undefined ? null : (await this.#named(limit)).scope
    const question = `${by} ${count} ${scope ?? ""}`
    let ask = this.#tops.get(question)
    if (ask === undefined) {
      if (this.#tops.size >= MOST_TOPS) this.#tops.delete(this.#tops.keys().next().value!)
      ask = kept(() => this.#askTop(by, count, scope), KEEP_TOP_MS, systemClock)
      this.#tops.set(question, ask)
    }
    return ask()
  }

  async #askTop(by: "allowed" | "denied", count: number, scope: string | null): Promise<readonly TopEntry[]> {
    await this.#parts.reporter.flush()
    const rows = (await this.#parts.registry.fromKeys((shard) => shard.top(by, scope, count))).flat()
    const total = (stats: KeyStats) => (by === "allowed" ? stats.totalAllowed : stats.totalDenied)
    return rows
      .sort((a, b) => total(b.stats) - total(a.stats) || inNameOrder(a.key, b.key))
      .slice(0, count)
      .map(({ scope: filed, key, stats }) => ({ key, limit: filed.slice(filed.indexOf(" ") + 1), stats }))
  }

  async history(key: string, options: { count?: number } & LimitChoice = {}): Promise<HistoryEntry[]> {
    const { count = DEFAULT_COUNT } = options
    requireCount(count)
    requireKey(key)
    const { name, scope } = await this.#limitFor(key, options)
    await this.#parts.reporter.flush()
    const [own, ofLimit] = await Promise.all([
      this.#parts.registry.ofKey(key).history(scope, key, count),
      this.#definitions(scope, name, key),
    ])
    return [...own, ...ofLimit]
      .sort((a, b) => b.atMs - a.atMs)
      .slice(0, count)
      .map((event) => ({ ...event, key, limit: name }))
  }

  /** The definitions of a limit, which are filed under its name: a key of that name has them among its own events. */
  async #definitions(scope: string, name: string, key: string) {
    if (key === name) return []
    const events = await this.#parts.registry.ofKey(name).history(scope, name, MOST_EVENTS_OF_KEY)
    return events.filter(({ event }) => event === "define")
  }

  async explain(key: string, options: Pick<CheckOptions, "cost"> & LimitChoice = {}): Promise<Explanation> {
    const { name, policy, limiter } = await this.#limitFor(key, options)
    const { cost } = options
    const [decision, status, recent] = await Promise.all([
      limiter.peek(key, cost === undefined ? {} : { cost }),
      limiter.status(key),
      this.history(key, { limit: name, count: RECENT }),
    ])
    return explain({ limit: name, policy, decision, status, nowMs: Date.now(), recent })
  }

  /**
   * Has the objects of the keys that were used last read their logs anew, at most two keys of each shard of the registry.
   * A fault is told, not thrown.
   */
  async verify(): Promise<{ ok: boolean; segments: number; records: number; problems: string[] }> {
    await this.#parts.reporter.flush()
    const recent = (await this.#parts.registry.fromKeys((shard) => shard.recent(VERIFIED_OF_SHARD))).flat()
    const problems: string[] = []
    let [segments, records] = [0, 0]
    await inParallel(recent, MOST_VERIFIED, async ({ scope, key }) => {
      const inForce = await this.#find(scope.slice(scope.indexOf(" ") + 1))
      if (inForce?.scope !== scope) return
      try {
        const found = await inForce.limiter.verify(key)
        segments += found.segments
        records += found.records
        if (!found.replayEqualsLive) problems.push(`Replaying the log of ${show(key)} does not give its state.`)
      } catch (error) {
        problems.push(`${show(key)}: ${error instanceof Error ? error.message : String(error)}`)
      }
    })
    return { ok: problems.length === 0, segments, records, problems }
  }

  /** The limit that a verb is about. @throws {LimitNotFound} {KeyError} */
  async #limitFor(key: string, choice: LimitChoice | undefined): Promise<InForce> {
    if (choice?.limit !== undefined) return this.#named(choice.limit)
    const found = (await this.#find(key)) ?? (await this.#find(DEFAULT_LIMIT))
    if (found !== null) return found
    requireKey(key)
    throw new LimitNotFound(key, "key")
  }

  async #named(name: string): Promise<InForce> {
    const found = await this.#find(name)
    if (found === null) throw new LimitNotFound(name)
    return found
  }

  async #find(name: string): Promise<InForce | null> {
    const { directory, settled } = this.#parts
    const own = settled.get(name)
    if (own !== undefined) return this.#inForce(name, own, settledScope(name), { name })
    if (typeof name !== "string" || name === "" || !name.isWellFormed()) return null
    const entry = await directory.find(name)
    if (entry === null) return null
    const scope = scopeOf(name, entry.generation)
    return this.#inForce(name, parsePolicy(entry.policy), scope, { name: CONFIGURED, tenant: scope })
  }

  #inForce(name: string, policy: Policy, scope: string, objects: { name: string; tenant?: string }): InForce {
    const { limiters, limiter: binding } = this.#parts
    const place = `${scope}\n${policy.canonical}`
    let limiter = limiters.get(place)
    if (limiter === undefined) {
      if (limiters.size >= MOST_LIMITERS) limiters.delete(limiters.keys().next().value!)
      limiter = new EdgeLimiter(binding, policy, { ...objects, background: waitUntil })
      limiters.set(place, limiter)
    }
    return { name, policy, scope, limiter }
  }
}

/** As the platform's clock has it: it stands still while code runs, and so tells what calls to objects took. */
function secondsSince(startedMs: number): number {
  return (performance.now() - startedMs) / 1_000
}

/** What the keys of a limit of the settings are filed under. */
export function settledScope(name: string): string {
  return `settings ${name}`
}

function scopeOf(name: string, generation: number): string {
  return `${generation} ${name}`
}

/** A receipt that says which limit it is of. */
function withReceipt(decision: Decision, { scope }: InForce): Decision {
  if (decision.receipt === undefined) return decision
  const id = `${decision.receipt.id}${RECEIPT_MARK}${encodeURIComponent(scope)}`
  return { ...decision, receipt: { ...decision.receipt, id } }
}

function decodeScope(encoded: string): string | null {
  try {
    return decodeURIComponent(encoded)
  } catch {
    return null
  }
}
