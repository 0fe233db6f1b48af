import type { Policy } from "../policy/policy.js"
import type { Config, LimitConfig } from "./config.js"
import { type FoundPolicy, findPolicy, foundPolicies, type Whose } from "./policy-for.js"
import { requireConfig } from "./require-config.js"

/**
 * Every policy of a configuration, those of tiers and tenants included, by the name under which a class of named limits
 * counts it: what `MemoryLimits` and `openLimiter` take as `limits`, or `define` one by one. Where they are defined
 * anew while middleware counts there, `namedLimiters` is to have `redefine: false`: else it puts its own policies back.
 *
 * @example
 * ```ts
 * import { configPolicies, limitNameFor, parseConfig } from "sluice/config"
 *
 * const config = parseConfig({
 *   limits: { api: { policy: "10/minute" } },
 *   tiers: { pro: { limits: { api: "100/minute" } } },
 * })
 * const policies = configPolicies(config)
 * policies.size // 2
 * policies.get(limitNameFor(config, "api", { tier: "pro" }))?.rules[0].limit // 100
 * ```
 */
export function configPolicies(config: Config): Map<string, Policy> {
  requireConfig("tell policies", config)
  const found = [...config.limits.keys()].map((limit) => [limit, foundPolicies(config, limit)] as const)
  return new Map(found.flatMap(([limit, all]) => all.map(({ policy, from }) => [countedName(limit, from), policy])))
}

/**
 * The name in `configPolicies` of a limit as a tenant or a tier has it. Keys under different names are counted apart.
 *
 * @throws {LimitNotFound} where there is no such limit; {RangeError} where there is no such tier
 */
export function limitNameFor(config: Config, limit: string, whose: Whose = {}): string {
  return countedName(limit, findPolicy(config, limit, whose).from)
}

/** The limits by every name under which one of their policies is counted. */
export function limitsByName(config: Config): Map<string, LimitConfig> {
  const limits = [...config.limits.values()]
  return new Map(
    limits.flatMap((limit) =>
      foundPolicies(config, limit.name).map(({ from }) => [countedName(limit.name, from), limit]),
    ),
  )
}

/** A line feed is in no name of a configuration, so these names are nobody else's. */
export function countedName(limit: string, from: FoundPolicy["from"]): string {
  return from === null ? limit : `${limit}\n${from.kind}:${from.name}`
}
