import type { Policy } from "../src/policy/policy.js"
import type { Receipt } from "../src/types/receipt.js"
import { EdgeLimiter } from "./edge-limiter.js"
import type { EdgeLimiterOptions } from "./edge-limiter-options.js"
import type { LimiterObject } from "./limiter-object.js"

/** Told of units that were given back to a key, or taken beside its checks. */
export type NoteUnits = (event: "refund" | "charge", key: string, units: number) => void

/** A limiter that tells of what changes its keys beside their checks, for their histories. */
export class NotingLimiter extends EdgeLimiter {
  readonly #note: NoteUnits

  constructor(
    binding: DurableObjectNamespace<LimiterObject>,
    policy: Policy,
    options: EdgeLimiterOptions,
    note: NoteUnits,
  ) {
    super(binding, policy, options)
    this.#note = note
  }

  override async charge(key: string, units: number): Promise<void> {
    await super.charge(key, units)
    this.#note("charge", key, units)
  }

  override async settleUnits(receipt: Receipt, units: number): Promise<boolean> {
    const isSettled = await super.settleUnits(receipt, units)
    // What was settled before leaves no trace.
    if (isSettled && units !== 0) this.#note(units > 0 ? "refund" : "charge", receipt.key, Math.abs(units))
    return isSettled
  }
}
