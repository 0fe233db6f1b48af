import type { Policy, Rule } from "../policy/policy.js"
import type { CoreExports } from "./core-exports.js"

/**
 * The core's number of a rule's algorithm: what it exports under the algorithm's name in capitals. Part of the ABI and
 * of stored snapshots.
 */
function algorithmNumber(rule: Rule, core: CoreExports): number {
  const name = rule.refill === null ? rule.algorithm : "token_bucket_steps"
  const number: unknown = (core as unknown as Record<string, WebAssembly.Global | undefined>)[name.toUpperCase()]?.value
  if (typeof number !== "number") throw new Error(`core.wasm does not know the algorithm ${name}`)
  return number
}

/** The greatest common divisor of two whole numbers ≥ 1 (Euclid). */
function greatestCommonDivisor(a: number, b: number): number {
  while (b !== 0) [a, b] = [b, a % b]
  return a
}

/** What the rules of a policy are in numbers: many limits may have the same one. */
const knownFields = new WeakMap<Policy, readonly number[]>()

/** The rules of a policy, one after the other, as `limitNew` reads them. */
export function policyFields(policy: Policy, core: CoreExports): readonly number[] {
  const known = knownFields.get(policy)
  if (known !== undefined) return known
  const fields = policy.rules.flatMap((rule) => ruleFields(rule, core))
  knownFields.set(policy, fields)
  return fields
}

/**
 * A rule as the eight numbers that the core reads: algorithm, capacity, N, P, period, offset, step amount, step time.
 * N/P is the rate in units per millisecond in lowest terms.
 */
function ruleFields(rule: Rule, core: CoreExports): readonly number[] {
  const divisor = greatestCommonDivisor(rule.limit, rule.periodMs)
  return [
    algorithmNumber(rule, core),
    rule.capacity,
    rule.limit / divisor,
    rule.periodMs / divisor,
    rule.periodMs,
    rule.anchor === "first" ? core.ANCHOR_FIRST.value : rule.offsetMs,
    rule.refill?.amount ?? 0,
    rule.refill?.everyMs ?? 0,
  ]
}
