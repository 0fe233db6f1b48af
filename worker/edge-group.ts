import type { Group, RequestLimiter } from "../src/http/request-limiter.js"
import type { AllDecision, CheckItem } from "../src/types/limiter.js"
import { checkAcross } from "./check-across.js"
import type { EdgeLimiter } from "./edge-limiter.js"

/** Names held before those are looked for whose limiter is gone. */
const MANY = 1_024

/** The limits of one middleware, which `checkAcross` decides together. */
export class EdgeGroup implements Group {
  readonly #limiters = new Map<string, WeakRef<EdgeLimiter>>()

  /** A limiter as a member of this group. The group does not keep it. */
  member(limitName: string, limiter: EdgeLimiter): RequestLimiter {
    this.#limiters.set(limitName, new WeakRef(limiter))
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
    return checkAcross(items.map(({ limit, ...item }) => ({ limiter: this.#limiters.get(limit!)!.deref()!, ...item })))
  }
}
