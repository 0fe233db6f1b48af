import { formatSpan } from "../../lib/format-span.js"
import { MAX_UNITS } from "../../policy/policy-range.js"
import { reasonInSpans } from "../../policy/reason-in-spans.js"
import type { Command } from "../command.js"
import { LIMIT_OPTION } from "../common-options.js"
import { limitTitle, ruleLines } from "../describe-limit.js"
import { formatCount, formatNumber, formatTime } from "../format.js"
import { limitChoice, wholeOption } from "../option-values.js"
import { write } from "../output.js"
import { plainName, plainText } from "../plain-text.js"
import { timedJson } from "../timed-json.js"

export const explain: Command = {
  name: "explain",
  summary: "Tell why a check of a key would be answered as it would be now, charging nothing.",
  usage: "KEY",
  minArguments: 1,
  maxArguments: 1,
  asks: "limits",
  options: {
    cost: { type: "string", short: "c", value: "N", description: "Units that it would charge (default 1)." },
    limit: LIMIT_OPTION,
  },
  examples: ["sluice explain user:42 --limit api", "sluice explain user:42 --cost 50"],
  async run(call) {
    const { limits } = await call.target()
    const { style } = call
    const cost = wholeOption(call, "cost", 0, MAX_UNITS)
    const found = await limits.explain(call.positionals[0]!, {
      ...limitChoice(call),
      ...(cost !== undefined && { cost }),
    })
    const { decision, status, nextAdmissionAtMs, because, recent } = found
    write(call, { ...found, recent: recent.map(timedJson) }, () => {
      const verdict = decision.allowed ? style.green("would be allowed") : style.red("would be denied")
      const when = decision.allowed
        ? "now"
        : nextAdmissionAtMs === null
          ? "never: no wait helps"
          : `${formatTime(nextAdmissionAtMs)} UTC, in ${formatSpan(decision.retryAfterMs)}`
      const events = recent.map(({ atMs, event, units, count }) => {
        const much = units > 0 ? `  ${formatCount(units, "unit")}` : ""
        return `  ${formatTime(atMs)}  ${plainText(event).padEnd(7)}${much}${count > 1 ? `, ${formatNumber(count)} times` : ""}\n`
      })
      return [
        `${plainName(decision.key)} under ${plainName(found.limit)}: a cost of ${formatNumber(decision.cost)} ${verdict}\n`,
        `${plainText(reasonInSpans(because))}\n`,
        `${style.dim("admitted from")}  ${when}\n`,
        `${style.dim("rules")}\n${ruleLines(status, found, limitTitle({ name: found.limit }, limitChoice(call)))}`,
        events.length === 0 ? "" : `${style.dim("last events")}\n${events.join("")}`,
      ].join("")
    })
  },
}
