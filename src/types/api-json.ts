import type { Algorithm } from "./algorithm.js"
import type { Reason } from "./decision.js"
import type { KeyEvent } from "./limiter.js"
import type { Receipt } from "./receipt.js"

// What the API tells, as its document describes it: the server writes it, the client reads it. Times are ISO 8601, UTC.

export interface ReceiptJson {
  readonly id: string
  readonly key: string
  readonly policy: string
  readonly cost: number
  readonly charged_at_ms: number
}

export interface RuleJson {
  readonly policy: string
  readonly algorithm: Algorithm
  readonly limit: number
  readonly per_millis: number
  readonly remaining: number
  readonly retry_after_ms: number
  readonly reset_after_ms: number
}

/** The decision of one limit. */
export interface LimitDecisionJson {
  readonly key: string
  readonly allowed: boolean
  readonly cost: number
  readonly remaining: number
  readonly reset_at: string
  readonly algorithm: Algorithm
  readonly limit: number
  readonly retry_after_ms: number
  readonly reset_after_ms: number
  readonly delay_ms: number
  readonly policy: string
  readonly reason: Reason
  readonly receipt: ReceiptJson | null
  readonly rules?: readonly RuleJson[]
}

export interface DecisionJson extends LimitDecisionJson {
  /** Each limit's own, where a group of them was asked. */
  readonly limits?: readonly LimitDecisionJson[]
}

export interface AllDecisionJson {
  readonly allowed: boolean
  readonly denied_key: string | null
  readonly denied_policy: string | null
  readonly results: readonly DecisionJson[]
}

export interface StatsJson {
  readonly total_allowed: number
  readonly total_denied: number
  readonly total_allowed_cost: number
  readonly total_denied_cost: number
  readonly last_allowed_at: string | null
  readonly last_denied_at: string | null
  readonly last_reset_at: string | null
}

export interface StateJson {
  readonly policy: string
  readonly remaining: number
  readonly reset_after_ms: number
  readonly blocked_for_ms: number
  readonly rules: readonly RuleJson[]
}

/** A policy for machines, and as people write it. */
export interface PolicyJson {
  readonly definition: string
  readonly definition_text: string
}

export interface StatusJson extends StatsJson, StateJson, PolicyJson {
  readonly key: string
  readonly rate: number
  readonly per_millis: number
  readonly algorithm: Algorithm
  readonly reset_at: string
  readonly limit: string
  readonly fixed?: boolean
  readonly configured?: boolean
}

export interface TopJson extends StatsJson {
  readonly key: string
  readonly limit: string
}

export interface HistoryJson {
  readonly at: string
  readonly event: KeyEvent
  readonly key: string
  readonly limit: string
  readonly units: number
  readonly count: number
}

export interface ExplanationJson extends PolicyJson {
  readonly key: string
  readonly limit: string
  readonly decision: DecisionJson
  readonly state: StateJson
  readonly next_admission_at: string | null
  readonly because: string
  readonly recent: readonly HistoryJson[]
}

/** An event of the stream. */
export interface EventJson {
  readonly id: number
  readonly at: string
  readonly key: string
  readonly limit: string
  readonly allowed: boolean
  readonly cost: number
  readonly remaining: number
  readonly retry_after_ms: number
  readonly reason: Reason
}

export function writeReceipt({ id, key, policy, cost, chargedAtMs }: Receipt): ReceiptJson {
  return { id, key, policy, cost, charged_at_ms: chargedAtMs }
}

export function readReceipt({ id, key, policy, cost, charged_at_ms }: ReceiptJson): Receipt {
  return { id, key, policy, cost, chargedAtMs: charged_at_ms }
}
