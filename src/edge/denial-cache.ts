import { withReason } from "../limiter/denied-by-block.js"
import { CLOCK, checkFields, type Kinds, whole } from "../policy/check-fields.js"
import type { Policy } from "../policy/policy.js"
import { type Clock, systemClock } from "../types/clock.js"
import type { Decision } from "../types/decision.js"
import { termsOf } from "./denial-terms.js"
import { KEY_SLOTS, keySlotOf } from "./key-slot.js"
import { laterDenial, tellsWaitOf } from "./later-denial.js"
import { LookBudget } from "./look-budget.js"

export interface DenialCacheOptions {
  /** The most keys remembered, 1 … 2^24; default 10,000. Beyond, the one that was denied first is forgotten. */
  readonly maxKeys?: number | undefined
  /**
   * A denial is remembered at most so long, ms, 1 … 2^31; default 10,000. It bounds how long a key that somebody else
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
  /** Greater costs that were left to the limiter, since this denial does not tell how long they wait, and their denials. */
  readonly greater: Map<number, Denial | null>
}

/** What was told of a key beside another that denied. */
interface Beside {
  readonly policy: string
  readonly decision: Decision
  readonly toldAtMs: number
}

/** What was told of a key under a `leaky_bucket`, which holds the next request until its bucket is empty. */
interface Hold extends Beside {
  readonly askedAtMs: number
}

/** Taken before a question is asked, so that its answer can tell whether the key was changed meanwhile. */
export interface Ticket {
  readonly askedAtMs: number
  /** How many changes of keys there were. */
  readonly changes: number
}

const KINDS: Kinds<DenialCacheOptions> = { maxKeys: whole(1, 2 ** 24), maxAgeMs: whole(1, 2 ** 31), clock: CLOCK }
const DEFAULT_KEYS = 10_000
const DEFAULT_AGE_MS = 10_000
/** So many greater costs a denial leaves to the limiter: whoever asks for ever new ones is told to wait for too long. */
const MOST_GREATER = 4
/** How long a look beside a denial is not made again where it got no answer, ms. */
const UNANSWERED_MS = 5_000

/**
 * Denials that a limiter far away told, so that repeating the question until the time to retry costs no call.
 *
 * A denial of a cost answers that cost and greater ones, never smaller ones. A few greater ones are left to the limiter
 * where the denial does not tell how long they wait. It answers until its retry time, counted from before the question: so
 * it is never told too long, whatever the clocks say. Under a policy with a `block` it answers only while the block lasts,
 * for the next denial begins another one. A change of the key made through the same cache drops it at once; one made
 * elsewhere is seen `maxAgeMs` later at most.
 */
export class DenialCache {
  readonly #maxKeys: number
  readonly #maxAgeMs: number
  readonly #clock: Clock
  readonly #denials = new Map<string, Denial>()
  readonly #beside = new Map<string, Beside>()
  readonly #holds = new Map<string, Hold>()
  readonly #looks = new LookBudget()
  /** How many changes there were when the last of a group came: sharing one only means that a denial is not remembered. */
  readonly #changedAt = new Float64Array(KEY_SLOTS)
  #changes = 0
  #hits = 0

  /** @throws {RangeError} where an option cannot be, or there is none of its name */
  constructor(options: DenialCacheOptions = {}) {
    checkFields("make a denial cache", options, KINDS)
    const { maxKeys = DEFAULT_KEYS, maxAgeMs = DEFAULT_AGE_MS, clock = systemClock } = options
    this.#maxKeys = maxKeys
    this.#maxAgeMs = maxAgeMs
    this.#clock = clock
  }

  /** How many keys are remembered, those whose time is over and that nobody asked about included. */
  get size(): number {
    return this.#denials.size
  }

  /** How many checks were answered from here. The limiter did not count them. */
  get hits(): number {
    return this.#hits
  }

