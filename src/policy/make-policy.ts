import { PolicyError } from "../types/errors.js"
import { fieldPath } from "./field-path.js"
import { formatDuration } from "./format-duration.js"
import type { ParsedRule } from "./parse-rule.js"
import type { Policy, Rule } from "./policy.js"

/**
 * Joins validated rules to a policy: names the unnamed, takes the longest block for the whole, writes the canonical
 * text, and freezes everything.
 *
 * @throws {PolicyError} where two rules were given the same name
 */
export function makePolicy(parsed: readonly [ParsedRule, ...ParsedRule[]]): Policy {
  const names = nameRules(parsed)
  const [first, ...others] = parsed.map((rule, index) => freezeRule(names[index]!, rule))
  const rules = Object.freeze([first!, ...others] as const)
  const blockMs = Math.max(...parsed.map((rule) => rule.blockMs))
  return Object.freeze({ name: names.join("+"), rules, blockMs, canonical: writeCanonical(rules, blockMs) })
}

/** Explicit names stand; every other rule gets one that no other rule has. @throws {PolicyError} as `makePolicy` */
export function nameRules(parsed: readonly Pick<ParsedRule, "name" | "limit" | "periodMs">[]): string[] {
  const taken = new Set<string>()
  for (const [index, { name }] of parsed.entries()) {
    if (name === null) continue
    if (taken.has(name)) throw new PolicyError(fieldPath(`rules[${index}]`, "name"), name, "a name of no other rule")
    taken.add(name)
  }
  return parsed.map(({ name, limit, periodMs }) => {
    if (name !== null) return name
    const derived = parsed.length === 1 ? "default" : `${limit}-per-${formatDuration(periodMs)}`
    let unique = derived
    for (let copy = 2; taken.has(unique); copy++) unique = `${derived}-${copy}`
    taken.add(unique)
    return unique
  })
}

function freezeRule(
  name: string,
  { algorithm, limit, periodMs, capacity, refill, anchor, offsetMs }: ParsedRule,
): Rule {
  const frozenRefill = refill && Object.freeze(refill)
  return Object.freeze({ name, algorithm, limit, periodMs, capacity, refill: frozenRefill, anchor, offsetMs })
}

/**
 * An array of rules as JSON, its fields in this order. The name and the algorithm are always there: a stored policy
 * keeps its meaning should a default ever change. The policy's one block stands at the first rule.
 */
function writeCanonical(rules: readonly Rule[], blockMs: number): string {
  return JSON.stringify(
    rules.map(({ name, algorithm, limit, periodMs, capacity, refill, anchor, offsetMs }, index) => ({
      name,
      algorithm,
      limit,
      period: periodMs,
      burst: capacity === limit ? undefined : capacity,
      refill: refill === null ? undefined : { amount: refill.amount, every: refill.everyMs },
      anchor: anchor === "first" ? anchor : undefined,
      offset: offsetMs === 0 ? undefined : offsetMs,
      block: index > 0 || blockMs === 0 ? undefined : blockMs,
    })),
  )
}
