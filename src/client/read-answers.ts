import type { Explanation, HistoryEntry, NamedLimit, TopEntry } from "../limiter/named-limits.js"
import type { AnyDecision } from "../limiter/receipts.js"
import { parsePolicy } from "../policy/parse-policy.js"
import type { Algorithm } from "../types/algorithm.js"
import type { Reason, RuleDecision } from "../types/decision.js"
import type { AllDecision, KeyStats, KeyStatus } from "../types/limiter.js"
import type { Receipt } from "../types/receipt.js"
import { complete } from "./complete.js"

// The answers of the API, as its document describes them. A server of sluice is trusted to keep to it; that it is one is
// not known: what reads an answer throws where what it needs is not there.

export interface ReceiptJson {
  readonly id: string
  readonly key: string
  readonly policy: string
  readonly cost: number
  readonly charged_at_ms: number
}

interface RuleJson {
  readonly policy: string
  readonly algorithm: Algorithm
  readonly limit: number
  readonly per_millis: number
  readonly remaining: number
  readonly retry_after_ms: number
  readonly reset_after_ms: number
}

export interface DecisionJson {
  readonly key: string
  readonly allowed: boolean
  readonly cost: number
  readonly remaining: number
  readonly algorithm: Algorithm
  readonly limit: number
  readonly retry_after_ms: number
  readonly reset_after_ms: number
  readonly delay_ms: number
  readonly policy: string
  readonly reason: Reason
  readonly receipt: ReceiptJson | null
  readonly rules?: readonly RuleJson[]
  /** Each limit's own, where a group of them was asked. */
  readonly limits?: readonly DecisionJson[]
}

export interface AllDecisionJson {
  readonly allowed: boolean
  readonly denied_key: string | null
  readonly denied_policy: string | null
  readonly results: readonly DecisionJson[]
}

interface StatsJson {
  readonly total_allowed: number
  readonly total_denied: number
  readonly total_allowed_cost: number
  readonly total_denied_cost: number
  readonly last_allowed_at: string | null
  readonly last_denied_at: string | null
  readonly last_reset_at: string | null
}

interface StateJson {
  readonly policy: string
  readonly remaining: number
  readonly reset_after_ms: number
  readonly blocked_for_ms: number
  readonly rules: readonly RuleJson[]
}

export interface StatusJson extends StatsJson, StateJson {
  readonly key: string
  readonly limit: string
  readonly definition: string
}

export interface TopJson extends StatsJson {
  readonly key: string
  readonly limit: string
}

export interface HistoryJson {
  readonly at: string
  readonly event: HistoryEntry["event"]
  readonly key: string
  readonly limit: string
  readonly units: number
  readonly count: number
}

export interface ExplanationJson {
  readonly key: string
  readonly limit: string
  readonly definition: string
  readonly decision: DecisionJson
  readonly state: StateJson
  readonly next_admission_at: string | null
  readonly because: string
  readonly recent: readonly HistoryJson[]
}

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

function readReceipt({ id, key, policy, cost, charged_at_ms }: ReceiptJson): Receipt {
  return { id, key, policy, cost, chargedAtMs: charged_at_ms }
}

export function writeReceipt({ id, key, policy, cost, chargedAtMs }: Receipt): ReceiptJson {
  return { id, key, policy, cost, charged_at_ms: chargedAtMs }
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
