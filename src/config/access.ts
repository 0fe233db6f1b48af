import type { Access } from "../http/access.js"
import { maximumCost } from "../policy/maximum-cost.js"
import type { Policy } from "../policy/policy.js"
import type { Decision } from "../types/decision.js"
import type { AccessConfig, RequestsConfig } from "./config.js"

const sets = new WeakMap<AccessConfig, ReadonlySet<string>>()

function has(list: AccessConfig, key: string): boolean {
  let keys = sets.get(list)
  if (keys === undefined) {
    keys = new Set(list.keys)
    sets.set(list, keys)
  }
  return keys.has(key)
}

/**
 * What the lists say of keys that are asked together: who is on both is refused.
 *
 * @param keys without the prefix
 */
export function accessOf({ allow, deny }: Pick<RequestsConfig, "allow" | "deny">, keys: readonly string[]): Access {
  if (keys.some((key) => has(deny, key))) return "deny"
  return keys.some((key) => has(allow, key)) ? "allow" : "limit"
}

/** The decision of a list, which counts nothing. Its policy is `"allow"` or `"deny"`. */
export function listedDecision(access: "allow" | "deny", { rules }: Policy, key: string, cost: number): Decision {
  const [{ algorithm, limit }] = rules
  const allowed = access === "allow"
  return {
    allowed,
    key,
    policy: access,
    algorithm,
    limit,
    remaining: allowed ? maximumCost(rules) : 0,
    cost,
    retryAfterMs: 0,
    resetAfterMs: 0,
    delayMs: 0,
    reason: allowed ? "ok" : "blocked",
  }
}
