import type { DenialCache } from "../src/edge/denial-cache.js"
import type { Policy } from "../src/policy/policy.js"
import type { CheckItem } from "../src/types/limiter.js"
import type { ObjectCalls } from "./object-calls.js"
import type { SubjectCheck } from "./subject.js"

/** One of several checks that are decided together, as its limiter would send it. */
export interface CheckPart {
  readonly binding: object
  readonly calls: ObjectCalls
  readonly object: string
  readonly scope: string
  readonly check: SubjectCheck
  readonly timeoutMs: number | undefined
  readonly policy: Policy
  /**
   * Where denials are remembered, if they are, and what the key is called there: it has no other name in its binding.
   */
  readonly denialCache: DenialCache | null
  readonly cacheName: string
  /** Lets work go on when this is answered. */
  readonly background: (work: Promise<unknown>) => void
}

/** A limiter that leaves the sending of a check to others. */
export interface PartSource {
  /** @throws {CostError} {KeyError} {RangeError} */
  partOf(item: Omit<CheckItem, "limit">): CheckPart
}
