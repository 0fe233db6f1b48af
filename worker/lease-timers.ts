import type { UnusedUnits } from "../src/edge/lease-draw.js"
import { GIVE_BACK_SHARE, type LeasePool, type Waited } from "../src/edge/lease-pool.js"
import { CostError } from "../src/types/errors.js"

/** How long a check waits for another's draw. */
const WAIT_MS = 2_000

/** Waits until what was just drawn would be idle, and gives back what then still is here. Never fails. */
export async function giveBackIdle(
  leases: LeasePool,
  key: string,
  ttlMs: number,
  giveBack: (unused: UnusedUnits) => Promise<void>,
): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, ttlMs * GIVE_BACK_SHARE))
  // What cannot be given back stays charged, and comes back with time.
  await Promise.allSettled(leases.idle(key, Date.now()).map(giveBack))
}

/**
 * Waits for the draw that another request is making: that request may have been cancelled, and with it all that it waited
 * for, so not without end.
 *
 * @throws {CostError} where the draw showed that this cost can never pass
 */
export function waitForDraw(leases: LeasePool, key: string, cost: number): Promise<Waited> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => resolve("lost"), WAIT_MS)
    leases.wait(key, cost, (waited) => {
      clearTimeout(timer)
      if (waited instanceof CostError) reject(waited)
      else resolve(waited)
    })
  })
}
