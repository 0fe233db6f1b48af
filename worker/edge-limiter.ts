import { DenialCache } from "../src/edge/denial-cache.js"
import type { UnusedUnits } from "../src/edge/lease-draw.js"
import { requireCallId } from "../src/engine/call-id.js"
import { requireKey } from "../src/engine/key-bytes.js"
import type { Group } from "../src/http/request-limiter.js"
import type { Verification } from "../src/ledger/verification.js"
import type { Limiter } from "../src/limiter/limiter.js"
import {
  costOf,
  refuseOptions,
  requireOwnItems,
  requireRefund,
  requireSettlement,
  requireUnits,
} from "../src/limiter/require-check-options.js"
import { maximumCost } from "../src/policy/maximum-cost.js"
import { parseDurationArgument } from "../src/policy/parse-duration.js"
import { parsePolicy } from "../src/policy/parse-policy.js"
import type { Duration, Policy, PolicyInput } from "../src/policy/policy.js"
import type { Decision } from "../src/types/decision.js"
import { CostError } from "../src/types/errors.js"
import type { AllDecision, AllOptions, CheckItem, CheckOptions, KeyStats, KeyStatus } from "../src/types/limiter.js"
import type { Receipt } from "../src/types/receipt.js"
import { checkAcross } from "./check-across.js"
import type { CheckPart } from "./check-part.js"
import { EDGE_GROUP } from "./edge-group.js"
import { type EdgeLimiterOptions, readLease, requireEdgeOptions, requireNamespace } from "./edge-limiter-options.js"
import { KeyCalls } from "./key-calls.js"
import { KeyPlaces } from "./key-places.js"
import { LeasedChecks } from "./leased-checks.js"
import type { LimiterObject } from "./limiter-object.js"
import type { ObjectStub } from "./object-calls.js"
import { sharedLeases } from "./shared-leases.js"
import type { Subject } from "./subject.js"

/** What would be done twice if its call were made again, and what would not. */
const ONCE = { repeatable: false }
const REPEATABLE = { repeatable: true }

/** The denials of each namespace that an isolate uses. */
const sharedCaches = new WeakMap<object, DenialCache>()

/**
 * A limiter whose counts live in Durable Objects, one for each key: exact and durable wherever the requests come in.
 *
 * Bad input is refused here, and costs no call. A denial is remembered until its retry time, so that repeating the
 * question costs none either. A call that may have charged is never repeated, unless its `id` makes that harmless.
 *
 * @example
 * ```ts
 * import { EdgeLimiter, LimiterObject } from "sluice/worker"
 *
 * export { LimiterObject }
 * export default {
 *   async fetch(request: Request, env: { LIMITER: DurableObjectNamespace<LimiterObject> }) {
 *     const limiter = new EdgeLimiter(env.LIMITER, "100/minute")
 *     const { allowed } = await limiter.check("user:42")
 *     return new Response(null, { status: allowed ? 204 : 429 })
 *   },
 * }
 * ```
 */
export class EdgeLimiter implements Limiter {
  readonly policy: Policy
  /** Where denials are remembered; `null` where they are not. Its `hits` are denials that no object counted. */
  readonly denialCache: DenialCache | null
  /**
   * Decides several limits of one request; absent with a `lease`, whose units it would not spend.
   *
   * @internal
   */
  declare readonly group?: Group
  /**
   * Where the keys are: one key of limiters with the same one is one count.
   *
   * @internal
   */
  readonly limitName: string
  readonly #places: KeyPlaces
  readonly #calls: KeyCalls
  /** `null` where every check is for an object. */
  readonly #leased: LeasedChecks | null
  readonly #maximumCost: number

