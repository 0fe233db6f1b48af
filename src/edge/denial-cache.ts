import { CLOCK, checkFields, type Kinds, whole } from "../policy/check-fields.js"
import { fnv1a } from "../policy/fnv1a.js"
import type { Policy, Rule } from "../policy/policy.js"
import { type Clock, systemClock } from "../types/clock.js"
import type { Decision, RuleDecision } from "../types/decision.js"
import { termsOf } from "./denial-terms.js"

export interface DenialCacheOptions {
  /** The most keys remembered, 1 … 2^24; default 10,000. Beyond, the one that was denied first is forgotten. */
  readonly maxKeys?: number
  /**
   * A denial is remembered at most so long, ms, 1 … 2^31; default 10,000. It bounds how long a key that somebody else
   * reset, unblocked or refunded is still denied here.
   */
  readonly maxAgeMs?: number
  /** Tells how much time passed, never which time it is; default the machine's. */
  readonly clock?: Clock
}

interface Denial {
  readonly policy: string
  readonly decision: Decision
  /** When the limiter was asked: its own clock was not earlier when it denied. */
  readonly askedAtMs: number
  /** When its answer came: its own clock was not later when it denied. */
  readonly toldAtMs: number
  readonly untilMs: number
}

/** What was told of a key that did not deny. */
interface Admissible {
  readonly policy: string
  readonly decision: Decision
  readonly toldAtMs: number
}

