import { LATEST_MS } from "../engine/core-exports.js"
import { show } from "../types/errors.js"
import type { LedgerLimit } from "./own-limit.js"

const NAME_LENGTH_MAX = 512
const GROUP_MAX = 1_000

/** One of the checks that are decided together. */
export interface LedgerCheck {
  readonly limit: LedgerLimit
  readonly key: string
  readonly cost: number
}

/** @throws {RangeError} */
export function requireTime(nowMs: number): void {
  if (Number.isInteger(nowMs) && nowMs >= 0 && nowMs <= LATEST_MS) return
  throw new RangeError(`Cannot note time ${show(nowMs)}: allowed are whole milliseconds from 0 to ${LATEST_MS}.`)
}

/** @throws {RangeError} */
export function requireName(name: string): void {
  if (typeof name === "string" && name.length > 0 && name.length <= NAME_LENGTH_MAX && name.isWellFormed()) return
  throw new RangeError(
    `Cannot define limit ${show(name)}: its name is a well-formed text of 1 to ${NAME_LENGTH_MAX} characters.`,
  )
}

/** @throws {RangeError} where there are none or too many, or one limit and key come twice */
export function requireGroup(checks: readonly LedgerCheck[]): void {
  if (checks.length < 1 || checks.length > GROUP_MAX) {
    throw new RangeError(`Cannot check ${checks.length} items together: allowed are 1 to ${GROUP_MAX}.`)
  }
  const seen = new Set<string>()
  for (const { limit, key } of checks) {
    const name = `${limit.number} ${key}`
    if (seen.has(name)) {
      throw new RangeError(
        `Cannot check key ${show(key)} of limit ${show(limit.name)} twice: allowed is once in a group.`,
      )
    }
    seen.add(name)
  }
}
