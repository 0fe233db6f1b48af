import {
  FUNCTION,
  type Kinds,
  MILLISECONDS,
  required,
  requireFields,
  requireKind,
  whole,
} from "../policy/require-fields.js"

/** How much `Retry-After` is lengthened at random, so that the clients denied together do not come back together. */
export interface Jitter {
  /** The most seconds added, a whole number 1 … 86,400. Every number of seconds from 0 to this is equally likely. */
  readonly maxSeconds: number
  /** A source of numbers in [0, 1); default `Math.random`. */
  readonly random?: (() => number) | undefined
}

const JITTER_KINDS: Kinds<Jitter> = { maxSeconds: required(whole(1, 86_400)), random: FUNCTION }

/**
 * The seconds that `Retry-After` says: the wait rounded up, at least 1, plus the jitter where there is one. Who waits
 * that long is never early.
 *
 * @param retryAfterMs the exact wait in milliseconds
 * @throws {RangeError} where it is no number, or the jitter cannot be
 * @example
 * ```ts
 * import { retryAfterSeconds } from "sluice/http"
 *
 * retryAfterSeconds(4_001) // 5
 * retryAfterSeconds(4_001, { maxSeconds: 10, random: () => 0.5 }) // 10
 * ```
 */
export function retryAfterSeconds(retryAfterMs: number, jitter?: Jitter): number {
  requireKind("rate limit", "retryAfterMs", retryAfterMs, MILLISECONDS)
  if (jitter !== undefined) requireJitter(jitter)
  return waitSeconds(retryAfterMs, jitter)
}

/** `retryAfterSeconds` where the jitter was looked at before. */
export function waitSeconds(retryAfterMs: number, jitter?: Jitter): number {
  const wait = Math.max(1, Math.ceil(retryAfterMs / 1_000))
  if (jitter === undefined) return wait
  const { maxSeconds, random = Math.random } = jitter
  const extra = Math.floor(random() * (maxSeconds + 1))
  // What is no number adds nothing.
  return wait + Math.min(Math.max(extra || 0, 0), maxSeconds)
}

/** @throws {RangeError} where `maxSeconds` is not a whole number 1 … 86,400, or `random` no function */
export function requireJitter(jitter: Jitter): void {
  requireFields("rate limit", jitter, JITTER_KINDS, "jitter.")
}
