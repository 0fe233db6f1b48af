import fc from "fast-check"
import type { RuleInput } from "../../src/policy/policy.js"
import { ALGORITHMS, type Algorithm } from "../../src/types/algorithm.js"

const MOST_UNITS = 2 ** 31
const LONGEST_PERIOD_MS = 315_360_000_000
const LONGEST_REFILL_MS = 2n ** 45n

/** A limit's rate, as a user would state it. */
interface Rate {
  readonly limit: number
  readonly period: number
}

/** Rates that deny soon, rates of everyday use, coprime pairs, and the ends of both ranges. */
const rates: fc.Arbitrary<Rate> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ limit: fc.integer({ min: 1, max: 10 }), period: fc.integer({ min: 1, max: 99 }) }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      limit: fc.integer({ min: 1, max: 100 }),
      period: fc.constantFrom(1_000, 10_000, 60_000, 3_600_000, 86_400_000),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      limit: fc.constantFrom(1, 2, 3, 65_537, 999_983, MOST_UNITS - 1, MOST_UNITS),
      period: fc.constantFrom(1, 2, 7, 999_979, 2_147_483_647, LONGEST_PERIOD_MS - 1, LONGEST_PERIOD_MS),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      limit: fc.integer({ min: 1, max: MOST_UNITS }),
      period: fc.integer({ min: 1, max: LONGEST_PERIOD_MS }),
    }),
  },
)

/** Bursts of one unit, a few, some periods' worth, and the most that refills within 2^45 ms. */
function bursts({ limit, period }: Rate): fc.Arbitrary<number | undefined> {
  const mostByTime = (LONGEST_REFILL_MS * BigInt(limit)) / BigInt(period)
  const most = mostByTime > BigInt(MOST_UNITS) ? MOST_UNITS : Number(mostByTime)
  return fc
    .oneof(
      fc.constant(undefined),
      fc.constantFrom(1, most, most - 1),
      fc.integer({ min: 1, max: 20 }),
      fc.integer({ min: 1, max: 8 }).map((periods) => periods * limit),
    )
    .map((burst) => (burst === undefined ? undefined : Math.max(1, Math.min(burst, most))))
}

const arrivalRules = (algorithm: Algorithm): fc.Arbitrary<RuleInput> =>
  rates.chain((rate) =>
    bursts(rate).map((burst) => ({ ...rate, algorithm, ...(burst === undefined ? {} : { burst }) })),
  )

/** Step refills: limit and period are the same multiple, or the same fraction, of the refill's amount and time. */
const stepRules: fc.Arbitrary<RuleInput> = fc
  .oneof(
    {
      weight: 5,
      arbitrary: fc.tuple(
        fc.integer({ min: 1, max: 12 }),
        fc.integer({ min: 1, max: 1_000 }),
        fc.integer({ min: 1, max: 20 }),
        fc.integer({ min: 1, max: 20 }),
      ),
    },
    {
      weight: 1,
      arbitrary: fc.constantFrom([MOST_UNITS, 1, 1, 1], [1, LONGEST_PERIOD_MS, 1, 1], [1, 1, MOST_UNITS, 1]),
    },
    { weight: 1, arbitrary: fc.constantFrom([MOST_UNITS, LONGEST_PERIOD_MS, 1, 1], [1, 1, 1, MOST_UNITS]) },
  )
  .chain(([units, ms, limits, refills]) => {
    const rate = { limit: units! * limits!, period: ms! * limits! }
    const amount = units! * refills!
    return bursts(rate).map((burst) => ({
      ...rate,
      algorithm: "token_bucket" as const,
      burst: Math.max(burst ?? rate.limit, amount),
      refill: { amount, every: ms! * refills! },
    }))
  })

const fixedWindowRules: fc.Arbitrary<RuleInput> = rates.chain((rate) => {
  const rule = { ...rate, algorithm: "fixed_window" as const }
  return fc.oneof(
    fc.constant(rule),
    fc.constant({ ...rule, anchor: "first" as const }),
    fc.constantFrom(0, 1, rate.period - 1).map((offset) => ({ ...rule, offset: Math.min(offset, rate.period - 1) })),
    fc.integer({ min: 0, max: rate.period - 1 }).map((offset) => ({ ...rule, anchor: "epoch" as const, offset })),
  )
})

/** Rules of the algorithms that have fields of their own. */
const rulesWithFields: Partial<Record<Algorithm, fc.Arbitrary<RuleInput>>> = {
  gcra: arrivalRules("gcra"),
  token_bucket: arrivalRules("token_bucket"),
  leaky_bucket: arrivalRules("leaky_bucket"),
  fixed_window: fixedWindowRules,
}

