import type { Command } from "../command.js"
import { LIMIT_OPTION } from "../common-options.js"
import { formatCount } from "../format.js"
import { flagOption, limitChoice } from "../option-values.js"
import { write } from "../output.js"
import { Progress } from "../progress.js"
import { UsageError } from "../usage-error.js"

const PAGE = 1_000
/** Resets asked for together: a server or a log takes them in one go. */
const TOGETHER = 64

export const clear: Command = {
  name: "clear",
  summary: "Make the quota of every key full, of one limit or of all. Limits stay.",
  usage: "",
  minArguments: 0,
  maxArguments: 0,
  asks: "limits",
  options: {
    limit: { ...LIMIT_OPTION, description: "Only the keys of this limit." },
    yes: { type: "boolean", short: "y", description: "Do it: without this, it is refused." },
  },
  examples: ["sluice clear --limit api --yes"],
  async run(call) {
    if (!flagOption(call, "yes")) throw new UsageError("Cannot clear: all counts would be gone, allowed is with --yes.")
    const { limits } = await call.target()
    const { limit } = limitChoice(call)
    const names = limit === undefined ? (await limits.limits()).map(({ name }) => name) : [limit]
    let reset = 0
    const progress = new Progress(call.terminal, "clearing keys")
    for (const name of names) {
      let after: string | undefined
      for (;;) {
        const keys = await limits.list({ limit: name, count: PAGE, ...(after !== undefined && { after }) })
        for (let from = 0; from < keys.length; from += TOGETHER) {
          const group = keys.slice(from, from + TOGETHER)
          const done = await Promise.all(group.map((key) => limits.reset(key, { limit: name })))
          reset += done.filter(Boolean).length
          progress.add(group.length)
        }
        if (keys.length < PAGE) break
        after = keys.at(-1)!
      }
    }
    progress.end()
    write(call, { reset }, () => `${formatCount(reset, "key")} ${reset === 1 ? "is" : "are"} full again\n`)
  },
}
