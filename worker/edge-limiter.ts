import { requireKey } from "../src/engine/key-bytes.js"
import type { Verification } from "../src/ledger/ledger-log.js"
import { costOf, requireActualCost, requireItems, requireRefund, requireUnits } from "../src/limiter/check-options.js"
import { DenialCache, laterDenial } from "../src/limiter/denial-cache.js"
import type { DrawRequest, UnusedUnits } from "../src/limiter/lease-draw.js"
import { LeasePool, type Waited } from "../src/limiter/lease-pool.js"
import { isLeaseReceipt } from "../src/limiter/lease-receipt.js"
import type { Limiter } from "../src/limiter/limiter.js"
import { parseDurationArgument } from "../src/policy/parse-duration.js"
import { parsePolicy } from "../src/policy/parse-policy.js"
import type { Duration, Policy, PolicyInput } from "../src/policy/policy.js"
import type { Decision } from "../src/types/decision.js"
import { CostError, LimitNotFound, StoreUnavailable, show } from "../src/types/errors.js"
import type { AllDecision, CheckItem, CheckOptions, KeyStats, KeyStatus } from "../src/types/limiter.js"
import type { Receipt } from "../src/types/receipt.js"
import { CallSharing } from "./call-sharing.js"
import { type CheckPart, checkAcross } from "./check-across.js"
import { readDecision } from "./decision-text.js"
import { type EdgeLimiterOptions, readLease, requireEdgeOptions, requireNamespace } from "./edge-options.js"
import { giveBackIdle, waitForDraw } from "./lease-timers.js"
import type { LimiterObject } from "./limiter-object.js"
import { type CallManner, ObjectCalls, type ObjectStub, TOGETHER_TIMEOUT_MS } from "./object-calls.js"
import { keyObjectName, ownerObjectName, shardObjectName, shardOf } from "./object-name.js"
import type { Subject, Terms } from "./subject.js"

const ONCE: CallManner = { repeatable: false }
const REPEATABLE: CallManner = { repeatable: true }
/** Parts a tenant from a limit's name, which has no tab. */
const TENANT_MARK = "\t"