  /**
   * @throws {PolicyError} where the policy is not valid; {RangeError} where the binding is none, or an option is not
   */
  constructor(binding: DurableObjectNamespace<LimiterObject>, policy: PolicyInput, options: EdgeLimiterOptions = {}) {
    requireNamespace(binding)
    requireEdgeOptions(options)
    this.policy = parsePolicy(policy)
    const { denialCache, timeoutMs, background = () => undefined } = options
    const lease = readLease(options.lease, this.policy)
    this.#places = new KeyPlaces(this.policy, options)
    this.limitName = this.#places.name
    if (lease === null) this.group = EDGE_GROUP
    this.denialCache = denialCache === false ? null : (denialCache ?? sharedCacheOf(binding))
    this.#calls = new KeyCalls(
      { binding, policy: this.policy, places: this.#places, denialCache: this.denialCache },
      options,
    )
    this.#leased =
      lease &&
      new LeasedChecks({
        lease,
        leases: sharedLeases(binding, this.#places, lease, options),
        policy: this.policy,
        draw: (key, request) => this.#calls.draw(key, request),
        giveBack: (unused) => this.#giveBack(unused),
        timeoutMs,
        background,
      })
    this.#maximumCost = maximumCost(this.policy.rules)
  }

  /** Calls to objects made so far. */
  get calls(): number {
    return this.#calls.made
  }

  /**
   * Asks and charges. An admission is durable when it is told, as far as `sync` promises.
   *
   * @throws {CostError} {KeyError} {RangeError} before any call, of a check with an `id` the first after it;
   *   {StoreUnavailable} {StoreCorrupt} {StoreVersion}
   */
  async check(key: string, options?: CheckOptions): Promise<Decision> {
    return this.#decide(key, this.#costOf(key, options), options?.id)
  }

  /**
   * `check`, which charges nothing where the request would be held for longer than `maxDelayMs`: then the decision has
   * that delay, and no receipt.
   *
   * @internal
   */
  async checkWithin(key: string, cost: number, maxDelayMs: number): Promise<Decision> {
    return this.#decide(key, this.#costOf(key, { cost }), undefined, maxDelayMs)
  }

  async #decide(key: string, cost: number, id?: string, maxDelayMs?: number): Promise<Decision> {
    const cacheName = this.#places.cacheName(key)
    // What was admitted under an id is told again whatever came since.
    if (id === undefined) {
      const leases = this.#leased?.takes(cost) ? this.#leased : null
      // What a `checkAll` or a check with an id was denied says nothing of units that were drawn before.
      const isSpendable = leases !== null && this.denialCache?.isOverLimit(cacheName, this.policy, cost)
      const spent = isSpendable ? leases.spend(key, cost) : null
      if (spent !== null) return spent
      const known = this.denialCache?.find(cacheName, this.policy, cost)
      if (known) return known
      const held =
        maxDelayMs === undefined ? null : this.denialCache?.holds.find(cacheName, this.policy, cost, maxDelayMs)
      if (held) return held
      const leased = leases === null ? null : await leases.check(key, cost)
      if (leased !== null) return leased
    }
    return this.#calls.check({ key, cost, id, maxDelayMs }, cacheName)
  }

  /**
   * All or nothing, in one round trip where all are admitted: the keys' objects are asked at the same time, and where
   * one denies, what the others charged is given back. Keys of one object are one transaction. Under a policy with a
   * `block` the objects are asked one after the other.
   *
   * @throws {RangeError} where the items are none or more than 1,000, or one key comes twice; {LimitNotFound} where an
   * item names another limit; as `check`, when all was given back
   */
  async checkAll(items: readonly CheckItem[], options?: AllOptions): Promise<AllDecision> {
    requireOwnItems(items, this.policy.name)
    return checkAcross(
      items.map(({ limit: _, ...item }) => ({ limiter: this, ...item })),
      options,
    )
  }

  /** `checkAll`, but only whether. */
  async allowAll(items: readonly CheckItem[], options?: AllOptions): Promise<boolean> {
    return (await this.checkAll(items, options)).allowed
  }

  /**
   * What `check` would say of its object, charging nothing. With a `lease`, `check` may spend units that were drawn
   * before, and admit where this denies.
   */
  async peek(key: string, options?: CheckOptions): Promise<Decision> {
    const cost = this.#costOf(key, options)
    return this.#calls.ask(key, (stub, subject) => stub.peek(subject, cost, options?.id))
  }

  /** `check`, but only whether. */
  async allow(key: string, options?: CheckOptions): Promise<boolean> {
    return (await this.check(key, options)).allowed
  }

  /**
   * Gives back units of a check, all of them if not told otherwise. A receipt settles once. One of units from a lease
   * gives them back while the lease lasts, in the isolate that told it; later it gives nothing back, and time does.
   */
  async refund(receipt: Receipt, units?: number): Promise<void> {
    await this.settleUnits(receipt, requireRefund(receipt, units))
  }

  /** Tells what a check cost in the end: less is refunded, more is charged as debt. A receipt settles once. */
  async settle(receipt: Receipt, actualCost: number): Promise<void> {
    await this.settleUnits(receipt, requireSettlement(receipt, actualCost))
  }

