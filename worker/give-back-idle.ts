import type { LeasePool, UnusedUnits } from "../src/limiter/lease-pool.js"

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