/** Every kind of rule that a test may want to drive alone: the algorithms, and the step bucket with its own state. */
export const RULE_KINDS = [...ALGORITHMS, "token_bucket_steps"] as const

/** The rules of each kind; those of an algorithm without fields of its own are rates. */
export const rulesOf = Object.fromEntries(
  RULE_KINDS.map((kind) => {
    if (kind === "token_bucket_steps") return [kind, stepRules]
    return [kind, rulesWithFields[kind] ?? rates.map((rate): RuleInput => ({ ...rate, algorithm: kind }))]
  }),
) as Readonly<Record<(typeof RULE_KINDS)[number], fc.Arbitrary<RuleInput>>>

export const rules: fc.Arbitrary<RuleInput> = fc.oneof(...Object.values(rulesOf))

/** One policy of `minRules` … `maxRules` rules, one in six with a block. */
export function policies(
  rule: fc.Arbitrary<RuleInput>,
  { minRules, maxRules }: { readonly minRules: number; readonly maxRules: number },
): fc.Arbitrary<readonly RuleInput[]> {
  return fc
    .tuple(
      fc.array(rule, { minLength: minRules, maxLength: maxRules, size: "max" }),
      fc.oneof(
        { weight: 5, arbitrary: fc.constant(null) },
        { weight: 1, arbitrary: fc.constantFrom(1, 10, 1_000, LONGEST_PERIOD_MS) },
      ),
    )
    .map(([parts, block]) => parts.map((part, i) => (i === 0 && block !== null ? { ...part, block } : part)))
}

/** How the clock moves before a call. What a step is relative to is known only when it is taken. */
export type Step =
  /** By so many ms, backwards too. */
  | { readonly to: "later"; readonly ms: number }
  /** By so many emission intervals (or refill steps) of a rule, and `shift` ms. */
  | { readonly to: "interval"; readonly rule: number; readonly times: number; readonly shift: number }
  /** To a rule's next window start, and `shift` ms. */
  | { readonly to: "window"; readonly rule: number; readonly shift: number }
  /** To when the last answer said that a check passes, or that the quota is full, and `shift` ms. */
  | { readonly to: "retry" | "reset"; readonly shift: number }
  /** Back to where the last answer's state lies exactly as far ahead as it can, and `shift` ms. */
  | { readonly to: "furthest"; readonly shift: number }

/** Units as a share of what the policy allows at once, since the policy is not known yet. */
export type Units =
  | { readonly of: "capacity"; readonly thousandths: number }
  | { readonly of: "one"; readonly units: number }

/** What is called. Keys and receipts are picked by number, modulo how many there are. */
export type Act =
  | { readonly verb: "check"; readonly units: Units }
  | { readonly verb: "peek"; readonly units: Units }
  | { readonly verb: "charge"; readonly units: Units }
  | { readonly verb: "refund"; readonly receipt: number; readonly thousandths: number }
  | { readonly verb: "block"; readonly durationMs: number }
  | { readonly verb: "unblock" | "reset" }
  | { readonly verb: "setPolicy"; readonly policy: number }

/** One call on one key. */
export interface Call {
  readonly key: number
  readonly step: Step
  readonly act: Act
}

const shifts = fc.constantFrom(0, -1, 1)
const ruleNumbers = fc.nat({ max: 3 })

/** Steps that leave the clock where it is or mostly move it on. */
const forwardSteps: fc.Arbitrary<Step> = fc.oneof(
  { weight: 5, arbitrary: fc.constant<Step>({ to: "later", ms: 0 }) },
  { weight: 3, arbitrary: fc.constantFrom(1, 2, 10, 100, 1_000).map((ms): Step => ({ to: "later", ms })) },
  { weight: 1, arbitrary: fc.nat({ max: LONGEST_PERIOD_MS }).map((ms): Step => ({ to: "later", ms })) },
  {
    weight: 4,
    arbitrary: fc
      .tuple(ruleNumbers, fc.integer({ min: 1, max: 12 }), shifts)
      .map(([rule, times, shift]): Step => ({ to: "interval", rule, times, shift })),
  },
  { weight: 2, arbitrary: fc.tuple(ruleNumbers, shifts).map(([rule, shift]): Step => ({ to: "window", rule, shift })) },
  { weight: 4, arbitrary: shifts.map((shift): Step => ({ to: "retry", shift })) },
  { weight: 1, arbitrary: shifts.map((shift): Step => ({ to: "reset", shift })) },
)

