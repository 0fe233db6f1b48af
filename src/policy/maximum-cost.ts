import type { Rule } from "./policy.js"

/** The smallest capacity of the rules: no cost above it can ever pass. */
export function maximumCost(rules: readonly Rule[]): number {
  return Math.min(...rules.map((rule) => rule.capacity))
}
