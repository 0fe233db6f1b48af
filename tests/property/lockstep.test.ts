import fc from "fast-check"
import { describe, expect, test } from "vitest"
import type { PolicyInput } from "../../src/policy/policy.js"
import type { Clock } from "../../src/types/clock.js"
import type { Decision } from "../../src/types/decision.js"
import type { CheckOptions } from "../../src/types/limiter.js"
import type { Receipt } from "../../src/types/receipt.js"
import { policies, rules, scenarios } from "../oracle/arbitraries.js"
import { ClockedOracle } from "../oracle/clocked-oracle.js"
import { Lockstep, type MakeLimiter } from "./lockstep.js"

/** Runs random scenarios on a limiter, until one differs. Returns how. */
function firstDifference(make: MakeLimiter): string | null {
  const arbitrary = scenarios({ policy: policies(rules, { minRules: 1, maxRules: 3 }) })
  const details = fc.check(
    fc.property(arbitrary, (scenario) => new Lockstep(make, scenario).run()),
    { numRuns: 300, seed: 1, endOnFailure: true },
  )
  return details.failed ? String(details.errorInstance) : null
}

type Options = { readonly clock: Clock }

/** Limiters that are wrong in one way each. */
const WRONG: Record<string, { readonly make: MakeLimiter; readonly difference: string }> = {
  "a wait that is too long by 1 ms": {
    difference: "retryAfterMs is",
    make: (policy, options) =>
      new (class extends ClockedOracle {
        override check(key: string, asked?: CheckOptions): Decision {
          const decision = super.check(key, asked)
          return decision.allowed ? decision : { ...decision, retryAfterMs: decision.retryAfterMs + 1 }
        }
      })(policy, options),
  },
  "a minus zero": {
    difference: "retryAfterMs is -0, the oracle says 0",
    make: (policy, options) =>
      new (class extends ClockedOracle {
        override peek(key: string, asked?: CheckOptions): Decision {
          const decision = super.peek(key, asked)
          return decision.allowed ? { ...decision, retryAfterMs: -0 } : decision
        }
      })(policy, options),
  },
  "refunds that forget how much leaked": {
    difference: "the oracle says",
    make: (policy, options) =>
      new (class extends ClockedOracle {
        override refund(receipt: Receipt, units?: number): void {
          super.refund({ ...receipt, chargedAtMs: options.clock.now() }, units)
        }
      })(policy, options),
  },
  "receipts that settle twice": {
    difference: "the oracle says",
    make: (policy, options) =>
      new (class extends ClockedOracle {
        #refunds = 0
        override refund(receipt: Receipt, units?: number): void {
          super.refund({ ...receipt, id: `again-${this.#refunds++}` }, units)
        }
      })(policy, options),
  },
  "penalties that get lost": {
    difference: "the oracle says",
    make: (policy, options) =>
      new (class extends ClockedOracle {
        override charge(): void {}
      })(policy, options),
  },
  "blocks that have ended and count as blocks": {
    difference: "whether a block lasted",
    make: (policy, options) =>
      new (class extends ClockedOracle {
        override unblock(key: string): boolean {
          super.unblock(key)
          return true
        }
      })(policy, options),
  },
  "a policy change that forgets": {
    difference: "the oracle says",
    make: (policy: PolicyInput, options: Options) => {
      let inner = new ClockedOracle(policy, options)
      return {
        check: (key, asked) => inner.check(key, asked),
        peek: (key, asked) => inner.peek(key, asked),
        refund: (receipt, units) => inner.refund(receipt, units),
        charge: (key, units) => inner.charge(key, units),
        block: (key, durationMs) => inner.block(key, durationMs),
        unblock: (key) => inner.unblock(key),
        reset: (key) => inner.reset(key),
        setPolicy(next) {
          inner = new ClockedOracle(next, options)
        },
      }
    },
  },
  "a clock that is late by 1 ms": {
    difference: "the oracle says",
    make: (policy, options) => {
      let backMs = 0
      const clock = { now: () => Math.max(0, options.clock.now() - backMs) }
      const inner = new ClockedOracle(policy, { clock })
      return Object.assign(inner, {
        charge(key: string, units: number) {
          ClockedOracle.prototype.charge.call(inner, key, units)
          backMs = 1
        },
      })
    },
  },
}

describe("Lockstep", () => {
  test("finds no difference between the oracle and itself", () => {
    expect(firstDifference((policy, options) => new ClockedOracle(policy, options))).toBeNull()
  })

  test.each(Object.entries(WRONG))("finds %s", (_, { make, difference }) => {
    expect(firstDifference(make)).toMatch(difference)
  })
})
