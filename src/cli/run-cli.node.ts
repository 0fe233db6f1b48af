import { ApiError } from "../client/index.js"
import { ConfigError } from "../config/config-error.js"
import { jsonText } from "../lib/json-text.js"
import {
  CostError,
  KeyError,
  LimitNotFound,
  PolicyError,
  SluiceError,
  StoreCorrupt,
  StoreLocked,
} from "../types/errors.js"
import { TimeError } from "../types/time-error.js"
import type { Command, Target } from "./command.js"
import { bareGroup, withHelpLast } from "./command-group.js"
import { EXIT } from "./exit-code.js"
import { helpOf, helpOfGroup, overview } from "./help.js"
import { openTarget } from "./open-target.node.js"
import { parseCommand } from "./parse-command.node.js"
import { plainText } from "./plain-text.js"
import { OutputClosed } from "./standard-output.node.js"
import { styleFor } from "./style.js"
import type { Terminal } from "./terminal.js"
import { UsageError } from "./usage-error.js"

/**
 * Runs the command line.
 *
 * @param version of sluice
 * @returns the exit code; never rejects
 */
export async function runCli(
  args: readonly string[],
  terminal: Terminal,
  commands: readonly Command[],
  version: string,
): Promise<number> {
  const wantsJson = args.includes("--json")
  const style = styleFor(terminal, !args.includes("--no-color"))
  let asked: Command | null = null
  try {
    const typed = withHelpLast(args, commands)
    const isHelp = typed.includes("--help") || typed.includes("-h")
    const tell = (help: string) => {
      ;(isHelp ? terminal.out : terminal.err).call(terminal, help)
      return isHelp ? EXIT.ok : EXIT.usage
    }
    const [first] = typed
    if (first === undefined || (isHelp && first.startsWith("-"))) return tell(overview(commands, style))
    const group = bareGroup(typed, commands)
    // Machines are told an error as any other.
    if (group !== null && (isHelp || !wantsJson)) return tell(helpOfGroup(group, commands, style))
    if (first === "--version" || first === "-V") {
      terminal.out(`${version}\n`)
      return EXIT.ok
    }
    const { command, positionals, options } = parseCommand(typed, commands)
    if (options["help"] === true) {
      terminal.out(helpOf(command, style))
      return EXIT.ok
    }
    asked = command
    let opened: Promise<Target> | null = null
    const target = () => {
      opened ??= openTarget({ options, terminal }, command)
      return opened
    }
    try {
      return (await command.run({ positionals, options, terminal, style, version, target })) ?? EXIT.ok
    } finally {
      const made = opened as Promise<Target> | null
      await made?.then((each) => each.close()).catch(() => {})
    }
  } catch (error) {
    // What became of its output, whoever holds that tells.
    if (error instanceof OutputClosed) return EXIT.ok
    terminal.err(
      wantsJson ? `${jsonText(errorJson(error, asked))}\n` : `${style.red("error:")} ${messageOf(error, asked)}\n`,
    )
    return isBadInput(error) ? EXIT.usage : EXIT.failed
  }
}

/** Errors of what was typed, or stands in a file that was named: doing it again gives them again. */
const BAD_INPUT = [UsageError, PolicyError, KeyError, CostError, LimitNotFound, ConfigError] as const

function isBadInput(error: unknown): boolean {
  return BAD_INPUT.some((Class) => error instanceof Class) || isOutOfRange(error)
}

/**
 * Those of sluice begin so, and not those of the runtime, such as of a stack that is too deep. That of a clock is
 * nobody's input.
 */
function isOutOfRange(error: unknown): error is RangeError {
  return error instanceof RangeError && error.message.startsWith("Cannot ") && !(error instanceof TimeError)
}

function messageOf(error: unknown, asked: Command | null): string {
  if (error instanceof LimitNotFound) return plainText(error.messageWhere("sluice limit list tells those configured"))
  const message = plainText(error instanceof Error ? error.message : String(error))
  if (error instanceof ApiError && error.code === "UNAUTHORIZED") return `${message} SLUICE_TOKEN or --token tells it.`
  if (error instanceof StoreLocked && asked?.asks === "limits") {
    return `${message} Where that is sluice serve, --server URL asks it.`
  }
  return error instanceof StoreCorrupt ? `${message} sluice repair tells what can be kept.` : message
}

function codeOf(error: unknown): string {
  if (error instanceof SluiceError) return error.code
  if (error instanceof UsageError) return "USAGE"
  return isOutOfRange(error) ? "OUT_OF_RANGE" : "FAILED"
}

function errorJson(error: unknown, asked: Command | null) {
  return { error: messageOf(error, asked), code: codeOf(error) }
}
