import { refuseOptions, requireCheckOptions } from "../limiter/require-check-options.js"
import type { Policy } from "../policy/policy.js"
import type { Decision } from "../types/decision.js"
import type { CheckOptions } from "../types/limiter.js"
import type { Receipt } from "../types/receipt.js"
import type { Whose } from "./policy-for.js"

/** The keys of a group's limits, by the limits' names. */
export type GroupKeys = Readonly<Record<string, string>>

/** Which limit a check is about, and whose policy of it. */
export interface ConfiguredCheck extends CheckOptions, Whose {
  /**
   * The name of a limit or a group. Default the limit of the key's own name, its prefix included, where there is one;
   * else `"default"`.
   */
  readonly limit?: string | undefined
}

/** One limit or group of a configuration as a limiter of its own, for whoever takes one: `wrap` and `checkAll`, say. */
export interface ConfiguredLimit {
  /** Tells `checkAll` that every verb answers at once. */
  readonly isSynchronous: true
  /**
   * The policy in force when it is read, as the tenant or the tier has it, for `rateLimitFields` say.
   *
   * @throws {LimitNotFound} of a group, each of whose limits has its own, and of a limit that is no more
   */
  readonly policy: Policy
  check(key: string | GroupKeys, options?: CheckOptions): Decision
  peek(key: string | GroupKeys, options?: CheckOptions): Decision
  allow(key: string | GroupKeys, options?: CheckOptions): boolean
  refund(receipt: Receipt, units?: number): void
  settle(receipt: Receipt, actualCost: number): void
  charge(key: string | GroupKeys, units: number): void
}

/** Limits that are asked by name, for whoever the options say. */
interface LimitsForAll {
  check(key: string | GroupKeys, options: ConfiguredCheck): Decision
  peek(key: string | GroupKeys, options: ConfiguredCheck): Decision
  refund(receipt: Receipt, units?: number): void
  settle(receipt: Receipt, actualCost: number): void
  charge(key: string | GroupKeys, units: number, options: Omit<ConfiguredCheck, "cost" | "id">): void
}

/** One of the limits by itself, as a customer or a plan has it. */
export function configuredLimit(
  limits: LimitsForAll,
  of: Whose & { readonly limit: string },
  policyNow: () => Policy,
): ConfiguredLimit {
  const ask = (verb: "check" | "peek") => (key: string | GroupKeys, options?: CheckOptions) => {
    requireCheckOptions(options)
    return limits[verb](key, { ...options, ...of })
  }
  const check = ask("check")
  const verbs: Omit<ConfiguredLimit, "policy"> = {
    isSynchronous: true,
    check,
    peek: ask("peek"),
    allow: (key, options) => check(key, options).allowed,
    refund: (receipt, units) => limits.refund(receipt, units),
    settle: (receipt, actualCost) => limits.settle(receipt, actualCost),
    charge: (key, units, surplus?: unknown) => {
      refuseOptions("charge", surplus)
      limits.charge(key, units, of)
    },
  }
  return Object.defineProperty(verbs, "policy", { get: policyNow }) as ConfiguredLimit
}
