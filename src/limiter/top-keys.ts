import { inNameOrder } from "../lib/name-order.js"
import { show } from "../types/errors.js"
import type { KeyStats } from "../types/limiter.js"
import { DEFAULT_TOP, type TopEntry, type TopOptions } from "./named-limits.js"
import { requireCount } from "./page.js"

/** Of the keys that it hears of, those with the most checks allowed or denied. */
export class TopKeys {
  readonly #by: TopOptions["by"]
  readonly #count: number
  readonly #heard: TopEntry[] = []

  /** @throws {RangeError} where an option cannot be */
  constructor({ by, count = DEFAULT_TOP }: TopOptions) {
    if (by !== "allowed" && by !== "denied") {
      throw new RangeError(`Cannot tell the top: by is ${show(by)}, allowed is "allowed" or "denied".`)
    }
    requireCount(count)
    this.#by = by
    this.#count = count
  }

  #total({ stats }: TopEntry): number {
    return this.#by === "allowed" ? stats.totalAllowed : stats.totalDenied
  }

  add(key: string, limit: string, stats: KeyStats): void {
    const entry = { key, limit, stats }
    if (this.#total(entry) > 0) this.#heard.push(entry)
  }

  /** Those of now, most first, equal ones in the order of their keys and limits; the others are forgotten. */
  best(): TopEntry[] {
    const best = this.#heard.sort(
      (a, b) => this.#total(b) - this.#total(a) || inNameOrder(a.key, b.key) || inNameOrder(a.limit, b.limit),
    )
    best.length = Math.min(best.length, this.#count)
    return best
  }
}
