import { parsePolicy } from "../../src/policy/parse-policy.js"
import type { PolicyInput } from "../../src/policy/policy.js"
import type { Clock } from "../../src/types/clock.js"
import type { Decision } from "../../src/types/decision.js"
import type { CheckOptions } from "../../src/types/limiter.js"
import type { Receipt } from "../../src/types/receipt.js"
import { OracleLimiter } from "./limiter.js"

/** The verbs of a limiter that answers at once, which is what the properties drive. */
export interface SyncLimiter {
  check(key: string, options?: CheckOptions): Decision
  peek(key: string, options?: CheckOptions): Decision
  refund(receipt: Receipt, units?: number): void
  charge(key: string, units: number): unknown
  block(key: string, durationMs: number): void
  unblock(key: string): boolean
  reset(key: string): boolean
  setPolicy(policy: PolicyInput): void
}

/** The oracle behind the verbs of a limiter: the clock is read, the policy parsed, options have defaults. */
export class ClockedOracle implements SyncLimiter {
  readonly #oracle: OracleLimiter
  readonly #clock: Clock

  constructor(policy: PolicyInput, options: { readonly clock: Clock }) {
    this.#oracle = new OracleLimiter(parsePolicy(policy))
    this.#clock = options.clock
  }

  check(key: string, options: CheckOptions = {}): Decision {
    return this.#oracle.check(key, options.cost ?? 1, this.#clock.now())
  }

  peek(key: string, options: CheckOptions = {}): Decision {
    return this.#oracle.peek(key, options.cost ?? 1, this.#clock.now())
  }

  refund(receipt: Receipt, units: number = receipt.cost): void {
    this.#oracle.refund(receipt, units, this.#clock.now())
  }

  charge(key: string, units: number): void {
    this.#oracle.charge(key, units, this.#clock.now())
  }

  block(key: string, durationMs: number): void {
    this.#oracle.block(key, durationMs, this.#clock.now())
  }

  unblock(key: string): boolean {
    return this.#oracle.unblock(key, this.#clock.now())
  }

  reset(key: string): boolean {
    return this.#oracle.reset(key, this.#clock.now())
  }

  setPolicy(policy: PolicyInput): void {
    this.#oracle.setPolicy(parsePolicy(policy), this.#clock.now())
  }
}
