import { DRAW_LOST_MS, type LeasePool, type UnusedUnits } from "../src/limiter/lease-pool.js"
import type { Decision } from "../src/types/decision.js"

/** A little after the time from which a lease counts as idle, and well before it ends. */
const WAIT_SHARE = 0.8

/** Waits until what was just drawn would be idle, and gives back what then still is here. Never fails. */
export async function giveBackIdle(
  leases: LeasePool,
  key: string,
  ttlMs: number,
  giveBack: (unused: UnusedUnits) => Promise<void>,
): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, ttlMs * WAIT_SHARE))
  // What cannot be given back stays charged, and comes back with time.
  await Promise.allSettled(leases.unused(key, Date.now(), "idle").map(giveBack))
}

/**
 * Waits for the draw that another request is making, and tells what it found where nothing was left; else `null`. So too
 * where nothing is heard of it: that request may have been cancelled, and with it all that it waited for.
 */
export function waitForDraw(leases: LeasePool, key: string, cost: number): Promise<Decision | null> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(null), DRAW_LOST_MS)
    leases.wait(key, cost, (denial) => {
      clearTimeout(timer)
      resolve(denial)
    })
  })
}
