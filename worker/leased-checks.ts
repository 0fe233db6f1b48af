import type { Drawn, DrawRequest, UnusedUnits } from "../src/edge/lease-draw.js"
import {
  GIVE_BACK_SHARE,
  LEASE_TURNS,
  type LeasePool,
  type LeasePoolOptions,
  type Waited,
} from "../src/edge/lease-pool.js"
import { isLeaseReceipt } from "../src/edge/lease-receipt.js"
import { requireKey } from "../src/engine/key-bytes.js"
import { BroughtOutcome } from "../src/lib/brought-outcome.js"
import { sleep } from "../src/lib/sleep.js"
import type { Policy } from "../src/policy/policy.js"
import type { Decision } from "../src/types/decision.js"
import { CostError, StoreUnavailable } from "../src/types/errors.js"
import type { Receipt } from "../src/types/receipt.js"
import type { SharedLeases } from "./shared-leases.js"

/** How long a check waits for another's draw at most. */
const WAIT_MS = 2_000
/** A reset that was begun longer ago is over: the request that made it may have been cancelled, and ends nothing. */
const MAX_RESET_MS = 30_000

export interface LeasedChecksParts {
  readonly lease: LeasePoolOptions
  readonly leases: SharedLeases
  readonly policy: Policy
  /** Asks a key's object for units. */
  readonly draw: (key: string, request: DrawRequest) => Promise<Drawn>
  /** Gives units back to the object that they are of. */
  readonly giveBack: (unused: UnusedUnits) => Promise<void>
  /** How long an object may take to answer, ms; as long as it takes if not given. */
  readonly timeoutMs?: number | undefined
  /** Lets what nobody waits for go on when the request that began it is over. */
  readonly background: (work: Promise<unknown>) => void
}

/** A check that asks its key's object for units. */
interface Drawing {
  readonly request: DrawRequest
  /** What the check was told already; `null` where it waits for the units. */
  readonly told: Decision | null
  readonly askedAtMs: number
}

/** Checks that are answered from units that were drawn ahead, and draw more when they get low. */
export class LeasedChecks {
  readonly #parts: LeasedChecksParts
  readonly #pool: LeasePool
  readonly #resets: SharedLeases["resets"]

  constructor(parts: LeasedChecksParts) {
    this.#parts = parts
    this.#pool = parts.leases.pool
    this.#resets = parts.leases.resets
  }

  /** Whether checks of a cost are answered from leases. */
  takes(cost: number): boolean {
    return this.#pool.takes(cost)
  }

  /** Spends units that are here, and draws none; `null` where there are not enough, or the key is being reset. */
  spend(key: string, cost: number): Decision | null {
    const nowMs = Date.now()
    return this.#isReset(key, nowMs) ? null : this.#pool.spend(key, cost, nowMs)
  }

  /**
   * Spends units that are here, or draws some.
   *
   * @returns `null` where others' draws were waited for in vain, the key is being reset, or there is no room for it:
   *   the check is to ask for itself
   * @throws {CostError} {KeyError} {StoreUnavailable}; as `draw`
   */
  async check(key: string, cost: number): Promise<Decision | null> {
    requireKey(key)
    let waited: Waited = "answered"
    for (let turn = 0; turn < LEASE_TURNS; turn++) {
      const askedAtMs = Date.now()
      if (this.#isReset(key, askedAtMs)) return null
      const { told, request } = this.#pool.turn(key, cost, askedAtMs, this.#parts.policy, waited)
      this.#giveBack(this.#pool.takeEvicted())
      if (request !== null) return this.#draw(key, { request, told, askedAtMs })
      if (told !== null) return told
      if (!this.#pool.knows(key)) return null
      waited = await this.#waitForDraw(key, cost)
      // Were every check that waited to ask for itself, an object with too much to do would get all the more.
      if (waited === "lost") throw new StoreUnavailable("the Durable Object did not answer a draw in time")
    }
    return null
  }

  /**
   * Waits for the draw that another request is making.
   *
   * @throws {CostError} where the draw showed that this cost can never pass
   */
  async #waitForDraw(key: string, cost: number): Promise<Waited> {
    const outcome = new BroughtOutcome<Waited | CostError>()
    this.#pool.wait(key, cost, (waited) => outcome.bring(waited))
    const waited = await outcome.wait({ timeoutMs: Math.min(this.#parts.timeoutMs ?? WAIT_MS, WAIT_MS) })
    if (waited instanceof CostError) throw waited
    return waited ?? "lost"
  }

  async #draw(key: string, { request, told, askedAtMs }: Drawing): Promise<Decision> {
    try {
      const decision = this.#pool.end(key, request, await this.#parts.draw(key, request), askedAtMs)
      this.#giveBackLater(key, askedAtMs)
      return told ?? decision
    } catch (error) {
      this.#pool.fail(request, error)
      this.#giveBackLater(key, askedAtMs)
      if (told !== null) return told
      throw error
    }
  }

  /**
   * Settles a receipt, where it is of units from here.
   *
   * @returns whether nothing is left to be done: else its object is to be asked
   */
  settle(receipt: Receipt, units: number): boolean {
    return isLeaseReceipt(receipt) && this.#pool.settle(receipt, units, Date.now()) === "done"
  }

  /** The object that `settle` left the rest to was asked in vain: the receipt may be settled again. */
  reopen(receipt: Receipt): void {
    if (isLeaseReceipt(receipt)) this.#pool.reopen(receipt)
  }

  /** Ends all leases of a key, and gives back what is here. */
  revoke(key: string): void {
    this.#giveBack(this.#pool.revoke(key))
  }

  /**
   * Forgets a key whose quota `reset` makes full, and draws nothing for it meanwhile. Nobody could tell whether such a
   * draw was before the reset, and its units are full again, or after it, and they are to be given back.
   */
  async forget<T>(key: string, reset: () => Promise<T>): Promise<T> {
    const begun = { key, sinceMs: Date.now() }
    this.#resets.add(begun)
    this.#pool.forget(key)
    try {
      return await reset()
    } finally {
      this.#resets.delete(begun)
    }
  }

  #isReset(key: string, nowMs: number): boolean {
    for (const reset of this.#resets) {
      if (Math.abs(nowMs - reset.sinceMs) > MAX_RESET_MS) this.#resets.delete(reset)
      else if (reset.key === key) return true
    }
    return false
  }

  #giveBackLater(key: string, nowMs: number): void {
    const { lease, giveBack, background } = this.#parts
    if (this.#pool.hasUnused(key, nowMs)) background(giveBackIdle(this.#pool, key, lease.ttlMs, giveBack))
  }

  /** What cannot be given back stays charged, and comes back with time. */
  #giveBack(unused: readonly UnusedUnits[]): void {
    const { giveBack, background } = this.#parts
    if (unused.length > 0) background(Promise.allSettled(unused.map((each) => giveBack(each))))
  }
}

/** Waits until what was just drawn would be idle, and gives back what then still is here. Never fails. */
async function giveBackIdle(
  leases: LeasePool,
  key: string,
  ttlMs: number,
  giveBack: (unused: UnusedUnits) => Promise<void>,
): Promise<void> {
  await sleep(ttlMs * GIVE_BACK_SHARE)
  // What cannot be given back stays charged, and comes back with time.
  await Promise.allSettled(leases.idle(key, Date.now()).map(giveBack))
}