/** What was told of a key under a `leaky_bucket`, which holds the next request until its bucket is empty. */
interface Hold extends Admissible {
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
/** Changes are counted for groups of keys: sharing one only means that a denial is not remembered. */
const CHANGE_SLOTS = 1_024

/**
 * Denials that a limiter far away told, so that repeating the question until the time to retry costs no call.
 *
 * A denial of a cost answers that cost and greater ones, never smaller ones, until its retry time as counted from before
 * the question: so it is never told too long, whatever the clocks say. Under a policy with a `block` it answers only while
 * the block lasts, for the next denial begins another one. A change of the key made through the same cache drops it at
 * once; one made elsewhere is seen `maxAgeMs` later at most.
 */
export class DenialCache {
  readonly #maxKeys: number
  readonly #maxAgeMs: number
  readonly #clock: Clock
  readonly #denials = new Map<string, Denial>()
  readonly #beside = new Map<string, Admissible>()
  readonly #holds = new Map<string, Hold>()
  /** How many changes there were when the last of a group came. */
  readonly #changedAt = new Float64Array(CHANGE_SLOTS)
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
    const denial = this.#known(name, policy, cost)
    if (denial === null) return null
    this.#hits += 1
    const elapsedMs = Math.max(0, this.#clock.now() - denial.toldAtMs)
    return { ...laterDenial(denial.decision, policy, cost, elapsedMs), reason: "cached" }
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
   * Whether `find` would answer, and with a denial that neither tells of a block nor began one.
   *
   * @internal
   */
  isOverLimit(name: string, policy: Policy, cost: number): boolean {
    const denial = this.#known(name, policy, cost)
    if (denial === null) return false
    return denial.decision.reason !== "blocked" && termsOf(denial.decision).blockedForMs === undefined
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
    if ((allowed && holdMs === 0) || cost === 0 || ticket.changes < this.#changedAt[slotOf(name)]!) return
    if (allowed) {
      this.#holds.delete(name)
      if (this.#holds.size >= this.#maxKeys) this.#holds.delete(this.#holds.keys().next().value!)
      this.#holds.set(name, { policy, decision, askedAtMs: ticket.askedAtMs, toldAtMs: this.#clock.now() })
      return
    }
    const { blockedForMs = retryAfterMs } = termsOf(decision)
    const untilMs = ticket.askedAtMs + Math.min(retryAfterMs, blockedForMs, this.#maxAgeMs)
    const known = this.#denials.get(name)
    // A denial of a smaller cost answers more questions, so it is the one to keep.
    if (known !== undefined && known.policy === policy && known.decision.cost < cost && known.untilMs >= untilMs) return
    this.#denials.delete(name)
    if (untilMs <= ticket.askedAtMs) return
    if (this.#denials.size >= this.#maxKeys) this.#denials.delete(this.#denials.keys().next().value!)
    const toldAtMs = this.#clock.now()
    this.#denials.set(name, { policy, decision, askedAtMs: ticket.askedAtMs, toldAtMs, untilMs })
  }

  /** Forgets a denial of more than what was charged. */
  #forgetAbove(name: string, cost: number): void {
    // As in `find`, an empty cache is not asked.
    if (cost === 0 || this.#denials.size === 0) return
    const known = this.#denials.get(name)
    if (known !== undefined && cost < known.decision.cost) this.#denials.delete(name)
  }

  /**
   * Remembers what the same check would be told of a key that admits, as it was told beside one that denied, or when it
   * was charged.
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
    if (ageMs < 0 || ageMs >= this.#maxAgeMs || told.policy !== policy.canonical || decision.cost !== cost) return null
    return laterAdmission(decision, ageMs)
  }

  /** Forgets a key that is being changed, and what questions under way will be told of it. */
  forget(name: string): void {
    this.#changedAt[slotOf(name)] = ++this.#changes
    this.#denials.delete(name)
    this.#beside.delete(name)
    this.#holds.delete(name)
  }
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

/**
 * A denial as it stands after a time, for its own cost or a greater one. Its `retryAfterMs` is exact for its own cost,
 * and enough for a greater one.
 */
export function laterDenial(decision: Decision, policy: Policy, cost: number, elapsedMs: number): Decision {
  const { receipt: _receipt, rules: told, ...rest } = decision
  const rates = termsOf(decision).isForeign ? [] : policy.rules
  const more = cost - decision.cost
  const waitMs = (rule: Pick<RuleDecision, "retryAfterMs" | "resetAfterMs">, index: number) =>
    Math.max(0, enoughMs(rates[index], rule, more) - elapsedMs)
  const later = { cost, resetAfterMs: Math.max(0, decision.resetAfterMs - elapsedMs) }
  const ownMs = Math.max(1, decision.retryAfterMs - elapsedMs)
  if (told === undefined) return { ...rest, ...later, retryAfterMs: Math.max(ownMs, waitMs(decision, 0)) }
  const rules = told.map((rule, index) => ({
    ...rule,
    retryAfterMs: waitMs(rule, index),
    resetAfterMs: Math.max(0, rule.resetAfterMs - elapsedMs),
  }))
  return { ...rest, ...later, retryAfterMs: Math.max(ownMs, ...rules.map((rule) => rule.retryAfterMs)), rules }
}

/**
 * A wait that is enough for a cost which is greater than the denied one by `more` units; exact where `more` is 0.
 *
 * @param rule `undefined` where it is not known: another policy may have more rules
 */
function enoughMs(
  rule: Rule | undefined,
  { retryAfterMs, resetAfterMs }: Pick<RuleDecision, "retryAfterMs" | "resetAfterMs">,
  more: number,
): number {
  if (more === 0) return retryAfterMs
  // When the quota is full again every cost passes.
  const whenFull = Math.max(retryAfterMs, resetAfterMs)
  if (rule === undefined) return whenFull
  const { algorithm, limit, periodMs, refill } = rule
  const flows = algorithm === "gcra" || algorithm === "token_bucket" || algorithm === "leaky_bucket"
  if (!flows) return whenFull
  const moreMs =
    refill === null ? Math.ceil((more * periodMs) / limit) + 1 : Math.ceil(more / refill.amount) * refill.everyMs
  return Math.min(whenFull, retryAfterMs + moreMs)
}

function slotOf(name: string): number {
  // Names differ most at their end, so no more than that is read.
  const hash = fnv1a(name, name.length, Math.max(0, name.length - 24))
  return (hash ^ (hash >>> 15)) & (CHANGE_SLOTS - 1)
}
