/** What a rule of several is called that nobody named, after the limit's name. */
const RATE_NAME = /^-\d+-per-\d+[a-z]+(-\d+)?$/

/** What the rules of a limit bear: a tier's or a tenant's are named after the limit that it is a policy of. */
export function nameForRules(limit) {
  return limit.split("\n", 1)[0]
}

/** A limit's policy as people write it, without the names that the limit gave its rules. */
export function policyText({ limit, definition_text: text }) {
  const given = nameForRules(limit)
  const isGiven = (name) => name.startsWith(given) && (name === given || RATE_NAME.test(name.slice(given.length)))
  const withoutGiven = (rule) => {
    if (typeof rule === "string") {
      const [rate, name = ""] = rule.split(" as ")
      return isGiven(name) ? rate : rule
    }
    const { name = "", ...rest } = rule
    return isGiven(name) ? rest : rule
  }
  if (!/^[[{]/.test(text)) return text.split("; ").map(withoutGiven).join("; ")
  const rules = JSON.parse(text)
  return JSON.stringify(Array.isArray(rules) ? rules.map(withoutGiven) : withoutGiven(rules))
}
