import { BoundedMap } from "../lib/bounded-map.js"
import type { Policy } from "../policy/policy.js"
import type { Decision } from "../types/decision.js"
import type { CacheBounds } from "./cache-bounds.js"
import { hasLeft, laterAdmission, nextAdmission } from "./later-admission.js"
import { laterDenial } from "./later-denial.js"
import { LookBudget } from "./look-budget.js"

/** What was told of a key beside another that denied. */
interface Look {
  readonly policy: string
  readonly decision: Decision
  readonly toldAtMs: number
}

/** How long a look is not made again where it got no answer, ms. */
const UNANSWERED_MS = 5_000

/**
 * What is known of keys beside a denial of another one, so that it need not be looked at them again. It decides
 * nothing: it is shown beside the denial.
 */
export class LookCache {
  readonly #bounds: CacheBounds
  readonly #looks: BoundedMap<string, Look>
  readonly #budget = new LookBudget()

  constructor(bounds: CacheBounds) {
    this.#bounds = bounds
    this.#looks = new BoundedMap(bounds.maxKeys)
  }

  /** How many of the objects that are to be looked at beside the denial of a key may be. They count as looked at. */
  take(name: string, wanted: number): number {
    return this.#budget.take(name, wanted, this.#bounds.clock.now())
  }

  /**
   * Remembers what the same check would be told of a key, as a look at it told, or as it was told when it was charged;
   * with the reason `fail-open` that a look got no answer.
   */
  note(name: string, { canonical: policy }: Policy, told: Decision): void {
    const isCharged = told.receipt !== undefined
    if (isCharged && !hasLeft(told, told.cost)) {
      this.#looks.delete(name)
      return
    }
    const decision = isCharged ? nextAdmission(told) : told
    this.#looks.set(name, { policy, decision, toldAtMs: this.#bounds.clock.now() })
  }

  /** What `note` was told last of the same check, lately. */
  find(name: string, policy: Policy, cost: number): Decision | null {
    const look = this.#looks.get(name)
    if (look === undefined) return null
    const { clock, maxAgeMs } = this.#bounds
    const { decision } = look
    const ageMs = clock.now() - look.toldAtMs
    const mostMs = decision.reason === "fail-open" ? Math.min(UNANSWERED_MS, maxAgeMs) : maxAgeMs
    if (ageMs < 0 || ageMs >= mostMs || look.policy !== policy.canonical || decision.cost !== cost) return null
    if (decision.allowed) return laterAdmission(decision, ageMs)
    return ageMs < decision.retryAfterMs ? laterDenial(decision, policy, cost, ageMs) : null
  }

  forget(name: string): void {
    this.#looks.delete(name)
  }
}
