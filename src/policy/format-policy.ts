import { formatDuration } from "./format-duration.js"
import { nameRules } from "./make-policy.js"
import type { Policy, Rule, RuleInput } from "./policy.js"

/** What a rate says in place of a count of one. */
const ONE: Readonly<Record<string, string>> = {
  "1ms": "ms",
  "1s": "second",
  "1m": "minute",
  "1h": "hour",
  "1d": "day",
  "1w": "week",
}

/** A rule, the name that is said of it, and the policy's block where it stands at this rule. */
interface Said {
  readonly rule: Rule
  readonly name: string | null
  readonly blockMs: number
}

/**
 * A policy as people write it: the short form, without what goes without saying. What that cannot say is told as JSON:
 * of the one rule, or of the list, in which every other rule stays short.
 *
 * @returns a text that `parsePolicy` reads back to an equal policy
 * ```text
 * { limit: 10, period: 1_000, burst: 20 }        "10/second burst 20"
 * "10/1s; 1000/60m as hourly"                    "10/second; 1000/hour as hourly"
 * { limit: 5, period: "1m", block: "15m" }       '{"limit":5,"period":"1m","block":"15m"}'
 * ```
 */
export function formatPolicy({ rules, blockMs }: Policy): string {
  const names = namesToSay(rules)
  const said = rules.map((rule, index) => ({ rule, name: names[index]!, blockMs: index === 0 ? blockMs : 0 }))
  const inputs = said.map((each) => (isShort(each) ? shortForm(each) : longForm(each)))
  if (inputs.every((input) => typeof input === "string")) return inputs.join("; ")
  return JSON.stringify(inputs.length === 1 ? inputs[0] : inputs)
}

/** The names that rules would not get by themselves; `null` for the others. */
function namesToSay(rules: readonly Rule[]): (string | null)[] {
  const names: (string | null)[] = rules.map(({ name }) => name)
  for (const [index, { name }] of rules.entries()) {
    names[index] = null
    const given = nameRules(rules.map((rule, at) => ({ ...rule, name: names[at]! })))
    if (given.some((each, at) => each !== rules[at]!.name)) names[index] = name
  }
  return names
}

function isShort({ rule: { refill, anchor, offsetMs }, name, blockMs }: Said): boolean {
  return refill === null && anchor !== "first" && offsetMs === 0 && blockMs === 0 && !/[\s"'`\\;,]/.test(name ?? "")
}

function shortForm({ rule: { algorithm, limit, periodMs, capacity }, name }: Said): string {
  const period = formatDuration(periodMs)
  const burst = capacity === limit ? "" : ` burst ${capacity}`
  const how = algorithm === "gcra" ? "" : ` ${algorithm}`
  return `${limit}/${ONE[period] ?? period}${burst}${how}${name === null ? "" : ` as ${name}`}`
}

function longForm({ rule, name, blockMs }: Said): RuleInput {
  const { algorithm, limit, periodMs, capacity, refill, anchor, offsetMs } = rule
  return {
    limit,
    period: formatDuration(periodMs),
    ...(algorithm !== "gcra" && { algorithm }),
    ...(capacity !== limit && { burst: capacity }),
    ...(refill !== null && { refill: { amount: refill.amount, every: formatDuration(refill.everyMs) } }),
    ...(anchor === "first" && { anchor }),
    ...(offsetMs !== 0 && { offset: formatDuration(offsetMs) }),
    ...(blockMs !== 0 && { block: formatDuration(blockMs) }),
    ...(name !== null && { name }),
  }
}
