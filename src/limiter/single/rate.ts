import { parsePolicy } from "../../policy/parse-policy.js"
import type { RuleInput } from "../../policy/policy.js"
import { PolicyError } from "../../types/errors.js"

/** A rate: `"100/minute"`, `"10/15m"`, or a whole number of units per second. */
export type Rate = string | number

/** What the classes with a rate and a capacity are made of. */
export interface RateAndCapacity {
  readonly rate: Rate
  /** Most units at once, 1 … 2^31; default the units of one period of the rate. */
  readonly capacity?: number | undefined
}

/** Limit and period of a rate. @throws {PolicyError} where it is none */
export function ruleOfRate({ rate, capacity }: RateAndCapacity): Pick<RuleInput, "limit" | "period" | "burst"> {
  const burst = capacity === undefined ? {} : { burst: capacity }
  if (typeof rate === "number") {
    if (!Number.isInteger(rate)) {
      throw new PolicyError("rate", rate, 'a whole number of units per second, or a text such as "3/2s" for 1.5')
    }
    return { limit: rate, period: 1_000, ...burst }
  }
  if (typeof rate !== "string") throw new PolicyError("rate", rate, 'units per second, or a text such as "100/minute"')
  const [rule, ...others] = parsePolicy(rate).rules
  if (others.length > 0 || rule.algorithm !== "gcra" || rule.capacity !== rule.limit || rule.name !== "default") {
    throw new PolicyError("rate", rate, 'units and a period alone, as in "100/minute"')
  }
  return { limit: rule.limit, period: rule.periodMs, ...burst }
}
