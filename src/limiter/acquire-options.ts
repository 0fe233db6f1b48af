import type { Duration } from "../policy/policy.js"
import { having, type Kind, type Kinds, READ_ELSEWHERE, TEXT, whole } from "../policy/require-fields.js"
import type { LimitChoice } from "./named-limits.js"

/** How to wait for admission. */
export interface AcquireOptions {
  /** Units to charge, 0 … 2^31; default what a check without a cost takes: 1, or what a configuration says. */
  readonly cost?: number | undefined
  /** The longest wait, 0 ms … 10 years; default without end. 0 does not wait at all. */
  readonly timeout?: Duration | undefined
  /** Ends the wait: the promise is rejected with the signal's reason, and nothing stays charged. */
  readonly signal?: AbortSignal | undefined
}

export interface WaitingLineOptions {
  /** The most calls that wait at a time, over all keys, 0 … 2^32 − 1; default 10,000. */
  readonly maxWaiting?: number | undefined
}

export const WAITING_KIND: Kind = whole(0, 2 ** 32 - 1)
export const ACQUIRE_KINDS: Kinds<AcquireOptions & LimitChoice> = {
  cost: READ_ELSEWHERE,
  timeout: READ_ELSEWHERE,
  signal: having("throwIfAborted", "addEventListener"),
  limit: TEXT,
}
