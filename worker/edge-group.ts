import type { Group } from "../src/http/request-limiter.js"
import type { Decision } from "../src/types/decision.js"
import { decideAcross } from "./check-across.js"
import type { PartSource } from "./check-part.js"

/** Decisions beside a denial, of limits that were only looked at. */
const lookedAt = new WeakSet<Decision>()

/** Whether a limit of a group was only looked at, since another one had denied: it counted no denial. */
export function wasLookedAt(decision: Decision): boolean {
  return lookedAt.has(decision)
}

/** All limiters at the edge: those of one request are decided as by `checkAcross`. */
export const EDGE_GROUP: Group = {
  async checkAll(items, { limiters, maxDelayMs }) {
    const parts = limiters as readonly object[] as readonly PartSource[]
    const across = items.map(({ limit: _, ...item }, index) => ({ limiter: parts[index]!, ...item }))
    // A flood of requests that a limit is known to deny, each with a new key of another, would cost a call each.
    const { all, isDecided } = await decideAcross(across, { maxDelayMs, looksBeside: false })
    for (const [index, decision] of all.decisions.entries()) if (!isDecided[index]) lookedAt.add(decision)
    return all
  },
}
