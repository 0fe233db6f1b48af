import { formatPolicy } from "../policy/format-policy.js"
import type { Policy } from "../policy/policy.js"

/** As long as the name of a limit may be. */
const MOST = 512

/** A policy as people write it, which tells it from every other one; a very long one by its begin and a hash. */
export function policyText(policy: Policy): string {
  const text = formatPolicy(policy)
  if (text.length <= MOST) return text
  return `${text.slice(0, 480)}… ${[0x811c9dc5, 0x01000193].map((start) => fnv1a(text, start)).join("")}`
}

/** FNV-1a of a text's UTF-16 units, 8 hexadecimal digits. */
function fnv1a(text: string, start: number): string {
  let hash = start
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193)
  return (hash >>> 0).toString(16).padStart(8, "0")
}
