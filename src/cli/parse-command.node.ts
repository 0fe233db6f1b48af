import { parseArgs } from "node:util"
import { nearestNameHint } from "../policy/nearest-name.js"
import { show } from "../types/errors.js"
import type { Command, CommandCall } from "./command.js"
import { optionsOf } from "./common-options.js"
import { UsageError } from "./usage-error.js"

/** A command and what it was called with. */
export interface ParsedCommand {
  readonly command: Command
  readonly positionals: CommandCall["positionals"]
  readonly options: CommandCall["options"]
}

/**
 * Finds the command that the first words name, and reads the rest by Node's own `parseArgs`.
 *
 * @throws {UsageError} where there is no such command or option, or the arguments are too few or too many
 */
export function parseCommand(args: readonly string[], commands: readonly Command[]): ParsedCommand {
  const command = findCommand(args, commands)
  const rest = args.slice(command.name.split(" ").length)
  const { values, positionals } = readArguments(command, rest)
  if (values["help"] !== true && (positionals.length < command.least || positionals.length > command.most)) {
    const wanted = command.usage === "" ? "no arguments are allowed" : `allowed is ${command.usage}`
    throw new UsageError(`Cannot run sluice ${command.name}: it got ${positionals.length} arguments, ${wanted}.`)
  }
  return { command, positionals, options: values }
}

function findCommand(args: readonly string[], commands: readonly Command[]): Command {
  const byLength = commands.toSorted((a, b) => b.name.length - a.name.length)
  const found = byLength.find(({ name }) => name.split(" ").every((word, index) => args[index] === word))
  if (found !== undefined) return found
  const isGroup = commands.some(({ name }) => name.startsWith(`${args[0]} `))
  const typed = isGroup ? args.slice(0, 2).join(" ") : (args[0] ?? "")
  const names = commands.map(({ name }) => name)
  const inGroup = names.filter((name) => name.startsWith(`${args[0]} `))
  const known = isGroup ? `, allowed are ${inGroup.join(", ")}` : ""
  throw new UsageError(
    `Cannot run sluice: ${show(typed)} is no command${nearestNameHint(typed, names)}${known}. sluice --help lists them.`,
  )
}

function readArguments(command: Command, args: readonly string[]) {
  const options = optionsOf(command)
  try {
    return parseArgs({
      args: [...args],
      options: Object.fromEntries(
        Object.entries(options).map(([name, { type, short }]) => [
          name,
          short === undefined ? { type } : { type, short },
        ]),
      ),
      allowPositionals: true,
      strict: true,
    })
  } catch (error) {
    const typed = /option '([^']*)'/i.exec((error as Error).message)?.[1] ?? ""
    const name = typed.replace(/^-+/, "").split(/[ ,]/)[0]!
    const isUnknown = (error as { code?: string }).code === "ERR_PARSE_ARGS_UNKNOWN_OPTION"
    const reason = isUnknown
      ? `${show(typed)} is no option${nearestNameHint(name, Object.keys(options))}`
      : (error as Error).message.split("\n")[0]!.replace(/\.$/, "")
    throw new UsageError(`Cannot run sluice ${command.name}: ${reason}. sluice ${command.name} --help tells more.`)
  }
}
