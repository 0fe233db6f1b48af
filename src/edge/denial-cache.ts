import { BoundedMap } from "../lib/bounded-map.js"
import { withReason } from "../limiter/denied-by-block.js"
import { nextHoldMs } from "../limiter/next-hold.js"
import type { Policy } from "../policy/policy.js"
import { CLOCK, type Kinds, requireFields, whole } from "../policy/require-fields.js"
import { type Clock, systemClock } from "../types/clock.js"
import type { Decision } from "../types/decision.js"
import { termsOf } from "./denial-terms.js"
import { HoldCache } from "./hold-cache.js"
import { KeyChanges, type Ticket } from "./key-changes.js"
import { laterDenial, tellsWaitOf, tellsWholeWaits } from "./later-denial.js"
import { LookCache } from "./look-cache.js"

export interface DenialCacheOptions {
  /**
   * The most keys remembered of each kind (denials, holds of a `leaky_bucket`, looks beside a denial), 1 … 2^24;
   * default 10,000. Beyond, the one noted longest ago goes.
   */
  readonly maxKeys?: number | undefined
  /**
   * Each is remembered at most so long, ms, 1 … 2^31; default 10,000. It bounds how long a key that somebody else
   * reset, unblocked or refunded is still denied here.
   */
  readonly maxAgeMs?: number | undefined
  /** Tells how much time passed, never which time it is; default the machine's. */
  readonly clock?: Clock | undefined
}

interface Denial {
  readonly policy: string
  readonly decision: Decision
  /** When the limiter was asked: its own clock was not earlier when it denied. */
  readonly askedAtMs: number
  /** When its answer came: its own clock was not later when it denied. */
  readonly toldAtMs: number
  readonly untilMs: number
  /**
   * Greater costs that were left to the limiter, since this denial does not tell how long they wait, and their denials.
   */
  readonly greater: Map<number, Denial | null>
}

const KINDS: Kinds<DenialCacheOptions> = { maxKeys: whole(1, 2 ** 24), maxAgeMs: whole(1, 2 ** 31), clock: CLOCK }
const DEFAULT_KEYS = 10_000
const DEFAULT_AGE_MS = 10_000
/**
 * So many greater costs a denial leaves to the limiter: whoever asks for ever new ones is told to wait for too long.
 */
const MAX_GREATER = 4

/**
 * Denials that a limiter far away told, so that repeating the question until the time to retry costs no call.
 *
 * A denial of a cost answers that cost and greater ones, never smaller ones. A few greater ones are left to the limiter
 * where the denial does not tell how long they wait. It answers until its retry time, counted from before the question:
 * so it is never told too long, whatever the clocks say. Under a policy with a `block` it answers only while the block
 * lasts, for the next denial begins another one. A change of the key made through the same cache drops it at once; one
 * made elsewhere is seen `maxAgeMs` later at most.
 */
export class DenialCache {
  /**
   * Keys whose next request would be held.
   *
   * @internal
   */
  readonly holds: HoldCache
  /**
   * What is shown beside a denial.
   *
   * @internal
   */
  readonly looks: LookCache
  readonly #maxAgeMs: number
  readonly #clock: Clock
  readonly #denials: BoundedMap<string, Denial>
  readonly #changes = new KeyChanges()
  #hits = 0

  /** @throws {RangeError} where an option cannot be, or there is none of its name */
  constructor(options: DenialCacheOptions = {}) {
    requireFields("make a denial cache", options, KINDS)
    const { maxKeys = DEFAULT_KEYS, maxAgeMs = DEFAULT_AGE_MS, clock = systemClock } = options
    this.#denials = new BoundedMap(maxKeys)
    this.#maxAgeMs = maxAgeMs
    this.#clock = clock
    this.holds = new HoldCache({ maxKeys, maxAgeMs, clock })
    this.looks = new LookCache({ maxKeys, maxAgeMs, clock })
  }

  /** How many keys are remembered, those whose time is over and that nobody asked about included. */
  get size(): number {
    return this.#denials.size
  }

  /** How many checks were answered from here. The limiter did not count them. */
  get hits(): number {
    return this.#hits + this.holds.hits
  }

  /** Taken before a question, for `note`. */
  ticket(): Ticket {
    return this.#changes.ticket(this.#clock.now())
  }

