import type { Policy, Rule } from "../../src/policy/policy.js"
import type { Decision, Reason, RuleDecision } from "../../src/types/decision.js"
import { CostError } from "../../src/types/errors.js"
import type { Receipt } from "../../src/types/receipt.js"
import { ceilDiv, max, min } from "./exact-math.js"
import { ruleOracle } from "./registry.js"
import type { RuleOracle } from "./rule-oracle.js"

const HOUR_MS = 3_600_000n

/** Longer waits, some 2,230 years, are told as this one. */
const LONGEST_WAIT_MS = 2n ** 46n

interface BoundRule {
  readonly rule: Rule
  readonly oracle: RuleOracle<object>
}

/** What is known of a key: one state for each rule, in the policy's order. */
interface KeyState {
  states: (object | null)[]
  blockedUntilMs: number
}

/** A rule's state as a call sees it: healed where the clock jumped, and the time at which it is evaluated. */
interface View {
  readonly state: object | null
  readonly at: bigint
}

/** The earliest time at which a rule sees a key. */
function earliest(views: readonly View[]): bigint {
  return views.map(({ at }) => at).reduce(min)
}

/** A rule by all that its arithmetic depends on. */
function nameless({ rule: { name: _, ...rule } }: BoundRule): object {
  return rule
}

/** Which rule's usage a new rule takes over: the same algorithm and period, else the same place, else the last. */
function heir(rule: Rule, index: number, old: readonly BoundRule[]): number {
  const same = old.findIndex(
    (bound) => bound.rule.algorithm === rule.algorithm && bound.rule.periodMs === rule.periodMs,
  )
  return same >= 0 ? same : Math.min(index, old.length - 1)
}

/** The time to fill in 1/N ms: capacity·P, and with steps N·⌈capacity/amount⌉·every. */
function fill({ capacity, limit, periodMs, refill }: Rule): bigint {
  if (refill === null) return BigInt(capacity) * BigInt(periodMs)
  return BigInt(limit) * ceilDiv(BigInt(capacity), BigInt(refill.amount)) * BigInt(refill.everyMs)
}

/** Whether one hour and twice the time to fill have passed, by every rule. */
function hasLeaked(receipt: Receipt, rules: readonly BoundRule[], nowMs: number): boolean {
  const beyond = BigInt(nowMs) - BigInt(receipt.chargedAtMs) - HOUR_MS
  return rules.every(({ rule }) => beyond * BigInt(rule.limit) > 2n * fill(rule))
}

/** Whether a rule takes longer to fill than another one. */
function fillsLater({ rule: a }: BoundRule, { rule: b }: BoundRule): boolean {
  return fill(a) * BigInt(b.limit) > fill(b) * BigInt(a.limit)
}

/**
 * The meaning of a limiter, without any cleverness: a `Map` of keys, BigInt arithmetic, and waits that are
 * proven against their definition. Times are whole milliseconds, 0 ≤ nowMs < 2^47.
 */
export class OracleLimiter {
  #policy: Policy
  #rules: readonly BoundRule[]
  readonly #keys = new Map<string, KeyState>()
  readonly #settled = new Set<string>()
  /** The receipts of a key since its last reset. */
  readonly #receiptsOf = new Map<string, string[]>()
  /** The changes to policies that keep receipts longer: what was too late at one of them stays so. */
  readonly #lengthened: { readonly rules: readonly BoundRule[]; readonly atMs: number }[] = []
  #receipts = 0

  constructor(policy: Policy) {
    this.#policy = policy
    this.#rules = policy.rules.map((rule) => ({ rule, oracle: ruleOracle(rule) }))
  }

