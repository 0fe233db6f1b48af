import type { HistoryEntry, NamedLimit, TopEntry } from "../limiter/named-limits.js"
import type { AnyDecision } from "../limiter/receipts.js"
import { formatPolicy } from "../policy/format-policy.js"
import type { Policy } from "../policy/policy.js"
import {
  type DecisionJson,
  type EventJson,
  type HistoryJson,
  type LimitDecisionJson,
  type PolicyJson,
  type RuleJson,
  type StateJson,
  type StatsJson,
  type StatusJson,
  type TopJson,
  writeReceipt,
} from "../types/api-json.js"
import type { Decision, RuleDecision } from "../types/decision.js"
import type { DecisionEvent } from "../types/decision-event.js"
import type { KeyStats, KeyStatus } from "../types/limiter.js"
import type { ApiAnswer } from "./api-request.js"
import { isoTime } from "./iso-time.js"

const JSON_HEADERS = {
  "Content-Type": "application/json",
  "Cache-Control": "no-store",
  "X-Content-Type-Options": "nosniff",
}

export function jsonAnswer(value: unknown, headers?: Readonly<Record<string, string>>): ApiAnswer {
  const answer = jsonTextAnswer(JSON.stringify(value))
  return headers === undefined ? answer : { ...answer, headers: { ...JSON_HEADERS, ...headers } }
}

/** @param body JSON already */
export function jsonTextAnswer(body: string): ApiAnswer {
  return { status: 200, headers: JSON_HEADERS, body }
}

function isoTimeOrNull(ms: number | null): string | null {
  return ms === null ? null : isoTime(ms)
}

/** A decision, and where a group of limits decided, each limit's own in `limits`. */
export function decisionJson(decision: AnyDecision, nowMs: number): DecisionJson {
  const { limits } = decision
  if (limits === undefined) return limitDecisionJson(decision, nowMs)
  return { ...limitDecisionJson(decision, nowMs), limits: limits.map((each) => limitDecisionJson(each, nowMs)) }
}

function limitDecisionJson(decision: Decision, nowMs: number): LimitDecisionJson {
  const { key, allowed, cost, remaining, algorithm, limit, retryAfterMs, resetAfterMs, delayMs, policy, reason } =
    decision
  const { receipt, rules } = decision
  return {
    key,
    allowed,
    cost,
    remaining,
    reset_at: isoTime(nowMs + resetAfterMs),
    algorithm,
    limit,
    retry_after_ms: retryAfterMs,
    reset_after_ms: resetAfterMs,
    delay_ms: delayMs,
    policy,
    reason,
    receipt: receipt === undefined ? null : writeReceipt(receipt),
    ...(rules !== undefined && { rules: rules.map(ruleJson) }),
  }
}

function ruleJson({
  policy,
  algorithm,
  limit,
  periodMs,
  remaining,
  retryAfterMs,
  resetAfterMs,
}: RuleDecision): RuleJson {
  return {
    policy,
    algorithm,
    limit,
    per_millis: periodMs,
    remaining,
    retry_after_ms: retryAfterMs,
    reset_after_ms: resetAfterMs,
  }
}

/** The rule that a status tells of, whose figures stand for the limit. */
export function bindingRule({ policy, rules }: KeyStatus): RuleDecision {
  return rules.find((rule) => rule.policy === policy)!
}

export function statusJson(status: KeyStatus, stats: KeyStats, limit: NamedLimit, nowMs: number): StatusJson {
  const rule = bindingRule(status)
  return {
    key: status.key,
    rate: rule.limit,
    per_millis: rule.periodMs,
    algorithm: rule.algorithm,
    reset_at: isoTime(nowMs + status.resetAfterMs),
    ...statsJson(stats),
    limit: limit.name,
    ...policyJson(limit.policy),
    ...stateJson(status),
  }
}

export function policyJson(policy: Policy): PolicyJson {
  return { definition: policy.canonical, definition_text: formatPolicy(policy) }
}

export function stateJson({ policy, remaining, resetAfterMs, blockedForMs, rules }: KeyStatus): StateJson {
  return {
    policy,
    remaining,
    reset_after_ms: resetAfterMs,
    blocked_for_ms: blockedForMs,
    rules: rules.map(ruleJson),
  }
}

function statsJson(stats: KeyStats): StatsJson {
  return {
    total_allowed: stats.totalAllowed,
    total_denied: stats.totalDenied,
    total_allowed_cost: stats.totalAllowedCost,
    total_denied_cost: stats.totalDeniedCost,
    last_allowed_at: isoTimeOrNull(stats.lastAllowedAt),
    last_denied_at: isoTimeOrNull(stats.lastDeniedAt),
    last_reset_at: isoTimeOrNull(stats.lastResetAt),
  }
}

export function topJson({ key, limit, stats }: TopEntry): TopJson {
  return { key, limit, ...statsJson(stats) }
}

export function historyJson({ atMs, event, key, limit, units, count }: HistoryEntry): HistoryJson {
  return { at: isoTime(atMs), event, key, limit, units, count }
}

export function eventJson(event: DecisionEvent): EventJson {
  const { id, atMs, key, limit, allowed, cost, remaining, retryAfterMs, reason } = event
  return { id, at: isoTime(atMs), key, limit, allowed, cost, remaining, retry_after_ms: retryAfterMs, reason }
}
