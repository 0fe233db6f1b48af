import { fnv1a } from "../lib/fnv1a.js"
import { formatPolicy } from "../policy/format-policy.js"
import type { Policy } from "../policy/policy.js"

/** As long as the name of a limit may be. */
const MAX_LENGTH = 512

/** A policy as people write it, which tells it from every other one; a very long one by its begin and a hash. */
export function policyText(policy: Policy): string {
  const text = formatPolicy(policy)
  if (text.length <= MAX_LENGTH) return text
  const hash = [undefined, 1].map((start) => (fnv1a(text, start) >>> 0).toString(16).padStart(8, "0")).join("")
  return `${text.slice(0, 480)}… ${hash}`
}
