import type { Access } from "../http/access.js"
import type { AccessConfig, Config, GroupConfig, LimitConfig, RequestsConfig } from "./config.js"

/** One limit, as a call asks it. */
interface AskedLimit {
  readonly key: string
  readonly cost: number
  readonly limit: string
}

/** The keys of each list, to be looked up. */
const keySets = new WeakMap<AccessConfig, ReadonlySet<string>>()

/** A limit or a group of a configuration as a call asks it. */
export interface AskedLimits {
  /** Whether a group is asked, which may be one of a single limit. */
  readonly isGroup: boolean
  /**
   * What is counted, for each limit in the group's order: keys with their prefix, names as `limitNameFor` tells them.
   */
  readonly items: readonly [AskedLimit, ...AskedLimit[]]
  /** What the lists say of the keys. What is on one is not counted. */
  readonly access: Access
}

/**
 * What a call of a limit or a group asks.
 *
 * @param find the key of a limit, with the prefix, and the name under which it is counted; one without the prefix is on
 * no list
 * @param cost what the call costs in place of each limit's own cost
 */
export function askedLimits(
  config: Config,
  of: LimitConfig | GroupConfig,
  find: (limit: LimitConfig) => Pick<AskedLimit, "key" | "limit">,
  cost: number | undefined,
): AskedLimits {
  const isGroup = "limits" in of
  const items = (isGroup ? of.limits : [of]).map((limit) => ({ ...find(limit), cost: cost ?? limit.cost }))
  return {
    isGroup,
    items: items as [AskedLimit, ...AskedLimit[]],
    access: accessOf(
      of,
      items.flatMap(({ key }) => unprefixed(config, key)),
    ),
  }
}

/**
 * What a call asks of one limit by the name under which it is counted. Of one that the configuration does not have, its
 * lists for all limits count too.
 *
 * @param limits those of the configuration, by these names
 */
export function askedByName(
  config: Config,
  limits: ReadonlyMap<string, LimitConfig>,
  counted: Pick<AskedLimit, "key" | "limit">,
  cost: number | undefined,
): AskedLimits {
  const limit = limits.get(counted.limit)
  if (limit !== undefined) return askedLimits(config, limit, () => counted, cost)
  const access = accessOf(config, unprefixed(config, counted.key))
  return { isGroup: false, items: [{ ...counted, cost: cost ?? 1 }], access }
}

/** A key as the lists have it. */
function unprefixed({ keyPrefix }: Config, key: string): readonly string[] {
  return typeof key === "string" && key.startsWith(keyPrefix) ? [key.slice(keyPrefix.length)] : []
}

/**
 * What the lists say of keys that are asked together: who is on both is refused.
 *
 * @param keys without the prefix
 */
function accessOf({ allow, deny }: Pick<RequestsConfig, "allow" | "deny">, keys: readonly string[]): Access {
  if (keys.some((key) => has(deny, key))) return "deny"
  return keys.some((key) => has(allow, key)) ? "allow" : "limit"
}

function has(list: AccessConfig, key: string): boolean {
  let keys = keySets.get(list)
  if (keys === undefined) {
    keys = new Set(list.keys)
    keySets.set(list, keys)
  }
  return keys.has(key)
}
