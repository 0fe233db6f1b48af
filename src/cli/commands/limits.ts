import { formatSpan } from "../../lib/format-span.js"
import type { NamedLimit } from "../../limiter/named-limits.js"
import { formatDuration } from "../../policy/format-duration.js"
import type { Rule } from "../../policy/policy.js"
import { LimitNotFound } from "../../types/errors.js"
import type { Command, CommandCall } from "../command.js"
import { LIMIT_OPTION } from "../common-options.js"
import { limitOf, limitTitle, ruleLines } from "../describe-limit.js"
import { formatCount, formatNumber, formatTime } from "../format.js"
import { choiceOption, limitChoice, wholeOption } from "../option-values.js"
import { write } from "../output.js"
import { plainName, plainText } from "../plain-text.js"
import { table } from "../table.js"
import { timedJson } from "../timed-json.js"

const ofEachRule = ({ policy }: NamedLimit, tell: (rule: Rule) => string) => policy.rules.map(tell).join(" and ")
const rateOf = ({ limit, periodMs }: Rule) => `${formatNumber(limit)}/${formatDuration(periodMs)}`
const burstOf = ({ capacity }: Rule) => formatNumber(capacity)

export const limitList: Command = {
  name: "limit list",
  summary: "Tell the limits that are defined.",
  usage: "",
  minArguments: 0,
  maxArguments: 0,
  asks: "limits",
  options: {},
  examples: ["sluice limit list", "sluice limit list --json | jq -r '.[].name'"],
  async run(call) {
    const limits = await (await call.target()).limits.limits()
    write(call, limits, () => {
      if (limits.length === 0) return "No limit is defined: sluice limit add NAME POLICY.\n"
      return table(
        limits,
        [
          { title: "LIMIT", shrinks: true, value: ({ name }) => plainName(name) },
          { title: "RATE", value: (limit) => ofEachRule(limit, rateOf) },
          {
            title: "ALGORITHM",
            value: ({ policy }) => [...new Set(policy.rules.map((rule) => rule.algorithm))].join(", "),
          },
          { title: "BURST", align: "right", value: (limit) => ofEachRule(limit, burstOf) },
          { title: "BLOCK", value: ({ policy }) => (policy.blockMs === 0 ? "-" : formatSpan(policy.blockMs)) },
        ],
        call.style,
        call.terminal.columns,
      )
    })
  },
}

export const limitStatus: Command = {
  name: "limit status",
  summary: "Tell a key's state and statistics, charging nothing.",
  usage: "KEY",
  minArguments: 1,
  maxArguments: 1,
  asks: "limits",
  options: { limit: LIMIT_OPTION },
  examples: ["sluice limit status user:42 --limit api"],
  async run(call) {
    const { limits } = await call.target()
    const key = call.positionals[0]!
    const choice = limitChoice(call)
    const [status, stats] = await Promise.all([limits.status(key, choice), limits.stats(key, choice)])
    const limit = await limitOf(limits, key, choice)
    write(call, { ...status, limit: limit?.name ?? null, stats }, () => {
      const { style } = call
      const title = limit === null ? "not known" : limitTitle(limit, choice)
      const rules = limit === null ? "" : `${style.dim("rules")}\n${ruleLines(status, limit, title)}`
      const lines = [
        ["key", plainName(status.key)],
        ["limit", plainName(title)],
        ["remaining", formatNumber(status.remaining)],
        ["full again", status.resetAfterMs === 0 ? "now" : `in ${formatSpan(status.resetAfterMs)}`],
        ["blocked", status.blockedForMs === 0 ? "no" : `for ${formatSpan(status.blockedForMs)}`],
        [
          "allowed",
          `${formatNumber(stats.totalAllowed)} (${formatCount(stats.totalAllowedCost, "unit")}), last ${formatTime(stats.lastAllowedAt)}`,
        ],
        [
          "denied",
          `${formatNumber(stats.totalDenied)} (${formatCount(stats.totalDeniedCost, "unit")}), last ${formatTime(stats.lastDeniedAt)}`,
        ],
        ["reset", formatTime(stats.lastResetAt)],
      ]
      return `${lines.map(([name, value]) => `${style.dim(name!.padEnd(11))} ${value}\n`).join("")}${rules}`
    })
  },
}

function writeChange(call: CommandCall, did: boolean, done: string, otherwise: string): void {
  const key = plainName(call.positionals[0]!)
  write(call, { key: call.positionals[0], changed: did }, () => `${key} ${did ? done : otherwise}\n`)
}

export const limitReset: Command = {
  name: "limit reset",
  summary: "Make a key's quota full and end its block.",
  usage: "KEY",
  minArguments: 1,
  maxArguments: 1,
  asks: "limits",
  options: { limit: LIMIT_OPTION },
  examples: ["sluice limit reset user:42 --limit api"],
  async run(call) {
    const { limits } = await call.target()
    writeChange(call, await limits.reset(call.positionals[0]!, limitChoice(call)), "is full again", "was full")
  },
}

