import type { Access } from "../http/access.js"
import type { GroupCall } from "../limiter/group-admissions.js"
import type { CheckItem } from "../types/limiter.js"
import { accessOf } from "./access.js"
import type { Config, GroupConfig, LimitConfig } from "./config.js"
import { limitNameFor } from "./config-policies.js"
import type { Whose } from "./policy-for.js"

/** A limit or a group of a configuration as a call asks it. */
export interface AskedLimits {
  /** The group's name; `null` where a limit is asked by its own. */
  readonly group: string | null
  /** What is counted, for each limit in the group's order: keys with their prefix, names as `limitNameFor` tells them. */
  readonly items: readonly [Required<CheckItem>, ...Required<CheckItem>[]]
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
    group: isGroup ? of.name : null,
    items: items as [Required<CheckItem>, ...Required<CheckItem>[]],
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

/** The call of a group that is told again where it is repeated under its id: of the same keys and limits. */
export function groupCall({ group, items }: AskedLimits, id: string | undefined): GroupCall | null {
  if (id === undefined) return null
  const key = JSON.stringify([group, ...items.map(({ limit, key }) => [limit, key])])
  return { id, key, cost: items[0].cost }
}
