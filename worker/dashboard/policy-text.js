/** What a rule of several is called that nobody named, after the limit's name. */
const RATE_NAME = /^-\d+-per-\d+[a-z]+(-\d+)?$/

/** A limit's policy as people write it, without the names that the limit gave its rules. */
export function policyText({ limit, definition_text: text }) {
  if (/^[[{]/.test(text)) return text
  const isGiven = (name) => name.startsWith(limit) && (name === limit || RATE_NAME.test(name.slice(limit.length)))
  const rules = text.split("; ").map((rule) => {
    const [rate, name = ""] = rule.split(" as ")
    return isGiven(name) ? rate : rule
  })
  return rules.join("; ")
}
