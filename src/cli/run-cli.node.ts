import { LimitNotFound, SluiceError, StoreCorrupt } from "../types/errors.js"
import type { Command, Target } from "./command.js"
import { EXIT } from "./exit-code.js"
import { helpOf, overview } from "./help.js"
import { openTarget } from "./open-target.node.js"
import { jsonText } from "./output.js"
import { parseCommand } from "./parse-command.node.js"
import { plainText } from "./plain-text.js"
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
  try {
    const [first] = args
    if (first === undefined || first === "--help" || first === "-h" || first === "help") {
      const isAsked = first !== undefined
      ;(isAsked ? terminal.out : terminal.err).call(terminal, overview(commands, style))
      return isAsked ? EXIT.ok : EXIT.usage
    }
    if (first === "--version" || first === "-V") {
      terminal.out(`${version}\n`)
      return EXIT.ok
    }
    const { command, positionals, options } = parseCommand(args, commands)
    if (options["help"] === true) {
      terminal.out(helpOf(command, style))
      return EXIT.ok
    }
    let opened: Promise<Target> | null = null
    const target = () => {
      opened ??= openTarget({ options, terminal })
      return opened
    }
    try {
      return (await command.run({ positionals, options, terminal, style, version, target })) ?? EXIT.ok
    } finally {
      const made = opened as Promise<Target> | null
      await made?.then((each) => each.close()).catch(() => {})
    }
  } catch (error) {
    terminal.err(wantsJson ? `${jsonText(errorJson(error))}\n` : `${style.red("error:")} ${messageOf(error)}\n`)
    return error instanceof UsageError ? EXIT.usage : EXIT.failed
  }
}

function messageOf(error: unknown): string {
  const message = plainText(error instanceof Error ? error.message : String(error))
  if (error instanceof LimitNotFound) return `${message} sluice limit add defines it.`
  return error instanceof StoreCorrupt ? `${message} sluice repair tells what can be kept.` : message
}

function errorJson(error: unknown) {
  const message = error instanceof Error ? error.message : String(error)
  return { error: message, code: error instanceof SluiceError ? error.code : "FAILED" }
}
