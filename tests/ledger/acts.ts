import fc from "fast-check"
import type { PolicyInput } from "../../src/policy/policy.js"
import { rules } from "../oracle/arbitraries.js"

/** What a script does. Numbers pick a limit, a key or a receipt modulo how many there are. */
export type Act =
  | { readonly verb: "check" | "charge"; readonly limit: number; readonly key: number; readonly units: number }
  | {
      readonly verb: "flood"
      readonly limit: number
      readonly key: number
      readonly times: number
      readonly everyMs: number
    }
  | { readonly verb: "settle"; readonly receipt: number; readonly units: number }
  | { readonly verb: "block"; readonly limit: number; readonly key: number; readonly durationMs: number }
  | { readonly verb: "unblock" | "reset"; readonly limit: number; readonly key: number }
  | { readonly verb: "define"; readonly limit: number; readonly policy: number }
  | { readonly verb: "call"; readonly limit: number; readonly key: number; readonly units: number; readonly id: number }
  | { readonly verb: "group"; readonly keys: readonly number[]; readonly units: number }
  | { readonly verb: "replace"; readonly limit: number; readonly policy: number }
  | { readonly verb: "commit" | "verify" | "compact" | "begin" | "reopen" | "crash" }

/** An act, and by how much the clock moves before it. */
export interface Step {
  readonly byMs: number
  readonly act: Act
}

/** The limits' policies to choose from, the first ones first, and the steps. */
export interface Script {
  readonly policies: readonly PolicyInput[]
  readonly steps: readonly Step[]
}

/** Policies that deny soon: each algorithm, several rules, blocks. */
const POLICIES: readonly PolicyInput[] = [
  { limit: 5, period: "10s" },
  { limit: 5, period: "10s", name: "renamed", block: "3s" },
  { limit: 3, period: "7s", burst: 6, block: "2s" },
  { limit: 4, period: "1s", algorithm: "token_bucket" },
  { limit: 6, period: "6s", algorithm: "token_bucket", refill: { amount: 2, every: "2s" } },
  { limit: 2, period: "3s", algorithm: "leaky_bucket", burst: 3 },
  { limit: 4, period: "5s", algorithm: "fixed_window" },
  { limit: 4, period: "5s", algorithm: "fixed_window", anchor: "first" },
  { limit: 7, period: "4s", algorithm: "sliding_window" },
  { limit: 4, period: "8s", algorithm: "sliding_window_log" },
  ["2/second", { limit: 5, period: "1m", algorithm: "sliding_window_log" }],
  [{ limit: 3, period: "2s", algorithm: "sliding_window_log", block: 500 }, "20/minute", "100/hour"],
]

const policy: fc.Arbitrary<PolicyInput> = fc.oneof(
  { weight: 5, arbitrary: fc.constantFrom(...POLICIES) },
  { weight: 1, arbitrary: fc.array(rules, { minLength: 1, maxLength: 3 }) as fc.Arbitrary<PolicyInput> },
)

const limit = fc.nat({ max: 2 })
const key = fc.oneof({ weight: 2, arbitrary: fc.nat({ max: 3 }) }, { weight: 1, arbitrary: fc.nat({ max: 19 }) })
const units = fc.oneof({ weight: 6, arbitrary: fc.constant(1) }, { weight: 1, arbitrary: fc.nat({ max: 9 }) })

/** What changes the state, and asks. */
const verbs: fc.Arbitrary<Act> = fc.oneof(
  { weight: 20, arbitrary: fc.record({ verb: fc.constant("check" as const), limit, key, units }) },
  {
    weight: 2,
    arbitrary: fc.record({
      verb: fc.constant("flood" as const),
      limit,
      key,
      times: fc.nat({ max: 12 }),
      everyMs: fc.constantFrom(0, 1, 400, -1),
    }),
  },
  { weight: 2, arbitrary: fc.record({ verb: fc.constant("charge" as const), limit, key, units }) },
  {
    weight: 5,
    arbitrary: fc.record({
      verb: fc.constant("settle" as const),
      receipt: fc.nat({ max: 9 }),
      units: fc.integer({ min: -4, max: 6 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      verb: fc.constant("block" as const),
      limit,
      key,
      durationMs: fc.constantFrom(1, 1_000, 60_000, 31_536_000_000),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ verb: fc.constantFrom("unblock" as const, "reset" as const), limit, key }),
  },
  { weight: 1, arbitrary: fc.record({ verb: fc.constant("define" as const), limit, policy: fc.nat({ max: 5 }) }) },
  {
    weight: 4,
    arbitrary: fc.record({ verb: fc.constant("call" as const), limit, key, units, id: fc.nat({ max: 2 }) }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      verb: fc.constant("group" as const),
      keys: fc.uniqueArray(fc.nat({ max: 5 }), { minLength: 1, maxLength: 4 }),
      units,
    }),
  },
  { weight: 1, arbitrary: fc.record({ verb: fc.constant("replace" as const), limit, policy: fc.nat({ max: 5 }) }) },
)

/** What must change no answer. */
const housekeeping: fc.Arbitrary<Act> = fc.record({
  verb: fc.constantFrom(
    "commit" as const,
    "commit" as const,
    "verify" as const,
    "compact" as const,
    // A compaction that goes on beside what comes after.
    "begin" as const,
    "begin" as const,
    "reopen" as const,
  ),
})

const forwardMs = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(0, 1, 7, 100) },
  { weight: 3, arbitrary: fc.constantFrom(1_000, 3_000, 10_000) },
  { weight: 1, arbitrary: fc.constantFrom(60_000, 86_400_000) },
)

/** A clock that is set back now and then, a little, or by as much as it had jumped ahead. */
const anyMs = fc.oneof(
  { weight: 10, arbitrary: forwardMs },
  { weight: 2, arbitrary: fc.constantFrom(-1, -100, -3_000, -60_000) },
  { weight: 1, arbitrary: fc.constantFrom(40_000_000_000, -40_000_000_000) },
)

function scripts(byMs: fc.Arbitrary<number>, act: fc.Arbitrary<Act>, maxLength: number): fc.Arbitrary<Script> {
  return fc.record({
    policies: fc.array(policy, { minLength: 3, maxLength: 6 }),
    steps: fc.array(fc.record({ byMs, act }), { maxLength, size: "max" }),
  })
}

/** Every verb under a clock that goes anyhow, with crashes. */
export const anyScripts: fc.Arbitrary<Script> = scripts(
  anyMs,
  fc.oneof(
    { weight: 12, arbitrary: verbs },
    { weight: 3, arbitrary: housekeeping },
    { weight: 1, arbitrary: fc.constant<Act>({ verb: "crash" }) },
  ),
  80,
)

/** Every verb under a clock that never goes back, no crashes. */
export const forwardScripts: fc.Arbitrary<Script> = scripts(
  forwardMs,
  fc.oneof({ weight: 6, arbitrary: verbs }, { weight: 1, arbitrary: housekeeping }),
  120,
)

const HOUSEKEEPING: readonly Act["verb"][] = ["commit", "verify", "compact", "begin", "reopen"]

export function isHousekeeping({ verb }: Act): boolean {
  return HOUSEKEEPING.includes(verb)
}
