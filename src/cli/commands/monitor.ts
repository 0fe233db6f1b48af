import { ApiError, type ServerHealth, type ServerTotals } from "../../client/index.js"
import { jsonText } from "../../lib/json-text.js"
import { sleep } from "../../lib/sleep.js"
import { RateMeter, type Rates } from "../../metrics/rate-meter.js"
import { StoreUnavailable } from "../../types/errors.js"
import type { Command, CommandCall, Target } from "../command.js"
import { formatNumber } from "../format.js"
import { flagOption, wholeOption } from "../option-values.js"
import { cutText, plainName, plainText } from "../plain-text.js"
import { isCapable } from "../style.js"
import type { Terminal } from "../terminal.js"
import { textWidth } from "../text-width.js"
import { timedJson } from "../timed-json.js"
import { UsageError } from "../usage-error.js"

const BARS = "▁▂▃▄▅▆▇█"
const CLEAR = "\u001b[H\u001b[J"

/** So many bars a line has at most. */
const MAX_HISTORY = 60

/** A line of bars, the newest at the right; a blank where nobody answered. */
function sparkline(values: readonly (number | null)[]): string {
  const most = Math.max(1, ...values.map((value) => value ?? 0))
  return values.map((value) => (value === null ? " " : BARS[Math.ceil((value / most) * (BARS.length - 1))])).join("")
}

/**
 * The lines of a frame beside the keys: their two titles, each under an empty line, among them, and that of the cursor.
 */
const OTHER_LINES = 10

const FAILING = "The store does not decide checks: they fail, or fail modes decide them."

/** A text, and how it is painted. */
type Part = readonly [text: string, paint?: (text: string) => string]

/** Parts of a line one after the other, cut where the line is full. */
function lineOf(columns: number, ...parts: readonly Part[]): string {
  let left = columns
  return parts
    .map(([text, paint = String]) => {
      const fitting = left > 0 ? cutText(text, left) : ""
      left -= textWidth(fitting)
      return paint(fitting)
    })
    .join("")
}

/** @param history what each look told, the newest last; `null` where nobody answered */
function frame(call: CommandCall, name: string, totals: ServerTotals, history: readonly (Rates | null)[]): string {
  const { style, terminal } = call
  const { columns, rows } = terminal
  const shown = history.slice(-Math.max(1, Math.min(columns - 24, MAX_HISTORY)))
  const last = shown.at(-1) ?? { allowed: 0, denied: 0, failures: 0 }
  const line = (...parts: Part[]) => lineOf(columns, ...parts)
  const rates = (title: string, of: keyof Rates, paint: (text: string) => string) => {
    const rate = formatNumber(Math.round(last[of])).padStart(9)
    return line([`${title}  ${rate}/s  `], [sparkline(shown.map((each) => each?.[of] ?? null)), paint])
  }
  const failing = [
    ...(shown.some((each) => each !== null && each.failures > 0) ? [rates("failed ", "failures", style.red)] : []),
    ...(last.failures > 0 ? [line([FAILING, style.red])] : []),
  ]
  const most = Math.floor((rows - OTHER_LINES - failing.length) / 2)
  const keys = (title: string, entries: ServerTotals["mostDenied"]) => {
    if (most < 1) return []
    const body = entries.slice(0, most).map(({ key, count }) => {
      return line([`  ${formatNumber(count).padStart(11)}  `], [plainName(key)])
    })
    return ["", line([title, style.bold]), ...(body.length === 0 ? [line(["  none yet"])] : body)]
  }
  const at = new Date(totals.atMs).toISOString().slice(11, 19)
  const lines = [
    line(["sluice", style.bold], [`  ${name}  ${at} UTC   Ctrl-C ends`]),
    "",
    rates("allowed", "allowed", style.green),
    rates("denied ", "denied", style.red),
    ...failing,
    line([`total    ${formatNumber(totals.allowed)} allowed, ${formatNumber(totals.denied)} denied`]),
    ...keys("Denied most", totals.mostDenied),
    ...keys("Allowed most", totals.mostAllowed),
  ]
  // The cursor stands below them.
  return lines
    .slice(0, Math.max(1, rows - 1))
    .map((each) => `${each}\n`)
    .join("")
}

async function look(target: Target): Promise<ServerTotals> {
  const totals = await target.totals()
  if (totals !== null) return totals
  throw new UsageError(`Cannot monitor the ${target.name}: allowed is a server, --server URL.`)
}

/** A look that may find nobody, as while the server is started anew. It is told once, not at each look. */
async function lookAgain(target: Target, isTold: boolean, terminal: Terminal): Promise<ServerTotals | null> {
  try {
    return await look(target)
  } catch (error) {
    if (!isPassing(error)) throw error
    if (!isTold) terminal.err(`${plainText(error.message)} The monitor goes on with the next answer.\n`)
    return null
  }
}

/** What the server tells of itself; `null` where it is not there for the moment. */
async function healthOf(target: Target): Promise<ServerHealth | null> {
  try {
    return await target.health()
  } catch (error) {
    if (isPassing(error)) return null
    throw error
  }
}

/** Of a server that is not there for the moment, told by itself or by a proxy before it. */
function isPassing(error: unknown): error is Error {
  return error instanceof StoreUnavailable || (error instanceof ApiError && error.status >= 500)
}

export const monitor: Command = {
  name: "monitor",
  summary: "A live view of rates, denials and the keys seen most, of a server.",
  usage: "",
  minArguments: 0,
  maxArguments: 0,
  asks: "server",
  options: {
    interval: { type: "string", short: "i", value: "MS", description: "Time between looks (default 1000)." },
    count: { type: "string", short: "n", value: "N", description: "End after so many looks." },
  },
  examples: [
    "sluice monitor --server http://127.0.0.1:8080",
    "sluice monitor --json -n 5 --server http://127.0.0.1:8080",
  ],
  async run(call) {
    const { terminal } = call
    const intervalMs = wholeOption(call, "interval", 50, 3_600_000) ?? 1_000
    const most = wholeOption(call, "count", 1, 1_000_000) ?? Number.POSITIVE_INFINITY
    const target = await call.target()
    const history: (Rates | null)[] = []
    const note = (rates: Rates | null) => {
      history.push(rates)
      if (history.length > MAX_HISTORY) history.shift()
    }
    const meter = new RateMeter(() => healthOf(target))
    await meter.look(await look(target))
    let isAway = false
    for (let looks = 0; looks < most; ) {
      await sleep(intervalMs, terminal.signal)
      if (terminal.signal.aborted) return
      const totals = await lookAgain(target, isAway, terminal)
      isAway = totals === null
      const rates = totals && (await meter.look(totals))
      // What a Worker keeps for some seconds and tells again is no look.
      if (rates === "stale") continue
      looks++
      // What was counted while the clock was set back has no rate.
      note(typeof rates === "string" ? null : rates)
      if (totals === null || typeof rates === "string") continue
      if (flagOption(call, "json")) terminal.out(`${jsonText({ ...timedJson(totals), rates })}\n`)
      else if (isCapable(terminal)) terminal.out(CLEAR + frame(call, target.name, totals, history))
      else terminal.out(frame(call, target.name, totals, history))
    }
  },
}
