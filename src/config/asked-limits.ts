import type { Access } from "../http/access.js"
import type { CheckItem } from "../types/limiter.js"
import { accessOf } from "./access.js"
import type { Config, GroupConfig, LimitConfig } from "./config.js"

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
 * @param find the key of a limit, with the prefix, and the name under which it is counted; one without the prefix is on
 * no list
 * @param cost what the call costs in place of each limit's own cost
 */
export function askedLimits(
  config: Config,
  of: LimitConfig | GroupConfig,
  find: (limit: LimitConfig) => Pick<AskedItem, "key" | "limit">,
  cost: number | undefined,
): AskedLimits {
  const isGroup = "limits" in of
  const items = (isGroup ? of.limits : [of]).map((limit) => ({ ...find(limit), cost: cost ?? limit.cost }))
  return {
    isGroup,
    items: items as [AskedItem, ...AskedItem[]],
    access: accessOf(
      of,
      items.flatMap(({ key }) => unprefixed(config, key)),
    ),
  }
}

/** What a call asks of a limit that the configuration does not have: its lists for all limits count there too. */
export function askedElsewhere(config: Config, key: string, limit: string, cost = 1): AskedLimits {
  return { isGroup: false, items: [{ key, cost, limit }], access: accessOf(config, unprefixed(config, key)) }
}

/** A key as the lists have it. */
function unprefixed({ keyPrefix }: Config, key: string): readonly string[] {
  return typeof key === "string" && key.startsWith(keyPrefix) ? [key.slice(keyPrefix.length)] : []
}
