import { BoundedMap } from "../lib/bounded-map.js"
import type { Policy } from "../policy/policy.js"
import type { Decision } from "../types/decision.js"
import { CostError } from "../types/errors.js"
import type { Receipt } from "../types/receipt.js"
import { KeyLeases, type LeaseBounds } from "./key-leases.js"
import { laterDenial, tellsWholeWaits } from "./later-denial.js"
import type { Drawn, DrawRequest, UnusedUnits } from "./lease-draw.js"

export interface LeasePoolOptions extends LeaseBounds {
  /** Whether leases are drawn only for keys that are asked about often. */
  readonly ifBusy: boolean
}

/** What is known of a key: its units, and the draws of more. */
interface Pool {
  readonly leases: KeyLeases
  /** How long a draw is waited for before another is made. */
  lostAfterMs: number
  /** Units for which the last draw was waited for in vain. */
  missed: number
  /** The draw that others wait for; `null` where none is under way. */
  draw: { readonly sinceMs: number; readonly waiting: { readonly cost: number; readonly resume: Resume }[] } | null
  /** Until when draws are expected to grant units, so that it is worth waiting for one. */
  leasingUntilMs: number
}

/** A draw under way, and what it found. */
interface DrawUnderWay {
  readonly pool: Pool
  readonly revocations: number
}

/** What a check of a key is to do. Where both are `null` it is to wait for a draw, if the pool `knows` its key. */
export interface LeaseTurn {
  /** What it is told; `null` where a draw has to tell. */
  readonly told: Decision | null
  /** What to draw for it or, where it is told already, for those that come. */
  readonly request: DrawRequest | null
}

/** What came of a draw for those who waited: perhaps units, else a denial; or nothing was heard of it. */
export type Waited = Decision | "answered" | "lost"

/**
 * What is to be done for a receipt of a lease: nothing more, or, where it cost more than was spent, to charge the rest,
 * for which the owner is to be asked.
 */
export type Settlement = "done" | "charge"

/** Hears what came of a draw, or that the cost of whoever waited can never pass. */
type Resume = (waited: Waited | CostError) => void

/** How often a check waits for others' draws before it asks for itself. */
export const LEASE_TURNS = 8
/**
 * After this share of its time a lease that is idle is given back: a little after it counts as idle, well before it
 * ends.
 */
export const GIVE_BACK_SHARE = 0.8

const MAX_KEYS = 1_000
/** How many keys are looked at for one that can make room. */
const KEYS_LOOKED_AT = 8
/** Of the most units of a lease, a check may cost so much to be answered from one. */
const COST_SHARE = 1 / 4
/** For so many times to live after a lease another one is expected. */
const LEASING_TTLS = 2
/** Settled receipts that are remembered. */
const MAX_SETTLED = 10_000
/**
 * A draw of which nothing was heard for so long is made again: whoever asked may be gone. Twice as long after each that
 * was lost, so that an owner with too much to do is not asked ever more.
 */
const DRAW_LOST_MS = 1_000
const MAX_DRAW_LOST_MS = 16_000

/**
 * Units of hot keys that were drawn ahead, to be spent without a call. Drawn units are charged already: whatever
 * happens to them here, the owner never admits more than its policy says.
 */
export class LeasePool {
  readonly #options: LeasePoolOptions
  /** The one that was asked about, or looked at in vain for room, last comes last. */
  readonly #pools = new Map<string, Pool>()
  readonly #underWay = new WeakMap<DrawRequest, DrawUnderWay>()
  readonly #evicted: UnusedUnits[] = []
  /** Ids of receipts, the one that was settled first comes first. */
  readonly #settled = new BoundedMap<string, true>(MAX_SETTLED)
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

  /** Whether anything is kept of a key. */
  knows(key: string): boolean {
    return this.#pools.has(key)
  }

  /** Units that are here now, unspent and not expired. */
  leftOf(key: string, nowMs: number): number {
    return this.#pools.get(key)?.leases.leftAt(nowMs) ?? 0
  }

