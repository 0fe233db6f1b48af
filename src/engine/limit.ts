import type { Policy, Rule } from "../policy/policy.js"
import { requireWhole } from "../policy/require-fields.js"
import type { KeyStats, KeyStatus } from "../types/limiter.js"
import type { Core } from "./core.js"
import { BRIEF, MAX_TIME_MS, OUTCOME } from "./core-exports.js"
import { keyStats, NO_STATS } from "./key-stats.js"
import { keyStatus } from "./key-status.js"
import { LimitDecision } from "./limit-decision.js"
import type { ChargedAdmission } from "./named-admissions.js"
import { outcomeError } from "./outcome-error.js"
import { chargeNumberOf, type Issuer, receiptId } from "./receipt-id.js"
import { policyFields } from "./rule-fields.js"
import { ON_FULL, type TableOptions } from "./table-options.js"
import { REASONS, refuseNewKey, verdictDecision, verdictRules } from "./verdict.js"
import { BRIEF_REMAINING, BRIEF_RESET_AFTER, BRIEF_RETRY_AFTER, VERDICT_CHARGED_AT } from "./verdict-layout.js"

/**
 * Frees what a dropped limit held in a core that others still use. Workers with a compatibility date before 2025-05-05
 * have no such registry: there it goes with the core.
 */
const dropped =
  typeof FinalizationRegistry === "function"
    ? new FinalizationRegistry<{ core: Core; pointer: number }>(({ core, pointer }) => core.exports.limitFree(pointer))
    : null

/**
 * The keys of one policy, in the core's memory. Every verb takes the time; nothing here reads a clock.
 * Times are whole ms since the epoch below 2^47, amounts whole units up to 2^31, keys as `Core.stageKey` takes them.
 */
export class Limit {
  protected readonly core: Core
  protected readonly options: TableOptions
  #policy: Policy
  #firstRule: Rule
  protected pointer: number
  protected issuer: Issuer
  #charges = 0

  constructor(core: Core, policy: Policy, options: TableOptions) {
    this.core = core
    this.options = options
    this.#policy = policy
    this.#firstRule = policy.rules[0]
    this.issuer = { id: options.issuerId, policyName: policy.name }
    this.pointer = this.#make(policy)
  }

