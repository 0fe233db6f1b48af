import type { Policy } from "../policy/policy.js"
import { LimitNotFound } from "../types/errors.js"
import type { Config, LimitConfig } from "./config.js"

/** Whose policy is asked for. */
export interface Whose {
  /** A customer; one that the configuration does not know is on no plan. */
  readonly tenant?: string | null | undefined
  /** A plan; that of the tenant comes before it. One that the configuration does not know changes nothing. */
  readonly tier?: string | null | undefined
}

/** Where a policy was found: the tenant's own, that of a tier, or the limit's. */
export interface FoundPolicy {
  readonly policy: Policy
  readonly from: { readonly kind: "tenant" | "tier"; readonly name: string } | null
}

/** @throws {LimitNotFound} */
export function limitOf({ limits }: Config, name: string): LimitConfig {
  const limit = limits.get(name)
  if (limit === undefined) throw new LimitNotFound(name)
  return limit
}

/**
 * The policy of a limit for a tenant or a tier: the tenant's own, else that of its tier, else that of the tier given, else
 * the limit's.
 *
 * @throws {LimitNotFound} where there is no such limit
 * @example
 * ```ts
 * import { parseConfig, policyFor } from "sluice/config"
 *
 * const config = parseConfig({
 *   limits: { api: { policy: "10/minute" } },
 *   tiers: { pro: { limits: { api: "100/minute" } } },
 *   tenants: { acme: { tier: "pro" } },
 * })
 * policyFor(config, "api", { tenant: "acme" }).rules[0].limit // 100
 * policyFor(config, "api", { tenant: "other" }).rules[0].limit // 10
 * ```
 */
export function policyFor(config: Config, limit: string, whose: Whose = {}): Policy {
  return findPolicy(config, limit, whose).policy
}

/** `policyFor`, and where it was found. */
export function findPolicy(config: Config, limit: string, { tenant, tier }: Whose): FoundPolicy {
  const base = limitOf(config, limit)
  const customer = typeof tenant === "string" ? config.tenants.get(tenant) : undefined
  const own = customer?.limits.get(limit)
  if (own !== undefined) return { policy: own, from: { kind: "tenant", name: tenant! } }
  for (const name of [customer?.tier, tier]) {
    const policy = typeof name === "string" ? config.tiers.get(name)?.get(limit) : undefined
    if (policy !== undefined) return { policy, from: { kind: "tier", name: name! } }
  }
  return { policy: base.policy, from: null }
}
