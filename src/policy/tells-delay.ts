import type { Policy } from "./policy.js"

/** What is allowed where none of the policies says how long a request is to be held. */
export const NO_DELAY = "none without a leaky_bucket: no other algorithm tells a delay"

/**
 * What is allowed as a lease beside a `leaky_bucket`: turns that nobody takes of it would be lost, or given out twice.
 */
export const NO_LEASE = "none with a leaky_bucket: requests of units that were drawn ahead cannot be spaced"

/** Whether decisions of a policy can say how long a request is to be held: those of `leaky_bucket` alone do. */
export function tellsDelay({ rules }: Policy): boolean {
  return rules.some(({ algorithm }) => algorithm === "leaky_bucket")
}
