import { nearestNameHint } from "../lib/nearest-name.js"
import type { Policy } from "../policy/policy.js"
import { requireNames, TEXT, unfit } from "../policy/require-fields.js"
import { LimitNotFound } from "../types/errors.js"
import type { Config, LimitConfig } from "./config.js"
import { requireConfig } from "./require-config.js"

/** Whose policy is asked for. */
export interface Whose {
  /** A customer; one that the configuration does not know is on no plan. */
  readonly tenant?: string | null | undefined
  /** A plan; that of the tenant comes before it. One that the configuration does not know is an error. */
  readonly tier?: string | null | undefined
}

export const WHOSE_NAMES = ["tenant", "tier"]

/** Where a policy was found: the tenant's own, that of a tier, or the limit's. */
export interface FoundPolicy {
  readonly policy: Policy
  readonly from: { readonly kind: "tenant" | "tier"; readonly name: string } | null
}

/** @throws {LimitNotFound} */
export function limitOf(config: Config, name: string): LimitConfig {
  const limit = config.limits.get(name)
  if (limit === undefined) throw notConfigured(config, name)
  return limit
}

/** The error of a name that no limit of the configuration has, with those that it has. */
export function notConfigured({ limits, groups }: Config, name: string): LimitNotFound {
  const group = groups.get(name)
  if (group !== undefined) {
    const members = group.limits.map((limit) => limit.name).join(", ")
    return new LimitNotFound(name, "limit", `it is a group, of ${members}`)
  }
  const names = [...limits.keys(), ...groups.keys()]
  const listed = names.length === 0 ? "the configuration has no limits" : `the configuration has ${names.join(", ")}`
  return new LimitNotFound(name, "limit", `${listed}${nearestNameHint(name, names)}`)
}

/**
 * The error of a tier that the configuration does not have. A tier that is misspelt would else be the limit's policy.
 */
export function unknownTier({ tiers }: Config, tier: unknown): RangeError {
  const names = [...tiers.keys()]
  const allowed = names.length === 0 ? "none: the configuration has no tiers" : `one of ${names.join(", ")}`
  return unfit("choose a policy", "tier", tier, `${allowed}${nearestNameHint(tier, names)}`)
}

/** The error of a tenant that is no name: it would silently be a customer without a plan. */
export function badTenant(tenant: unknown): RangeError {
  return unfit("choose a policy", "tenant", tenant, TEXT.allowed)
}

/**
 * The policy of a limit for a tenant or a tier: the tenant's own, else that of its tier, else that of the tier given,
 * else the limit's.
 *
 * @throws {LimitNotFound} where there is no such limit; {RangeError} where there is no such tier
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

/** Every policy of a limit: its own, those of tiers, those of tenants. */
export function foundPolicies(config: Config, limit: string): readonly FoundPolicy[] {
  const of = (kind: "tenant" | "tier", name: string, policies: ReadonlyMap<string, Policy>): FoundPolicy[] => {
    const policy = policies.get(limit)
    return policy === undefined ? [] : [{ policy, from: { kind, name } }]
  }
  return [
    { policy: limitOf(config, limit).policy, from: null },
    ...[...config.tiers].flatMap(([name, policies]) => of("tier", name, policies)),
    ...[...config.tenants].flatMap(([name, { limits }]) => of("tenant", name, limits)),
  ]
}

/** @throws {RangeError} where they are no object, or one that has anything else: it would silently be nobody's plan */
export function requireWhoseNames(whose: Whose): void {
  requireNames("choose a policy", whose, WHOSE_NAMES)
}

/** @throws {RangeError} where there is no such tier, or the tenant is no name */
export function requireWhose(config: Config, { tenant, tier }: Whose): void {
  if (tenant != null && typeof tenant !== "string") throw badTenant(tenant)
  if (tier != null && !config.tiers.has(tier)) throw unknownTier(config, tier)
}

/** `policyFor`, and where it was found. */
export function findPolicy(config: Config, limit: string, whose: Whose): FoundPolicy {
  requireConfig("choose a policy", config)
  requireWhoseNames(whose)
  const { tenant, tier } = whose
  const base = limitOf(config, limit)
  requireWhose(config, whose)
  const customer = typeof tenant === "string" ? config.tenants.get(tenant) : undefined
  const own = customer?.limits.get(limit)
  if (own !== undefined) return { policy: own, from: { kind: "tenant", name: tenant! } }
  for (const name of [customer?.tier, tier]) {
    const policy = typeof name === "string" ? config.tiers.get(name)?.get(limit) : undefined
    if (policy !== undefined) return { policy, from: { kind: "tier", name: name! } }
  }
  return { policy: base.policy, from: null }
}
