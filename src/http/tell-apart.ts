import type { Rule } from "../policy/policy.js"
import type { Decision, RuleDecision } from "../types/decision.js"
import type { LimitPart } from "./request-decision.js"

/**
 * Gives rules another name that have one of another limit's, as two limits whose functions chose the same tier: a
 * client finds a limit's item in one field by its name in the other. They have their limit's name before their own
 * then, such as `account-free`. One rule keeps a name that is its limit's own. What is counted where does not change.
 *
 * @param limits what each limit is called whose policy a function chose; `undefined` for the others, which keep their
 *   names
 */
export function tellApart(parts: readonly LimitPart[], limits: readonly (string | undefined)[]): readonly LimitPart[] {
  const names = parts.map(namesOf)
  const taken = new Set<string>()
  const shared = new Set<string>()
  for (const name of names.flatMap((each) => [...each])) (taken.has(name) ? shared : taken).add(name)
  if (shared.size === 0) return parts
  return parts.map((part, index) => {
    const limit = limits[index]
    if (limit === undefined) return part
    const wanted = [...names[index]!].filter((name) => shared.has(name) && keeperOf(name) !== index)
    const renamed = new Map(wanted.map((name) => [name, freeName(`${limit}-${name}`, taken)]))
    return renamed.size === 0 ? part : renamePart(part, renamed)
  })

  /**
   * Which limit keeps a name: one whose names all stay, else the first that is called so, which a given name may
   * repeat.
   */
  function keeperOf(name: string): number {
    const fixed = names.findIndex((own, index) => limits[index] === undefined && own.has(name))
    return fixed >= 0 ? fixed : names.findIndex((own, index) => limits[index] === name && own.has(name))
  }
}

/** The names of the rules that decided, and of those that were sent; without an answer the latter are told. */
function namesOf({ policy, decision }: LimitPart): ReadonlySet<string> {
  const decided = (decision.rules ?? [decision]).map((rule) => rule.policy)
  const sent = policy?.rules.map(({ name }) => name) ?? []
  return new Set([...decided, ...sent].filter((name) => name !== ""))
}

/** Takes a name, with a number behind it where it is taken. */
function freeName(name: string, taken: Set<string>): string {
  let free = name
  for (let number = 2; taken.has(free); number++) free = `${name}-${number}`
  taken.add(free)
  return free
}

function renamePart({ policy, decision }: LimitPart, renamed: ReadonlyMap<string, string>): LimitPart {
  const nameOf = (name: string) => renamed.get(name) ?? name
  const rename = <R extends RuleDecision | Decision>(rule: R): R => ({ ...rule, policy: nameOf(rule.policy) })
  const { receipt, rules } = decision
  const quotas = policy?.rules.map((rule) => ({ ...rule, name: nameOf(rule.name) }))
  return {
    policy: policy && { ...policy, name: nameOf(policy.name), rules: quotas as [Rule, ...Rule[]] },
    decision: { ...rename(decision), ...(rules && { rules: rules.map(rename) }), ...(receipt && { receipt }) },
  }
}
