import { timeError } from "../engine/outcome-error.js"
import { refuseRepeats, requireGroupSize } from "../policy/require-group.js"
import { show } from "../types/errors.js"
import type { CallName } from "./call-name.js"
import type { LedgerLimit } from "./own-limit.js"

const MAX_NAME_LENGTH = 512

/** One of the checks that are decided together. */
export interface LedgerCheck {
  readonly limit: LedgerLimit
  readonly key: string
  readonly cost: number
  /** Names the check, as for `check`. */
  readonly id?: CallName
}

/** @throws {RangeError} */
export function requireTime(nowMs: number): void {
  const error = timeError(nowMs)
  if (error !== null) throw error
}

/** @throws {RangeError} */
export function requireName(name: string): void {
  if (typeof name === "string" && name.length > 0 && name.length <= MAX_NAME_LENGTH && name.isWellFormed()) return
  throw new RangeError(
    `Cannot define limit ${show(name)}: its name is a well-formed text of 1 to ${MAX_NAME_LENGTH} characters.`,
  )
}

/** @throws {RangeError} where there are none or too many, or one limit and key come twice */
export function requireGroup(checks: readonly LedgerCheck[]): void {
  requireGroupSize(checks.length)
  refuseRepeats(checks.map(({ limit, key }) => ({ key, subject: `${limit.number} ${key}` })))
}
