import { parsePolicy } from "../../src/policy/parse-policy.js"
import type { Policy, PolicyInput } from "../../src/policy/policy.js"
import type { Clock } from "../../src/types/clock.js"
import type { Decision, RuleDecision } from "../../src/types/decision.js"
import { CostError, show } from "../../src/types/errors.js"
import type { Receipt } from "../../src/types/receipt.js"
import type { Act, Call, Scenario } from "../oracle/arbitraries.js"
import type { SyncLimiter } from "../oracle/clocked-oracle.js"
import { OracleLimiter } from "../oracle/limiter.js"
import { CallContext, keyOf } from "./call-context.js"

/** Makes the limiter under test. */
export type MakeLimiter = (policy: PolicyInput, options: { readonly clock: Clock }) => SyncLimiter

/** A charge as both sides know it. */
interface ChargePair {
  readonly actual: Receipt
  readonly expected: Receipt
}

const DECISION_FIELDS = [
  "allowed",
  "key",
  "policy",
  "algorithm",
  "limit",
  "remaining",
  "cost",
  "retryAfterMs",
  "resetAfterMs",
  "delayMs",
  "reason",
] as const
const RECEIPT_FIELDS = ["key", "policy", "cost", "chargedAtMs"] as const
const RULE_FIELDS = [
  "policy",
  "algorithm",
  "limit",
  "periodMs",
  "remaining",
  "retryAfterMs",
  "resetAfterMs",
] as const satisfies readonly (keyof RuleDecision)[]

/** Receipts that a scenario can still refer to; older ones are forgotten by the driver, not by the limiters. */
const KEPT_RECEIPTS = 8

/**
 * Runs a scenario on a limiter and on the oracle side by side, and throws at the first difference: of a decision
 * in any field, of an error, or of the state that a `peek` shows after a verb that answers nothing.
 */
export class Lockstep {
  /** Calls driven so far, the peeks that only compare not counted. */
  calls = 0
  readonly #context: CallContext
  readonly #policies: readonly Policy[]
  readonly #scenario: Scenario
  readonly #actual: SyncLimiter
  readonly #expected: OracleLimiter
  readonly #receipts: ChargePair[] = []
  readonly #trace: { readonly key: string | null; readonly told: string }[] = []
  /** The time of each call so far, and the latest of them. */
  readonly #times: number[] = []
  #latestMs = 0
  /** Each key's last call that surely changed its state, by its place in `#times`. */
  readonly #changed = new Map<string, number>()
  /** Each key's last block, by its place in `#times`: a change of policy leaves blocks as they are. */
  readonly #blocked = new Map<string, number>()

  constructor(make: MakeLimiter, scenario: Scenario) {
    this.#policies = scenario.policies.map((policy) => parsePolicy(policy))
    this.#scenario = scenario
    this.#context = new CallContext(this.#policies[0]!, scenario)
    this.#actual = make(scenario.policies[0]!, { clock: this.#context.clock })
    this.#expected = new OracleLimiter(this.#context.policy)
  }