  /** Taken before a question, for `note`. */
  ticket(): Ticket {
    return { askedAtMs: this.#clock.now(), changes: this.#changes }
  }

  /**
   * The answer to a check, if it is known. Its `retryAfterMs` is enough, counted from when the limiter's answer came: so it
   * is too long by the way of that answer at most, for the cost that was denied.
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
   * What a check would be told that may not be held for longer than a time, where it is known that it would be: an
   * admission that charged nothing, with the delay.
   *
   * @internal
   */
  findHeld(name: string, policy: Policy, cost: number, maxDelayMs: number): Decision | null {
    const hold = this.#knownHold(name, policy, cost, maxDelayMs)
    if (hold === null) return null
    this.#hits += 1
    const elapsedMs = Math.max(0, this.#clock.now() - hold.toldAtMs)
    return { ...laterAdmission(nextAdmission(hold.decision), elapsedMs), cost, reason: "cached" }
  }

  /**
   * Whether `findHeld` would answer.
   *
   * @internal
   */
  isHeld(name: string, policy: Policy, cost: number, maxDelayMs: number): boolean {
    return this.#knownHold(name, policy, cost, maxDelayMs) !== null
  }

  #knownHold(name: string, { canonical: policy }: Policy, cost: number, maxDelayMs: number): Hold | null {
    if (this.#holds.size === 0) return null
    const hold = this.#holds.get(name)
    if (hold === undefined) return null
    const { decision } = hold
    const ageMs = this.#clock.now() - hold.askedAtMs
    if (ageMs < 0 || ageMs >= this.#maxAgeMs || hold.policy !== policy) {
      this.#holds.delete(name)
      return null
    }
    // A rule that has too little left may tell a longer wait.
    return hasRoom(decision, cost) && nextHoldMs(decision) - ageMs > maxDelayMs ? hold : null
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
    if (own === undefined && known.greater.size >= MOST_GREATER) return known
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
   * long the next request would be held. A smaller cost that was charged makes the denied one wait longer than was told,
   * so that is forgotten; so is a hold where the key was denied, which may have blocked it for longer.
   */
  note(name: string, { canonical: policy }: Policy, decision: Decision, ticket: Ticket): void {
    const { allowed, cost, retryAfterMs } = decision
    if (allowed) this.#forgetAbove(name, cost)
    else this.#holds.delete(name)
    const holdMs = allowed ? nextHoldMs(decision) : 0
    if ((allowed && holdMs === 0) || cost === 0 || ticket.changes < this.#changedAt[keySlotOf(name)]!) return
    if (allowed) {
      this.#holds.delete(name)
      if (this.#holds.size >= this.#maxKeys) this.#holds.delete(this.#holds.keys().next().value!)
      this.#holds.set(name, { policy, decision, askedAtMs: ticket.askedAtMs, toldAtMs: this.#clock.now() })
      return
    }
    const { blockedForMs = retryAfterMs } = termsOf(decision)
    const { askedAtMs } = ticket
    const untilMs = askedAtMs + Math.min(retryAfterMs, blockedForMs, this.#maxAgeMs)
    const toldAtMs = this.#clock.now()
    const known = this.#denials.get(name)
    const greater = known?.policy === policy && toldAtMs < known.untilMs ? greaterThan(decision, known) : new Map()
    const denial: Denial = { policy, decision, askedAtMs, toldAtMs, untilMs, greater }
    // A denial of a smaller cost answers more questions, so it is the one to keep.
    if (known !== undefined && known.policy === policy && known.decision.cost < cost) {
      if (toldAtMs < known.untilMs && !tellsWaitOf(known.decision, cost)) {
        // It answers its own cost alone.
        if (known.greater.has(cost) || known.greater.size < MOST_GREATER) known.greater.set(cost, denial)
        return
      }
      if (known.untilMs >= untilMs) return
    }
    this.#denials.delete(name)
    if (untilMs <= askedAtMs) return
    if (this.#denials.size >= this.#maxKeys) this.#denials.delete(this.#denials.keys().next().value!)
    this.#denials.set(name, denial)
  }

  /** Forgets a denial of more than what was charged. */
  #forgetAbove(name: string, cost: number): void {
    // As in `find`, an empty cache is not asked.
    if (cost === 0 || this.#denials.size === 0) return
    const known = this.#denials.get(name)
    if (known !== undefined && cost < known.decision.cost) this.#denials.delete(name)
  }

  /**
   * Remembers what the same check would be told of a key, as a look at it told beside another that denied, or as it was
   * told when it was charged; with the reason `fail-open` that a look got no answer.
   *
   * @internal
   */
  noteBeside(name: string, { canonical: policy }: Policy, told: Decision): void {
    this.#beside.delete(name)
    const isCharged = told.receipt !== undefined
    if (isCharged && !hasRoom(told, told.cost)) return
    const decision = isCharged ? nextAdmission(told) : told
    if (this.#beside.size >= this.#maxKeys) this.#beside.delete(this.#beside.keys().next().value!)
    this.#beside.set(name, { policy, decision, toldAtMs: this.#clock.now() })
  }

  /**
   * What `noteBeside` was told last of the same check, lately. It decides nothing: it is shown beside a denial.
   *
   * @internal
   */
  findBeside(name: string, policy: Policy, cost: number): Decision | null {
    const told = this.#beside.get(name)
    if (told === undefined) return null
    const ageMs = this.#clock.now() - told.toldAtMs
    const { decision } = told
    const maxAgeMs = decision.reason === "fail-open" ? Math.min(UNANSWERED_MS, this.#maxAgeMs) : this.#maxAgeMs
    if (ageMs < 0 || ageMs >= maxAgeMs || told.policy !== policy.canonical || decision.cost !== cost) return null
    if (decision.allowed) return laterAdmission(decision, ageMs)
    return ageMs < decision.retryAfterMs ? laterDenial(decision, policy, cost, ageMs) : null
  }

  /**
   * How many of the objects that are to be looked at beside the denial of a key may be. They count as looked at.
   *
   * @internal
   */
  takeLooks(name: string, wanted: number): number {
    return this.#looks.take(name, wanted, this.#clock.now())
  }

  /** Forgets a key that is being changed, and what questions under way will be told of it. */
  forget(name: string): void {
    this.#changedAt[keySlotOf(name)] = ++this.#changes
    this.#denials.delete(name)
    this.#beside.delete(name)
    this.#holds.delete(name)
  }
}

/** What stays known of greater costs when a denial takes the place of one of its own cost or a greater one. */
function greaterThan(decision: Decision, known: Denial): Map<number, Denial | null> {
  if (known.decision.cost < decision.cost) return new Map()
  const greater = new Map(known.greater)
  if (tellsWaitOf(decision, known.decision.cost)) return greater
  if (greater.size >= MOST_GREATER) greater.delete(greater.keys().next().value!)
  return greater.set(known.decision.cost, known)
}

/** Whether a denial that is remembered tells of a block, or began one: under a policy with one each of them does. */
function isByBlock(denial: Decision): boolean {
  return denial.reason === "blocked" || termsOf(denial).blockedForMs !== undefined
}

/** Whether all rules have so much left. */
function hasRoom(decision: Decision, cost: number): boolean {
  return (decision.rules ?? [decision]).every(({ remaining }) => remaining >= cost)
}

/** What the next request is told, where one was admitted that left enough for it. */
function nextAdmission(decision: Decision): Decision {
  return { ...decision, delayMs: nextHoldMs(decision) }
}

/** How long a request that comes next would be held: until every leaky bucket is empty. */
function nextHoldMs({ algorithm, resetAfterMs, rules }: Decision): number {
  if (rules === undefined) return algorithm === "leaky_bucket" ? resetAfterMs : 0
  return Math.max(0, ...rules.map((rule) => (rule.algorithm === "leaky_bucket" ? rule.resetAfterMs : 0)))
}

/** An admission as it stands after a time in which nothing came. What came back meanwhile is not counted as left. */
function laterAdmission(decision: Decision, elapsedMs: number): Decision {
  const { receipt: _receipt, rules: told, ...rest } = { ...decision }
  const afterMs = (ms: number) => Math.max(0, ms - elapsedMs)
  const rules = told?.map((rule) => ({ ...rule, resetAfterMs: afterMs(rule.resetAfterMs) }))
  const later = { resetAfterMs: afterMs(decision.resetAfterMs), delayMs: afterMs(decision.delayMs) }
  return { ...rest, ...later, ...(rules && { rules }) }
}
