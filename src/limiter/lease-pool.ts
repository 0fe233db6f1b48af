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
}

interface Pool {
  readonly leases: Lease[]
  /** The last decision of the owner: what is told of the quota beside the units here. */
  decision: Decision | null
  /** How long a draw is waited for before another is made. */
  lostAfterMs: number
  /** Units for which the last draw was waited for in vain. */
  missed: number
  /** How many units to ask for next. */
  size: number
  /** The draw that others wait for; `null` where none is under way. */
  draw: { readonly sinceMs: number; readonly waiting: { readonly cost: number; readonly resume: Resume }[] } | null
  /** Until when draws are expected to grant units, so that it is worth waiting for one. */
  leasingUntilMs: number
  /** Counts what ended all leases at once. */
  revocations: number
  /** Units of no lease any more that have not got back yet. */
  readonly unreturned: UnusedUnits[]
}

/** A draw under way, and what it found. */
interface Begun {
  readonly pool: Pool
  readonly revocations: number
}

/** What came of a draw for those who waited: perhaps units, else a denial; or nothing was heard of it. */
export type Waited = Decision | "answered" | "lost"

/**
 * What is to be done for a receipt of a lease: nothing more, or, where it cost more than was spent, to charge the rest,
 * for which the owner is to be asked.
 */
export type Settlement = "done" | "charge"

type Resume = (waited: Waited) => void

const FIRST_UNITS = 16
const MAX_KEYS = 1_000
/** Of the most units of a lease, a check may cost so much to be answered from one. */
const COST_SHARE = 1 / 4
/** Of its time to live, a lease that is still idle after this share is given back. */
const IDLE_SHARE = 3 / 4
const GROWTH_MOST = 8
/** For so many times to live after a lease another one is expected. */
const LEASING_TTLS = 2
/** Leases of a key of which nothing is left, kept so that what was spent from them can be given back. */
const MOST_EMPTY = 16
/** Settled receipts that are remembered. */
const MOST_SETTLED = 10_000
/**
 * A draw of which nothing was heard for so long is made again: whoever asked may be gone. Twice as long after each that
 * was lost, so that an owner with too much to do is not asked ever more.
 */
const DRAW_LOST_MS = 1_000
const DRAW_LOST_MOST_MS = 16_000
/** Parts a lease's receipt from the number of what was spent of it. */
const SPEND_MARK = "/"

/**
 * Units of hot keys that were drawn ahead, to be spent without a call. Drawn units are charged already: whatever happens
 * to them here, the owner never admits more than its policy says. How many are drawn follows the use: a lease that was
 * spent in less than half its time is followed by one for half a time to live, two to eight times as large; one of which
 * less than half was spent by one half as large.
 */
export class LeasePool {
  readonly #options: LeasePoolOptions
  /** The one that was asked about last comes last. */
  readonly #pools = new Map<string, Pool>()
  readonly #begun = new WeakMap<DrawRequest, Begun>()
  readonly #evicted: UnusedUnits[] = []
  /** Ids of receipts, the one that was settled first comes first. */
  readonly #settled = new Set<string>()
  #calls = 0

  constructor(options: LeasePoolOptions) {
    this.#options = options
  }

