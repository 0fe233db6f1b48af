// A rule here is what a limit's `definition` tells, its times in ms, or what a form says, its times as they were typed.

export const ALGORITHMS = [
  "gcra",
  "token_bucket",
  "leaky_bucket",
  "fixed_window",
  "sliding_window",
  "sliding_window_log",
]

/** The algorithms that have what not all have. */
const HAVE = {
  burst: ["gcra", "token_bucket", "leaky_bucket"],
  refill: ["token_bucket"],
  anchor: ["fixed_window"],
  offset: ["fixed_window"],
}

/** Whether rules of an algorithm can say a field. */
export const has = (algorithm, field) => HAVE[field]?.includes(algorithm) ?? true

/** The most units at once, which is what "used" and "left" are of. */
export const capacityOf = ({ limit, burst }) => burst ?? limit

const UNITS = [
  ["w", 604_800_000, "week"],
  ["d", 86_400_000, "day"],
  ["h", 3_600_000, "hour"],
  ["m", 60_000, "minute"],
  ["s", 1_000, "second"],
]

const largestUnit = (ms) => UNITS.find(([, unitMs]) => ms > 0 && ms % unitMs === 0) ?? ["ms", 1]

/** A time span as the API reads it, exactly, in the largest unit that needs no fraction. One as text is left as it is. */
export function duration(ms) {
  if (typeof ms !== "number") return ms
  const [unit, unitMs] = largestUnit(ms)
  return `${ms / unitMs}${unit}`
}

/** Such as `10/second burst 20`, without the rule's algorithm and name. */
export function rateText({ limit, period, burst }) {
  const [, unitMs, word] = largestUnit(period)
  const per = period === unitMs && word !== undefined ? word : duration(period)
  return `${limit}/${per}${burst === undefined ? "" : ` burst ${burst}`}`
}

/** The rules' names, `null` where the policy would name the rule so by itself. */
function givenNames(rules) {
  if (rules.length === 1) return [(rules[0].name ?? "default") === "default" ? null : rules[0].name]
  const rates = rules.map(({ limit, period }) => `${limit}-per-${duration(period)}`)
  const isLike = (name, rate) => name === rate || name.replace(/-\d+$/, "") === rate
  const names = rules.map(({ name }, index) => (isLike(name, rates[index]) ? null : name))
  const taken = new Set(names)
  const isNamedSo = ({ name }, index) => {
    if (names[index] !== null) return true
    let derived = rates[index]
    for (let copy = 2; taken.has(derived); copy++) derived = `${rates[index]}-${copy}`
    taken.add(derived)
    return name === derived
  }
  return rules.every(isNamedSo) ? names : rules.map(({ name }) => name)
}

const isWord = (name) => !/[\s"'`\\;,]/.test(name)

function textOf(rule, name) {
  return [rateText(rule), rule.algorithm === "gcra" ? null : rule.algorithm, name === null ? null : `as ${name}`]
    .filter((part) => part !== null)
    .join(" ")
}

/** What a short form cannot say of a rule, in words. */
function rest({ refill, anchor, offset, block }) {
  return [
    refill && `refill ${refill.amount} per ${duration(refill.every)}`,
    anchor && `anchor ${anchor}`,
    offset && `offset ${duration(offset)}`,
    block && `block ${duration(block)}`,
  ].filter((part) => part !== undefined)
}

/** A policy in the short form in which people write it, or `null` where that cannot say it all. */
export function shortForm(rules) {
  const names = givenNames(rules)
  const canSay = rules.every(
    (rule, index) => rest(rule).length === 0 && (names[index] === null || isWord(names[index])),
  )
  return canSay ? rules.map((rule, index) => textOf(rule, names[index])).join("; ") : null
}

/** A policy to be edited: its short form, else JSON with a rule a line. */
export function editable(rules) {
  const names = givenNames(rules)
  const line = (rule, index) => {
    const { name: _, ...said } = rule
    if (names[index] !== null) said.name = names[index]
    for (const field of ["period", "offset", "block"]) if (said[field]) said[field] = duration(said[field])
    if (said.refill) said.refill = { ...said.refill, every: duration(said.refill.every) }
    return JSON.stringify(said)
  }
  return shortForm(rules) ?? `[\n${rules.map(line).join(",\n")}\n]`
}

/** A policy to be read: as its short form, with what that cannot say in parentheses. */
export function policyText(rules) {
  const names = givenNames(rules)
  return rules
    .map((rule, index) => {
      const name = names[index]
      const isSaid = name === null || isWord(name)
      const more = isSaid ? rest(rule) : [...rest(rule), `name "${name}"`]
      return `${textOf(rule, isSaid ? name : null)}${more.length === 0 ? "" : ` (${more.join(", ")})`}`
    })
    .join("; ")
}
