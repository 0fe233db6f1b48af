import { requireCheckOptions } from "../limiter/check-options.js"
import { noteCounter } from "../limiter/key-waits.js"
import { noteOwner } from "../limiter/limit-owner.js"
import type { LimitChoice } from "../limiter/named-limits.js"
import type { Decision } from "../types/decision.js"
import type { CheckOptions } from "../types/limiter.js"
import type { Receipt } from "../types/receipt.js"
import type { Whose } from "./policy-for.js"

/** The keys of a group's limits, by the limits' names. */
export type GroupKeys = Readonly<Record<string, string>>

/** Which limit a check is about, and whose policy of it. */
export interface ConfiguredCheck extends CheckOptions, Whose {
  /** The name of a limit or a group; default `"default"`. */
  readonly limit?: string
}

/** One limit or group of a configuration as a limiter of its own, for whoever takes one: `wrap` and `acquire`, say. */
export interface ConfiguredLimit {
  check(key: string | GroupKeys, options?: CheckOptions): Decision
  allow(key: string | GroupKeys, options?: CheckOptions): boolean
  refund(receipt: Receipt, units?: number): void
  settle(receipt: Receipt, actualCost: number): void
  charge(key: string | GroupKeys, units: number): void
}

/** Limits that are asked by name, for whoever the options say. */
interface Asked<Options> {
  check(key: string | GroupKeys, options?: Options): Decision
  refund(receipt: Receipt, units?: number): void
  settle(receipt: Receipt, actualCost: number): void
  charge(key: string | GroupKeys, units: number, options?: Pick<Options, keyof Options & "limit">): void
}

/** One of the limits by itself. Those who wait for it stand in the line of `limits`. */
export function configuredLimit(limits: Asked<CheckOptions & LimitChoice>, limit: string): ConfiguredLimit {
  const check: ConfiguredLimit["check"] = (key, options) => {
    requireCheckOptions(options)
    return limits.check(key, { ...options, limit })
  }
  const view: ConfiguredLimit = {
    check,
    allow: (key, options) => check(key, options).allowed,
    refund: (receipt, units) => limits.refund(receipt, units),
    settle: (receipt, actualCost) => limits.settle(receipt, actualCost),
    charge: (key, units) => limits.charge(key, units, { limit }),
  }
  noteOwner(view, { limits, name: limit })
  return view
}

/** The limits as they are for a customer or a plan. */
export function limitsOf(limits: Asked<ConfiguredCheck>, { tenant, tier }: Whose): Asked<CheckOptions & LimitChoice> {
  const asked: Asked<CheckOptions & LimitChoice> = {
    check: (key, options) => limits.check(key, { ...options, tenant, tier }),
    refund: (receipt, units) => limits.refund(receipt, units),
    settle: (receipt, actualCost) => limits.settle(receipt, actualCost),
    charge: (key, units, options) => limits.charge(key, units, { ...options, tenant, tier } as LimitChoice),
  }
  noteCounter(asked, limits)
  return asked
}