  /** Spends units that are here; `null` where there are not enough. */
  spend(key: string, cost: number, nowMs: number): Decision | null {
    return this.#pools.get(key)?.leases.spend(cost, nowMs) ?? null
  }

  /**
   * A turn of a check: `spend`, then `begin`.
   *
   * @param waited what came of the draw that it waited for: a denial of its cost or a smaller one denies it, unless its
   *   waits may be longer than it tells
   */
  turn(key: string, cost: number, nowMs: number, policy: Policy, waited: Waited): LeaseTurn {
    const spent = this.spend(key, cost, nowMs)
    if (spent === null && typeof waited === "object" && waited.cost <= cost && tellsWholeWaits(waited)) {
      return { told: laterDenial(waited, policy, cost, 0), request: null }
    }
    return { told: spent, request: this.begin(key, spent === null ? cost : 0, nowMs) }
  }

  /**
   * What to ask the owner, where something is to be asked now.
   *
   * @param cost 0 where the check was answered by `spend`: then only where the units get low
   * @returns `null` where nothing is to be drawn: a draw is under way that is worth waiting for, there is enough, or
   *   there is no room for the key, which `knows` tells
   */
  begin(key: string, cost: number, nowMs: number): DrawRequest | null {
    const pool = this.#poolOf(key, nowMs)
    if (pool === null) return null
    const { units: most, ifBusy } = this.#options
    const { leases, draw } = pool
    const drawing = isDrawing(pool, nowMs)
    if (drawing && (cost === 0 || nowMs < pool.leasingUntilMs)) return null
    if (cost === 0 && leases.leftAt(nowMs) * 4 > leases.size) return null
    if (!drawing) {
      if (draw !== null) pool.lostAfterMs = Math.min(pool.lostAfterMs * 2, MAX_DRAW_LOST_MS)
      // Those who wait for a lost draw may still hear of it, or of this one.
      pool.draw = { sinceMs: nowMs, waiting: draw?.waiting ?? [] }
    }
    // Those whom the last draw did not serve wait for this one, and as many come while it is under way.
    const demand = Math.max(0, pool.missed - cost)
    const units = Math.min(Math.max(leases.size, pool.missed), most)
    pool.missed = 0
    this.#calls += 1
    const id = `lease-${this.#calls.toString(36)}-${crypto.randomUUID()}`
    const giveBack = leases.takeStale(nowMs)
    const request = { cost, demand, units, ifBusy, giveBack, id }
    this.#underWay.set(request, { pool, revocations: leases.revocations })
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
    const underWay = this.#underWay.get(request)!
    const { pool } = underWay
    const own = this.#take(underWay, request, decision, askedAtMs)
    pool.lostAfterMs = DRAW_LOST_MS
    const waited = (decision.allowed ? denial : decision) ?? "answered"
    this.#resume(pool, waited, this.leftOf(key, askedAtMs))
    return own
  }

