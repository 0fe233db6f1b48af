import { maximumCost } from "../policy/maximum-cost.js"
import type { Rule } from "../policy/policy.js"
import { MAX_UNITS } from "../policy/policy-range.js"
import { isWhole, unfit, unfitWhole } from "../policy/require-fields.js"
import { CostError, show } from "../types/errors.js"

/**
 * @throws {RangeError} where the cost of a key's check is no whole number in range: WebAssembly would make one of it
 */
export function requireCost(key: unknown, cost: unknown): number {
  if (isWhole(cost, 0, MAX_UNITS)) return cost
  throw unfitWhole(`check key ${show(key)}`, "cost", cost, 0, MAX_UNITS)
}

/** Refuses costs that cannot be, before anything is charged. @throws {CostError} {RangeError} */
export function requireCosts(
  keys: ArrayLike<unknown>,
  costs: ArrayLike<number> | undefined,
  rules: readonly Rule[],
): void {
  if (costs === undefined) return
  if (costs?.length !== keys.length) {
    throw unfit("check keys", "costs.length", costs?.length, `${keys.length}`)
  }
  const maximum = maximumCost(rules)
  for (let index = 0; index < costs.length; index++) {
    const cost = requireCost(keys[index], costs[index])
    if (cost > maximum) throw new CostError(String(keys[index]), cost, maximum)
  }
}
