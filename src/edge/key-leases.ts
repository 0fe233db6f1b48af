import type { Decision } from "../types/decision.js"
import type { Receipt } from "../types/receipt.js"
import type { UnusedUnits } from "./lease-draw.js"
import { spendId, splitSpendId } from "./lease-receipt.js"

interface Lease {
  readonly receipt: Receipt
  readonly drawnAtMs: number
  readonly expiresAtMs: number
  readonly granted: number
  left: number
  /** Numbers the receipts of what is spent. */
  spends: number
}

/** What a lease may be. */
export interface LeaseBounds {
  /** The most units drawn at once. */
  readonly units: number
  /** How long units may be spent after they were asked for. */
  readonly ttlMs: number
}

const FIRST_UNITS = 16
/** Of its time to live, a lease that is still idle after this share is given back. */
const IDLE_SHARE = 3 / 4
const MAX_GROWTH = 8
/** Leases of a key of which nothing is left, kept so that what was spent from them can be given back. */
const MAX_EMPTY = 16

/**
 * The units of one key that were drawn ahead. How many are drawn next follows the use: a lease of which more than half
 * was spent within less than half a time to live, when the next one is drawn, is followed by what half a time to live
 * takes at that pace, two to eight times as many as before; one of which less than half was spent then, by half as
 * many.
 */
export class KeyLeases {
  readonly #bounds: LeaseBounds
  readonly #leases: Lease[] = []
  /** Units of no lease any more that have not got back yet. */
  readonly #unreturned: UnusedUnits[] = []
  /** The last decision of the owner: what is told of the quota beside the units here. */
  #decision: Decision | null = null
  #decidedAtMs = 0
  #size: number
  #revocations = 0

  constructor(bounds: LeaseBounds) {
    this.#bounds = bounds
    this.#size = Math.min(FIRST_UNITS, bounds.units)
  }

  /** How many units to ask for next. */
  get size(): number {
    return this.#size
  }

  /** Counts what ended all leases at once. */
  get revocations(): number {
    return this.#revocations
  }

  /** Units that are here now, unspent and not expired. */
  leftAt(nowMs: number): number {
    return this.#leases.reduce((sum, lease) => sum + (isLive(lease, nowMs) ? lease.left : 0), 0)
  }

  /** Whether there is something that may have to be given back. */
  hasUnused(nowMs: number): boolean {
    return this.leftAt(nowMs) > 0 || this.#unreturned.length > 0
  }

  /** Spends units that are here; `null` where there are not enough. */
  spend(cost: number, nowMs: number): Decision | null {
    const lease = this.#leases.find((each) => each.left >= cost && isLive(each, nowMs))
    if (lease === undefined || cost === 0) return null
    lease.left -= cost
    lease.spends += 1
    const { receipt } = lease
    return this.#told(cost, { ...receipt, id: spendId(receipt.id, lease.spends), cost }, nowMs)
  }

  /** Notes what the owner says of the quota where it granted nothing to be spent later. */
  note(decision: Decision, askedAtMs: number): void {
    this.#decision = decision
    this.#decidedAtMs = askedAtMs
  }

