import { requireKey } from "../engine/key-bytes.js"
import { LimitNotFound } from "../types/errors.js"
import { DEFAULT_LIMIT, type LimitChoice, type NamedLimit, type NamedLimits } from "./named-limits.js"

/** Where limits are found by their names. */
interface ByName<Limit> {
  limit(name: string): Limit | undefined
}

/**
 * The limit that a verb is about: the one that is named, else the key's own, else the default.
 *
 * @throws {LimitNotFound} {KeyError}
 */
export function limitFor<Limit>(limits: ByName<Limit>, key: string, choice: LimitChoice | undefined): Limit {
  if (choice?.limit !== undefined) return limitNamed(limits, choice.limit)
  const limit = limits.limit(key) ?? limits.limit(DEFAULT_LIMIT)
  if (limit !== undefined) return limit
  requireKey(key)
  throw new LimitNotFound(key, "key")
}

/** @throws {LimitNotFound} */
export function limitNamed<Limit>(limits: ByName<Limit>, name: string): Limit {
  const limit = limits.limit(name)
  if (limit === undefined) throw new LimitNotFound(name)
  return limit
}

/** As `limitFor`, of limits that may be elsewhere; `null` where there is none. */
export async function findLimitFor(
  limits: Pick<NamedLimits, "limit">,
  key: string,
  { limit }: LimitChoice,
): Promise<NamedLimit | null> {
  if (limit !== undefined) return limits.limit(limit)
  return (await limits.limit(key)) ?? limits.limit(DEFAULT_LIMIT)
}
