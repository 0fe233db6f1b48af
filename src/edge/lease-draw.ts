import type { Decision } from "../types/decision.js"
import type { Receipt } from "../types/receipt.js"

/** What is asked of the limiter that owns a key. */
export interface DrawRequest {
  /** Units for the check that asks; 0 where it was answered already. */
  readonly cost: number
  /** Units for checks that wait. */
  readonly demand: number
  /** Units beyond that, to be spent later: the most that are wanted. */
  readonly units: number
  /** Whether more than `cost` is wanted only where the key is asked about often. */
  readonly ifBusy: boolean
  /** What earlier leases left. */
  readonly giveBack: readonly UnusedUnits[]
  /** Names the call, so that it can be repeated. */
  readonly id: string
}

/** Units of a charge that were not spent. */
export interface UnusedUnits {
  readonly receipt: Receipt
  readonly units: number
}

/** What the owner answers to a draw. */
export interface Drawn {
  /** Of the check that asks; its cost is all that was charged. */
  readonly decision: Decision
  /**
   * Told to those who wait and for whom nothing was left; `null` where all were served, or each is to ask for itself,
   * since a denial would begin a block.
   */
  readonly denial: Decision | null
}

/**
 * What the owner of a key charges for a draw: what is needed now, as far as it is there, and at most half of what is
 * left then to be spent later, so that others find something too.
 *
 * @param left units that could be charged now
 */
export function unitsToCharge({ cost, demand, units, ifBusy }: DrawRequest, left: number, isBusy: boolean): number {
  if (left < cost || (ifBusy && !isBusy)) return cost
  const needed = Math.min(cost + demand, left)
  return needed + Math.min(units, Math.floor((left - needed) / 2))
}
