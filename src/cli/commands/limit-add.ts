import { withNameIfFits } from "../../api/told-limit.js"
import { formatPolicy } from "../../policy/format-policy.js"
import { parsePolicy } from "../../policy/parse-policy.js"
import type { Command } from "../command.js"
import { flagOption } from "../option-values.js"
import { write } from "../output.js"
import { plainName, plainText } from "../plain-text.js"

export const limitAdd: Command = {
  name: "limit add",
  summary: "Define a limit, or put another policy in its place: what was used stays used.",
  usage: "NAME POLICY",
  minArguments: 2,
  maxArguments: 2,
  asks: "limits",
  options: { key: { type: "boolean", description: "NAME is a key, and this is its own limit." } },
  examples: [
    'sluice limit add api "100/minute burst 20"',
    'sluice limit add default "10/second; 1000/hour"',
    'sluice limit add --key user:42 "1000/minute"',
  ],
  async run(call) {
    const { limits } = await call.target()
    const [name, text] = call.positionals as [string, string]
    const policy = parsePolicy(text)
    const made = await limits.define(name, flagOption(call, "key") ? policy : withNameIfFits(policy, name))
    // Without the name that the limit gave its rule: it stands before it.
    write(call, made, () => `${plainName(made.name)} is ${plainText(formatPolicy(policy))}\n`)
  },
}
