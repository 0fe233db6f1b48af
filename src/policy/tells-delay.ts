import type { Policy } from "./policy.js"

/** What is allowed where none of the policies says how long a request is to be held. */
export const NO_DELAY = "none without a leaky_bucket: no other algorithm tells a delay"

/** Whether decisions of a policy can say how long a request is to be held: those of `leaky_bucket` alone do. */
export function tellsDelay({ rules }: Policy): boolean {
  return rules.some(({ algorithm }) => algorithm === "leaky_bucket")
}