  /** Takes units whatever is left: a penalty, which may put the key into debt. */
  charge(key: string, units: number): Promise<void>
  async charge(key: string, units: number, surplus?: unknown): Promise<void> {
    refuseOptions("charge", surplus)
    requireUnits(units)
    await this.#endingLeases(key, () => this.#calls.change(key, (stub, subject) => stub.charge(subject, units), ONCE))
  }

  /** Denies a key for a time from now, in place of an earlier block; 1 ms … 10 years. */
  block(key: string, duration: Duration): Promise<void>
  async block(key: string, duration: Duration, surplus?: unknown): Promise<void> {
    refuseOptions("block", surplus)
    const durationMs = parseDurationArgument("block", "duration", duration)
    const block = (stub: ObjectStub, subject: Subject) => stub.block(subject, durationMs)
    await this.#endingLeases(key, () => this.#calls.change(key, block, REPEATABLE))
  }

  /** Ends a block. Whether there was one that still lasted. */
  unblock(key: string): Promise<boolean>
  async unblock(key: string, surplus?: unknown): Promise<boolean> {
    refuseOptions("unblock", surplus)
    return this.#calls.change(key, (stub, subject) => stub.unblock(subject), ONCE)
  }

  /** Makes a key's quota full, ends its block and closes its receipts. Whether there was anything to forget. */
  reset(key: string): Promise<boolean>
  async reset(key: string, surplus?: unknown): Promise<boolean> {
    refuseOptions("reset", surplus)
    const reset = () => this.#calls.change(key, (stub, subject) => stub.reset(subject), ONCE)
    return this.#leased === null ? reset() : this.#leased.forget(key, reset)
  }

  /** A key's state without a check, in its object: units of a `lease` are used there. */
  status(key: string): Promise<KeyStatus>
  async status(key: string, surplus?: unknown): Promise<KeyStatus> {
    refuseOptions("tell the status", surplus)
    return this.#calls.ask(key, (stub, subject) => stub.status(subject))
  }

  /** A key's statistics since its object was last wiped. */
  stats(key: string): Promise<KeyStats>
  async stats(key: string, surplus?: unknown): Promise<KeyStats> {
    refuseOptions("tell statistics", surplus)
    return this.#calls.ask(key, (stub, subject) => stub.stats(subject))
  }

  /** Has a key's object read its whole log anew and compare it with its state. @throws {StoreCorrupt} {StoreVersion} */
  async verify(key: string): Promise<Verification> {
    return this.#calls.ask(key, (stub) => stub.verify())
  }

  /**
   * What `checkAcross` needs of a check.
   *
   * @throws {CostError} {KeyError} {RangeError}
   * @internal
   */
  partOf({ key, ...options }: Omit<CheckItem, "limit">): CheckPart {
    const cost = this.#costOf(key, options)
    requireKey(key)
    const { id } = options
    if (id !== undefined) requireCallId(id)
    return this.#calls.partOf(key, cost, id)
  }

  /**
   * Settles a receipt, by units as src/engine/settlement.ts has them.
   *
   * @returns false where it was settled before or is too old; one of a lease's units tells true all the same
   * @internal
   */
  async settleUnits(receipt: Receipt, units: number): Promise<boolean> {
    if (this.#leased?.settle(receipt, units)) {
      // What was denied may be spent from the lease again.
      this.#calls.forgetDenial(receipt.key)
      return true
    }
    try {
      return await this.#calls.change(receipt.key, (stub, subject) => stub.settle(subject, receipt, units), REPEATABLE)
    } catch (error) {
      this.#leased?.reopen(receipt)
      throw error
    }
  }

  async #giveBack({ receipt, units }: UnusedUnits): Promise<void> {
    await this.#calls.ask(receipt.key, (stub, subject) => stub.settle(subject, receipt, units))
  }

  /** Does to a key what its leases must not outlast. */
  async #endingLeases(key: string, work: () => Promise<void>): Promise<void> {
    this.#leased?.revoke(key)
    try {
      await work()
    } finally {
      // Draws that came before may have brought units since.
      this.#leased?.revoke(key)
    }
  }

  #costOf(key: string, options: CheckOptions | undefined): number {
    const cost = costOf(key, options)
    // What was admitted under an id is told again whatever the policy is by now, so the object decides.
    if (cost > this.#maximumCost && options?.id === undefined) throw new CostError(key, cost, this.#maximumCost)
    return cost
  }
}

function sharedCacheOf(binding: object): DenialCache {
  let cache = sharedCaches.get(binding)
  if (cache === undefined) {
    cache = new DenialCache()
    sharedCaches.set(binding, cache)
  }
  return cache
}
