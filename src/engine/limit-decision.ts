import type { Rule } from "../policy/policy.js"
import type { Algorithm } from "../types/algorithm.js"
import type { Decision, Reason, RuleDecision } from "../types/decision.js"
import type { Receipt } from "../types/receipt.js"
import { type Issuer, receiptId } from "./receipt-id.js"

/** What a decision tells of the rule that binds most. */
export type BindingRule = Pick<Rule, "name" | "algorithm" | "limit">

/**
 * A decision as the engine gives it: one small object. The receipt is made when it is asked for, since most are
 * not; `JSON.stringify` shows it like the rest.
 */
export class LimitDecision implements Decision {
  declare readonly allowed: boolean
  declare readonly key: string
  declare readonly policy: string
  declare readonly algorithm: Algorithm
  declare readonly limit: number
  declare readonly remaining: number
  declare readonly cost: number
  declare readonly retryAfterMs: number
  declare readonly resetAfterMs: number
  declare readonly delayMs: number
  declare readonly reason: Reason
  declare readonly rules?: readonly RuleDecision[]
  readonly #issuer: Issuer
  /** The charge's number with its issuer; 0 where nothing was charged. */
  readonly #chargeNumber: number
  readonly #chargedAtMs: number

  constructor(
    reason: Reason,
    key: string,
    rule: BindingRule,
    remaining: number,
    cost: number,
    retryAfterMs: number,
    resetAfterMs: number,
    delayMs: number,
    issuer: Issuer,
    chargeNumber: number,
    chargedAtMs: number,
  ) {
    this.allowed = reason === "ok"
    this.key = key
    this.policy = rule.name
    this.algorithm = rule.algorithm
    this.limit = rule.limit
    this.remaining = remaining
    this.cost = cost
    this.retryAfterMs = retryAfterMs
    this.resetAfterMs = resetAfterMs
    this.delayMs = delayMs
    this.reason = reason
    this.#issuer = issuer
    this.#chargeNumber = chargeNumber
    this.#chargedAtMs = chargedAtMs
  }

  get receipt(): Receipt | undefined {
    if (this.#chargeNumber === 0) return undefined
    return {
      id: receiptId(this.#issuer, this.#chargeNumber),
      key: this.key,
      policy: this.#issuer.policyName,
      cost: this.cost,
      chargedAtMs: this.#chargedAtMs,
    }
  }

  /** Plain data, the receipt included. */
  toJSON(): Decision {
    const { receipt } = this
    return receipt === undefined ? { ...this } : { ...this, receipt }
  }
}
