import { closeSync, existsSync, openSync, rmdirSync, rmSync, writeFileSync } from "node:fs"
import { dirname, resolve } from "node:path"
import { parseConfig } from "../../config/index.js"
import { type OpenLimiterOptions, openLimiter } from "../../embedded/open-limiter.node.js"
import { findLogLoss, LOG_FILE, removeStore } from "../../embedded/store-files.node.js"
import { StoreLocked, show } from "../../types/errors.js"
import type { Command, CommandCall } from "../command.js"
import { DATA_DIR_OPTION } from "../common-options.js"
import { readNamedFile, withNamedFile } from "../named-file.node.js"
import { dataDirOf, isDataDir } from "../open-target.node.js"
import { textOption, variable } from "../option-values.js"
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

const DEFAULT_CONFIG = "sluice.toml"
/** Others may read it; where the mask of the process forbids that, they may not. */
const CONFIG_MODE = 0o644

/** The limits of a configuration that is there, as `serve` would define them. */
function limitsOf(call: CommandCall, config: string) {
  const { limits } = parseConfig(readNamedFile("--config", config), { env: call.terminal.env })
  return new Map([...limits].map(([name, { policy }]) => [name, policy]))
}

/** Makes a data folder where none is, or leaves none. */
async function makeFolder(path: string, limits: NonNullable<OpenLimiterOptions["limits"]>): Promise<void> {
  const missing = missingFolders(path)
  try {
    const limiter = await openLimiter({ path, limits })
    await limiter.close()
  } catch (error) {
    // One that another process has open now is that one's.
    if (!(error instanceof StoreLocked)) removeMade(path, missing)
    throw error
  }
}

/** The folders of a path that are not there, itself first. */
function missingFolders(path: string): string[] {
  const folder = resolve(path)
  return existsSync(folder) ? [] : [folder, ...missingFolders(dirname(folder))]
}

/** Removes what was made of a folder that held no store, and with it the folders that were missing. */
function removeMade(path: string, missing: readonly string[]): void {
  try {
    removeStore(path)
    for (const folder of missing) rmdirSync(folder)
  } catch {
    // Why it could not be made is what is told: where nothing may be removed, or others use the folders by now, they
    // stay.
  }
}

/** No other command opens such a folder either. */
function damaged(path: string, loss: string): string {
  const place = show(path)
  return `Cannot make ${place}: it is a damaged data folder already (${LOG_FILE}: ${loss}). Put that file back, or see what sluice repair --data-dir ${place} would do.`
}

async function makeBoth(path: string, config: string): Promise<void> {
  const file = makeConfig(config)
  try {
    writeSample(file, config)
    await makeFolder(path, NAMED)
  } catch (error) {
    // A second try is not to find half of the first one.
    rmSync(config, { force: true })
    throw error
  }
}

function makeConfig(config: string): number {
  try {
    return withNamedFile("write --config", config, (named) => openSync(named, "wx", CONFIG_MODE))
  } catch (error) {
    throw error instanceof UsageError ? error : notWritten(config, error)
  }
}

function writeSample(file: number, config: string): void {
  try {
    writeFileSync(file, SAMPLE)
  } catch (error) {
    throw notWritten(config, error)
  } finally {
    closeSync(file)
  }
}

function notWritten(config: string, cause: unknown): Error {
  return new Error(`Cannot write --config ${show(config)}: ${(cause as Error).message}.`, { cause })
}

export const init: Command = {
  name: "init",
  summary: "Make a data folder, and a configuration to begin with.",
  usage: "",
  minArguments: 0,
  maxArguments: 0,
  asks: null,
  options: {
    "data-dir": DATA_DIR_OPTION,
    config: {
      type: "string",
      short: "c",
      value: "FILE",
      description: "One to be made (default sluice.toml, kept if there).",
    },
  },
  examples: ["sluice init", "sluice init --data-dir /var/lib/sluice --config /etc/sluice.toml"],
  async run(call) {
    const path = dataDirOf(call)
    const named = textOption(call, "config")
    const config = named ?? DEFAULT_CONFIG
    const keptConfig = existsSync(config)
    // One that was named is one to be made.
    if (keptConfig && named !== undefined) {
      throw new UsageError(
        `Cannot write ${show(config)}: it is there already, allowed is one to be made. sluice serve --config ${show(config)} makes a folder with its limits.`,
      )
    }
    // Limits that it has under the same names would be given other policies.
    if (isDataDir(path)) {
      const loss = findLogLoss(path)
      if (loss !== null) throw new UsageError(damaged(path, loss))
      throw new UsageError(
        `Cannot make ${show(path)}: it is a data folder already. sluice serve --config FILE --data-dir ${show(path)} gives it the limits of a configuration, also where it was left by an init that was interrupted.`,
      )
    }
    await (keptConfig ? makeFolder(path, limitsOf(call, config)) : makeBoth(path, config))
    write(call, { dataDir: path, config, keptConfig }, () => {
      const made = keptConfig
        ? `${plainText(path)} with the limits of ${config}, kept ${config}, which was there`
        : `${plainText(path)} and ${plainText(config)}`
      // npm tells so what npx starts, and there is no other way to the one of a project.
      const program = variable(call, "npm_command") === "exec" ? "npx sluice" : "sluice"
      return `Made ${made}. Next: ${program} serve --config ${plainText(config)} --data-dir ${plainText(path)}\n`
    })
  },
}