  #take({ pool, revocations }: DrawUnderWay, { cost }: DrawRequest, decision: Decision, askedAtMs: number): Decision {
    const { leases } = pool
    const { ifBusy, ttlMs } = this.#options
    const { receipt } = decision
    if (!decision.allowed || receipt === undefined || decision.cost <= cost) {
      leases.note(decision, askedAtMs)
      // The key is not busy any more, so that nobody need wait for others to ask.
      if (cost > 0 && ifBusy) pool.leasingUntilMs = 0
      return decision
    }
    if (ifBusy && leases.revocations === revocations) pool.leasingUntilMs = askedAtMs + ttlMs * LEASING_TTLS
    return leases.take(decision, receipt, cost, revocations, askedAtMs)
  }

  /**
   * A draw failed: the next check may try again. What it was to give back is kept for then; it is taken once.
   *
   * @param error a `CostError` says that the owner answered: it is told to those who wait with such a cost, and the
   *   others go on
   */
  fail(request: DrawRequest, error: unknown): void {
    const { pool } = this.#underWay.get(request)!
    pool.leases.putBack(request.giveBack)
    if (!(error instanceof CostError)) {
      this.#resume(pool, "lost", 0)
      return
    }
    const { key, maximum } = error
    const waiting = pool.draw?.waiting ?? []
    const refused = waiting.filter(({ cost }) => cost > maximum)
    if (pool.draw !== null) pool.draw = { ...pool.draw, waiting: waiting.filter(({ cost }) => cost <= maximum) }
    this.#resume(pool, "answered", 0)
    for (const { cost, resume } of refused) resume(new CostError(key, cost, maximum))
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
    return this.#pools.get(key)?.leases.takeStale(nowMs) ?? []
  }

  /** Whether there is something that may have to be given back. */
  hasUnused(key: string, nowMs: number): boolean {
    return this.#pools.get(key)?.leases.hasUnused(nowMs) ?? false
  }

  /** Ends all leases of a key, those that draws under way will bring too. Takes out what is here, to be given back. */
  revoke(key: string): readonly UnusedUnits[] {
    return this.#pools.get(key)?.leases.revoke() ?? []
  }

  /** Forgets a key whose quota is made full: nothing of before is to be given back, nor what draws under way bring. */
  forget(key: string): void {
    this.#pools.delete(key)
  }

  /** Takes out what keys left that had to make room for others, to be given back. */
  takeEvicted(): readonly UnusedUnits[] {
    return this.#evicted.splice(0)
  }

  /**
   * Settles a receipt of units that were spent from a lease, once. While the lease lasts, units that were given back
   * can be spent again; later they come back with time.
   *
   * @returns `"charge"` where `units` are negative: to charge as many more is for the caller to do
   */
  settle(receipt: Receipt, units: number, nowMs: number): Settlement {
    if (this.#settled.has(receipt.id)) return "done"
    this.#settled.set(receipt.id, true)
    if (units < 0) return "charge"
    this.#pools.get(receipt.key)?.leases.takeBack(receipt, units, nowMs)
    return "done"
  }

  /** The charge that `settle` asked for failed: the receipt may be settled again. */
  reopen({ id }: Receipt): void {
    this.#settled.delete(id)
  }

  /** What is known of a key, which counts as asked about; `null` where there is no room for it. */
  #poolOf(key: string, nowMs: number): Pool | null {
    let pool = this.#pools.get(key)
    if (pool === undefined) {
      if (this.#pools.size >= MAX_KEYS && !this.#evictOne(nowMs)) return null
      // Where leases are only for what is busy, it is not known yet whether to wait for one.
      const leasingUntilMs = this.#options.ifBusy ? 0 : Number.POSITIVE_INFINITY
      const leases = new KeyLeases(this.#options)
      pool = { leases, lostAfterMs: DRAW_LOST_MS, missed: 0, draw: null, leasingUntilMs }
    } else this.#pools.delete(key)
    this.#pools.set(key, pool)
    return pool
  }

  /**
   * Of the keys that wait for no draw, one that nobody asked about for long makes room. Those that do go behind the
   * others, so that the next look does not begin with them.
   *
   * @returns whether there was one among those that were looked at
   */
  #evictOne(nowMs: number): boolean {
    for (let looks = 0; looks < KEYS_LOOKED_AT; looks++) {
      const [key, pool] = this.#pools.entries().next().value!
      this.#pools.delete(key)
      if (!isDrawing(pool, nowMs)) {
        this.#evicted.push(...pool.leases.takeAll())
        return true
      }
      this.#pools.set(key, pool)
    }
    return false
  }
}

function isDrawing({ draw, lostAfterMs }: Pool, nowMs: number): boolean {
  return draw !== null && nowMs - draw.sinceMs < lostAfterMs && nowMs >= draw.sinceMs
}
