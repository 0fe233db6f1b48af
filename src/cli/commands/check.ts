import { formatSpan } from "../../lib/format-span.js"
import { isDeniedForGood } from "../../limiter/denied-for-good.js"
import type { LimitChoice, NamedLimits } from "../../limiter/named-limits.js"
import { MAX_UNITS } from "../../policy/policy-range.js"
import { MAX_TOGETHER } from "../../policy/require-group.js"
import type { Decision } from "../../types/decision.js"
import { LimitNotFound, show } from "../../types/errors.js"
import type { Command, CommandCall } from "../command.js"
import { LIMIT_OPTION } from "../common-options.js"
import { type DecidingRule, decidingRule } from "../describe-limit.js"
import { EXIT } from "../exit-code.js"
import { formatNumber } from "../format.js"
import { flagOption, limitChoice, readWhole, textOption, wholeOption } from "../option-values.js"
import { write } from "../output.js"
import { plainName } from "../plain-text.js"
import { UsageError } from "../usage-error.js"

const ID = { type: "string", value: "ID", description: "Names the call: repeated, it is charged once." } as const
const COST = { type: "string", short: "c", value: "N", description: "Units to charge (default 1)." } as const

/** @param rule that `remaining` is of; `null` where it is not known */
function sayDecision({ style }: CommandCall, decision: Decision, rule: DecidingRule | null): string {
  const { allowed, key, policy, remaining, resetAfterMs, delayMs, reason } = decision
  const verdict = allowed ? style.green("allowed") : style.red("denied")
  const after = allowed
    ? `full again in ${formatSpan(resetAfterMs)}${delayMs > 0 ? `, hold it for ${formatSpan(delayMs)}` : ""}`
    : sayWait(decision)
  // What is left is not why a blocked key is denied.
  const why = reason === "blocked" ? "blocked, " : ""
  const outOf = rule === null ? "" : ` of ${formatNumber(rule.capacity)}`
  const left = `${formatNumber(remaining)}${outOf} left under ${plainName(rule?.title ?? policy)}`
  return `${verdict}  ${plainName(key)}  ${why}${left}, ${after}\n`
}

function sayWait(decision: Decision): string {
  if (isDeniedForGood(decision)) return "no wait helps"
  const { retryAfterMs } = decision
  const exactly = retryAfterMs < 1_000 ? "" : ` (${formatNumber(retryAfterMs)} ms)`
  return `try again in ${formatSpan(retryAfterMs)}${exactly}`
}

/** Machines are told the decision alone, so nothing more is asked for then. */
async function ruleToSay(call: CommandCall, limits: NamedLimits, decision: Decision, choice: LimitChoice) {
  return flagOption(call, "json") ? null : decidingRule(limits, decision, choice)
}

async function run(call: CommandCall): Promise<number> {
  const { limits } = await call.target()
  const cost = wholeOption(call, "cost", 0, MAX_UNITS)
  const id = textOption(call, "id")
  const verb = flagOption(call, "peek") ? "peek" : "check"
  const decision = await limits[verb](call.positionals[0]!, {
    ...limitChoice(call),
    ...(cost !== undefined && { cost }),
    ...(id !== undefined && { id }),
  })
  const rule = await ruleToSay(call, limits, decision, limitChoice(call))
  write(call, decision, () => sayDecision(call, decision, rule))
  return decision.allowed ? EXIT.ok : EXIT.denied
}

function checkCommand(name: string): Command {
  return {
    name,
    summary: "Ask for a key and charge it. Denied is exit code 3.",
    usage: "KEY",
    minArguments: 1,
    maxArguments: 1,
    asks: "limits",
    options: {
      cost: COST,
      limit: LIMIT_OPTION,
      id: ID,
      peek: { type: "boolean", description: "Ask only, and charge nothing." },
    },
    examples: [`sluice ${name} user:42 --limit api`, `sluice ${name} user:42 --cost 5 --json || echo "later"`],
    run,
  }
}

export const check = checkCommand("check")
export const limitCheck = checkCommand("limit check")

/**
 * `KEY`, `KEY=COST`, each with `@LIMIT` behind it where it is not the key's own. Any number is a cost, and whatever
 * follows the last `@` a limit, so that a wrong one is told, and not charged as a part of the key.
 */
const ITEM = /^(?<key>.*?)(?:=(?<cost>[-+]?\d+(?:\.\d*)?(?:e[-+]?\d+)?))?(?:@(?<limit>[^@]*))?$/is

function itemOf(text: string) {
  const { key = text, cost, limit } = ITEM.exec(text)?.groups ?? {}
  if (limit === "") {
    throw new UsageError(`Cannot run: the limit of ${show(key)} is "", allowed is a name, as in KEY=COST@LIMIT.`)
  }
  return {
    key,
    ...(cost !== undefined && { cost: readWhole(`the cost of ${show(key)}`, cost, 0, MAX_UNITS) }),
    ...(limit !== undefined && { limit }),
  }
}

/** What to throw: of a limit that is none, as cost and limit were swapped, an error that says their order. */
function sayOrder(error: unknown): unknown {
  if (!(error instanceof LimitNotFound) || error.of !== "limit" || !/=[-+]?\d+$/.test(error.limit)) return error
  return new LimitNotFound(error.limit, "limit", "a cost stands before the limit, as in KEY=COST@LIMIT")
}

export const limitCheckAll: Command = {
  name: "limit check-all",
  summary: "Ask for several keys together: all are charged, or none. Denied is exit code 3.",
  usage: "KEY[=COST][@LIMIT]…",
  minArguments: 1,
  maxArguments: MAX_TOGETHER,
  asks: "limits",
  options: { limit: LIMIT_OPTION, id: { ...ID, description: "Names the call: repeated, each key is charged once." } },
  examples: ["sluice limit check-all user:42@api tenant:7=5@tenants"],
  async run(call) {
    const { limits } = await call.target()
    const id = textOption(call, "id")
    const items = call.positionals.map((text) => ({ ...limitChoice(call), ...itemOf(text) }))
    const all = await Promise.resolve(limits.checkAll(items, { id })).catch((error) => {
      throw sayOrder(error)
    })
    const rules = await Promise.all(
      all.decisions.map((decision, index) => ruleToSay(call, limits, decision, items[index]!)),
    )
    write(call, all, () => {
      const lines = all.decisions.map((decision, index) => sayDecision(call, decision, rules[index]!))
      // Each line tells what its check would be by itself.
      return `${lines.join("")}${all.allowed ? "" : "Nothing was charged, since not all were allowed.\n"}`
    })
    return all.allowed ? EXIT.ok : EXIT.denied
  },
}
