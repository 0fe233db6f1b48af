import { requireNames } from "../policy/require-fields.js"
import type { AcquireOptions } from "./acquire-options.js"
import { type LimitOwner, ownerOf } from "./limit-owner.js"
import type { LimitChoice, NamedLimits } from "./named-limits.js"
import type { Permit, SettlingChecker } from "./permit.js"
import { WaitingLine } from "./waiting-line.js"

/** What has its named limits as a field, as what `fromConfig` makes does: `limit` names one of them here too. */
interface LimitsByName extends SettlingChecker {
  readonly limits: NamedLimits
}

/**
 * The options of a wait for a limiter that is one of several limits: which one is known, so `limit` is none of them.
 */
const OF_ACQUIRE = ["cost", "timeout", "signal"]

/**
 * The line of each limiter, made at the first wait for it and gone with the limiter. A limiter whose line has options
 * of its own, such as `maxWaiting` or how it is asked, puts it here itself.
 */
export const lines = new WeakMap<SettlingChecker, WaitingLine>()

/**
 * Waits until a limiter admits a key: first come, first served for each key. It works over any limiter, wherever that
 * keeps its counts: it asks by `check`, and again when the wait that a denial tells is over.
 *
 * At most 10,000 calls wait for one limiter at a time; for another bound, make a `WaitingLine`. Calls of the method
 * `acquire` of a `RateLimiter` stand in the same line as calls of this function, and its `maxWaiting` bounds both.
 *
 * Of several named limits, `limit` says which one is waited for. The order is that of the calls for one key under one
 * limit, whether they name the limit or ask it by itself, as `of` and `oneLimit` make it.
 *
 * @throws {TimeoutExceeded} {QueueFull} {RateLimitExceeded}, the signal's reason, and what `check` throws; see
 *   `WaitingLine.acquire`
 * @example
 * ```ts
 * import { acquire, RateLimiter } from "sluice"
 *
 * const limiter = new RateLimiter("100/second")
 * using permit = await acquire(limiter, "user:42", { timeout: "2s" })
 * permit.decision.allowed // true
 * ```
 */
export function acquire(
  limits: NamedLimits | LimitsByName,
  key: string,
  options?: AcquireOptions & LimitChoice,
): Promise<Permit>
export function acquire(limiter: SettlingChecker, key: string, options?: AcquireOptions): Promise<Permit>
export function acquire(
  limiter: SettlingChecker,
  key: string,
  options?: AcquireOptions & LimitChoice,
): Promise<Permit> {
  const owner = ownerOf(limiter)
  return owner === undefined ? lineOf(limiter).acquire(key, options) : acquireUnder(owner, key, options)
}

/** Waits for one of several limits in the line of them all: in one order with those who wait for it by its name. */
async function acquireUnder(owner: LimitOwner, key: string, options?: AcquireOptions): Promise<Permit> {
  if (options !== undefined) requireNames("wait", options, OF_ACQUIRE)
  return lineOf(owner.limits).acquire(key, { ...options, limit: owner.name }, owner)
}

function lineOf(limiter: SettlingChecker): WaitingLine {
  let line = lines.get(limiter)
  if (line === undefined) {
    line = new WaitingLine(limiter)
    lines.set(limiter, line)
  }
  return line
}