/** How often a check waits for others' draws before it asks for itself. */
const LEASE_TURNS = 8

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
 * import { EdgeLimiter } from "sluice/worker"
 *
 * const limiter = new EdgeLimiter(env.LIMITER, "100/minute")
 * const decision = await limiter.check("user:42")
 * ```
 */
export class EdgeLimiter implements Limiter {
  readonly policy: Policy
  /** Where denials are remembered; `null` where they are not. Its `hits` are denials that no object counted. */
  readonly denialCache: DenialCache | null
  readonly #binding: object
  readonly #calls: ObjectCalls
  readonly #name: string
  readonly #scope: string
  readonly #shards: number | undefined
  readonly #owner: EdgeLimiterOptions["owner"]
  readonly #subjectLimit: Omit<Subject, "key">
  /** `null` where a call would end with the request that makes it, or others could not wait for it. */
  readonly #sharing: CallSharing | null
  readonly #leases: LeasePool | null
  readonly #leaseTtlMs: number
  /** `#subjectLimit`, as checks send it. */
  readonly #terms: Terms
  readonly #timeout: { readonly timeoutMs?: number }
  readonly #once: CallManner
  readonly #repeatable: CallManner
  readonly #background: (work: Promise<unknown>) => void
  readonly #maximumCost: number

  /** @throws {PolicyError} where the policy is not valid; {RangeError} where the binding is none, or an option is not */
  constructor(binding: DurableObjectNamespace<LimiterObject>, policy: PolicyInput, options: EdgeLimiterOptions = {}) {
    requireNamespace(binding)
    requireEdgeOptions(options)
    this.policy = parsePolicy(policy)
    const { name = defaultName(this.policy), tenant, shards, owner, sync, denialCache, timeoutMs, background } = options
    const lease = readLease(options.lease)
    this.#binding = binding
    this.#calls = new ObjectCalls(binding, options)
    this.#name = tenant === undefined ? name : `${encodeURIComponent(tenant)}${TENANT_MARK}${name}`
    this.#scope = `${options.jurisdiction ?? ""}\n`
    this.#shards = shards
    this.#owner = owner
    this.#subjectLimit = {
      policy: this.policy.canonical,
      ...(owner !== undefined && { limit: this.#name }),
      ...(sync !== undefined && { sync }),
    }
    this.#leases = lease && new LeasePool(lease)
    this.#leaseTtlMs = lease?.ttlMs ?? 0
    this.#terms = JSON.stringify(this.#subjectLimit)
    this.#timeout = timeoutMs === undefined ? {} : { timeoutMs }
    this.#once = { ...ONCE, ...this.#timeout }
    this.#repeatable = { ...REPEATABLE, ...this.#timeout }
    this.#background = background ?? (() => undefined)
    this.#sharing =
      background === undefined || !CallSharing.isPossible()
        ? null
        : new CallSharing({
            calls: this.#calls,
            terms: this.#terms,
            timeoutMs: timeoutMs ?? TOGETHER_TIMEOUT_MS,
            background,
          })
    this.#maximumCost = Math.min(...this.policy.rules.map((rule) => rule.capacity))
    this.denialCache = denialCache === false ? null : (denialCache ?? sharedCacheOf(binding))
  }

  /** Calls to objects made so far. */
  get calls(): number {
    return this.#calls.made
  }

  /**
   * Asks and charges. An admission is durable when it is told, as far as `sync` promises.
   *
   * @throws {CostError} {KeyError} {RangeError} before any call; {StoreUnavailable} {StoreCorrupt} {StoreVersion}
   */
  async check(key: string, options?: CheckOptions): Promise<Decision> {
    const cost = this.#costOf(key, options)
    const id = options?.id
    // What was admitted under an id is told again whatever came since.
    if (id !== undefined) return this.#checkByObject(key, cost, id)
    const known = this.denialCache?.find(this.#cacheName(key), this.policy, cost)
    if (known) return known
    if (this.#leases?.takes(cost)) return this.#checkLeased(this.#leases, key, cost)
    return this.#checkByObject(key, cost)
  }

  /**
   * All or nothing, in one round trip where all are admitted: the keys' objects are asked at the same time, and where one
   * denies, what the others charged is given back. Keys of one object are one transaction.
   *
   * @throws {RangeError} where the items are none, or one key comes twice; as `check`, when all was given back
   */
  async checkAll(items: readonly CheckItem[]): Promise<AllDecision> {
    requireItems(items)
    for (const { limit } of items) {
      if (limit !== undefined && limit !== this.policy.name) {
        throw new LimitNotFound(limit, "limit", `this limiter has one limit, ${show(this.policy.name)}`)
      }
    }
    return checkAcross(items.map(({ key, cost }) => ({ limiter: this, key, ...(cost !== undefined && { cost }) })))
  }

  /** `checkAll`, but only whether. */
  async allowAll(items: readonly CheckItem[]): Promise<boolean> {
    return (await this.checkAll(items)).allowed
  }

  /** What `check` would say, charging nothing. */
  async peek(key: string, options?: CheckOptions): Promise<Decision> {
    const cost = this.#costOf(key, options)
    return this.#call(key, (stub, subject) => stub.peek(subject, cost, options?.id), REPEATABLE)
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
    await this.#settle(receipt, requireRefund(receipt, units))
  }

  /** Tells what a check cost in the end: less is refunded, more is charged as debt. A receipt settles once. */
  async settle(receipt: Receipt, actualCost: number): Promise<void> {
    requireActualCost(receipt, actualCost)
    await this.#settle(receipt, receipt.cost - actualCost)
  }

  /** Takes units whatever is left: a penalty, which may put the key into debt. */
  async charge(key: string, units: number): Promise<void> {
    requireUnits(units)
    await this.#call(key, (stub, subject) => stub.charge(subject, units), ONCE)
  }

  /** Denies a key for a time from now, in place of an earlier block; 1 ms … 10 years. */
  async block(key: string, duration: Duration): Promise<void> {
    const durationMs = parseDurationArgument("block", "duration", duration)
    this.#giveBack(this.#leases?.revoke(key))
    try {
      await this.#change(key, (stub, subject) => stub.block(subject, durationMs), REPEATABLE)
    } finally {
      // Draws that came before the block may have brought units since.
      this.#giveBack(this.#leases?.revoke(key))
    }
  }

  /** Ends a block. Whether there was one. */
  async unblock(key: string): Promise<boolean> {
    return this.#change(key, (stub, subject) => stub.unblock(subject), ONCE)
  }

  /** Makes a key's quota full and ends its block. Whether there was anything to forget. */
  async reset(key: string): Promise<boolean> {
    this.#leases?.forget(key)
    try {
      return await this.#change(key, (stub, subject) => stub.reset(subject), ONCE)
    } finally {
      this.#leases?.forget(key)
    }
  }

  /** A key's state without a check. */
  async status(key: string): Promise<KeyStatus> {
    return this.#call(key, (stub, subject) => stub.status(subject), REPEATABLE)
  }

  /** A key's statistics since its object was last wiped. */
  async stats(key: string): Promise<KeyStats> {
    return this.#call(key, (stub, subject) => stub.stats(subject), REPEATABLE)
  }

  /** Has a key's object read its whole log anew and compare it with its state. @throws {StoreCorrupt} {StoreVersion} */
  async verify(key: string): Promise<Verification> {
    return this.#call(key, (stub) => stub.verify(), REPEATABLE)
  }

  /**
   * What `checkAcross` needs of a check.
   *
   * @throws {CostError} {KeyError} {RangeError}
   * @internal
   */
  partOf({ key, cost }: Pick<CheckItem, "key" | "cost">): CheckPart {
    const checked = this.#costOf(key, cost === undefined ? {} : { cost })
    requireKey(key)
    return {
      binding: this.#binding,
      calls: this.#calls,
      object: this.#objectName(key),
      scope: this.#scope,
      check: { subject: this.#subject(key), cost: checked },
      timeoutMs: this.#timeout.timeoutMs,
      policy: this.policy,
      denialCache: this.denialCache,
      cacheName: this.#cacheName(key),
      background: this.#background,
    }
  }

  /** Spends units that are here, and draws new ones when they get low. */
  async #checkLeased(leases: LeasePool, key: string, cost: number): Promise<Decision> {
    requireKey(key)
    let waited: Waited = "answered"
    for (let turn = 0; turn < LEASE_TURNS; turn++) {
      const askedAtMs = Date.now()
      const spent = leases.spend(key, cost, askedAtMs)
      if (spent === null && typeof waited === "object" && waited.cost <= cost) {
        return laterDenial(waited, this.policy, cost, 0)
      }
      const request = leases.begin(key, spent === null ? cost : 0, askedAtMs)
      this.#giveBack(leases.takeEvicted())
      if (request !== null) return this.#draw(leases, key, { request, spent, askedAtMs })
      if (spent !== null) return spent
      waited = await waitForDraw(leases, key, cost)
      // Were every check that waited to ask for itself, an object with too much to do would get all the more.
      if (waited === "lost") throw new StoreUnavailable("the Durable Object did not answer a draw in time")
    }
    return this.#checkByObject(key, cost)
  }

  async #draw(
    leases: LeasePool,
    key: string,
    {
      request,
      spent,
      askedAtMs,
    }: { readonly request: DrawRequest; readonly spent: Decision | null; readonly askedAtMs: number },
  ): Promise<Decision> {
    try {
      const name = this.#cacheName(key)
      const ticket = this.denialCache?.ticket()
      const drawn = await this.#call(key, (stub, subject) => stub.draw(subject, request), REPEATABLE)
      const denied = drawn.decision.allowed ? drawn.denial : drawn.decision
      if (ticket !== undefined && denied !== null) this.denialCache?.note(name, this.policy, denied, ticket)
      const decision = leases.end(key, request, drawn, askedAtMs)
      if (leases.hasUnused(key, askedAtMs)) this.#giveBackLater(leases, key)
      return spent ?? decision
    } catch (error) {
      leases.fail(request)
      if (leases.hasUnused(key, askedAtMs)) this.#giveBackLater(leases, key)
      if (spent !== null) return spent
      throw error
    }
  }

  #giveBackLater(leases: LeasePool, key: string): void {
    this.#background(giveBackIdle(leases, key, this.#leaseTtlMs, (unused) => this.#giveBackOne(unused)))
  }

  /** What cannot be given back stays charged, and comes back with time. */
  #giveBack(unused: readonly UnusedUnits[] = []): void {
    if (unused.length === 0) return
    this.#background(Promise.allSettled(unused.map((each) => this.#giveBackOne(each))))
  }

  async #giveBackOne({ receipt, units }: UnusedUnits): Promise<void> {
    await this.#call(receipt.key, (stub, subject) => stub.settle(subject, receipt, units), REPEATABLE)
  }

  async #settle(receipt: Receipt, units: number): Promise<void> {
    const leases = isLeaseReceipt(receipt) ? this.#leases : null
    if (leases?.settle(receipt, units, Date.now()) === "done") return
    try {
      await this.#change(receipt.key, (stub, subject) => stub.settle(subject, receipt, units), REPEATABLE)
    } catch (error) {
      leases?.reopen(receipt)
      throw error
    }
  }

  #costOf(key: string, options: CheckOptions | undefined): number {
    const cost = costOf(key, options)
    if (cost > this.#maximumCost) throw new CostError(key, cost, this.#maximumCost)
    return cost
  }

  #objectName(key: string): string {
    if (this.#shards !== undefined) return shardObjectName(this.#name, shardOf(key, this.#shards), this.#shards)
    if (this.#owner === undefined) return keyObjectName(this.#name, key)
    return ownerObjectName(typeof this.#owner === "string" ? this.#owner : this.#owner(key))
  }

  #subject(key: string): Subject {
    return { key, ...this.#subjectLimit }
  }

  /** The same for the same key of the same limit in the same objects. */
  #cacheName(key: string): string {
    if (this.#shards === undefined && this.#owner === undefined) return `${this.#scope}${this.#name}\n${key}`
    return `${this.#scope}${this.#objectName(key)}\n${this.#name}\n${key}`
  }

  /** A check by an object, whose denial is remembered. */
  async #checkByObject(key: string, cost: number, id?: string): Promise<Decision> {
    requireKey(key)
    const cache = cost === 0 ? null : this.denialCache
    const name = cache === null ? "" : this.#cacheName(key)
    const ticket = cache?.ticket()
    const decision = readDecision(await this.#ask(key, cost, id), key, cost, this.policy)
    if (ticket !== undefined) cache!.note(name, this.policy, decision, ticket)
    return decision
  }

  /** A question goes alone: it does not keep an object busy. */
  #ask(key: string, cost: number, id: string | undefined): Promise<string> {
    const object = this.#objectName(key)
    const alone = () => {
      const ask = (stub: ObjectStub) =>
        id === undefined ? stub.decide(key, this.#terms, cost) : stub.decide(key, this.#terms, cost, id)
      return this.#calls.call(object, ask, id === undefined ? this.#once : this.#repeatable)
    }
    if (this.#sharing === null || cost === 0) return alone()
    return this.#sharing.ask(object, id === undefined ? { key, cost } : { key, cost, id }, alone)
  }

  /** What changes when a key is admitted is not to be answered for by what was known before. */
  async #change<T>(
    key: string,
    ask: (stub: ObjectStub, subject: Subject) => Promise<T> | T,
    manner: CallManner,
  ): Promise<T> {
    this.denialCache?.forget(this.#cacheName(key))
    try {
      return await this.#call(key, ask, manner)
    } finally {
      this.denialCache?.forget(this.#cacheName(key))
    }
  }

  #call<T>(key: string, ask: (stub: ObjectStub, subject: Subject) => Promise<T> | T, manner: CallManner): Promise<T> {
    requireKey(key)
    const subject = this.#subject(key)
    return this.#calls.call(this.#objectName(key), (stub) => ask(stub, subject), { ...manner, ...this.#timeout })
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

function defaultName({ rules, canonical }: Policy): string {
  const [rule] = rules
  return rules.length === 1 && rule.name !== "default" ? rule.name : canonical
}
