import type { Rule } from "../../src/policy/policy.js"
import type { Algorithm } from "../../src/types/algorithm.js"
import { fixedWindow } from "./fixed-window.js"
import { gcra } from "./gcra.js"
import type { MakeRuleOracle, RuleOracle } from "./rule-oracle.js"
import { slidingWindow } from "./sliding-window.js"
import { slidingWindowLog } from "./sliding-window-log.js"
import { tokenBucketSteps } from "./token-bucket-steps.js"

/** Each algorithm's oracle. A new algorithm is a file beside this one and a line here. */
const MAKERS: Record<Algorithm, MakeRuleOracle<object>> = {
  gcra,
  token_bucket: (rule) => (rule.refill === null ? gcra(rule) : tokenBucketSteps(rule)),
  leaky_bucket: gcra,
  fixed_window: fixedWindow,
  sliding_window: slidingWindow,
  sliding_window_log: slidingWindowLog,
}

/** The oracle of one rule. Only that oracle knows the shape of the states that it returns. */
export function ruleOracle(rule: Rule): RuleOracle<object> {
  return MAKERS[rule.algorithm](rule)
}