  #make(policy: Policy): number {
    const { maxKeys, onFull, stats, seed } = this.options
    this.core.ruleFields.set(policyFields(policy, this.core.exports))
    // Pointers are unsigned, and cross as i32: above 2 GB they would be negative.
    const limit = this.core.exports.limitNew(
      policy.rules.length,
      policy.blockMs,
      maxKeys,
      ON_FULL[onFull],
      stats ? 1 : 0,
      ...seed,
    )
    const pointer = limit >>> 0
    if (pointer === 0) throw new RangeError(`Cannot make a limit for ${policy.canonical}: the core refused it.`)
    this.#freeWhenDropped(pointer)
    return pointer
  }

  #freeWhenDropped(pointer: number): void {
    if (this.options.sharesCore) dropped?.register(this, { core: this.core, pointer }, this)
  }

  get policy(): Policy {
    return this.#policy
  }

  /** How many checks were charged: numbers their receipts. */
  get charges(): number {
    return this.#charges
  }

  /** Numbers charges on above a number. */
  skipChargesTo(number: number): void {
    this.#charges = number
  }

  /** Keys with a cell, idle ones that were not swept yet included. */
  get size(): number {
    return this.core.exports.limitKeys(this.pointer)
  }

  /** Frees the memory at once instead of when this object is collected. Nothing may be asked afterwards. */
  free(): void {
    if (this.pointer === 0) return
    dropped?.unregister(this)
    this.core.exports.limitFree(this.pointer)
    this.pointer = 0
  }

  #ask(key: string, cost: number, nowMs: number): number {
    if (cost === 1) return this.core.checkUnit(this.pointer, key, nowMs)
    return this.core.exports.check(this.pointer, this.core.stageKey(key), cost, nowMs)
  }

  /** Asks and charges. @throws {CostError} {KeyError} {RangeError}; then nothing has changed */
  check(key: string, cost: number, nowMs: number): LimitDecision {
    const outcome = this.#ask(key, cost, nowMs)
    if (outcome < BRIEF) return this.#charged(outcome, key, cost, nowMs)
    // The commonest of checks: what follows is short enough to become a part of the caller's loop.
    const { brief } = this.core
    const isDenied = outcome === BRIEF
    return new LimitDecision(
      isDenied ? "limit" : "ok",
      key,
      this.#firstRule,
      brief[BRIEF_REMAINING]!,
      1,
      brief[BRIEF_RETRY_AFTER]!,
      brief[BRIEF_RESET_AFTER]!,
      0,
      this.issuer,
      isDenied ? 0 : ++this.#charges,
      nowMs,
    )
  }

  /** As `check`, without a decision: the fastest question. */
  allow(key: string, cost: number, nowMs: number): boolean {
    const outcome = this.#ask(key, cost, nowMs) & ~BRIEF
    if (outcome === OUTCOME.admitted) return true
    if (outcome === OUTCOME.denied || outcome === OUTCOME.blocked) return false
    if (outcome === OUTCOME.noRoom) {
      this.requireBound()
      return false
    }
    throw this.#error(outcome, key, cost, nowMs)
  }

  /** Asks and stores nothing. Where the clock was set back far, the wait that it tells begins with a check. */
  peek(key: string, cost: number, nowMs: number): LimitDecision {
    const length = this.core.stageKey(key)
    return this.#told(this.core.exports.peek(this.pointer, length, cost, nowMs), key, cost, nowMs, 0)
  }

  /** The time at which a check of a key counts: that of the call, or a later one that the key had seen. */
  timeOf(key: string, nowMs: number): number {
    this.peek(key, 0, nowMs)
    return this.core.verdict[VERDICT_CHARGED_AT]!
  }

  /**
   * The time from which the state of a key under the rule at a place counts; `Infinity` where nothing of it is used.
   */
  sinceMs(key: string, rule: number, nowMs: number): number {
    return this.core.exports.since(this.pointer, this.core.stageKey(key), rule, nowMs)
  }

  /** Tells an admission of before once more: charged then, the rest as the key stands now. Stores nothing. */
  again(key: string, { cost, chargeNumber, chargedAtMs }: ChargedAdmission, nowMs: number): LimitDecision {
    const { policy, algorithm, limit, remaining, resetAfterMs, rules } = this.peek(key, 0, nowMs)
    const rule = { name: policy, algorithm, limit }
    const { issuer } = this
    const told = new LimitDecision(
      "ok",
      key,
      rule,
      remaining,
      cost,
      0,
      resetAfterMs,
      0,
      issuer,
      chargeNumber,
      chargedAtMs,
    )
    if (rules === undefined) return told
    // A rule in debt makes even a cost of 0 wait; this call was admitted.
    return Object.assign(told, { rules: rules.map((each) => ({ ...each, retryAfterMs: 0 })) })
  }

  /** Takes units whatever is left, into debt if need be. 0 units only heal the key, as a check does that is denied. */
  charge(key: string, units: number, nowMs: number): void {
    const length = this.core.stageKey(key)
    this.#settle(this.core.exports.charge(this.pointer, length, units, nowMs), key, units, nowMs)
  }

  /**
   * Gives back units of a charge made at `chargedAtMs`, as far as the state still holds them.
   *
   * @throws {KeyError} {RangeError}, with 0 units too; then nothing has changed
   */
  refund(key: string, units: number, chargedAtMs: number, nowMs: number): void {
    requireWhole("refund", "chargedAtMs", chargedAtMs, 0, MAX_TIME_MS)
    const length = this.core.stageKey(key)
    this.#settle(this.core.exports.refund(this.pointer, length, units, chargedAtMs, nowMs), key, units, nowMs)
  }

  /** Denies a key until a time, in place of an earlier block. */
  block(key: string, untilMs: number, nowMs: number): void {
    const length = this.core.stageKey(key)
    this.#settle(this.core.exports.block(this.pointer, length, untilMs, nowMs), key, 0, nowMs)
  }

  /** Ends a block. Whether there was one that still lasted. */
  unblock(key: string, nowMs: number): boolean {
    const length = this.core.stageKey(key)
    const untilMs = this.core.exports.blockedUntil(this.pointer, length)
    this.core.exports.unblock(this.pointer, length)
    return untilMs > nowMs
  }

  /** Makes a key's quota full and ends its block. Whether there was anything to forget. */
  reset(key: string, nowMs: number): boolean {
    const { resetAfterMs, blockedForMs } = this.status(key, nowMs)
    // The core's own answer counts what says nothing any more and was not swept yet.
    this.core.exports.reset(this.pointer, this.core.stageKey(key), nowMs)
    return resetAfterMs > 0 || blockedForMs > 0
  }

  /** A key's statistics; all zero where nothing was counted. */
  stats(key: string): KeyStats {
    const length = this.core.stageKey(key)
    const pointer = this.core.exports.stats(this.pointer, length) >>> 0
    return keyStats(pointer === 0 ? NO_STATS : new Float64Array(this.core.bytes.buffer, pointer, 7))
  }

  /** What is left of a key's quota, without a check. */
  status(key: string, nowMs: number): KeyStatus {
    const length = this.core.stageKey(key)
    const outcome = this.core.exports.peek(this.pointer, length, 0, nowMs)
    if (outcome < OUTCOME.denied || outcome > OUTCOME.blocked) throw this.#error(outcome, key, 0, nowMs)
    const { rules } = this.#policy
    const told = verdictRules(this.core.verdict, rules)
    return keyStatus(key, rules, told, this.core.exports.blockedUntil(this.pointer, length) - nowMs)
  }

  /**
   * Looks at up to `budget` places for idle keys and ended blocks, from where the last sweep stopped, and heals each
   * key that it looks at. How many went.
   */
  sweep(nowMs: number, budget: number): number {
    return this.core.exports.sweep(this.pointer, nowMs, budget) >>> 0
  }

  /** Whether another policy computes as this one does: it differs in names and its block alone. */
  computesAs(policy: Policy): boolean {
    const { exports } = this.core
    const fields = policyFields(this.#policy, exports)
    const others = policyFields(policy, exports)
    return fields.length === others.length && fields.every((field, index) => field === others[index])
  }

  /**
   * Puts another policy in place. Where it computes as this one does, all stays as it is; else used units stay used,
   * capped at the new capacity, as if charged now, which costs the number of keys.
   */
  change(policy: Policy, nowMs: number): void {
    if (this.computesAs(policy)) {
      this.core.exports.limitSetBlock(this.pointer, policy.blockMs)
      this.#rename(policy)
    } else this.#carry(policy, nowMs)
  }

  #carry(policy: Policy, nowMs: number): void {
    const old = this.pointer
    const made = this.#make(policy)
    const isCarried = this.core.exports.limitCarry(old, made, nowMs) === 1
    this.pointer = isCarried ? made : old
    dropped?.unregister(this)
    this.#freeWhenDropped(this.pointer)
    this.core.exports.limitFree(isCarried ? old : made)
    if (!isCarried) {
      throw new RangeError(
        "Cannot change a policy: the limit is being saved, the core's memory is full or the time is out of range.",
      )
    }
    this.#rename(policy)
  }

  #rename(policy: Policy): void {
    this.#policy = policy
    this.#firstRule = policy.rules[0]
    this.issuer = { id: this.issuer.id, policyName: policy.name }
  }

  /** The id of the receipt of a charge. */
  receiptId(chargeNumber: number): string {
    return receiptId(this.issuer, chargeNumber)
  }

  /** The number of a charge by its receipt's id, or `null` where the id is not of this limit. */
  chargeNumberOf(id: string): number | null {
    return chargeNumberOf(this.issuer, id, this.charges)
  }

  /** What a check has decided, with a number for its charge. */
  #charged(outcome: number, key: string, cost: number, nowMs: number): LimitDecision {
    const isCharged = outcome === OUTCOME.admitted && cost > 0
    return this.#told(outcome, key, cost, nowMs, isCharged ? ++this.#charges : 0)
  }

  /** @param chargeNumber 0 where nothing was charged */
  #told(outcome: number, key: string, cost: number, nowMs: number, chargeNumber: number): LimitDecision {
    const reason = REASONS[outcome]
    if (reason === undefined) return this.#undecided(outcome, key, cost, nowMs)
    return verdictDecision(this.core.verdict, reason, this.#policy.rules, key, cost, this.issuer, chargeNumber)
  }

  /** What is no decision of the core: a new key's denial where there is no room, else an error. */
  #undecided(outcome: number, key: string, cost: number, nowMs: number): LimitDecision {
    if (outcome !== OUTCOME.noRoom) throw this.#error(outcome, key, cost, nowMs)
    this.requireBound()
    return refuseNewKey(this.core.verdict, this.#policy.rules, key, cost, this.issuer)
  }

  #settle(outcome: number, key: string, units: number, nowMs: number): void {
    if (outcome === OUTCOME.admitted) return
    if (outcome === OUTCOME.noRoom) {
      this.requireBound()
      throw new RangeError(`Cannot hold another key: ${this.options.maxKeys} are held (maxKeys).`)
    }
    throw this.#error(outcome, key, units, nowMs)
  }

  /** Comes before a key is refused as one too many. @throws {Error} where there is no bound of keys */
  protected requireBound(): void {}

  #error(outcome: number, key: string, units: number, nowMs: number): Error {
    return outcomeError(outcome, this.#policy.rules, key, units, nowMs)
  }
}
