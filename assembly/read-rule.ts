import { LEAKY_BUCKET, mostAheadMs } from "./algorithms"
import { mulDiv, remainder } from "./math"
import { Rule } from "./rule"

/** Reads the rule that the host wrote at `input` and derives the rest. */
export function readRule(rule: Rule, input: usize): void {
  rule.algorithm = <i32>load<f64>(input)
  rule.delays = rule.algorithm == LEAKY_BUCKET
  rule.capacity = <i64>load<f64>(input, 8)
  rule.unitsN = <i64>load<f64>(input, 16)
  rule.periodP = <i64>load<f64>(input, 24)
  rule.inverseP = 1 / load<f64>(input, 24)
  rule.periodMs = <i64>load<f64>(input, 32)
  rule.offsetMs = <i64>load<f64>(input, 40)
  rule.amount = <i64>load<f64>(input, 48)
  rule.everyMs = <i64>load<f64>(input, 56)
  rule.unitMs = mulDiv(1, rule.periodP, rule.unitsN)
  rule.unitRest = remainder
  rule.capacityMs = mulDiv(rule.capacity, rule.periodP, rule.unitsN)
  rule.capacityRest = remainder
  rule.mostAheadMs = mostAheadMs(rule)
}
