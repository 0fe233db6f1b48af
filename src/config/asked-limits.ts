import type { Access } from "../http/access.js"
import type { CheckItem } from "../types/limiter.js"
import { accessOf } from "./access.js"
import type { Config, GroupConfig, LimitConfig } from "./config.js"
import { limitNameFor } from "./config-policies.js"
import type { Whose } from "./policy-for.js"

/** What one limit is asked. */
type AskedItem = Required<Omit<CheckItem, "id">>

/** A limit or a group of a configuration as a call asks it. */
export interface AskedLimits {
  /** Whether a group is asked, which may be one of a single limit. */
  readonly isGroup: boolean
  /** What is counted, for each limit in the group's order: keys with their prefix, names as `limitNameFor` tells them. */
  readonly items: readonly [AskedItem, ...AskedItem[]]
  /** What the lists say of the keys. What is on one is not counted. */
  readonly access: Access
}

/**
 * What a call of a limit or a group asks.
 *
 * @param keyOf the key of a limit, with the prefix; one without it is on no list
 * @param options whose limits they are, and what the call costs in place of each limit's own cost
 * @throws {RangeError} where there is no such tier
 */
export function askedLimits(
  config: Config,
  of: LimitConfig | GroupConfig,
  keyOf: (limit: LimitConfig) => string,
  { cost, tenant, tier }: Whose & { readonly cost?: number | undefined },
): AskedLimits {
  const isGroup = "limits" in of
  const items = (isGroup ? of.limits : [of]).map((limit) => ({
    key: keyOf(limit),
    cost: cost ?? limit.cost,
    limit: limitNameFor(config, limit.name, { tenant, tier }),
  }))
  return {
    isGroup,
    items: items as [AskedItem, ...AskedItem[]],
    access: accessOf(
      of,
      items.flatMap(({ key }) => unprefixed(config, key)),
    ),
  }
}

/** A key as the lists have it. */
function unprefixed({ keyPrefix }: Config, key: string): readonly string[] {
  return typeof key === "string" && key.startsWith(keyPrefix) ? [key.slice(keyPrefix.length)] : []
}
