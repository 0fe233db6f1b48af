import { fnv1a } from "../lib/fnv1a.js"

/** How many groups keys are hashed into. */
export const KEY_SLOTS = 1_024

/** Which of the groups a key is in, by its name. */
export function keySlotOf(name: string): number {
  // Names differ most at their end, so no more than that is read.
  const hash = fnv1a(name, name.length, Math.max(0, name.length - 24))
  return (hash ^ (hash >>> 15)) & (KEY_SLOTS - 1)
}