  /**
   * Takes what the owner granted beyond the cost of the check that asked, or keeps it to be given back where all leases
   * were ended since.
   *
   * @param revocations how many there had been when it was asked for
   * @returns the decision of the check that asked
   */
  take(decision: Decision, receipt: Receipt, cost: number, revocations: number, askedAtMs: number): Decision {
    this.note(decision, askedAtMs)
    const units = decision.cost - cost
    if (this.#revocations !== revocations) {
      this.#unreturned.push({ receipt, units })
    } else {
      this.#resize(askedAtMs)
      const expiresAtMs = askedAtMs + Math.min(this.#bounds.ttlMs, windowEndMs(decision))
      const spends = cost > 0 ? 1 : 0
      this.#leases.push({ receipt, drawnAtMs: askedAtMs, expiresAtMs, granted: units, left: units, spends })
    }
    return this.#told(cost, { ...receipt, id: spendId(receipt.id, 1), cost }, askedAtMs)
  }

  /** Takes units back of what was spent, while the lease lasts: they can be spent again. */
  takeBack({ id, cost }: Receipt, units: number, nowMs: number): void {
    const [draw, spend] = splitSpendId(id)
    // Written otherwise it would be another id, and settle again.
    if (id !== spendId(draw, spend)) return
    const lease = this.#leases.find((each) => each.receipt.id === draw)
    if (lease === undefined || !isLive(lease, nowMs) || !(spend >= 1 && spend <= lease.spends)) return
    // Never more than was drawn, whatever a receipt says that it is worth.
    if (units > cost || lease.left + units > lease.receipt.cost) return
    lease.left += units
  }

  /** Ends all leases, those that draws under way will bring too. Takes out what is here, to be given back. */
  revoke(): UnusedUnits[] {
    this.#revocations += 1
    return this.takeAll()
  }

  /** Takes out what nobody spent for long, to be given back. */
  takeStale(nowMs: number): UnusedUnits[] {
    return this.#takeOut((lease) => isStale(lease, nowMs))
  }

  /** Takes out all that is here, to be given back. */
  takeAll(): UnusedUnits[] {
    return this.#takeOut(() => true)
  }

  /** What was taken out could not be given back: it is kept for the next time. */
  putBack(unused: readonly UnusedUnits[]): void {
    this.#unreturned.push(...unused)
  }

  #takeOut(isWanted: (lease: Lease) => boolean): UnusedUnits[] {
    const taken = this.#unreturned.splice(0)
    for (let at = this.#leases.length - 1; at >= 0; at--) {
      const lease = this.#leases[at]!
      if (!isWanted(lease)) continue
      this.#leases.splice(at, 1)
      if (lease.left > 0) taken.push({ receipt: lease.receipt, units: lease.left })
    }
    return taken
  }

  #resize(nowMs: number): void {
    const last = this.#leases.at(-1)
    if (last !== undefined) {
      const spentShare = 1 - last.left / last.granted
      const usedTtl = Math.max(1, nowMs - last.drawnAtMs) / this.#bounds.ttlMs
      const inHalfTtl = ((last.granted - last.left) / usedTtl) * 0.5
      if (spentShare > 0.5 && usedTtl < 0.5) {
        const grown = Math.ceil(Math.min(Math.max(inHalfTtl, this.#size * 2), this.#size * MAX_GROWTH))
        this.#size = Math.min(grown, this.#bounds.units)
      } else if (spentShare < 0.5) this.#size = Math.max(1, Math.floor(this.#size / 2))
    }
    let empty = 0
    for (let at = this.#leases.length - 1; at >= 0; at--) {
      const lease = this.#leases[at]!
      if (lease.left > 0) continue
      empty += 1
      if (empty > MAX_EMPTY || !isLive(lease, nowMs)) this.#leases.splice(at, 1)
    }
  }

  #told(cost: number, receipt: Receipt, nowMs: number): Decision {
    const here = this.leftAt(nowMs)
    const { rules, receipt: _receipt, ...decision } = this.#decision!
    const elapsedMs = Math.max(0, nowMs - this.#decidedAtMs)
    const resetAfterMs = Math.max(0, decision.resetAfterMs - elapsedMs)
    const remaining = decision.remaining + here
    const ruled = rules?.map((rule) => ({
      ...rule,
      remaining: rule.remaining + here,
      retryAfterMs: 0,
      resetAfterMs: Math.max(0, rule.resetAfterMs - elapsedMs),
    }))
    return {
      ...decision,
      allowed: true,
      reason: "ok",
      remaining,
      cost,
      retryAfterMs: 0,
      resetAfterMs,
      ...(ruled && { rules: ruled }),
      ...(cost > 0 && { receipt }),
    }
  }
}

function isLive({ expiresAtMs, drawnAtMs }: Lease, nowMs: number): boolean {
  return nowMs < expiresAtMs && nowMs >= drawnAtMs
}

function isStale(lease: Lease, nowMs: number): boolean {
  const { drawnAtMs, expiresAtMs } = lease
  return !isLive(lease, nowMs) || nowMs - drawnAtMs >= (expiresAtMs - drawnAtMs) * IDLE_SHARE
}

/** Units of a fixed window are not taken into the next one: ms until the first of the windows ends. */
function windowEndMs({ algorithm, resetAfterMs, rules }: Decision): number {
  const windows = (rules ?? [{ algorithm, resetAfterMs }]).filter((rule) => rule.algorithm === "fixed_window")
  return Math.min(Number.POSITIVE_INFINITY, ...windows.map((rule) => rule.resetAfterMs))
}