  /**
   * The answer to a check, if it is known. Its `retryAfterMs` is enough, counted from when the limiter's answer came:
   * so it is too long by the way of that answer at most, for the cost that was denied.
   *
   * @param name of the key among all that share this cache
   * @param policy a denial under another one says nothing
   */
  find(name: string, policy: Policy, cost: number): Decision | null {
    const denial = this.#answering(name, policy, cost)
    if (denial === null) return null
    this.#hits += 1
    const elapsedMs = Math.max(0, this.#clock.now() - denial.toldAtMs)
    return withReason(laterDenial(denial.decision, policy, cost, elapsedMs), "cached", isByBlock(denial.decision))
  }

  /**
   * Whether a denial is known that neither tells of a block nor began one.
   *
   * @internal
   */
  isOverLimit(name: string, policy: Policy, cost: number): boolean {
    const denial = this.#known(name, policy, cost)
    return denial !== null && !isByBlock(denial.decision)
  }

  /** The denial that tells how long a cost waits; `null` where that is for the limiter to tell. */
  #answering(name: string, policy: Policy, cost: number): Denial | null {
    const known = this.#known(name, policy, cost)
    if (known === null || tellsWaitOf(known.decision, cost)) return known
    const own = known.greater.get(cost)
    if (own && this.#clock.now() < own.untilMs) return own
    if (own === undefined && known.greater.size >= MAX_GREATER) return known
    // Not counted again, so that the same checks are told the same, be the limiter asked or not.
    if (own === undefined) known.greater.set(cost, null)
    return null
  }

  #known(name: string, policy: Policy, cost: number): Denial | null {
    // A name that was just put together has to be hashed, which costs its length: an empty cache is not asked.
    if (this.#denials.size === 0) return null
    const denial = this.#denials.get(name)
    if (denial === undefined) return null
    const nowMs = this.#clock.now()
    if (nowMs >= denial.untilMs || nowMs < denial.askedAtMs || denial.policy !== policy.canonical) {
      this.#denials.delete(name)
      return null
    }
    const { maximumCost = cost } = termsOf(denial.decision)
    return cost < denial.decision.cost || cost > maximumCost ? null : denial
  }

  /**
   * Remembers what a question was told, unless it answers nothing or the key was changed meanwhile: a denial, and how
   * long the next request would be held. A smaller cost that was charged makes the denied one wait longer than was
   * told, so that is forgotten; so is a hold where the key was denied, which may have blocked it for longer.
   */
  note(name: string, policy: Policy, decision: Decision, ticket: Ticket): void {
    if (decision.allowed) this.#forgetAbove(name, decision.cost)
    else this.holds.forget(name)
    if (!answersLater(decision) || this.#changes.isChanged(name, ticket)) return
    if (decision.allowed) this.holds.note(name, policy, decision, ticket.askedAtMs)
    else this.#noteDenial(name, policy.canonical, decision, ticket.askedAtMs)
  }

  /** Forgets a denial of more than what was charged. */
  #forgetAbove(name: string, cost: number): void {
    // As in `find`, an empty cache is not asked.
    if (cost === 0 || this.#denials.size === 0) return
    const known = this.#denials.get(name)
    if (known !== undefined && cost < known.decision.cost) this.#denials.delete(name)
  }

  #noteDenial(name: string, policy: string, decision: Decision, askedAtMs: number): void {
    const toldAtMs = this.#clock.now()
    const found = this.#denials.get(name)
    const known = found?.policy === policy ? found : undefined
    const isLive = known !== undefined && toldAtMs < known.untilMs
    const untilMs = askedAtMs + Math.min(answersMs(decision), this.#maxAgeMs)
    const greater = isLive ? greaterThan(decision, known) : new Map()
    const denial: Denial = { policy, decision, askedAtMs, toldAtMs, untilMs, greater }
    // A denial of a smaller cost answers more questions, so it is the one to keep.
    if (known !== undefined && known.decision.cost < decision.cost) {
      if (isLive && !tellsWaitOf(known.decision, decision.cost)) {
        noteGreater(known, denial)
        return
      }
      if (known.untilMs >= untilMs) return
    }
    if (untilMs > askedAtMs) this.#denials.set(name, denial)
    else this.#denials.delete(name)
  }

  /** Forgets a key that is being changed, and what questions under way will be told of it. */
  forget(name: string): void {
    this.#changes.note(name)
    this.#denials.delete(name)
    this.looks.forget(name)
    this.holds.forget(name)
  }
}

/**
 * Whether an answer says something of later checks: a denial does, and an admission after which the next one is held.
 */
function answersLater(decision: Decision): boolean {
  return decision.cost > 0 && (!decision.allowed || nextHoldMs(decision) > 0)
}

/**
 * How long from the question on a denial answers others: until the time to retry, under a `block` until that ends. Not
 * at all where it tells of more than 2,230 years: so deep in debt is no key by accident, and its waits may be longer in
 * truth.
 */
function answersMs(denial: Decision): number {
  if (!tellsWholeWaits(denial)) return 0
  const { retryAfterMs } = denial
  const { blockedForMs = retryAfterMs } = termsOf(denial)
  return Math.min(retryAfterMs, blockedForMs)
}

/**
 * Remembers with a denial that of a greater cost, for which it does not tell the wait. It answers its own cost alone.
 */
function noteGreater({ greater }: Denial, denial: Denial): void {
  const { cost } = denial.decision
  if (greater.has(cost) || greater.size < MAX_GREATER) greater.set(cost, denial)
}

/** What stays known of greater costs when a denial takes the place of one of its own cost or a greater one. */
function greaterThan(decision: Decision, known: Denial): Map<number, Denial | null> {
  if (known.decision.cost < decision.cost) return new Map()
  const greater = new Map(known.greater)
  if (tellsWaitOf(decision, known.decision.cost)) return greater
  if (greater.size >= MAX_GREATER) greater.delete(greater.keys().next().value!)
  return greater.set(known.decision.cost, known)
}

/** Whether a denial that is remembered tells of a block, or began one: under a policy with one each of them does. */
function isByBlock(denial: Decision): boolean {
  return denial.reason === "blocked" || termsOf(denial).blockedForMs !== undefined
}
