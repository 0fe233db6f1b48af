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
  /** Told to those who wait and for whom nothing was left; `null` where all were served. */
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

export interface LeasePoolOptions {
  /** The most units drawn at once. */
  readonly units: number
  /** How long units may be spent after they were asked for. */
  readonly ttlMs: number
  readonly ifBusy: boolean
}

interface Lease {
  readonly receipt: Receipt
  readonly drawnAtMs: number
  readonly expiresAtMs: number
  readonly granted: number
  left: number
  /** Numbers the receipts of what is spent. */
  spends: number
  /** Numbers of receipts that were given back. */
  readonly refunded: Set<number>
}

interface Pool {
  readonly leases: Lease[]
  /** The last decision of the owner: what is told of the quota beside the units here. */
  decision: Decision | null
  /** Units for which the last draw was waited for in vain. */
  missed: number
  /** How many units to ask for next. */
  size: number
  /** The draw that others wait for; `null` where none is under way. */
  draw: { readonly sinceMs: number; readonly waiting: { readonly cost: number; readonly resume: Resume }[] } | null
  /** Until when draws are expected to grant units, so that it is worth waiting for one. */
  leasingUntilMs: number
}

/** Hears that a draw was answered: what is told to those for whom it brought nothing, or `null`. */
type Resume = (denial: Decision | null) => void

const FIRST_UNITS = 16
const MAX_KEYS = 1_000
/** Of its time to live, a lease that is still idle after this share is given back. */
const IDLE_SHARE = 3 / 4
/** For so many times to live after a lease another one is expected. */
const LEASING_TTLS = 2
/** A draw of which nothing was heard for so long is not waited for: whoever asked may be gone. */
export const DRAW_LOST_MS = 1_000
/** Parts a lease's receipt from the number of what was spent of it. */
const SPEND_MARK = "/"

/**
 * Units of hot keys that were drawn ahead, to be spent without a call. Drawn units are charged already: whatever happens
 * to them here, the owner never admits more than its policy says. How many are drawn follows the use: a lease that was
 * spent in less than half its time is followed by one twice as large, one that was half spent by one half as large.
 */
export class LeasePool {
  readonly #options: LeasePoolOptions
  readonly #pools = new Map<string, Pool>()
  #calls = 0

  constructor(options: LeasePoolOptions) {
    this.#options = options
  }

  /** Units that are here now, unspent and not expired. */
  leftOf(key: string, nowMs: number): number {
    const leases = this.#pools.get(key)?.leases ?? []
    return leases.reduce((sum, lease) => sum + (isLive(lease, nowMs) ? lease.left : 0), 0)
  }

  /** Spends units that are here; `null` where there are not enough. */
  spend(key: string, cost: number, nowMs: number): Decision | null {
    const pool = this.#pools.get(key)
    const lease = pool?.leases.find((each) => each.left >= cost && isLive(each, nowMs))
    if (pool === undefined || lease === undefined || cost === 0) return null
    lease.left -= cost
    lease.spends += 1
    const { receipt } = lease
    const id = `${receipt.id}${SPEND_MARK}${lease.spends.toString(36)}`
    return this.#told(key, pool, cost, { ...receipt, id, cost }, nowMs)
  }

  /**
   * What to ask the owner, where something is to be asked now.
   *
   * @param cost 0 where the check was answered by `spend`: then only where the units get low
   * @returns `null` where nothing is to be drawn: a draw is under way that is worth waiting for, or there is enough
   */
  begin(key: string, cost: number, nowMs: number): DrawRequest | null {
    const pool = this.#poolOf(key)
    const { units: most, ifBusy } = this.#options
    const { draw } = pool
    const isDrawing = draw !== null && nowMs - draw.sinceMs < DRAW_LOST_MS && nowMs >= draw.sinceMs
    if (isDrawing && (cost === 0 || nowMs < pool.leasingUntilMs)) return null
    if (cost === 0 && this.leftOf(key, nowMs) * 4 > pool.size) return null
    if (!isDrawing) {
      pool.draw = { sinceMs: nowMs, waiting: [] }
      for (const { resume } of draw?.waiting ?? []) resume(null)
    }
    // Those whom the last draw did not serve wait for this one, and as many come while it is under way.
    const demand = Math.max(0, pool.missed - cost)
    const units = Math.min(Math.max(pool.size, pool.missed), most)
    pool.missed = 0
    this.#calls += 1
    const id = `lease-${this.#calls.toString(36)}-${crypto.randomUUID()}`
    return { cost, demand, units, ifBusy, giveBack: takeUnused(pool, (lease) => isStale(lease, nowMs)), id }
  }

  /** Waits for the draw under way, where `begin` said that there is one. `resume` is called once. */
  wait(key: string, cost: number, resume: Resume): void {
    const draw = this.#pools.get(key)?.draw
    if (draw) draw.waiting.push({ cost, resume })
    else resume(null)
  }

  /**
   * Takes the owner's answer to a draw, and makes of it that to the check.
   *
   * @param askedAtMs before the draw was sent
   */
  end(key: string, request: DrawRequest, { decision, denial }: Drawn, askedAtMs: number): Decision {
    const pool = this.#poolOf(key)
    const own = this.#take(key, pool, request, decision, askedAtMs)
    this.#resume(pool, decision.allowed ? denial : decision, this.leftOf(key, askedAtMs))
    return own
  }

