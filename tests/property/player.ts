import { parsePolicy } from "../../src/policy/parse-policy.js"
import type { PolicyInput } from "../../src/policy/policy.js"
import type { Decision } from "../../src/types/decision.js"
import type { Receipt } from "../../src/types/receipt.js"
import type { Call, Scenario } from "../oracle/arbitraries.js"
import type { SyncLimiter } from "../oracle/clocked-oracle.js"
import { CallContext, keyOf } from "./call-context.js"
import type { MakeLimiter } from "./lockstep.js"

/** Plays a scenario's calls on one limiter, with costs cut to what can pass. */
export class Player {
  readonly context: CallContext
  readonly limiter: SyncLimiter
  readonly #policies: readonly PolicyInput[]
  readonly #receipts: Receipt[] = []

  constructor(make: MakeLimiter, scenario: Scenario) {
    this.#policies = scenario.policies
    this.context = new CallContext(parsePolicy(scenario.policies[0]!), scenario)
    this.limiter = make(scenario.policies[0]!, { clock: this.context.clock })
  }

  /** Moves the clock and calls. Returns the decision where the verb has one. */
  play(call: Call): Decision | null {
    this.context.take(call.step)
    const { limiter, context } = this
    const { act } = call
    const key = keyOf(call.key)
    switch (act.verb) {
      case "check":
      case "peek": {
        const cost = Math.min(context.units(act.units), ...context.policy.rules.map((rule) => rule.capacity))
        const decision = limiter[act.verb](key, { cost })
        context.answered(decision)
        if (decision.receipt !== undefined) this.#receipts.push(decision.receipt)
        return decision
      }
      case "charge":
        limiter.charge(key, context.units(act.units))
        return null
      case "refund": {
        const receipt = this.#receipts.at(-1 - act.receipt)
        if (receipt !== undefined) limiter.refund(receipt, Math.floor((receipt.cost * act.thousandths) / 1_000))
        return null
      }
      case "block":
        limiter.block(key, act.durationMs)
        return null
      case "unblock":
      case "reset":
        limiter[act.verb](key)
        return null
      case "setPolicy": {
        const policy = this.#policies[act.policy % this.#policies.length]!
        limiter.setPolicy(policy)
        context.policy = parsePolicy(policy)
        return null
      }
    }
  }
}
