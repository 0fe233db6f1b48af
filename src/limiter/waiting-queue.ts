import type { Decision } from "../types/decision.js"
import type { Alarm } from "./alarms.js"
import type { Standing } from "./limit-owner.js"
import type { LimitChoice } from "./named-limits.js"
import type { Permit } from "./permit.js"

/** A call that waits. */
export interface Waiter {
  readonly key: string
  /** The named limit that is asked, where one was named, and for whom. */
  readonly choice: LimitChoice
  /** `undefined` where none was given: the limiter knows what it takes then. */
  readonly cost: number | undefined
  readonly standing: Standing
  /** Greater than those of all who came before. */
  readonly number: number
  /** Of the monotonic clock; infinite without a timeout. */
  readonly deadlineMs: number
  readonly timeoutMs: number
  readonly resolve: (permit: Permit) => void
  readonly reject: (reason: unknown) => void
  /** Where it stands. */
  queue: Queue
  /** Rings at the deadline, or at the end of a hold. */
  alarm: Alarm | null
  stopListening: () => void
  /** The admission of one that may not leave yet: it goes back where the wait is ended. */
  held: Decision | null
  /** Whether its promise is settled, be it while the limiter is still being asked. */
  isDone: boolean
}

/** The calls that wait for one key under one limit: the first asks, the others come after it. */
export interface Queue {
  /** One for each key and limit, as they are counted. */
  readonly id: string
  readonly key: string
  /** In the order in which they came. */
  readonly waiters: Set<Waiter>
  /** Rings when the first may ask again; `null` while it asks. */
  wake: Alarm | null
  /** Whether quota may have come back while the first asks: a denial may be of before. */
  hasHeard: boolean
  /** What ends the hearing of quota that comes back, by the key as it is counted. */
  readonly hearing: Map<string, () => void>
}

/** Whether a waiter costs less than another one, as far as that is known before they are asked for. */
export function mayCostLess({ cost }: Waiter, { cost: other }: Waiter): boolean {
  return cost === undefined || other === undefined ? cost !== other : cost < other
}
