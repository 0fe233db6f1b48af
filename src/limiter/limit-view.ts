import type { Duration, Policy } from "../policy/policy.js"
import type { Decision } from "../types/decision.js"
import type { AllDecision, Awaitable, CheckItem, CheckOptions, KeyStats, KeyStatus } from "../types/limiter.js"
import type { Receipt } from "../types/receipt.js"
import { requireCheckOptions, requireOwnItems } from "./check-options.js"
import { noteOwner } from "./limit-owner.js"
import type { Limiter } from "./limiter.js"
import type { NamedLimits } from "./named-limits.js"
import { askFor } from "./sync-limiter.js"

/** One of several named limits as a limiter of its own, for whoever takes one: middleware, say. */
export class LimitView implements Limiter {
  readonly #limits: NamedLimits
  readonly #name: string
  readonly #policyNow: () => Policy

  /** @param policyNow tells the policy in force */
  constructor(limits: NamedLimits, name: string, policyNow: () => Policy) {
    this.#limits = limits
    this.#name = name
    this.#policyNow = policyNow
    noteOwner(this, { limits, name })
  }

  get name(): string {
    return this.#name
  }

  /** @throws {LimitNotFound} where the limit was removed */
  get policy(): Policy {
    return this.#policyNow()
  }

  #under<T extends object>(options?: T): T & { readonly limit: string } {
    return { ...(options as T), limit: this.#name }
  }

  #ask<Verb extends "check" | "allow" | "peek">(verb: Verb, key: string, options: CheckOptions | undefined) {
    return askFor(this.#limits, () => {
      requireCheckOptions(options)
      return this.#limits[verb](key, this.#under(options)) as ReturnType<NamedLimits[Verb]>
    })
  }

  check(key: string, options?: CheckOptions): Awaitable<Decision> {
    return this.#ask("check", key, options)
  }

  allow(key: string, options?: CheckOptions): Awaitable<boolean> {
    return this.#ask("allow", key, options)
  }

  peek(key: string, options?: CheckOptions): Awaitable<Decision> {
    return this.#ask("peek", key, options)
  }

  /** @throws {LimitNotFound} where an item names another limit */
  checkAll(items: readonly CheckItem[]): Awaitable<AllDecision> {
    return askFor(this.#limits, () => {
      requireOwnItems(items, this.#name)
      return this.#limits.checkAll(items.map((item) => this.#under(item)))
    })
  }

  refund(receipt: Receipt, units?: number): Awaitable<void> {
    return this.#limits.refund(receipt, units)
  }

  settle(receipt: Receipt, actualCost: number): Awaitable<void> {
    return this.#limits.settle(receipt, actualCost)
  }

  charge(key: string, units: number): Awaitable<void> {
    return this.#limits.charge(key, units, this.#under())
  }

  block(key: string, duration: Duration): Awaitable<void> {
    return this.#limits.block(key, duration, this.#under())
  }

  unblock(key: string): Awaitable<boolean> {
    return this.#limits.unblock(key, this.#under())
  }

  reset(key: string): Awaitable<boolean> {
    return this.#limits.reset(key, this.#under())
  }

  status(key: string): Awaitable<KeyStatus> {
    return this.#limits.status(key, this.#under())
  }

  stats(key: string): Awaitable<KeyStats> {
    return this.#limits.stats(key, this.#under())
  }
}
