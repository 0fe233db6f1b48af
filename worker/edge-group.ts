import type { Group, RequestLimiter } from "../src/http/request-limiter.js"
import type { Decision } from "../src/types/decision.js"
import type { AllDecision, CheckItem } from "../src/types/limiter.js"
import { decideAcross } from "./check-across.js"
import type { EdgeLimiter } from "./edge-limiter.js"

/** Names held before those are looked for whose limiter is gone. */
const MANY = 1_024

/** A limiter, as long as somebody holds it. */
type Held = Pick<WeakRef<EdgeLimiter>, "deref">

/** Workers with a compatibility date before 2025-05-05 have no `WeakRef`: there a limiter stays. */
const hold = (limiter: EdgeLimiter): Held =>
  typeof WeakRef === "function" ? new WeakRef(limiter) : { deref: () => limiter }

/** Decisions beside a denial, of limits that were only looked at. */
const lookedAt = new WeakSet<Decision>()

/** Whether a limit of a group was only looked at, since another one had denied: it counted no denial. */
export function wasLookedAt(decision: Decision): boolean {
  return lookedAt.has(decision)
}

/** The limits of one middleware, which `checkAcross` decides together. */
export class EdgeGroup implements Group {
  readonly #limiters = new Map<string, Held>()

  /** A limiter as a member of this group. The group does not keep it, where it can. */
  member(limitName: string, limiter: EdgeLimiter): RequestLimiter {
    this.#limiters.set(limitName, hold(limiter))
    if (this.#limiters.size > MANY) {
      for (const [name, held] of this.#limiters) if (held.deref() === undefined) this.#limiters.delete(name)
    }
    return {
      limitName,
      group: this,
      check: (key, options) => limiter.check(key, options),
      refund: (receipt, units) => limiter.refund(receipt, units),
      charge: (key, units) => limiter.charge(key, units),
    }
  }

  async checkAll(items: readonly CheckItem[]): Promise<AllDecision> {
    const { all, isDecided } = await decideAcross(
      items.map(({ limit, ...item }) => ({ limiter: this.#limiters.get(limit!)!.deref()!, ...item })),
    )
    for (const [index, decision] of all.decisions.entries()) if (!isDecided[index]) lookedAt.add(decision)
    return all
  }
}
