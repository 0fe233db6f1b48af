import type { Decision } from "./decision.js"
import { isDecision } from "./is-decision.js"

/**
 * The base of every error that sluice throws on purpose. `code` is stable across versions; messages are for
 * people and follow one grammar: what could not be done, then why, with the field, the value and what is
 * allowed. Programming errors (a fractional cost, a key that is no string) are `RangeError` and `TypeError`.
 */
export abstract class SluiceError extends Error {
  /** A stable identifier of the error's kind, such as `"POLICY_INVALID"`. */
  abstract readonly code: string
}

// The fields of these classes are declared only: each constructor sets them, in fewer bytes.

/** A policy that cannot be: carries the field, the value and what is allowed. */
export class PolicyError extends SluiceError {
  override readonly name = "PolicyError"
  readonly code = "POLICY_INVALID"
  declare readonly field: string
  declare readonly value: unknown
  declare readonly allowed: string

  constructor(field: string, value: unknown, allowed: string) {
    super(`Cannot make a policy: ${field} is ${show(value)}, allowed is ${allowed}.`)
    this.field = field
    this.value = value
    this.allowed = allowed
  }
}

/** A cost that this key could never pay, however long it waits. Neither a denial nor counted as one. */
export class CostError extends SluiceError {
  override readonly name = "CostError"
  readonly code = "COST_ABOVE_CAPACITY"
  declare readonly key: string
  declare readonly cost: number
  /** The largest cost that the policy can ever admit. */
  declare readonly maximum: number

  constructor(key: string, cost: number, maximum: number) {
    super(`Cannot check key ${show(key)}: cost ${cost} exceeds the capacity ${maximum}.`)
    this.key = key
    this.cost = cost
    this.maximum = maximum
  }
}

/** A key that is empty, longer than 512 bytes of UTF-8, or holds a lone surrogate. */
export class KeyError extends SluiceError {
  override readonly name = "KeyError"
  readonly code = "KEY_INVALID"

  constructor(key: unknown, reason: string) {
    super(`Cannot use key ${show(key)}: ${reason}.`)
  }
}

/**
 * Thrown by wrappers and decorators, by a wait that would never end, and where asked for; everywhere else a denial is a
 * value.
 */
export class RateLimitExceeded extends SluiceError {
  override readonly name = "RateLimitExceeded"
  readonly code = "RATE_LIMIT_EXCEEDED"
  declare readonly decision: Decision

  /** @throws {RangeError} where it is no decision, as without the `await` of a check that answers by promise */
  constructor(decision: Decision) {
    if (!isDecision(decision)) {
      const shown = show(decision)
      throw new RangeError(`Cannot make a RateLimitExceeded: decision is ${shown}, allowed is the decision of a check.`)
    }
    const { key, policy, cost, retryAfterMs } = decision
    const when = retryAfterMs === 0 ? "does not admit it" : `admits cost ${cost} in ${retryAfterMs} ms`
    super(`Rate limit exceeded for key ${show(key)}: policy ${show(policy)} ${when}.`)
    this.decision = decision
  }

  get key(): string {
    return this.decision.key
  }

  /** Units allowed per period by the rule that binds most. */
  get limit(): number {
    return this.decision.limit
  }

  /** Units that were left. */
  get remaining(): number {
    return this.decision.remaining
  }

  /** Whole milliseconds until this check would pass; 0 where no wait helps, as for a key on a list. */
  get retryAfterMs(): number {
    return this.decision.retryAfterMs
  }

  /** Whole seconds until this check would pass, rounded up. */
  get retryAfter(): number {
    return Math.ceil(this.decision.retryAfterMs / 1000)
  }
}

/** Nobody defined a limit of that name, and there is no default. */
export class LimitNotFound extends SluiceError {
  override readonly name = "LimitNotFound"
  readonly code = "LIMIT_NOT_FOUND"
  /** The limit's name, or the key that has none. */
  declare readonly limit: string
  /** Whether `limit` is a limit's name, or a key that no limit is for. */
  declare readonly of: "limit" | "key"
  /**
   * What the message tells of the limits that there are, where that is known; `undefined` where it tells who lists
   * them.
   */
  declare readonly known: string | undefined

  constructor(limit: string, of: "limit" | "key" = "limit", known?: string) {
    super(notFound(limit, of, known ?? "limits() lists those configured"))
    this.limit = limit
    this.of = of
    this.known = known
  }

  /** The message where the limits are listed by something else than `limits()`. */
  messageWhere(listing: string): string {
    return notFound(this.limit, this.of, this.known ?? listing)
  }
}

