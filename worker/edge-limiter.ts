import { DenialCache } from "../src/edge/denial-cache.js"
import { receiveDecision } from "../src/edge/denial-terms.js"
import type { Drawn, DrawRequest, UnusedUnits } from "../src/edge/lease-draw.js"
import { requireCallId } from "../src/engine/call-id.js"
import { requireKey } from "../src/engine/key-bytes.js"
import type { Group } from "../src/http/request-limiter.js"
import type { Verification } from "../src/ledger/verification.js"
import {
  costOf,
  requireOwnItems,
  requireRefund,
  requireSettlement,
  requireUnits,
} from "../src/limiter/check-options.js"
import type { Limiter } from "../src/limiter/limiter.js"
import { maximumCost } from "../src/policy/maximum-cost.js"
import { parseDurationArgument } from "../src/policy/parse-duration.js"
import { parsePolicy } from "../src/policy/parse-policy.js"
import type { Duration, Policy, PolicyInput } from "../src/policy/policy.js"
import type { Decision } from "../src/types/decision.js"
import { CostError } from "../src/types/errors.js"
import type { AllDecision, CheckItem, CheckOptions, KeyStats, KeyStatus } from "../src/types/limiter.js"
import type { Receipt } from "../src/types/receipt.js"
import { CallSharing } from "./call-sharing.js"
import { checkAcross } from "./check-across.js"
import type { CheckPart } from "./check-part.js"
import { EDGE_GROUP } from "./edge-group.js"
import { type EdgeLimiterOptions, readLease, requireEdgeOptions, requireNamespace } from "./edge-limiter-options.js"
import { KeyPlaces } from "./key-places.js"
import { LeasedChecks } from "./leased-checks.js"
import type { LimiterObject } from "./limiter-object.js"
import { type CallManner, ObjectCalls, type ObjectStub, TOGETHER_TIMEOUT_MS } from "./object-calls.js"
import { readRpcDecision } from "./rpc-decision.js"
import type { Subject } from "./subject.js"

/** The denials of each namespace that an isolate uses. */
const sharedCaches = new WeakMap<object, DenialCache>()