export const limitBlock: Command = {
  name: "limit block",
  summary: "Deny a key for a time from now.",
  usage: "KEY DURATION",
  minArguments: 2,
  maxArguments: 2,
  asks: "limits",
  options: { limit: LIMIT_OPTION },
  examples: ["sluice limit block ip:192.0.2.1 1h --limit api"],
  async run(call) {
    const { limits } = await call.target()
    const [key, duration] = call.positionals as [string, string]
    await limits.block(key, duration, limitChoice(call))
    write(call, { key, blocked: true, duration }, () => `${plainName(key)} is blocked for ${plainText(duration)}\n`)
  },
}

export const limitUnblock: Command = {
  name: "limit unblock",
  summary: "End a key's block.",
  usage: "KEY",
  minArguments: 1,
  maxArguments: 1,
  asks: "limits",
  options: { limit: LIMIT_OPTION },
  examples: ["sluice limit unblock ip:192.0.2.1 --limit api"],
  async run(call) {
    const { limits } = await call.target()
    writeChange(
      call,
      await limits.unblock(call.positionals[0]!, limitChoice(call)),
      "is not blocked any more",
      "was not blocked",
    )
  },
}

export const limitRemove: Command = {
  name: "limit remove",
  summary: "Forget a limit and all its keys' counts. Fails where there is none.",
  usage: "NAME",
  minArguments: 1,
  maxArguments: 1,
  asks: "limits",
  options: {},
  examples: ["sluice limit remove api"],
  async run(call) {
    const { limits } = await call.target()
    const name = call.positionals[0]!
    const removed = await limits.remove(name)
    if (!removed) throw new LimitNotFound(name)
    write(call, { name, removed }, () => `${plainName(name)} is removed\n`)
  },
}

export const limitHistory: Command = {
  name: "limit history",
  summary: "Tell what happened to a key, newest first.",
  usage: "KEY",
  minArguments: 1,
  maxArguments: 1,
  asks: "limits",
  options: {
    limit: LIMIT_OPTION,
    count: { type: "string", short: "n", value: "N", description: "The most events (default 20)." },
  },
  examples: ["sluice limit history user:42 --limit api -n 5"],
  async run(call) {
    const count = wholeOption(call, "count", 1, 1_000) ?? 20
    const { limits } = await call.target()
    const entries = await limits.history(call.positionals[0]!, { ...limitChoice(call), count })
    write(call, entries.map(timedJson), () => {
      if (entries.length === 0) return "Nothing is known of it.\n"
      return table(
        entries,
        [
          { title: "TIME (UTC)", value: ({ atMs }) => formatTime(atMs) },
          {
            title: "EVENT",
            value: ({ event }) => event,
            paint: (text, { event }) => (event === "deny" || event === "block" ? call.style.red(text) : text),
          },
          { title: "UNITS", align: "right", value: ({ units }) => formatNumber(units) },
          { title: "TIMES", align: "right", value: ({ count: times }) => formatNumber(times) },
          { title: "LIMIT", shrinks: true, value: ({ limit }) => plainName(limit) },
        ],
        call.style,
        call.terminal.columns,
      )
    })
  },
}

export const limitTop: Command = {
  name: "limit top",
  summary: "Tell the keys that were denied or allowed most.",
  usage: "",
  minArguments: 0,
  maxArguments: 0,
  asks: "limits",
  options: {
    by: {
      type: "string",
      value: "WHAT",
      description: "What to count (default denied).",
      choices: ["denied", "allowed"],
    },
    count: { type: "string", short: "n", value: "N", description: "The most keys (default 20)." },
    limit: { ...LIMIT_OPTION, description: "Only keys of this limit." },
  },
  examples: ["sluice limit top", "sluice limit top --by allowed -n 5 --limit api"],
  async run(call) {
    const by = choiceOption(call, "by", ["denied", "allowed"]) ?? "denied"
    const count = wholeOption(call, "count", 1, 1_000) ?? 20
    const { limits } = await call.target()
    const entries = await limits.top({ by, count, ...limitChoice(call) })
    write(call, entries, () => {
      if (entries.length === 0) return `No key was ${by}.\n`
      return table(
        entries,
        [
          { title: "KEY", shrinks: true, value: ({ key }) => plainName(key) },
          { title: "LIMIT", shrinks: true, value: ({ limit }) => plainName(limit) },
          { title: "ALLOWED", align: "right", value: ({ stats }) => formatNumber(stats.totalAllowed) },
          { title: "DENIED", align: "right", value: ({ stats }) => formatNumber(stats.totalDenied) },
          { title: "LAST DENIED (UTC)", value: ({ stats }) => formatTime(stats.lastDeniedAt) },
        ],
        call.style,
        call.terminal.columns,
      )
    })
  },
}
