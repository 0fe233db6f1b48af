/*
 * Where the core writes what it decided, as indices of the host's views: assembly/decide.ts draws the verdict, and
 * assembly/algorithms/arrival-time.ts the answer in short.
 */

/** A verdict, as f64: its own numbers, and where its rules begin. */
export const VERDICT_RETRY_AFTER = 0
export const VERDICT_DELAY = 1
export const VERDICT_BINDING_RULE = 2
export const VERDICT_CHARGED_AT = 3
export const VERDICT_RULES = 4

/** Each of its rules, and how many numbers that has. */
export const RULE_REMAINING = 0
export const RULE_RETRY_AFTER = 1
export const RULE_RESET_AFTER = 2
export const VERDICT_RULE_SIZE = 3

/** An answer in short, as i32: the lower halves of its numbers, and how many halves there are. */
export const BRIEF_REMAINING = 0
export const BRIEF_RETRY_AFTER = 2
export const BRIEF_RESET_AFTER = 4
export const BRIEF_WORDS = 6
