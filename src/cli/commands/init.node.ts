import { existsSync, rmSync, writeFileSync } from "node:fs"
import { openLimiter } from "../../limiter/open-limiter.node.js"
import type { Command } from "../command.js"
import { withNamedFile } from "../named-file.node.js"
import { dataDirOf } from "../open-target.node.js"
import { textOption } from "../option-values.js"
import { write } from "../output.js"
import { plainText } from "../plain-text.js"
import { UsageError } from "../usage-error.js"

const LIMITS = { default: "100/minute", login: "5/minute" }

/** As the configuration names them. */
const NAMED = Object.fromEntries(Object.entries(LIMITS).map(([name, policy]) => [name, `${policy} as ${name}`]))

const SAMPLE = `# Limits of sluice. Each is counted for every key on its own.
${Object.entries(LIMITS)
  .map(([name, policy]) => `\n[limits.${name}]\npolicy = "${policy}"\n`)
  .join("")}`

export const init: Command = {
  name: "init",
  summary: "Make a data folder, and a configuration to begin with.",
  usage: "",
  least: 0,
  most: 0,
  asks: null,
  options: {
    "data-dir": { type: "string", short: "d", value: "FOLDER", description: "The folder (default sluice-data)." },
    config: { type: "string", short: "c", value: "FILE", description: "The configuration (default sluice.toml)." },
  },
  examples: ["sluice init", "sluice init --data-dir /var/lib/sluice --config /etc/sluice.toml"],
  async run(call) {
    const path = dataDirOf(call)
    const config = textOption(call, "config") ?? "sluice.toml"
    if (existsSync(config)) throw new UsageError(`Cannot write ${plainText(config)}: it is there already.`)
    withNamedFile("write --config", config, (file) => writeFileSync(file, SAMPLE, { flag: "wx" }))
    try {
      const limiter = await openLimiter({ path, limits: NAMED })
      await limiter.close()
    } catch (error) {
      // A second try is not to find half of the first.
      rmSync(config)
      throw error
    }
    write(call, { dataDir: path, config }, () => {
      return `Made ${plainText(path)} and ${plainText(config)}. Next: sluice serve --config ${plainText(config)} --data-dir ${plainText(path)}\n`
    })
  },
}
