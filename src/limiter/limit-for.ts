import { requireKey } from "../engine/key-bytes.js"
import { LimitNotFound } from "../types/errors.js"
import type { Awaitable } from "../types/limiter.js"
import { DEFAULT_LIMIT, type LimitChoice } from "./named-limits.js"

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
  return limits.limit(key) ?? limits.limit(DEFAULT_LIMIT) ?? refuseUnlimited(key)
}

/** @throws {LimitNotFound} */
export function limitNamed<Limit>(limits: ByName<Limit>, name: string): Limit {
  const limit = limits.limit(name)
  if (limit === undefined) throw new LimitNotFound(name)
  return limit
}

/** As `limitFor`, of limits that may be elsewhere; `null` where there is none. */
export async function findLimitFor<Limit>(
  find: (name: string) => Awaitable<Limit | null>,
  key: string,
  { limit }: LimitChoice = {},
): Promise<Limit | null> {
  if (limit !== undefined) return find(limit)
  return (await find(key)) ?? find(DEFAULT_LIMIT)
}

/**
 * Where a key has no limit of its own, and there is no default. @throws {KeyError} where it is none; {LimitNotFound}
 */
export function refuseUnlimited(key: string): never {
  requireKey(key)
  throw new LimitNotFound(key, "key")
}