  /**
   * Whether checks of a cost are answered from leases: of 1 always, else up to a quarter of the most units. What a
   * spent unit is worth cannot be given back when its lease has ended, so what costs much is asked of the owner.
   */
  takes(cost: number): boolean {
    return cost > 0 && cost <= Math.max(1, this.#options.units * COST_SHARE)
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
    const id = spendId(receipt.id, lease.spends)
    return this.#told(key, pool, cost, { ...receipt, id, cost }, nowMs)
  }

  /**
   * What to ask the owner, where something is to be asked now.
   *
   * @param cost 0 where the check was answered by `spend`: then only where the units get low
   * @returns `null` where nothing is to be drawn: a draw is under way that is worth waiting for, or there is enough
   */
  begin(key: string, cost: number, nowMs: number): DrawRequest | null {
    const pool = this.#poolOf(key, nowMs)
    const { units: most, ifBusy } = this.#options
    const { draw } = pool
    const drawing = isDrawing(pool, nowMs)
    if (drawing && (cost === 0 || nowMs < pool.leasingUntilMs)) return null
    if (cost === 0 && this.leftOf(key, nowMs) * 4 > pool.size) return null
    if (!drawing) {
      if (draw !== null) pool.lostAfterMs = Math.min(pool.lostAfterMs * 2, DRAW_LOST_MOST_MS)
      // Those who wait for a lost draw may still hear of it, or of this one.
      pool.draw = { sinceMs: nowMs, waiting: draw?.waiting ?? [] }
    }
    // Those whom the last draw did not serve wait for this one, and as many come while it is under way.
    const demand = Math.max(0, pool.missed - cost)
    const units = Math.min(Math.max(pool.size, pool.missed), most)
    pool.missed = 0
    this.#calls += 1
    const id = `lease-${this.#calls.toString(36)}-${crypto.randomUUID()}`
    const giveBack = takeUnused(pool, (lease) => isStale(lease, nowMs))
    const request = { cost, demand, units, ifBusy, giveBack, id }
    this.#begun.set(request, { pool, revocations: pool.revocations })
    return request
  }

  /** Waits for the draw under way, where `begin` said that there is one. `resume` is called once. */
  wait(key: string, cost: number, resume: Resume): void {
    const draw = this.#pools.get(key)?.draw
    if (draw) draw.waiting.push({ cost, resume })
    else resume("answered")
  }

  /**
   * Takes the owner's answer to a draw, and makes of it that to the check.
   *
   * @param askedAtMs before the draw was sent
   */
  end(key: string, request: DrawRequest, { decision, denial }: Drawn, askedAtMs: number): Decision {
    const begun = this.#begun.get(request)!
    const { pool } = begun
    const own = this.#take(key, begun, request, decision, askedAtMs)
    pool.lostAfterMs = DRAW_LOST_MS
    const waited = (decision.allowed ? denial : decision) ?? "answered"
    this.#resume(pool, waited, this.leftOf(key, askedAtMs))
    return own
  }

  #take(
    key: string,
    { pool, revocations }: Begun,
    { cost }: DrawRequest,
    decision: Decision,
    askedAtMs: number,
  ): Decision {
    pool.decision = decision
    const { receipt } = decision
    if (!decision.allowed || receipt === undefined || decision.cost <= cost) {
      // The key is not busy any more, so that nobody need wait for others to ask.
      if (cost > 0 && this.#options.ifBusy) pool.leasingUntilMs = 0
      return decision
    }
    const units = decision.cost - cost
    const first = { ...receipt, id: spendId(receipt.id, 1), cost }
    if (pool.revocations !== revocations) {
      pool.unreturned.push({ receipt, units })
      return this.#told(key, pool, cost, first, askedAtMs)
    }
    if (this.#options.ifBusy) pool.leasingUntilMs = askedAtMs + this.#options.ttlMs * LEASING_TTLS
    this.#resize(pool, askedAtMs)
    const expiresAtMs = askedAtMs + Math.min(this.#options.ttlMs, windowEndMs(decision))
    const spends = cost > 0 ? 1 : 0
    pool.leases.push({ receipt, drawnAtMs: askedAtMs, expiresAtMs, granted: units, left: units, spends })
    return this.#told(key, pool, cost, first, askedAtMs)
  }

  /** A draw failed: the next check may try again. What it was to give back is kept for then; it is taken once. */
  fail(request: DrawRequest): void {
    const { pool } = this.#begun.get(request)!
    pool.unreturned.push(...request.giveBack)
    this.#resume(pool, "lost", 0)
  }

  #resume(pool: Pool, waited: Waited, left: number): void {
    const waiting = pool.draw?.waiting ?? []
    pool.draw = null
    const wanted = waiting.reduce((sum, { cost }) => sum + cost, 0)
    pool.missed = waited === "answered" ? Math.max(0, wanted - left) : 0
    for (const { resume } of waiting) resume(waited)
  }

  /** Takes out what nobody spent for long, to be given back. */
  idle(key: string, nowMs: number): readonly UnusedUnits[] {
    const pool = this.#pools.get(key)
    return pool === undefined ? [] : takeUnused(pool, (lease) => isStale(lease, nowMs))
  }

  /** Whether there is something that may have to be given back. */
  hasUnused(key: string, nowMs: number): boolean {
    return this.leftOf(key, nowMs) > 0 || (this.#pools.get(key)?.unreturned.length ?? 0) > 0
  }

  /** Ends all leases of a key, those that draws under way will bring too. Takes out what is here, to be given back. */
  revoke(key: string): readonly UnusedUnits[] {
    const pool = this.#pools.get(key)
    if (pool === undefined) return []
    pool.revocations += 1
    return takeUnused(pool, () => true)
  }

  /** Forgets a key whose quota is made full: nothing of before is to be given back, nor what draws under way bring. */
  forget(key: string): void {
    this.#pools.delete(key)
  }

  /** Takes out what keys left that had to make room for others, to be given back. */
  takeEvicted(): readonly UnusedUnits[] {
    return this.#evicted.splice(0)
  }

  /** Whether a receipt is of units that were spent from a lease, here or in another pool. */
  static isOwnReceipt({ id }: Receipt): boolean {
    return id.includes(SPEND_MARK)
  }

  /** The receipt of the draw that units were spent from. */
  static drawOf(receipt: Receipt): Receipt {
    return { ...receipt, id: splitReceipt(receipt.id)[0] }
  }

  /**
   * Settles a receipt of units that were spent from a lease, once. While the lease lasts, units that were given back
   * can be spent again; later they come back with time.
   *
   * @param units given back, or, where negative, charged on top: that is for the caller to do
   */
  settle(receipt: Receipt, units: number, nowMs: number): Settlement {
    if (this.#settled.has(receipt.id)) return "done"
    if (this.#settled.size >= MOST_SETTLED) this.#settled.delete(this.#settled.values().next().value!)
    this.#settled.add(receipt.id)
    if (units < 0) return "charge"
    this.#takeBack(receipt, units, nowMs)
    return "done"
  }

  /** The charge that `settle` asked for failed: the receipt may be settled again. */
  reopen({ id }: Receipt): void {
    this.#settled.delete(id)
  }

  #takeBack({ id, key, cost }: Receipt, units: number, nowMs: number): void {
    const [draw, spend] = splitReceipt(id)
    // Written otherwise it would be another id, and settle again.
    if (id !== spendId(draw, spend)) return
    const lease = this.#pools.get(key)?.leases.find((each) => each.receipt.id === draw)
    if (lease === undefined || !isLive(lease, nowMs) || !(spend >= 1 && spend <= lease.spends)) return
    // Never more than was drawn, whatever a receipt says that it is worth.
    if (units > cost || lease.left + units > lease.receipt.cost) return
    lease.left += units
  }

  #poolOf(key: string, nowMs: number): Pool {
    let pool = this.#pools.get(key)
    if (pool === undefined) {
      if (this.#pools.size >= MAX_KEYS) this.#evictOne(nowMs)
      // Where leases are only for what is busy, it is not known yet whether to wait for one.
      const leasingUntilMs = this.#options.ifBusy ? 0 : Number.POSITIVE_INFINITY
      const size = Math.min(FIRST_UNITS, this.#options.units)
      const lostAfterMs = DRAW_LOST_MS
      pool = {
        leases: [],
        decision: null,
        size,
        draw: null,
        leasingUntilMs,
        missed: 0,
        lostAfterMs,
        revocations: 0,
        unreturned: [],
      }
    } else this.#pools.delete(key)
    this.#pools.set(key, pool)
    return pool
  }

  /** Of the keys that wait for no draw, the one that nobody asked about for longest makes room. */
  #evictOne(nowMs: number): void {
    for (const [key, pool] of this.#pools) {
      if (isDrawing(pool, nowMs)) continue
      this.#pools.delete(key)
      this.#evicted.push(...takeUnused(pool, () => true))
      return
    }
  }

  #resize(pool: Pool, nowMs: number): void {
    const last = pool.leases.at(-1)
    if (last !== undefined) {
      const spentShare = 1 - last.left / last.granted
      const usedTtl = Math.max(1, nowMs - last.drawnAtMs) / this.#options.ttlMs
      const inHalfTtl = ((last.granted - last.left) / usedTtl) * 0.5
      if (spentShare > 0.5 && usedTtl < 0.5) {
        const grown = Math.ceil(Math.min(Math.max(inHalfTtl, pool.size * 2), pool.size * GROWTH_MOST))
        pool.size = Math.min(grown, this.#options.units)
      } else if (spentShare < 0.5) pool.size = Math.max(1, Math.floor(pool.size / 2))
    }
    let empty = 0
    for (let at = pool.leases.length - 1; at >= 0; at--) {
      const lease = pool.leases[at]!
      if (lease.left > 0) continue
      empty += 1
      if (empty > MOST_EMPTY || !isLive(lease, nowMs)) pool.leases.splice(at, 1)
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

function isDrawing({ draw, lostAfterMs }: Pool, nowMs: number): boolean {
  return draw !== null && nowMs - draw.sinceMs < lostAfterMs && nowMs >= draw.sinceMs
}

function isLive({ expiresAtMs, drawnAtMs }: Lease, nowMs: number): boolean {
  return nowMs < expiresAtMs && nowMs >= drawnAtMs
}

function isStale(lease: Lease, nowMs: number): boolean {
  const { drawnAtMs, expiresAtMs } = lease
  return !isLive(lease, nowMs) || nowMs - drawnAtMs >= (expiresAtMs - drawnAtMs) * IDLE_SHARE
}

function takeUnused({ leases, unreturned }: Pool, isWanted: (lease: Lease) => boolean): UnusedUnits[] {
  const taken = unreturned.splice(0)
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

function spendId(draw: string, spend: number): string {
  return `${draw}${SPEND_MARK}${spend.toString(36)}`
}

function splitReceipt(id: string): [lease: string, spend: number] {
  const at = id.indexOf(SPEND_MARK)
  return [id.slice(0, at), Number.parseInt(id.slice(at + 1), 36)]
}
