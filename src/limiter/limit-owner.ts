import type { Checker } from "../types/limiter.js"
import { noteCounter } from "./key-waits.js"
import type { SettlingChecker } from "./permit.js"

/** For whom limits are asked that count apart for several, as those of a configuration do for customers. */
export interface Standing {
  /** What their verbs are told of it, beside the limit's name. */
  readonly whose?: object
  /**
   * Tells apart those who are counted apart under the same limit, as it is when it is asked; `undefined` of those who
   * are counted with all who name the limit alone.
   */
  countedAs?(): string | undefined
}

/** Who counts for a limiter that is one of several limits: those limits, under its name. */
export interface LimitOwner extends Standing {
  readonly limits: SettlingChecker
  readonly name: string
}

/** A limit may be viewed by any number of limiters, and each is gone when nobody keeps it. */
const owners = new WeakMap<Checker, LimitOwner>()

/** Notes that a limiter is one of several limits. */
export function noteOwner(limiter: Checker, owner: LimitOwner): void {
  owners.set(limiter, owner)
  noteCounter(limiter, owner.limits)
}

/** The limits of which a limiter is one; `undefined` where it counts by itself. */
export function ownerOf(limiter: Checker): LimitOwner | undefined {
  return owners.get(limiter)
}
