import type { NamedLimits } from "../limiter/named-limits.js"
import { checkKind, having } from "../policy/check-fields.js"
import type { Policy } from "../policy/policy.js"
import type { Decision } from "../types/decision.js"
import { LimitNotFound } from "../types/errors.js"
import type { AllDecision, Awaitable, CheckItem, CheckOptions } from "../types/limiter.js"
import type { Receipt } from "../types/receipt.js"
import { perPolicy } from "./per-policy.js"
import { policyText } from "./policy-text.js"
import { isUnnamed } from "./rename-policy.js"
import type { Group, RequestLimiter } from "./request-limiter.js"

/** The verbs that middleware needs of named limits. */
export type LimitsToAsk = Pick<NamedLimits, "define" | "check" | "checkAll" | "refund" | "charge">

/**
 * Lets middleware count in a limiter with named limits, such as the durable one on a local file: the `limiter` option of
 * `rateLimit`. Several limits of one request are decided there in one transaction.
 *
 * A policy is defined there under its name when it is first seen, so one that changes under the same name keeps what was
 * used. One without a name is defined under what it says, such as `"100/minute"`, and one that a function chose for the
 * request under that and its name, as in `"100/minute as api"`: several of a name may be in force at a time. Those of a
 * configuration's tiers and tenants have the names of `configPolicies`.
 *
 * @throws {RangeError} where the limits lack one of the verbs, as a limiter of a single limit does
 */
export function namedLimiters(limits: LimitsToAsk): (policy: Policy) => RequestLimiter {
  checkKind("rate limit", "limits", limits, having("define", "check", "checkAll", "refund", "charge"))
  const group = new DefinedGroup(limits)
  return perPolicy((policy) => new NamedLimiter(limits, group, policy))
}

/** So many limits are known to be defined. One that was asked longest ago is defined again, which changes nothing. */
const MOST_DEFINED = 8_192

/** Defines limits before they are asked, each once while it is known. */
class DefinedGroup implements Group {
  readonly #limits: LimitsToAsk
  readonly #defined = new Map<string, { readonly policy: Policy; readonly done: Promise<unknown> }>()

  constructor(limits: LimitsToAsk) {
    this.#limits = limits
  }

  /** What could not be defined is tried again by the next check. */
  async define(name: string, policy: Policy): Promise<void> {
    let known = this.#defined.get(name)
    if (known?.policy.canonical !== policy.canonical) {
      known = { policy, done: (async () => this.#limits.define(name, policy))() }
    }
    // A Map iterates in the order of insertion, so the first is always the one that was asked longest ago.
    this.#defined.delete(name)
    this.#defined.set(name, known)
    if (this.#defined.size > MOST_DEFINED) this.#defined.delete(this.#defined.keys().next().value!)
    try {
      await known.done
    } catch (error) {
      if (this.#defined.get(name) === known) this.#defined.delete(name)
      throw error
    }
  }

  /** Asks what was defined. A limit that somebody removed meanwhile is defined again, once, and counts anew. */
  async ask<T>(question: () => Awaitable<T>): Promise<T> {
    const missed = new Set<string>()
    for (;;) {
      try {
        return await question()
      } catch (error) {
        const name = error instanceof LimitNotFound && error.of === "limit" ? error.limit : ""
        const known = this.#defined.get(name)
        if (known === undefined || missed.has(name)) throw error
        missed.add(name)
        this.#defined.delete(name)
        await this.define(name, known.policy)
      }
    }
  }

  async checkAll(items: readonly CheckItem[]): Promise<AllDecision> {
    return this.ask(() => this.#limits.checkAll(items))
  }
}

class NamedLimiter implements RequestLimiter {
  declare readonly limitName: string
  declare readonly group: DefinedGroup
  readonly #limits: LimitsToAsk
  readonly #policy: Policy

  constructor(limits: LimitsToAsk, group: DefinedGroup, policy: Policy) {
    this.limitName = policy.limitName ?? (isUnnamed(policy) ? policyText(policy) : policy.name)
    this.#limits = limits
    this.#policy = policy
    this.group = group
  }

  /** Called before the limit is asked, be it as one of a group. */
  prepare(): Promise<void> {
    return this.group.define(this.limitName, this.#policy)
  }

  async check(key: string, options?: CheckOptions): Promise<Decision> {
    await this.prepare()
    return this.group.ask(() => this.#limits.check(key, { ...options, limit: this.limitName }))
  }

  async refund(receipt: Receipt, units?: number): Promise<void> {
    await this.#limits.refund(receipt, units)
  }

  async charge(key: string, units: number): Promise<void> {
    await this.prepare()
    await this.group.ask(() => this.#limits.charge(key, units, { limit: this.limitName }))
  }
}