  /** Runs all calls. @throws {Error} with the calls that led to the first difference */
  run(): void {
    for (const call of this.#scenario.calls) {
      this.#context.take(call.step)
      this.#times.push(this.#context.clock.now())
      for (const key of this.#concerned(call)) this.#forgetWhatMayBe(key)
      this.#drive(keyOf(call.key), call.act)
      this.calls++
    }
  }

  /** The keys whose state the call will read. */
  #concerned({ key, act }: Call): Iterable<string> {
    if (act.verb === "setPolicy") return new Set([...this.#changed.keys(), keyOf(key)])
    return [act.verb === "refund" ? (this.#receipt(act.receipt)?.expected.key ?? keyOf(key)) : keyOf(key)]
  }

  /**
   * A full quota and an ended block are the same as none, and a limiter may forget them. Where the clock was since
   * set back to before that, it cannot be told what the limiter remembers: the key is reset on both sides.
   */
  #forgetWhatMayBe(key: string): void {
    const nowMs = this.#times.at(-1)!
    if (nowMs >= this.#latestMs) {
      this.#latestMs = nowMs
      return
    }
    const seenMs = this.#latestSince(this.#changed.get(key) ?? 0)
    const blockSeenMs = this.#latestSince(this.#blocked.get(key) ?? 0)
    if (!this.#expected.mayForget(key, seenMs, blockSeenMs, nowMs)) return
    this.#note(key, `reset(${JSON.stringify(key)})`)
    this.#actual.reset(key)
    this.#expected.reset(key, nowMs)
  }

  /** The latest time of the calls from a place on. */
  #latestSince(place: number): number {
    let latestMs = 0
    for (let i = place; i < this.#times.length; i++) latestMs = Math.max(latestMs, this.#times[i]!)
    return latestMs
  }

  #receipt(number: number): ChargePair | undefined {
    return this.#receipts[number % this.#receipts.length]
  }

  #drive(key: string, act: Act): void {
    if (act.verb === "check" || act.verb === "peek") {
      this.#ask(act.verb, key, this.#context.units(act.units))
    } else {
      this.#ask("peek", this.#tell(key, act), 0)
    }
  }

  /** Calls a verb that makes no decision. Returns the key whose state it may have changed. */
  #tell(key: string, act: Exclude<Act, { readonly verb: "check" } | { readonly verb: "peek" }>): string {
    const nowMs = this.#context.clock.now()
    switch (act.verb) {
      case "charge": {
        const units = this.#context.units(act.units)
        this.#note(key, `charge(${JSON.stringify(key)}, ${units})`)
        this.#actual.charge(key, units)
        this.#expected.charge(key, units, nowMs)
        if (units > 0) this.#changed.set(key, this.calls)
        return key
      }
      case "refund": {
        const charge = this.#receipt(act.receipt)
        if (charge === undefined) return key
        const { actual, expected } = charge
        const units = Math.floor((expected.cost * act.thousandths) / 1_000)
        this.#note(expected.key, `refund(${JSON.stringify(expected)}, ${units})`)
        this.#actual.refund(actual, units)
        this.#expected.refund(expected, units, nowMs)
        return expected.key
      }
      case "block":
        this.#note(key, `block(${JSON.stringify(key)}, ${act.durationMs})`)
        this.#actual.block(key, act.durationMs)
        this.#expected.block(key, act.durationMs, nowMs)
        this.#blocked.set(key, this.calls)
        return key
      case "unblock":
        this.#note(key, `unblock(${JSON.stringify(key)})`)
        this.#same("whether a block lasted", this.#actual.unblock(key), this.#expected.unblock(key, nowMs))
        return key
      case "reset":
        this.#note(key, `reset(${JSON.stringify(key)})`)
        this.#same("whether there was anything", this.#actual.reset(key), this.#expected.reset(key, nowMs))
        return key
      case "setPolicy": {
        const index = act.policy % this.#policies.length
        const before = this.#context.policy.canonical
        this.#context.policy = this.#policies[index]!
        this.#note(null, `setPolicy(${this.#context.policy.canonical})`)
        this.#actual.setPolicy(this.#scenario.policies[index]!)
        this.#expected.setPolicy(this.#context.policy, nowMs)
        if (this.#context.policy.canonical !== before) {
          for (const known of this.#changed.keys()) this.#changed.set(known, this.calls)
        }
        return key
      }
    }
  }

  #ask(verb: "check" | "peek", key: string, cost: number): void {
    this.#note(key, `${verb}(${JSON.stringify(key)}, { cost: ${cost} })`)
    const expected = attempt(() => this.#expected[verb](key, cost, this.#context.clock.now()))
    const actual = attempt(() => this.#actual[verb](key, { cost }))
    if (expected instanceof CostError || actual instanceof CostError) {
      this.#same("error", String(actual), String(expected))
      this.#same("maximum", (actual as CostError).maximum, (expected as CostError).maximum)
      return
    }
    this.#compare(actual, expected)
    const startsBlock = verb === "check" && cost > 0 && expected.reason === "limit" && this.#context.policy.blockMs > 0
    if (startsBlock) this.#blocked.set(key, this.calls)
    this.#context.answered(expected)
    if (expected.receipt === undefined) return
    this.#changed.set(key, this.calls)
    this.#receipts.push({ actual: actual.receipt!, expected: expected.receipt })
    if (this.#receipts.length > KEPT_RECEIPTS) this.#receipts.shift()
  }

  #compare(actual: Decision, expected: Decision): void {
    for (const field of DECISION_FIELDS) this.#same(field, actual[field], expected[field])

    this.#same("receipt is there", actual.receipt !== undefined, expected.receipt !== undefined)
    if (expected.receipt !== undefined) {
      for (const field of RECEIPT_FIELDS)
        this.#same(`receipt.${field}`, actual.receipt![field], expected.receipt[field])
      this.#same("receipt.id is text", typeof actual.receipt!.id, "string")
    }

    this.#same("rules.length", actual.rules?.length, expected.rules?.length)
    expected.rules?.forEach((rule, i) => {
      for (const field of RULE_FIELDS) this.#same(`rules[${i}].${field}`, actual.rules![i]![field], rule[field])
    })
  }

  #same(what: string, actual: unknown, expected: unknown): void {
    if (Object.is(actual, expected)) return
    const key = this.#trace.at(-1)?.key
    const concerned = this.#trace.filter((call) => call.key === key || call.key === null)
    throw new Error(
      [
        `${what} is ${show(actual)}, the oracle says ${show(expected)}, after`,
        `policy ${this.#policies[0]!.canonical}`,
        ...concerned.map(({ told }) => told),
      ].join("\n"),
    )
  }

  /** Notes a call for the message of a difference; `key` is `null` for all keys. */
  #note(key: string | null, call: string): void {
    this.#trace.push({ key, told: `at ${this.#context.clock.now()}: ${call}` })
  }
}

function attempt(ask: () => Decision): Decision | CostError {
  try {
    return ask()
  } catch (error) {
    if (error instanceof CostError) return error
    throw error
  }
}
