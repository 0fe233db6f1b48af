import type { Access } from "../http/access.js"
import type { GroupCall } from "../limiter/group-admissions.js"
import type { Policy } from "../policy/policy.js"
import type { CheckItem } from "../types/limiter.js"
import { accessOf } from "./access.js"
import type { Config, GroupConfig, LimitConfig } from "./config.js"
import { nameOfLimit } from "./config-policies.js"
import { findPolicy, type Whose } from "./policy-for.js"

/** A limit or a group of a configuration as a call asks it: what is counted where, at which cost. */
export interface AskedLimits {
  /** The group's name; `null` where a limit is asked by its own. */
  readonly group: string | null
  /** One for each limit, in the group's order: the key with its prefix, under the name that the limit has for this tenant or tier. */
  readonly items: readonly [Required<CheckItem>, ...Required<CheckItem>[]]
  /** The configured policy of each item's limit. */
  readonly policies: readonly Policy[]
  /** What the lists say of the keys. What is on one is not counted. */
  readonly access: Access
}

/** What a call says beside the key and the limit. */
interface AskedWith extends Whose {
  /** In place of each limit's own. */
  readonly cost?: number | undefined
}

/**
 * What a call of a limit or a group counts.
 *
 * @param keyOf the key of a limit, with the prefix; one without it is on no list
 * @throws {RangeError} where there is no such tier
 */
export function askedLimits(
  config: Config,
  of: LimitConfig | GroupConfig,
  keyOf: (limit: LimitConfig) => string,
  { cost, tenant, tier }: AskedWith,
): AskedLimits {
  const limits = "limits" in of ? of.limits : [of]
  const keys = limits.map(keyOf)
  const found = limits.map(({ name }) => findPolicy(config, name, { tenant, tier }))
  const items = limits.map((limit, index) => ({
    key: keys[index]!,
    cost: cost ?? limit.cost,
    limit: nameOfLimit(limit.name, found[index]!.from),
  }))
  return {
    group: "limits" in of ? of.name : null,
    items: items as [Required<CheckItem>, ...Required<CheckItem>[]],
    policies: found.map(({ policy }) => policy),
    access: accessOf(
      of,
      keys.flatMap((key) => unprefixed(config, key)),
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