function notFound(limit: string, of: "limit" | "key", known: string): string {
  return `Cannot find the limit${of === "key" ? " of key" : ""} ${show(limit)}: ${known}.`
}

/** A wait for admission that would last, or lasted, longer than its timeout. Nothing was charged. */
export class TimeoutExceeded extends SluiceError {
  override readonly name = "TimeoutExceeded"
  readonly code = "TIMEOUT_EXCEEDED"
  declare readonly key: string
  declare readonly timeoutMs: number
  /**
   * Whole milliseconds until its turn could have come, as far as that was known when the wait was given up; 0 where it
   * was not, as while the limiter was being asked. Whoever tries again waits as long: what is refused at once takes no
   * time.
   */
  declare readonly retryAfterMs: number

  constructor(key: string, timeoutMs: number, retryAfterMs = 0) {
    super(`Cannot admit key ${show(key)}: it is not its turn within ${timeoutMs} ms.`)
    this.key = key
    this.timeoutMs = timeoutMs
    this.retryAfterMs = retryAfterMs
  }
}

/** So many wait for admission already that one more may not. Nothing was charged. */
export class QueueFull extends SluiceError {
  override readonly name = "QueueFull"
  readonly code = "QUEUE_FULL"
  declare readonly key: string
  declare readonly maxWaiting: number

  constructor(key: string, maxWaiting: number) {
    super(`Cannot wait for key ${show(key)}: ${maxWaiting} wait already (maxWaiting).`)
    this.key = key
    this.maxWaiting = maxWaiting
  }
}

/**
 * Somebody holds the store: another process or another thread of this one, or this thread, which has it open already.
 */
export class StoreLocked extends SluiceError {
  override readonly name = "StoreLocked"
  readonly code = "STORE_LOCKED"
  declare readonly path: string

  constructor(path: string) {
    super(`Cannot open the store ${show(path)}: another process or thread holds its lock.`)
    this.path = path
  }
}

/** Committed data that cannot be what was written. Nothing was changed and nothing was skipped. */
export class StoreCorrupt extends SluiceError {
  override readonly name = "StoreCorrupt"
  readonly code = "STORE_CORRUPT"
  /** The row that failed, such as `"segment 17"`. */
  declare readonly row: string
  /** What failed, such as `"its SHA-256 differs"`. */
  declare readonly failure: string

  constructor(row: string, failure: string) {
    super(`Cannot recover the store: ${row} is corrupt: ${failure}.`)
    this.row = row
    this.failure = failure
  }
}

/** A store that a newer sluice wrote. Nothing was changed. */
export class StoreVersion extends SluiceError {
  override readonly name = "StoreVersion"
  readonly code = "STORE_VERSION"
  declare readonly found: number
  declare readonly supported: number

  constructor(found: number, supported: number) {
    super(`Cannot open the store: its format is ${found}, this version reads up to ${supported}.`)
    this.found = found
    this.supported = supported
  }
}

/** Bytes that are not a dump, or not one that this limiter can take. Nothing was changed. */
export class DumpError extends SluiceError {
  override readonly name = "DumpError"
  readonly code = "DUMP_INVALID"
  /** What does not fit, such as `"its checksum differs"`. */
  declare readonly failure: string

  constructor(failure: string) {
    super(`Cannot restore a dump: ${failure}.`)
    this.failure = failure
  }
}

/** The store did not answer, or not in time. */
export class StoreUnavailable extends SluiceError {
  override readonly name = "StoreUnavailable"
  readonly code = "STORE_UNAVAILABLE"

  constructor(reason: string, options?: ErrorOptions) {
    super(`Cannot reach the store: ${reason}.`, options)
  }
}

const MAX_SHOWN_LENGTH = 80

/** The value as a message shows it: quoted, escaped and cut, so that hostile input stays harmless in logs. */
export function show(value: unknown): string {
  if (typeof value === "string") {
    const cut = value.length > MAX_SHOWN_LENGTH ? `${value.slice(0, MAX_SHOWN_LENGTH)}…` : value
    return JSON.stringify(cut)
  }
  if (typeof value === "bigint") return `${value}n`
  if (typeof value === "function" || typeof value === "symbol") return `a ${typeof value}`
  if (typeof value !== "object" || value === null) return Object.is(value, -0) ? "-0" : String(value)
  try {
    // Within, since a proxy can throw at this too.
    if (value instanceof Promise) return "a promise"
    return show(JSON.stringify(value)).slice(1, -1).replaceAll('\\"', '"')
  } catch {
    return "an object"
  }
}