  /** The largest cost that can pass. */
  get maximumCost(): number {
    return Math.min(...this.#rules.map(({ rule }) => rule.capacity))
  }

  /** Asks and charges. @throws {CostError} */
  check(key: string, cost: number, nowMs: number): Decision {
    this.#assertCost(key, cost)
    if (cost === 0) return this.peek(key, 0, nowMs)
    const entry = this.#entry(key)
    const before = this.#views(entry.states, nowMs)
    entry.states = before.map((view) => view.state)

    const units = BigInt(cost)
    const blocked = nowMs < entry.blockedUntilMs
    const admitted = this.#rules.every(({ oracle }, i) => oracle.admits(before[i]!.state, units, before[i]!.at))
    if (blocked || !admitted) {
      const decision = this.#decision(key, cost, nowMs, before, before, entry.blockedUntilMs)
      if (blocked || this.#policy.blockMs === 0) return decision
      entry.blockedUntilMs = nowMs + this.#policy.blockMs
      return { ...decision, retryAfterMs: Math.max(decision.retryAfterMs, this.#policy.blockMs) }
    }

    const charged = this.#rules.map(({ oracle }, i) => oracle.charge(before[i]!.state, units, before[i]!.at))
    const after = this.#views(charged, nowMs)
    entry.states = after.map((view) => view.state)
    const receipt: Receipt = {
      id: `oracle-${this.#receipts++}`,
      key,
      policy: this.#policy.name,
      cost,
      chargedAtMs: Number(earliest(after)),
    }
    this.#receiptsOf.set(key, [...(this.#receiptsOf.get(key) ?? []), receipt.id])
    return { ...this.#decision(key, cost, nowMs, before, after, entry.blockedUntilMs), receipt }
  }

  /** What a check of this cost would be told, with the amounts as they are; changes nothing. @throws {CostError} */
  peek(key: string, cost: number, nowMs: number): Decision {
    this.#assertCost(key, cost)
    const entry = this.#keys.get(key) ?? this.#fresh()
    const views = this.#views(entry.states, nowMs)
    return this.#decision(key, cost, nowMs, views, views, entry.blockedUntilMs)
  }

  /** Gives back at most `units` of a charge, once for each receipt, and not long after it has leaked away. */
  refund(receipt: Receipt, units: number, nowMs: number): void {
    const entry = this.#entry(receipt.key)
    const atMs = units === 0 ? nowMs : this.#refundsAtMs(entry.states, receipt, nowMs)
    if (atMs === null || this.#settled.has(receipt.id) || this.#isTooLate(receipt, atMs)) return
    this.#settled.add(receipt.id)
    if (units === 0) return
    const views = this.#views(entry.states, atMs)
    const refunded = views.map(({ state, at }, i) =>
      state === null ? null : this.#rules[i]!.oracle.refund(state, BigInt(units), BigInt(receipt.chargedAtMs), at),
    )
    entry.states = this.#views(refunded, atMs).map((view) => view.state)
  }

  /** The last time that a key has seen, where its state still tells how long ago the charge was by then. */
  #refundsAtMs(states: readonly (object | null)[], { chargedAtMs }: Receipt, nowMs: number): number | null {
    const held = this.#rules.flatMap(({ rule, oracle }, i) => {
      const state = states[i] ?? null
      if (state === null) return []
      const last = oracle.lastMs(state)
      // A full quota has seen nothing.
      if (oracle.resetAfter(state, max(BigInt(nowMs), last)) === 0n) return []
      const lastMs = Number(last)
      const spanMs = rule.algorithm === "fixed_window" ? rule.periodMs : (rule.refill?.everyMs ?? 1)
      return [{ lastMs, sameMs: lastMs + spanMs - 1 }]
    })
    if (held.length === 0) return chargedAtMs > nowMs ? null : nowMs
    const sameMs = Math.min(...held.map((each) => each.sameMs))
    if (chargedAtMs > Math.max(nowMs, sameMs)) return null
    return Math.max(nowMs, Math.min(sameMs, Math.max(...held.map((each) => each.lastMs))))
  }

  /** Charges in any case, into debt where the quota does not suffice. No units only heal the key. */
  charge(key: string, units: number, nowMs: number): void {
    const entry = this.#entry(key)
    const charged = this.#views(entry.states, nowMs).map(({ state, at }, i) =>
      units === 0 ? state : this.#rules[i]!.oracle.charge(state, BigInt(units), at),
    )
    entry.states = this.#views(charged, nowMs).map((view) => view.state)
  }

  /** Denies the key for `durationMs` from now on, whatever was said before. */
  block(key: string, durationMs: number, nowMs: number): void {
    this.#entry(key).blockedUntilMs = nowMs + durationMs
  }

  /** Ends a block. Whether there was one that still lasted. */
  unblock(key: string, nowMs: number): boolean {
    const entry = this.#entry(key)
    const wasBlocked = nowMs < entry.blockedUntilMs
    entry.blockedUntilMs = 0
    return wasBlocked
  }

  /**
   * Forgets the key, its block included, and closes its receipts. Whether anything was used of a rule, or a block still
   * lasted.
   */
  reset(key: string, nowMs: number): boolean {
    const { blockedUntilMs } = this.#entry(key)
    const { resetAfterMs, rules } = this.peek(key, 0, nowMs)
    this.#keys.delete(key)
    for (const receipt of this.#receiptsOf.get(key) ?? []) this.#settled.add(receipt)
    this.#receiptsOf.delete(key)
    return nowMs < blockedUntilMs || resetAfterMs > 0 || (rules ?? []).some((rule) => rule.resetAfterMs > 0)
  }

  /**
   * Puts another policy in place: what was used at `nowMs` becomes one charge under the new rules, unless these are the
   * old ones by other names.
   */
  setPolicy(policy: Policy, nowMs: number): void {
    if (policy.canonical === this.#policy.canonical) return
    const old = this.#rules
    const rules = policy.rules.map((rule) => ({ rule, oracle: ruleOracle(rule) }))
    if (JSON.stringify(old.map(nameless)) === JSON.stringify(rules.map(nameless))) {
      this.#policy = policy
      this.#rules = rules
      return
    }
    const heirs = policy.rules.map((rule, index) => heir(rule, index, old))
    for (const entry of this.#keys.values()) {
      const views = this.#views(entry.states, nowMs)
      entry.states = rules.map(({ rule, oracle }, i) => {
        const { state, at } = views[heirs[i]!]!
        const used = min(old[heirs[i]!]!.oracle.used(state, at), BigInt(rule.capacity))
        return used === 0n ? null : oracle.charge(null, used, BigInt(nowMs))
      })
    }
    if (rules.some((rule) => old.every((before) => fillsLater(rule, before)))) {
      this.#lengthened.push({ rules: old, atMs: nowMs })
    }
    this.#policy = policy
    this.#rules = rules
  }

  /**
   * Whether something that counts at `nowMs` counted for nothing at `seenMs`, when the clock was further on, or a block
   * that lasts at `nowMs` had ended at `blockSeenMs`. A full quota and an ended block are the same as none, so a
   * limiter may have forgotten them by then, or not.
   */
  mayForget(key: string, seenMs: number, blockSeenMs: number, nowMs: number): boolean {
    const entry = this.#keys.get(key)
    if (entry === undefined) return false
    if (nowMs < entry.blockedUntilMs && entry.blockedUntilMs <= blockSeenMs) return true
    if (seenMs <= nowMs) return false
    const now = this.#views(entry.states, nowMs)
    const seen = this.#views(entry.states, seenMs)
    return this.#rules.some(
      ({ oracle }, i) => oracle.used(now[i]!.state, now[i]!.at) > 0n && oracle.used(seen[i]!.state, seen[i]!.at) === 0n,
    )
  }

  #isTooLate(receipt: Receipt, nowMs: number): boolean {
    return [...this.#lengthened, { rules: this.#rules, atMs: nowMs }].some(({ rules, atMs }) =>
      hasLeaked(receipt, rules, atMs),
    )
  }

  #assertCost(key: string, cost: number): void {
    const maximum = this.maximumCost
    if (cost > maximum) throw new CostError(key, cost, maximum)
  }

  #fresh(): KeyState {
    return { states: this.#rules.map(() => null), blockedUntilMs: 0 }
  }

  #entry(key: string): KeyState {
    const known = this.#keys.get(key)
    if (known !== undefined) return known
    const entry = this.#fresh()
    this.#keys.set(key, entry)
    return entry
  }

