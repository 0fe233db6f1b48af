import { BoundedMap } from "../lib/bounded-map.js"
import { nextHoldMs } from "../limiter/next-hold.js"
import type { Policy } from "../policy/policy.js"
import type { Decision } from "../types/decision.js"
import type { CacheBounds } from "./cache-bounds.js"
import { hasLeft, laterAdmission, nextAdmission } from "./later-admission.js"

/** What was told of a key under a `leaky_bucket`, which holds the next request until its bucket is empty. */
interface Hold {
  readonly policy: string
  readonly decision: Decision
  /** When the limiter was asked: its own clock was not earlier when it admitted. */
  readonly askedAtMs: number
  /** When its answer came: its own clock was not later when it admitted. */
  readonly toldAtMs: number
}

/** Keys whose next request a limiter far away would hold, so that one that may not be held so long costs no call. */
export class HoldCache {
  readonly #bounds: CacheBounds
  readonly #holds: BoundedMap<string, Hold>
  #hits = 0

  constructor(bounds: CacheBounds) {
    this.#bounds = bounds
    this.#holds = new BoundedMap(bounds.maxKeys)
  }

  /** How many checks were answered from here. */
  get hits(): number {
    return this.#hits
  }

  /**
   * What a check would be told that may not be held for longer than a time, where it is known that it would be: an
   * admission that charged nothing, with the delay.
   */
  find(name: string, policy: Policy, cost: number, maxDelayMs: number): Decision | null {
    const hold = this.#known(name, policy, cost, maxDelayMs)
    if (hold === null) return null
    this.#hits += 1
    const elapsedMs = Math.max(0, this.#bounds.clock.now() - hold.toldAtMs)
    return { ...laterAdmission(nextAdmission(hold.decision), elapsedMs), cost, reason: "cached" }
  }

  /** Whether `find` would answer. */
  isHeld(name: string, policy: Policy, cost: number, maxDelayMs: number): boolean {
    return this.#known(name, policy, cost, maxDelayMs) !== null
  }

  #known(name: string, { canonical: policy }: Policy, cost: number, maxDelayMs: number): Hold | null {
    // A name that was just put together has to be hashed, which costs its length: an empty cache is not asked.
    if (this.#holds.size === 0) return null
    const hold = this.#holds.get(name)
    if (hold === undefined) return null
    const { clock, maxAgeMs } = this.#bounds
    const { decision } = hold
    const ageMs = clock.now() - hold.askedAtMs
    if (ageMs < 0 || ageMs >= maxAgeMs || hold.policy !== policy) {
      this.#holds.delete(name)
      return null
    }
    // A rule that has too little left may tell a longer wait.
    return hasLeft(decision, cost) && nextHoldMs(decision) - ageMs > maxDelayMs ? hold : null
  }

  /** Remembers an admission after which the next request would be held. */
  note(name: string, { canonical: policy }: Policy, decision: Decision, askedAtMs: number): void {
    this.#holds.set(name, { policy, decision, askedAtMs, toldAtMs: this.#bounds.clock.now() })
  }

  forget(name: string): void {
    this.#holds.delete(name)
  }
}
