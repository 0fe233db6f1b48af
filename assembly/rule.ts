/** The most rules of a limit. */
export const MAX_RULES: i32 = 8
/**
 * How many numbers the host writes per rule, each an f64: algorithm, capacity, N, P, period, offset, units of a step,
 * time of a step.
 */
export const RULE_FIELDS: i32 = 8
/** What the host writes as `offsetMs` for windows that start with a key's first charge. */
export const ANCHOR_FIRST: i32 = -1

/**
 * A rule as the algorithms see it: whole numbers that were derived once. Rates are N/P units per millisecond in
 * lowest terms, so one unit weighs P/N ms, told as whole milliseconds and a rest in 1/N ms.
 */
@unmanaged
export class Rule {
  algorithm: i32
  /** Whether an admission tells how long to hold it. */
  delays: bool
  /** The most units at once, 1 … 2³¹. */
  capacity: i64
  /** N, 1 … 2³¹. */
  unitsN: i64
  /** P, 1 … 315,360,000,000. */
  periodP: i64
  /** 1/P, rounded. */
  inverseP: f64
  periodMs: i64
  /** Shift of aligned windows, or `ANCHOR_FIRST`. */
  offsetMs: i64
  /** Step refill: units per step. */
  amount: i64
  /** Step refill: milliseconds per step. */
  everyMs: i64
  /** One unit: ⌊P/N⌋ ms and the rest in 1/N ms. */
  unitMs: i64
  unitRest: i64
  /** The capacity: ⌊B·P/N⌋ ms and the rest in 1/N ms. */
  capacityMs: i64
  capacityRest: i64
  /** How far ahead of the clock a state may lie without a debt: from empty to full, rounded up. */
  mostAheadMs: i64
}

export const RULE_BYTES: usize = offsetof<Rule>()
