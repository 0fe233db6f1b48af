/**
 * What an error calls a field of a rule: `"limit"` where the policy has one rule, `"rules[1].limit"` where it has
 * several.
 *
 * @param at the rule's place, `""` for the only rule, else such as `"rules[1]"`
 * @param field the field's name; without it, the rule as a whole
 */
export function fieldPath(at: string, field?: string): string {
  if (field === undefined) return at === "" ? "rule" : at
  return at === "" ? field : `${at}.${field}`
}