/** Steps of a clock that is set back now and then, a little or a lot. */
const steps: fc.Arbitrary<Step> = fc.oneof(
  { weight: 16, arbitrary: forwardSteps },
  { weight: 1, arbitrary: fc.constantFrom(-1, -2, -10, -100, -1_000).map((ms): Step => ({ to: "later", ms })) },
  { weight: 1, arbitrary: shifts.map((shift): Step => ({ to: "furthest", shift })) },
  {
    weight: 1,
    arbitrary: fc
      .tuple(ruleNumbers, fc.integer({ min: -12, max: -1 }), shifts)
      .map(([rule, times, shift]): Step => ({ to: "interval", rule, times, shift })),
  },
  {
    weight: 1,
    arbitrary: fc
      .oneof(
        { weight: 6, arbitrary: fc.nat({ max: 100_000 }) },
        { weight: 1, arbitrary: fc.nat({ max: 2 * LONGEST_PERIOD_MS }) },
      )
      .map((ms): Step => ({ to: "later", ms: -ms })),
  },
)

const units: fc.Arbitrary<Units> = fc.oneof(
  { weight: 5, arbitrary: fc.constantFrom(1, 0, 2, 3).map((n): Units => ({ of: "one", units: n })) },
  { weight: 2, arbitrary: fc.nat({ max: 1_000 }).map((thousandths): Units => ({ of: "capacity", thousandths })) },
  { weight: 1, arbitrary: fc.constant<Units>({ of: "capacity", thousandths: 1_000 }) },
  { weight: 1, arbitrary: fc.nat({ max: MOST_UNITS }).map((n): Units => ({ of: "one", units: n })) },
)

/** Debt from nothing to as much as one charge can bring. */
const penalties: fc.Arbitrary<Units> = fc.oneof(
  { weight: 4, arbitrary: units },
  {
    weight: 1,
    arbitrary: fc.constantFrom(1_001, 1_500, 4_000).map((t): Units => ({ of: "capacity", thousandths: t })),
  },
  { weight: 1, arbitrary: fc.constant<Units>({ of: "one", units: MOST_UNITS }) },
)

export const checks: fc.Arbitrary<Act> = units.map((picked): Act => ({ verb: "check", units: picked }))

export const refunds: fc.Arbitrary<Act> = fc
  .tuple(fc.nat({ max: 7 }), fc.oneof(fc.constantFrom(1_000, 0, 500), fc.nat({ max: 1_000 })))
  .map(([receipt, thousandths]): Act => ({ verb: "refund", receipt, thousandths }))

/** Every verb, mostly checks. */
export const acts: fc.Arbitrary<Act> = fc.oneof(
  { weight: 24, arbitrary: checks },
  { weight: 3, arbitrary: units.map((picked): Act => ({ verb: "peek", units: picked })) },
  { weight: 5, arbitrary: refunds },
  { weight: 2, arbitrary: penalties.map((picked): Act => ({ verb: "charge", units: picked })) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(1, 10, 1_000, LONGEST_PERIOD_MS).map((ms): Act => ({ verb: "block", durationMs: ms })),
  },
  { weight: 1, arbitrary: fc.constantFrom<Act>({ verb: "unblock" }, { verb: "reset" }) },
  { weight: 1, arbitrary: fc.nat({ max: 2 }).map((policy): Act => ({ verb: "setPolicy", policy })) },
)

/** Times around the epoch, of today, and near the end of the range. */
const startTimes: fc.Arbitrary<number> = fc.oneof(
  fc.constantFrom(0, 1, 999),
  fc.integer({ min: 1_700_000_000_000, max: 1_800_000_000_000 }),
  fc.integer({ min: 2 ** 46, max: 2 ** 47 - 1 }),
)

/** A limiter's life: the policies that it will have, the first one first, and what is called. */
export interface Scenario {
  readonly policies: readonly (readonly RuleInput[])[]
  readonly startMs: number
  /** Whether steps that would set the clock back do so, or leave it where it is. */
  readonly clockRuns: "forward" | "anyhow"
  readonly calls: readonly Call[]
}

/** Scenarios of at most `maxCalls` calls on at most `maxKeys` keys. */
export function scenarios(options: {
  readonly policy: fc.Arbitrary<readonly RuleInput[]>
  readonly clockRuns?: Scenario["clockRuns"]
  readonly act?: fc.Arbitrary<Act>
  readonly maxKeys?: number
  readonly maxCalls?: number
}): fc.Arbitrary<Scenario> {
  const { policy, clockRuns = "anyhow", act = acts, maxKeys = 3, maxCalls = 300 } = options
  const step = clockRuns === "forward" ? forwardSteps : steps
  return fc.record({
    policies: fc.array(policy, { minLength: 1, maxLength: 3, size: "max" }),
    startMs: startTimes,
    clockRuns: fc.constant(clockRuns),
    calls: fc.array(fc.record({ key: fc.nat({ max: maxKeys - 1 }), step, act }), { maxLength: maxCalls, size: "max" }),
  })
}
