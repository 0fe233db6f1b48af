import { jsonText } from "../../lib/json-text.js"
import type { Command, LogLine } from "../command.js"
import { EXIT } from "../exit-code.js"
import { formatCount, formatNumber, formatTime } from "../format.js"
import { KEEPING_OPTIONS } from "../keeping-options.js"
import { choiceOption, flagOption, wholeOption } from "../option-values.js"
import { write } from "../output.js"
import { plainName, plainText } from "../plain-text.js"
import { Progress } from "../progress.js"
import { timedJson } from "../timed-json.js"
import { UsageError } from "../usage-error.js"

/** Why a log may be no smaller than before, and what decides it. */
const NOT_SMALLER = `
It did not shrink: a snapshot takes some hundred bytes, and for each key its name and about 90, most of them for its statistics, where a check takes about 20 in the log. The last segments stay for limit history.
--keep-stats, --no-names and --history-segments decide how much is kept; give them to this command or to sluice serve.`

const NONE_IN_MEMORY =
  "The server has no decision in memory: it keeps the last ones for a while, and none over a restart. sluice limit history KEY tells what the log has of a key.\n"

export const logCompact: Command = {
  name: "log compact",
  summary: "Write a snapshot and drop the part of the log that it stands for.",
  usage: "",
  minArguments: 0,
  maxArguments: 0,
  asks: "limits",
  options: KEEPING_OPTIONS,
  compacts: true,
  examples: [
    "sluice log compact",
    "sluice log compact --history-segments 1000 --keep-stats 365d",
    "sluice log compact --server http://127.0.0.1:8080",
  ],
  async run(call) {
    const done = await (await call.target()).compact()
    write(call, done, () => {
      const { records, bytesBefore, bytesAfter, detail = "There is no log." } = done
      if (bytesBefore === null || bytesAfter === null) return `${plainText(detail)}\n`
      const folded = `${formatCount(records, "record")} folded into a snapshot`
      const bytes = `the log had ${formatNumber(bytesBefore)} bytes and has ${formatNumber(bytesAfter)}`
      return `${folded}: ${bytes}${records > 0 && bytesAfter >= bytesBefore ? NOT_SMALLER : ""}\n`
    })
  },
}

export const logVerify: Command = {
  name: "log verify",
  summary: "Read every record and compare what they add up to with the live state. A fault is exit code 1.",
  usage: "",
  minArguments: 0,
  maxArguments: 0,
  asks: "limits",
  options: {},
  examples: ["sluice log verify && echo sound"],
  async run(call) {
    const found = await (await call.target()).verify()
    write(call, found, () => {
      const { ok, segments, records, problems } = found
      const verdict = ok ? call.style.green("sound") : call.style.red("not sound")
      const lines = problems.map((problem) => `  ${plainText(problem)}\n`).join("")
      return `The log is ${verdict}: ${formatCount(segments, "segment")}, ${formatCount(records, "record")}\n${lines}`
    })
    return found.ok ? EXIT.ok : EXIT.failed
  },
}

function logLine({ atMs, event, limit, key, units, count }: LogLine): string {
  const what = [event.padEnd(7), key === null ? "" : plainName(key), limit === null ? "" : `under ${plainName(limit)}`]
  const much = units > 0 ? formatCount(units, "unit") : ""
  return `${[formatTime(atMs), ...what, much, count > 1 ? `${formatNumber(count)} times` : ""].filter(Boolean).join("  ")}\n`
}

export const logTail: Command = {
  name: "log tail",
  summary:
    "Tell a folder's last records, or the last decisions that a server has in memory; with --follow those to come.",
  usage: "",
  minArguments: 0,
  maxArguments: 0,
  asks: "limits",
  options: {
    count: { type: "string", short: "n", value: "N", description: "How many past ones (default 20)." },
    follow: { type: "boolean", short: "f", description: "Go on until Ctrl-C, with a server." },
  },
  examples: ["sluice log tail -n 50", "sluice log tail --follow --server http://127.0.0.1:8080"],
  async run(call) {
    const target = await call.target()
    const count = wholeOption(call, "count", 0, 10_000) ?? 20
    const say = (line: LogLine) =>
      call.terminal.out(flagOption(call, "json") ? `${jsonText(timedJson(line))}\n` : logLine(line))
    const follows = flagOption(call, "follow")
    if (follows && target.follow === null) {
      throw new UsageError(
        "Cannot follow a data folder: one process at a time has it, allowed is --follow on a server.",
      )
    }
    const lines = follows ? target.follow!(count, call.terminal.signal) : target.last(count)
    let told = 0
    for await (const line of lines) {
      say(line)
      told++
    }
    // Who looks for what was before a restart is not to think that nothing was.
    if (told === 0 && count > 0 && target.follow !== null && !follows) call.terminal.err(NONE_IN_MEMORY)
  },
}

const FORMATS = ["jsonl", "csv"] as const
const CSV_FIELDS = ["at", "event", "limit", "key", "units", "count", "sequence", "index", "id", "policy"] as const

/**
 * A cell of CSV (RFC 4180) of a text without control characters, which a spreadsheet takes for text: what could be a
 * formula, in full width too, gets an apostrophe before it.
 */
function csvCell(value: string): string {
  const text = /^[=+\-@＝＋－＠]/.test(value) ? `'${value}` : value
  return /[",']/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}

export const logExport: Command = {
  name: "log export",
  summary: "Write every record that the log of a data folder still has, for other programs.",
  usage: "",
  minArguments: 0,
  maxArguments: 0,
  asks: "folder",
  whyFolder: "a server tells no log as a whole, and on Workers each key has its own",
  options: {
    format: { type: "string", short: "f", value: "FORMAT", description: "How (default jsonl).", choices: FORMATS },
  },
  examples: ["sluice log export > log.jsonl", "sluice log export --format csv > log.csv"],
  async run(call) {
    const { records } = await call.target()
    // Of a folder, it always is.
    if (records === null) return
    const format = choiceOption(call, "format", FORMATS) ?? "jsonl"
    const progress = new Progress(call.terminal, "exporting records")
    if (format === "csv") call.terminal.out(`${CSV_FIELDS.join(",")}\r\n`)
    for await (const line of records()) {
      const told = timedJson(line)
      call.terminal.out(
        format === "jsonl"
          ? `${jsonText(told)}\n`
          : `${CSV_FIELDS.map((field) => csvCell(plainText(String(told[field] ?? "")))).join(",")}\r\n`,
      )
      progress.add()
    }
    progress.end()
  },
}
