import { UNITS_MAX } from "../src/engine/core-exports.js"
import { requireKey } from "../src/engine/key-bytes.js"
import { type DurationRange, parseDuration } from "../src/policy/parse-duration.js"
import { parsePolicy } from "../src/policy/parse-policy.js"
import type { Duration, Policy, PolicyInput } from "../src/policy/policy.js"
import type { Decision } from "../src/types/decision.js"
import { CostError, StoreUnavailable, show } from "../src/types/errors.js"
import type { Checker, CheckOptions, KeyStats, KeyStatus } from "../src/types/limiter.js"
import type { Receipt } from "../src/types/receipt.js"
import type { LimiterObject, Subject } from "./limiter-object.js"
import { revive } from "./revive-error.js"

export interface EdgeLimiterOptions {
  /**
   * What sets the keys of this limit apart from those of others in the same namespace, printable ASCII. Under one name
   * the objects take a changed policy over with what was used; so give two limits two names. The default is the name of
   * the policy's only rule where it has one, else the policy itself: then a changed policy starts with fresh keys.
   */
  readonly name?: string
  /** Where new objects should live; they stay there. */
  readonly locationHint?: DurableObjectLocationHint
}

type Stub = DurableObjectStub<LimiterObject>

const BLOCK_RANGE: DurationRange = { minMs: 1, maxMs: 315_360_000_000 }
/** No name of a policy has it, so a name and a key are one text in one way. */
const SEPARATOR = "\n"

/**
 * A limiter whose counts live in Durable Objects, one for each key: exact and durable wherever the requests come in.
 *
 * Input is checked here, so what cannot be costs no call. A call is never retried: an answer that was lost may have been
 * charged.
 *
 * @example
 * ```ts
 * import { EdgeLimiter } from "sluice/worker"
 *
 * const limiter = new EdgeLimiter(env.LIMITER, "100/minute")
 * const decision = await limiter.check("user:42")
 * ```
 */
export class EdgeLimiter implements Checker {
  readonly policy: Policy
  readonly #binding: DurableObjectNamespace<LimiterObject>
  readonly #name: string
  readonly #stubOptions: { locationHint?: DurableObjectLocationHint }
  readonly #maximumCost: number

  /** @throws {PolicyError} where the policy is not valid; {RangeError} where the name is not */
  constructor(binding: DurableObjectNamespace<LimiterObject>, policy: PolicyInput, options: EdgeLimiterOptions = {}) {
    this.policy = parsePolicy(policy)
    const { name = defaultName(this.policy), locationHint } = options
    if (typeof name !== "string" || !/^[ -~]+$/.test(name)) {
      throw new RangeError(`Cannot make a limiter: name is ${show(name)}, allowed is printable ASCII, not empty.`)
    }
    this.#binding = binding
    this.#name = name
    this.#stubOptions = locationHint === undefined ? {} : { locationHint }
    this.#maximumCost = Math.min(...this.policy.rules.map((rule) => rule.capacity))
  }

  /**
   * Asks and charges. An admission is durable when it is told.
   *
   * @throws {CostError} {KeyError} {RangeError} before any call; {StoreUnavailable} {StoreCorrupt} {StoreVersion}
   */
  async check(key: string, options?: CheckOptions): Promise<Decision> {
    const cost = this.#costOf(key, options)
    return this.#call(key, (stub, subject) => stub.check(subject, cost))
  }

  /** What `check` would say, charging nothing. */
  async peek(key: string, options?: CheckOptions): Promise<Decision> {
    const cost = this.#costOf(key, options)
    return this.#call(key, (stub, subject) => stub.peek(subject, cost))
  }

  /** `check`, but only whether. */
  async allow(key: string, options?: CheckOptions): Promise<boolean> {
    return (await this.check(key, options)).allowed
  }

  /** Gives back units of a check, all of them if not told otherwise. A receipt settles once. */
  async refund(receipt: Receipt, units: number = receipt.cost): Promise<void> {
    if (!Number.isInteger(units) || units < 0 || units > receipt.cost) {
      throw new RangeError(`Cannot refund ${show(units)} units: allowed are 0 to the receipt's cost ${receipt.cost}.`)
    }
    await this.#call(receipt.key, (stub, subject) => stub.settle(subject, receipt, units))
  }

  /** Tells what a check cost in the end: less is refunded, more is charged as debt. A receipt settles once. */
  async settle(receipt: Receipt, actualCost: number): Promise<void> {
    requireUnits(actualCost)
    await this.#call(receipt.key, (stub, subject) => stub.settle(subject, receipt, receipt.cost - actualCost))
  }

  /** Takes units whatever is left: a penalty, which may put the key into debt. */
  async charge(key: string, units: number): Promise<void> {
    requireUnits(units)
    await this.#call(key, (stub, subject) => stub.charge(subject, units))
  }

  /** Denies a key for a time from now, in place of an earlier block; 1 ms … 10 years. */
  async block(key: string, duration: Duration): Promise<void> {
    const durationMs = parseDuration("block", duration, BLOCK_RANGE)
    await this.#call(key, (stub, subject) => stub.block(subject, durationMs))
  }

  /** Ends a block. Whether there was one. */
  async unblock(key: string): Promise<boolean> {
    return this.#call(key, (stub, subject) => stub.unblock(subject))
  }

  /** Makes a key's quota full and ends its block. Whether there was anything to forget. */
  async reset(key: string): Promise<boolean> {
    return this.#call(key, (stub, subject) => stub.reset(subject))
  }

  /** A key's state without a check. */
  async status(key: string): Promise<KeyStatus> {
    return this.#call(key, (stub, subject) => stub.status(subject))
  }

  /** A key's statistics since its object was last wiped. */
  async stats(key: string): Promise<KeyStats> {
    return this.#call(key, (stub, subject) => stub.stats(subject))
  }

  #costOf(key: string, options: CheckOptions | undefined): number {
    const { cost = 1 } = options ?? {}
    requireUnits(cost)
    if (cost > this.#maximumCost) throw new CostError(key, cost, this.#maximumCost)
    return cost
  }

  /** A new stub for each call: one that saw an error is dead. */
  async #call<T>(key: string, ask: (stub: Stub, subject: Subject) => Promise<T> | T): Promise<T> {
    requireKey(key)
    try {
      const stub = this.#binding.getByName(`${this.#name}${SEPARATOR}${key}`, this.#stubOptions)
      return await ask(stub, { key, policy: this.policy.canonical })
    } catch (error) {
      throw revive(error) ?? new StoreUnavailable("the Durable Object failed", { cause: error })
    }
  }
}

function defaultName({ rules, canonical }: Policy): string {
  const [rule] = rules
  return rules.length === 1 && rule.name !== "default" ? rule.name : canonical
}

function requireUnits(units: number): void {
  if (typeof units === "number" && Number.isInteger(units) && units >= 0 && units <= UNITS_MAX) return
  throw new RangeError(`Cannot take ${show(units)} units: allowed are whole units from 0 to ${UNITS_MAX}.`)
}