  /**
   * Time stands still for a rule whose last change lies ahead, unless its state lies further ahead than it can:
   * then it is healed. What a charge or a refund made is seen by the same rule as what it found.
   */
  #views(states: readonly (object | null)[], nowMs: number): View[] {
    const now = BigInt(nowMs)
    return this.#rules.map(({ oracle }, i) => {
      const state = states[i] ?? null
      if (state === null) return { state, at: now }
      const last = oracle.lastMs(state)
      if (now >= last) return { state, at: now }
      const ahead = oracle.resetAfter(state, last)
      const jumped = last - now + ahead > max(oracle.fullRefillMs, ahead)
      return jumped ? { state: oracle.healed(state, now), at: now } : { state, at: last }
    })
  }

  /** The answer to a check seen `before`, with the amounts `after` it. */
  #decision(
    key: string,
    cost: number,
    nowMs: number,
    before: readonly View[],
    after: readonly View[],
    blockedUntilMs: number,
  ): Decision {
    const units = BigInt(cost)
    const rules = this.#rules.map(({ rule, oracle }, i): RuleDecision => {
      const asked = before[i]!
      const left = after[i]!
      const fromNow = (wait: bigint, at: bigint) =>
        wait === 0n ? 0 : Number(min(wait + at - BigInt(nowMs), LONGEST_WAIT_MS))
      return {
        policy: rule.name,
        algorithm: rule.algorithm,
        limit: rule.limit,
        periodMs: rule.periodMs,
        remaining: Number(max(0n, BigInt(rule.capacity) - oracle.used(left.state, left.at))),
        retryAfterMs: fromNow(oracle.retryAfter(asked.state, units, asked.at), asked.at),
        resetAfterMs: fromNow(oracle.resetAfter(left.state, left.at), left.at),
      }
    })

    const blockedForMs = Math.max(0, blockedUntilMs - nowMs)
    const longest = Math.max(...rules.map((rule) => rule.retryAfterMs))
    const reason: Reason = blockedForMs > 0 ? "blocked" : longest > 0 ? "limit" : "ok"
    const allowed = reason === "ok"
    // Under a block alone no rule makes a key wait: then it is told as an admission would be.
    const bindingIndex =
      longest > 0 ? rules.findIndex((rule) => rule.retryAfterMs === longest) : this.#leastShare(rules)
    const binding = rules[bindingIndex]!
    const delays = this.#rules.map(({ oracle }, i) => oracle.delay(before[i]!.state, before[i]!.at))
    return {
      allowed,
      key,
      policy: binding.policy,
      algorithm: binding.algorithm,
      limit: binding.limit,
      remaining: binding.remaining,
      cost,
      retryAfterMs: Math.max(blockedForMs, longest),
      resetAfterMs: binding.resetAfterMs,
      delayMs: allowed ? Number(delays.reduce(max, 0n)) : 0,
      reason,
      ...(rules.length > 1 ? { rules } : {}),
    }
  }

  /** The first rule with the smallest remaining / capacity, compared as exact fractions. */
  #leastShare(rules: readonly RuleDecision[]): number {
    let least = 0
    for (let i = 1; i < rules.length; i++) {
      const share = BigInt(rules[i]!.remaining) * BigInt(this.#rules[least]!.rule.capacity)
      if (share < BigInt(rules[least]!.remaining) * BigInt(this.#rules[i]!.rule.capacity)) least = i
    }
    return least
  }
}
