import { Core } from "../../engine/core.js"
import { Limit } from "../../engine/limit.js"
import { parsePolicy } from "../../policy/parse-policy.js"
import type { Policy, PolicyInput, Rule } from "../../policy/policy.js"
import { MAX_UNITS } from "../../policy/policy-range.js"
import { CLOCK, requireKind, requireNames, requireWhole } from "../../policy/require-fields.js"
import { type Clock, systemClock } from "../../types/clock.js"
import type { Decision } from "../../types/decision.js"
import { CostError } from "../../types/errors.js"
import type { KeyStats } from "../../types/limiter.js"
import { checkedClock } from "../checked-clock.js"
import { requireUnits } from "../require-check-options.js"

export interface SingleLimitOptions {
  /** Where the time comes from; default the machine's wall clock. */
  readonly clock?: Clock | undefined
}

/** The one key. Nobody else can choose it, so its hash needs no secret, and a Worker can make these anywhere. */
const KEY = "only"
const NO_SEED = [0, 0, 0, 0] as const

let sharedCore: Core | undefined

/**
 * One limit without a key: what all low-level classes have in common. They share one WebAssembly core, where each takes
 * about 3 KB, freed when the object is collected.
 */
export abstract class SingleLimit<Options extends SingleLimitOptions> {
  readonly policy: Policy
  readonly #clock: Clock
  readonly #limit: Limit

  /**
   * @param names what there is to say, beside the clock
   * @param policyOf the policy that the options say
   * @throws {PolicyError} where that is not valid; {RangeError} where there is no such option
   */
  protected constructor(
    options: Options,
    names: readonly (keyof Options)[],
    policyOf: (options: Options) => PolicyInput,
  ) {
    requireNames("make a limiter", options, [...(names as readonly string[]), "clock"])
    const { clock = systemClock } = options
    requireKind("make a limiter", "clock", clock, CLOCK)
    this.policy = parsePolicy(policyOf(options))
    this.#clock = checkedClock(clock)
    sharedCore ??= new Core()
    this.#limit = new Limit(sharedCore, this.policy, {
      maxKeys: 1,
      onFull: "deny-new",
      stats: true,
      seed: NO_SEED,
      issuerId: KEY,
      sharesCore: true,
    })
  }

  protected get rule(): Rule {
    return this.policy.rules[0]
  }

  /**
   * Asks and charges. The decision is that of any limiter: its `key` is always the same, and there is no verb here for
   * its `receipt`, since `refund` takes units.
   *
   * @param cost whole units, 0 … 2^31; default 1. 0 asks only
   * @throws {CostError} where the cost exceeds the capacity; {RangeError}; then nothing has changed
   */
  check(cost = 1): Decision {
    return this.#limit.check(KEY, this.#requireCost(cost), this.#clock.now())
  }

  /** No message may tell of the key that nobody chose. */
  #requireCost(cost: number): number {
    requireWhole("check", "cost", cost, 0, MAX_UNITS)
    const { capacity } = this.rule
    if (cost <= capacity) return cost
    const error = new CostError(KEY, cost, capacity)
    error.message = `Cannot check: cost ${cost} exceeds the capacity ${capacity}.`
    throw error
  }

  /** `check`, but only whether. */
  allow(cost = 1): boolean {
    return this.#limit.allow(KEY, this.#requireCost(cost), this.#clock.now())
  }

  /** What `check` would say, charging nothing. */
  peek(cost = 1): Decision {
    return this.#limit.peek(KEY, this.#requireCost(cost), this.#clock.now())
  }

  /**
   * Gives back units that were charged at a time, at most what cannot have leaked away since.
   *
   * @param chargedAtMs where not given, the time at which a charge would be made now: that of the clock, or the last
   * one that was seen where the clock was set back
   */
  refund(units: number, chargedAtMs?: number): void {
    const nowMs = this.#clock.now()
    const atMs = chargedAtMs === undefined ? this.#limit.timeOf(KEY, nowMs) : chargedAtMs
    this.#limit.refund(KEY, requireUnits(units), atMs, nowMs)
  }

  /** Takes units whatever is left: a penalty, which may go into debt. */
  charge(units: number): void {
    this.#limit.charge(KEY, requireUnits(units), this.#clock.now())
  }

  /** Makes the quota full. Whether there was anything to forget. */
  reset(): boolean {
    return this.#limit.reset(KEY, this.#clock.now())
  }

  /** Units that could be charged now; 0 in debt. Rounded down. */
  get available(): number {
    return this.#limit.status(KEY, this.#clock.now()).rules[0]!.remaining
  }

  /** The smallest wait after which a cost would pass if nothing else came, in ms; 0 where it passes now. */
  retryAfterMs(cost = 1): number {
    return this.peek(cost).retryAfterMs
  }

  /** Time until the quota is full, in ms. */
  get resetAfterMs(): number {
    return this.#limit.status(KEY, this.#clock.now()).resetAfterMs
  }

  /** What was counted: checks allowed and denied, their costs, and when the last ones were. */
  get stats(): KeyStats {
    return this.#limit.stats(KEY)
  }
}
