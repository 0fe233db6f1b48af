import type { Ledger } from "../ledger/ledger.js"
import type { LedgerLimit } from "../ledger/own-limit.js"
import { show } from "../types/errors.js"
import type { KeyStats } from "../types/limiter.js"
import { inNameOrder } from "./name-order.js"
import type { TopEntry } from "./named-limits.js"
import { requireCount } from "./page.js"

/** Which keys are told. */
export interface TopOptions {
  readonly by: "allowed" | "denied"
  /** The most keys to tell; default 10. */
  readonly count?: number
}

const DEFAULT_COUNT = 10
/** So many keys are looked at before others get their turn. */
const TURN_KEYS = 5_000

/** The keys of some limits with the most checks allowed or denied, most first. @throws {RangeError} */
export async function topOf(
  ledger: Ledger,
  limits: readonly LedgerLimit[],
  { by, count = DEFAULT_COUNT }: TopOptions,
): Promise<TopEntry[]> {
  if (by !== "allowed" && by !== "denied") {
    throw new RangeError(`Cannot tell the top: by is ${show(by)}, allowed is "allowed" or "denied".`)
  }
  requireCount(count)
  const total = (stats: KeyStats) => (by === "allowed" ? stats.totalAllowed : stats.totalDenied)
  const isBefore = (a: TopEntry, b: TopEntry) => total(b.stats) - total(a.stats) || inNameOrder(a.key, b.key)
  let best: TopEntry[] = []
  let looked = 0
  for (const limit of limits) {
    for (const key of [...ledger.namesOf(limit)]) {
      looked += 1
      if (looked % TURN_KEYS === 0) {
        best = best.sort(isBefore).slice(0, count)
        await new Promise((resolve) => setTimeout(resolve, 0))
      }
      // Another limit may have taken its place, or none, while others had their turn.
      if (ledger.nameOf(limit.number) === undefined) break
      const stats = limit.keys.stats(key)
      if (total(stats) > 0) best.push({ key, limit: limit.name, stats })
    }
  }
  return best.sort(isBefore).slice(0, count)
}