/**
 * A limiter whose counts live in Durable Objects, one for each key: exact and durable wherever the requests come in.
 *
 * Input is checked here, so what cannot be costs no call. A denial is remembered until its retry time, so that repeating
 * the question costs none either. A call that may have charged is never repeated, unless its `id` makes that harmless.
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
  readonly #binding: object
  readonly #calls: ObjectCalls
  readonly #places: KeyPlaces
  /** `null` where a call would end with the request that makes it, or others could not wait for it. */
  readonly #sharing: CallSharing | null
  /** `null` where every check is for an object. */
  readonly #leased: LeasedChecks | null
  /** The manner of a call that would do its work twice if it were made again; that of one that would not. */
  readonly #once: CallManner
  readonly #repeatable: CallManner
  readonly #background: (work: Promise<unknown>) => void
  readonly #maximumCost: number

  /** @throws {PolicyError} where the policy is not valid; {RangeError} where the binding is none, or an option is not */
  constructor(binding: DurableObjectNamespace<LimiterObject>, policy: PolicyInput, options: EdgeLimiterOptions = {}) {
    requireNamespace(binding)
    requireEdgeOptions(options)
    this.policy = parsePolicy(policy)
    const { denialCache, timeoutMs, background } = options
    const lease = readLease(options.lease, this.policy)
    this.#binding = binding
    this.#calls = new ObjectCalls(binding, options)
    this.#places = new KeyPlaces(this.policy, options)
    this.limitName = this.#places.name
    if (lease === null) this.group = EDGE_GROUP
    this.#once = { repeatable: false, ...(timeoutMs !== undefined && { timeoutMs }) }
    this.#repeatable = { ...this.#once, repeatable: true }
    this.#background = background ?? (() => undefined)
    this.#leased =
      lease &&
      new LeasedChecks({
        lease,
        policy: this.policy,
        draw: (key, request) => this.#draw(key, request),
        giveBack: (unused) => this.#giveBack(unused),
        timeoutMs,
        background: this.#background,
      })
    this.#sharing =
      background === undefined || !CallSharing.isPossible()
        ? null
        : new CallSharing({
            calls: this.#calls,
            subjectText: this.#places.subjectText,
            timeoutMs: timeoutMs ?? TOGETHER_TIMEOUT_MS,
            background,
          })
    this.#maximumCost = maximumCost(this.policy.rules)
    this.denialCache = denialCache === false ? null : (denialCache ?? sharedCacheOf(binding))
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
    requireKey(key)
    const ticket = this.denialCache?.ticket()
    const decision = readRpcDecision(await this.#ask(key, cost, id, maxDelayMs), key, cost, this.policy)
    if (ticket !== undefined) this.denialCache!.note(cacheName, this.policy, decision, ticket)
    return decision
  }

  /**
   * All or nothing, in one round trip where all are admitted: the keys' objects are asked at the same time, and where one
   * denies, what the others charged is given back. Keys of one object are one transaction. Under a policy with a `block`
   * the objects are asked one after the other.
   *
   * @throws {RangeError} where the items are none or more than 1,000, or one key comes twice; {LimitNotFound} where an item
   * names another limit; as `check`, when all was given back
   */
  async checkAll(items: readonly CheckItem[]): Promise<AllDecision> {
    requireOwnItems(items, this.policy.name)
    return checkAcross(items.map(({ limit: _, ...item }) => ({ limiter: this, ...item })))
  }

  /** `checkAll`, but only whether. */
  async allowAll(items: readonly CheckItem[]): Promise<boolean> {
    return (await this.checkAll(items)).allowed
  }

  /**
   * What `check` would say of its object, charging nothing. With a `lease`, `check` may spend units that were drawn
   * before, and admit where this denies.
   */
  async peek(key: string, options?: CheckOptions): Promise<Decision> {
    const cost = this.#costOf(key, options)
    return this.#call(key, (stub, subject) => stub.peek(subject, cost, options?.id), this.#repeatable)
  }

  /** `check`, but only whether. */
  async allow(key: string, options?: CheckOptions): Promise<boolean> {
    return (await this.check(key, options)).allowed
  }

  /**
   * Gives back units of a check, all of them if not told otherwise. A receipt settles once. One of units from a lease
   * gives them back while the lease lasts, in the limiter that told it; later it gives nothing back, and time does.
   */
  async refund(receipt: Receipt, units?: number): Promise<void> {
    await this.settleUnits(receipt, requireRefund(receipt, units))
  }

  /** Tells what a check cost in the end: less is refunded, more is charged as debt. A receipt settles once. */
  async settle(receipt: Receipt, actualCost: number): Promise<void> {
    await this.settleUnits(receipt, requireSettlement(receipt, actualCost))
  }

  /** Takes units whatever is left: a penalty, which may put the key into debt. */
  async charge(key: string, units: number): Promise<void> {
    requireUnits(units)
    await this.#endingLeases(key, () => this.#change(key, (stub, subject) => stub.charge(subject, units), this.#once))
  }

  /** Denies a key for a time from now, in place of an earlier block; 1 ms … 10 years. */
  async block(key: string, duration: Duration): Promise<void> {
    const durationMs = parseDurationArgument("block", "duration", duration)
    const block = (stub: ObjectStub, subject: Subject) => stub.block(subject, durationMs)
    await this.#endingLeases(key, () => this.#change(key, block, this.#repeatable))
  }

  /** Ends a block. Whether there was one that still lasted. */
  async unblock(key: string): Promise<boolean> {
    return this.#change(key, (stub, subject) => stub.unblock(subject), this.#once)
  }

  /** Makes a key's quota full, ends its block and closes its receipts. Whether there was anything to forget. */
  async reset(key: string): Promise<boolean> {
    const reset = () => this.#change(key, (stub, subject) => stub.reset(subject), this.#once)
    return this.#leased === null ? reset() : this.#leased.forget(key, reset)
  }

  /** A key's state without a check, in its object: units of a `lease` are used there. */
  async status(key: string): Promise<KeyStatus> {
    return this.#call(key, (stub, subject) => stub.status(subject), this.#repeatable)
  }

  /** A key's statistics since its object was last wiped. */
  async stats(key: string): Promise<KeyStats> {
    return this.#call(key, (stub, subject) => stub.stats(subject), this.#repeatable)
  }

  /** Has a key's object read its whole log anew and compare it with its state. @throws {StoreCorrupt} {StoreVersion} */
  async verify(key: string): Promise<Verification> {
    return this.#call(key, (stub) => stub.verify(), this.#repeatable)
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
    return {
      binding: this.#binding,
      calls: this.#calls,
      object: this.#places.objectOf(key),
      scope: this.#places.scope,
      check: { subject: this.#places.subjectOf(key), cost, ...(id !== undefined && { id }) },
      timeoutMs: this.#once.timeoutMs,
      policy: this.policy,
      denialCache: this.denialCache,
      cacheName: this.#places.cacheName(key),
      background: this.#background,
    }
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
      this.denialCache?.forget(this.#places.cacheName(receipt.key))
      return true
    }
    try {
      return await this.#change(receipt.key, (stub, subject) => stub.settle(subject, receipt, units), this.#repeatable)
    } catch (error) {
      this.#leased?.reopen(receipt)
      throw error
    }
  }

  /** Draws units for a lease; the denial that it brings is remembered. */
  async #draw(key: string, request: DrawRequest): Promise<Drawn> {
    const name = this.#places.cacheName(key)
    const ticket = this.denialCache?.ticket()
    const drawn = await this.#call(key, (stub, subject) => stub.draw(subject, request), this.#repeatable)
    const decision = receiveDecision(drawn.decision)
    const denial = drawn.denial && receiveDecision(drawn.denial)
    if (ticket !== undefined) {
      for (const told of [decision, denial]) {
        if (told !== null) this.denialCache?.note(name, this.policy, told, ticket)
      }
    }
    return { decision, denial }
  }

  async #giveBack({ receipt, units }: UnusedUnits): Promise<void> {
    await this.#call(receipt.key, (stub, subject) => stub.settle(subject, receipt, units), this.#repeatable)
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

  /** A check by an object. A question goes alone: it does not keep an object busy. */
  #ask(key: string, cost: number, id: string | undefined, maxDelayMs: number | undefined): Promise<string> {
    const object = this.#places.objectOf(key)
    const { subjectText } = this.#places
    const alone = () => {
      const ask = (stub: ObjectStub) => {
        if (maxDelayMs !== undefined) return stub.decide(key, subjectText, cost, id, maxDelayMs)
        return id === undefined ? stub.decide(key, subjectText, cost) : stub.decide(key, subjectText, cost, id)
      }
      return this.#calls.call(object, ask, id === undefined ? this.#once : this.#repeatable)
    }
    if (this.#sharing === null || cost === 0) return alone()
    const check = { key, cost, ...(id !== undefined && { id }), ...(maxDelayMs !== undefined && { maxDelayMs }) }
    return this.#sharing.ask(object, check, alone)
  }

  /** What changes when a key is admitted, or how long it waits, is not to be answered for by what was known before. */
  async #change<T>(
    key: string,
    ask: (stub: ObjectStub, subject: Subject) => Promise<T> | T,
    manner: CallManner,
  ): Promise<T> {
    this.denialCache?.forget(this.#places.cacheName(key))
    try {
      return await this.#call(key, ask, manner)
    } finally {
      this.denialCache?.forget(this.#places.cacheName(key))
    }
  }

  #call<T>(key: string, ask: (stub: ObjectStub, subject: Subject) => Promise<T> | T, manner: CallManner): Promise<T> {
    requireKey(key)
    const subject = this.#places.subjectOf(key)
    return this.#calls.call(this.#places.objectOf(key), (stub) => ask(stub, subject), manner)
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
