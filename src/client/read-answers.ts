import type { Explanation, HistoryEntry, NamedLimit, TopEntry } from "../limiter/named-limits.js"
import type { AnyDecision } from "../limiter/receipts.js"
import { parsePolicy } from "../policy/parse-policy.js"
import {
  type AllDecisionJson,
  type DecisionJson,
  type ExplanationJson,
  type HistoryJson,
  type RuleJson,
  readReceipt,
  type StateJson,
  type StatsJson,
  type StatusJson,
  type TopJson,
} from "../types/api-json.js"
import type { RuleDecision } from "../types/decision.js"
import type { AllDecision, KeyStats, KeyStatus } from "../types/limiter.js"
import { complete } from "./complete.js"

// A server of sluice is trusted to answer as its document says. That it is one is not known: what reads an answer
// throws where what it needs is not there.

/** An answer that says whether something was done. */
export function readFlag<Name extends string>(name: Name): (json: { readonly [Each in Name]: boolean }) => boolean {
  return ({ [name]: value }) => complete({ value }).value
}

export function readDecision(json: DecisionJson): AnyDecision {
  const { receipt, rules, limits } = json
  return complete(
    {
      allowed: json.allowed,
      key: json.key,
      policy: json.policy,
      algorithm: json.algorithm,
      limit: json.limit,
      remaining: json.remaining,
      cost: json.cost,
      retryAfterMs: json.retry_after_ms,
      resetAfterMs: json.reset_after_ms,
      delayMs: json.delay_ms,
      reason: json.reason,
      ...(receipt !== null && { receipt: readReceipt(receipt) }),
      ...(rules && { rules: rules.map(readRule) }),
      ...(limits && { limits: limits.map(readDecision) }),
    },
    ["limit", "remaining", "cost", "retryAfterMs", "resetAfterMs", "delayMs"],
  )
}

export function readAllDecision(json: AllDecisionJson): AllDecision {
  return complete({
    allowed: json.allowed,
    deniedKey: json.denied_key,
    deniedPolicy: json.denied_policy,
    decisions: json.results.map(readDecision),
  })
}

function readRule(json: RuleJson): RuleDecision {
  return complete(
    {
      policy: json.policy,
      algorithm: json.algorithm,
      limit: json.limit,
      periodMs: json.per_millis,
      remaining: json.remaining,
      retryAfterMs: json.retry_after_ms,
      resetAfterMs: json.reset_after_ms,
    },
    ["limit", "periodMs", "remaining", "retryAfterMs", "resetAfterMs"],
  )
}

export function readStats(json: StatsJson): KeyStats {
  return complete(
    {
      totalAllowed: json.total_allowed,
      totalDenied: json.total_denied,
      totalAllowedCost: json.total_allowed_cost,
      totalDeniedCost: json.total_denied_cost,
      lastAllowedAt: readTime(json.last_allowed_at),
      lastDeniedAt: readTime(json.last_denied_at),
      lastResetAt: readTime(json.last_reset_at),
    },
    ["totalAllowed", "totalDenied", "totalAllowedCost", "totalDeniedCost"],
  )
}

function readTime(time: string | null): number | null {
  return time === null ? null : Date.parse(time)
}

export function readStatus(key: string, json: StateJson): KeyStatus {
  return complete(
    {
      key,
      policy: json.policy,
      remaining: json.remaining,
      resetAfterMs: json.reset_after_ms,
      blockedForMs: json.blocked_for_ms,
      rules: json.rules.map(readRule),
    },
    ["remaining", "resetAfterMs", "blockedForMs"],
  )
}

export function readLimit({ limit, definition }: StatusJson): NamedLimit {
  return { name: limit, policy: parsePolicy(definition) }
}

export function readTop(json: TopJson): TopEntry {
  return complete({ key: json.key, limit: json.limit, stats: readStats(json) })
}

export function readHistory({ at, event, key, limit, units, count }: HistoryJson): HistoryEntry {
  return complete({ atMs: Date.parse(at), event, key, limit, units, count }, ["units", "count"])
}

export function readExplanation(json: ExplanationJson): Explanation {
  return complete({
    limit: json.limit,
    policy: parsePolicy(json.definition),
    decision: readDecision(json.decision),
    status: readStatus(json.key, json.state),
    nextAdmissionAtMs: readTime(json.next_admission_at),
    because: json.because,
    recent: json.recent.map(readHistory),
  })
}
