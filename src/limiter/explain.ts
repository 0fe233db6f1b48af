import { formatDuration } from "../policy/format-duration.js"
import type { Policy } from "../policy/policy.js"
import type { Decision } from "../types/decision.js"
import { show } from "../types/errors.js"
import type { KeyStatus } from "../types/limiter.js"
import { isDeniedForGood } from "./denied-for-good.js"
import type { Explanation, HistoryEntry } from "./named-limits.js"

/** How many of a key's last events an explanation tells. */
export const RECENT_EVENTS = 10

/** What an explanation is made of. */
export interface ExplainInput {
  /** The limit's name. */
  readonly limit: string
  readonly policy: Policy
  /** What `peek` says. */
  readonly decision: Decision
  readonly status: KeyStatus
  /** The limiter's time, ms since the epoch. */
  readonly nowMs: number
  readonly recent: readonly HistoryEntry[]
}

/** Tells why a check would be answered as it would be now, and when it would be admitted if nothing else came. */
export function explain({ limit, policy, decision, status, nowMs, recent }: ExplainInput): Explanation {
  return {
    limit,
    policy,
    decision,
    status,
    nextAdmissionAtMs: nextAdmissionAtMs(decision, nowMs),
    because: because(policy, decision, status.blockedForMs),
    recent,
  }
}

/** When a check is admitted if nothing else comes; `null` where no wait helps. */
export function nextAdmissionAtMs(decision: Decision, nowMs: number): number | null {
  return isDeniedForGood(decision) ? null : nowMs + decision.retryAfterMs
}

function because(policy: Policy, decision: Decision, blockedForMs: number): string {
  const { policy: name, remaining, cost, retryAfterMs, reason, allowed } = decision
  if (reason === "blocked") {
    const block = `The key is blocked for another ${blockedForMs} ms`
    // A check has to wait for the longer of both.
    return retryAfterMs > blockedForMs
      ? `${block}, and its quota admits cost ${cost} in ${retryAfterMs} ms.`
      : `${block}.`
  }
  const rule = policy.rules.find((each) => each.name === name) ?? policy.rules[0]
  const says = `The rule ${show(name)} (${rule.limit} per ${formatDuration(rule.periodMs)}, ${rule.algorithm})`
  if (allowed) return `${says} binds most: ${remaining} are left, and cost ${cost} is admitted.`
  if (cost === 0) return `${says} is in debt: it has units again in ${retryAfterMs} ms.`
  return `${says} has ${remaining} left, which is less than cost ${cost}: it admits it in ${retryAfterMs} ms.`
}