  #take(key: string, pool: Pool, { cost }: DrawRequest, decision: Decision, askedAtMs: number): Decision {
    pool.decision = decision
    const { receipt } = decision
    if (!decision.allowed || receipt === undefined || decision.cost <= cost) {
      // The key is not busy any more, so that nobody need wait for others to ask.
      if (cost > 0 && this.#options.ifBusy) pool.leasingUntilMs = 0
      return decision
    }
    pool.leasingUntilMs = askedAtMs + this.#options.ttlMs * LEASING_TTLS
    this.#resize(pool, askedAtMs)
    const units = decision.cost - cost
    const expiresAtMs = askedAtMs + Math.min(this.#options.ttlMs, windowEndMs(decision))
    const spends = cost > 0 ? 1 : 0
    const lease = {
      receipt,
      drawnAtMs: askedAtMs,
      expiresAtMs,
      granted: units,
      left: units,
      spends,
      refunded: new Set<number>(),
    }
    pool.leases.push(lease)
    const first = { ...receipt, id: `${receipt.id}${SPEND_MARK}1`, cost }
    return this.#told(key, pool, cost, first, askedAtMs)
  }

  /** A draw failed: the next check may try again. */
  fail(key: string): void {
    const pool = this.#pools.get(key)
    if (pool !== undefined) this.#resume(pool, null, 0)
  }

  #resume(pool: Pool, denial: Decision | null, left: number): void {
    const waiting = pool.draw?.waiting ?? []
    pool.draw = null
    const wanted = waiting.reduce((sum, { cost }) => sum + cost, 0)
    pool.missed = denial === null ? Math.max(0, wanted - left) : 0
    for (const { resume } of waiting) resume(denial)
  }

  /** Takes out what nobody spent for long, or all, to be given back. */
  unused(key: string, nowMs: number, which: "idle" | "all"): readonly UnusedUnits[] {
    const pool = this.#pools.get(key)
    return pool === undefined ? [] : takeUnused(pool, (lease) => which === "all" || isStale(lease, nowMs))
  }

  /** Whether a receipt is of units that were spent from a lease, here or in another pool. */
  static isOwnReceipt({ id }: Receipt): boolean {
    return id.includes(SPEND_MARK)
  }

  /** Takes units back that were spent from a lease, while it lasts. A receipt gives back once. */
  refund({ id, key, cost }: Receipt, units: number, nowMs: number): boolean {
    const [lease, spend] = splitReceipt(id)
    const found = this.#pools.get(key)?.leases.find((each) => each.receipt.id === lease)
    if (found === undefined || !isLive(found, nowMs) || !(spend >= 1 && spend <= found.spends)) return false
    if (found.refunded.has(spend) || units > cost || found.left + units > found.granted + cost) return false
    found.refunded.add(spend)
    found.left += units
    return true
  }

  #poolOf(key: string): Pool {
    let pool = this.#pools.get(key)
    if (pool === undefined) {
      if (this.#pools.size >= MAX_KEYS) this.#pools.delete(this.#pools.keys().next().value!)
      // Where leases are only for what is busy, it is not known yet whether to wait for one.
      const leasingUntilMs = this.#options.ifBusy ? 0 : Number.POSITIVE_INFINITY
      const size = Math.min(FIRST_UNITS, this.#options.units)
      pool = { leases: [], decision: null, size, draw: null, leasingUntilMs, missed: 0 }
      this.#pools.set(key, pool)
    }
    return pool
  }

  #resize(pool: Pool, nowMs: number): void {
    const last = pool.leases.at(-1)
    if (last !== undefined) {
      const spentShare = 1 - last.left / last.granted
      const usedTtl = (nowMs - last.drawnAtMs) / this.#options.ttlMs
      if (spentShare > 0.5 && usedTtl < 0.5) pool.size = Math.min(pool.size * 2, this.#options.units)
      else if (spentShare < 0.5) pool.size = Math.max(1, Math.floor(pool.size / 2))
    }
    for (let at = pool.leases.length - 1; at >= 0; at--) {
      if (pool.leases[at]!.left === 0) pool.leases.splice(at, 1)
    }
  }

  #told(key: string, pool: Pool, cost: number, receipt: Receipt, nowMs: number): Decision {
    const here = this.leftOf(key, nowMs)
    const { rules, receipt: _receipt, ...decision } = pool.decision!
    const remaining = decision.remaining + here
    const ruled = rules?.map((rule) => ({ ...rule, remaining: rule.remaining + here, retryAfterMs: 0 }))
    return {
      ...decision,
      allowed: true,
      reason: "ok",
      remaining,
      cost,
      retryAfterMs: 0,
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

function takeUnused({ leases }: Pool, isWanted: (lease: Lease) => boolean): UnusedUnits[] {
  const taken: UnusedUnits[] = []
  for (let at = leases.length - 1; at >= 0; at--) {
    const lease = leases[at]!
    if (!isWanted(lease)) continue
    leases.splice(at, 1)
    if (lease.left > 0) taken.push({ receipt: lease.receipt, units: lease.left })
  }
  return taken
}

/** Units of a fixed window are not taken into the next one: ms until the first of the windows ends. */
function windowEndMs({ algorithm, resetAfterMs, rules }: Decision): number {
  const windows = (rules ?? [{ algorithm, resetAfterMs }]).filter((rule) => rule.algorithm === "fixed_window")
  return Math.min(Number.POSITIVE_INFINITY, ...windows.map((rule) => rule.resetAfterMs))
}

function splitReceipt(id: string): [lease: string, spend: number] {
  const at = id.indexOf(SPEND_MARK)
  return [id.slice(0, at), Number.parseInt(id.slice(at + 1), 36)]
}
