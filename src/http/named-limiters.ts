import { BoundedMap } from "../lib/bounded-map.js"
import type { NamedLimits } from "../limiter/named-limits.js"
import type { Policy } from "../policy/policy.js"
import { flag, having, type Kinds, requireFields, requireKind } from "../policy/require-fields.js"
import type { Decision } from "../types/decision.js"
import { LimitNotFound } from "../types/errors.js"
import type { AllDecision, Awaitable, CheckItem, CheckOptions } from "../types/limiter.js"
import type { Receipt } from "../types/receipt.js"
import { Definition } from "./definition.js"
import { perPolicy } from "./per-policy.js"
import { policyText } from "./policy-text.js"
import { isUnnamed } from "./rename-policy.js"
import type { Group, RequestLimiter } from "./request-limiter.js"

/** The verbs that middleware needs of named limits. */
export type LimitsToAsk = Pick<NamedLimits, "define" | "check" | "checkAll" | "refund" | "charge">

/** What `namedLimiters` can be told. */
export interface NamedLimitersOptions {
  /**
   * Whether a limit that is there under a policy's name gets that policy; default true. With `false` it stays as
   * somebody defined it, and decides, whatever the middleware's own policy says: only a limit that a request misses is
   * defined.
   */
  readonly redefine?: boolean | undefined
}

const OPTION_KINDS: Kinds<NamedLimitersOptions> = { redefine: flag() }

/**
 * Lets middleware count in a limiter with named limits, such as the durable one on a local file: the `limiter` option
 * of `rateLimit`. Several limits of one request are decided there in one transaction.
 *
 * A policy is defined there under its name when it is first seen, so one that changes under the same name keeps what
 * was used, capped at the new capacity. So where several processes ask one server, or others change its limits, have
 * `redefine: false`: else each process that starts puts its own policy back, and two versions of a program that start
 * in turn free quota each time.
 *
 * A policy without a name is defined under what it says, such as `"100/minute"`, and one that a function chose for the
 * request under that and its name, as in `"100/minute as api"`: several of a name may be in force at a time. Those of a
 * configuration's tiers and tenants have the names of `configPolicies`.
 *
 * @throws {RangeError} where the limits lack one of the verbs, as a limiter of a single limit does, or an option cannot
 *   be
 */
export function namedLimiters(
  limits: LimitsToAsk,
  options: NamedLimitersOptions = {},
): (policy: Policy) => RequestLimiter {
  requireKind("rate limit", "limits", limits, having("define", "check", "checkAll", "refund", "charge"))
  requireFields("rate limit", options, OPTION_KINDS)
  const group = new DefinedGroup(limits, options)
  return perPolicy((policy) => new NamedLimiter(limits, group, policy))
}

/** So many limits are known. One that was asked longest ago is prepared again. */
const MAX_DEFINED = 8_192

interface Prepared {
  readonly policy: Policy
  readonly definition: Definition | null
}

/** Defines limits: each before it is asked, once while it is known, or where it is missed. */
class DefinedGroup implements Group {
  readonly #limits: LimitsToAsk
  readonly #redefines: boolean
  readonly #prepared = new BoundedMap<string, Prepared>(MAX_DEFINED)
  /** The definitions of missed limits that are under way: requests that miss the same one wait for one definition. */
  readonly #missing = new Map<string, Definition>()

  constructor(limits: LimitsToAsk, { redefine = true }: NamedLimitersOptions) {
    this.#limits = limits
    this.#redefines = redefine
  }

  /** Called before a limit is asked. What could not be defined is tried again by the next check. */
  async prepare(name: string, policy: Policy): Promise<void> {
    let known = this.#prepared.get(name)
    if (known?.policy.canonical !== policy.canonical) {
      known = { policy, definition: this.#redefines ? this.#definitionOf(name, policy) : null }
    }
    // Also where it was known: so it is the one that was asked last.
    this.#prepared.set(name, known)
    await known.definition?.made()
  }

  /** Of a policy that is put in place of another one; late, it is not to be put in place of one that came since. */
  #definitionOf(name: string, policy: Policy): Definition {
    return new Definition(async () => {
      const known = this.#prepared.get(name)
      if (known === undefined || known.policy.canonical === policy.canonical) await this.#limits.define(name, policy)
    })
  }

  async #defineMissing(name: string, policy: Policy): Promise<void> {
    const definition = this.#missing.get(name) ?? new Definition(async () => this.#limits.define(name, policy))
    this.#missing.set(name, definition)
    try {
      await definition.made()
    } finally {
      if (this.#missing.get(name) === definition) this.#missing.delete(name)
    }
  }

  /** Asks what was prepared. A limit that is missed, as one that somebody removed meanwhile, is defined once. */
  async ask<T>(question: () => Awaitable<T>): Promise<T> {
    const missed = new Set<string>()
    for (;;) {
      try {
        return await question()
      } catch (error) {
        const name = error instanceof LimitNotFound && error.of === "limit" ? error.limit : ""
        const known = this.#prepared.get(name)
        if (known === undefined || missed.has(name)) throw error
        missed.add(name)
        await this.#defineMissing(name, known.policy)
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
    return this.group.prepare(this.limitName, this.#policy)
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
