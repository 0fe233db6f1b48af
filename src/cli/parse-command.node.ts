import { parseArgs } from "node:util"
import { nearestName } from "../lib/nearest-name.js"
import { show } from "../types/errors.js"
import type { Command, CommandCall } from "./command.js"
import { commandsOf } from "./command-group.js"
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
 * @throws {UsageError} where there is no such command or option, the arguments are too few or too many, or one may be no
 * UTF-8
 */
export function parseCommand(args: readonly string[], commands: readonly Command[]): ParsedCommand {
  const command = findCommand(args, commands)
  const rest = args.slice(command.name.split(" ").length)
  const { values, positionals } = readArguments(command, rest)
  const { minArguments, maxArguments } = command
  if (values["help"] !== true && (positionals.length < minArguments || positionals.length > maxArguments)) {
    const wanted = command.usage === "" ? "no arguments are allowed" : `allowed is ${command.usage}`
    const got = `${positionals.length} argument${positionals.length === 1 ? "" : "s"}`
    throw new UsageError(`Cannot run sluice ${command.name}: it got ${got}, ${wanted}.`)
  }
  if (values["help"] !== true) requireText(command, rest)
  return { command, positionals, options: values }
}

/** By what Node puts it in place of bytes that are no UTF-8, two keys could become one. */
const REPLACEMENT = "\uFFFD"

function requireText({ name }: Command, args: readonly string[]): void {
  const replaced = args.find((arg) => arg.includes(REPLACEMENT))
  if (replaced === undefined) return
  throw new UsageError(
    `Cannot run sluice ${name}: an argument is ${show(replaced)}, allowed is UTF-8 without U+FFFD, which stands for what is none.`,
  )
}

function findCommand(args: readonly string[], commands: readonly Command[]): Command {
  const byLength = commands.toSorted((a, b) => b.name.length - a.name.length)
  const found = byLength.find(({ name }) => name.split(" ").every((word, index) => args[index] === word))
  if (found !== undefined) return found
  const inGroup = commandsOf(args[0], commands).map(({ name }) => name)
  const isGroup = inGroup.length > 0
  const typed = isGroup ? args.slice(0, 2).join(" ") : (args[0] ?? "")
  const names = commands.map(({ name }) => name)
  const twoWords = args.slice(0, 2).join(" ")
  const meant = typed.startsWith("-")
    ? nearestOption(typed, ["help", "version"])
    : (nearestName(typed, names) ?? nearestName(twoWords, names) ?? names.find((name) => name.endsWith(` ${typed}`)))
  const known = isGroup ? `, allowed are ${inGroup.join(", ")}` : ""
  throw new UsageError(
    `Cannot run sluice: ${show(typed)} is no command${hint(meant)}${known}. sluice ${isGroup ? `${args[0]} ` : ""}--help lists them.`,
  )
}

function hint(meant: string | null | undefined): string {
  return meant ? ` (did you mean ${show(meant)}?)` : ""
}

/** The option that was most likely meant, with its dashes, which do not count. */
function nearestOption(typed: string, known: readonly string[]): string | null {
  const nearest = nearestName(typed.replace(/^-+/, ""), known)
  return nearest && `--${nearest}`
}

/** Where a command asks only a folder or only a server, and the option names the other: what is allowed. */
function placeOf({ asks, whyFolder = "" }: Command, option: string): string | null {
  if (asks === "folder" && (option === "server" || option === "token")) {
    return ` here: ${whyFolder}, allowed is a data folder, --data-dir`
  }
  return asks === "server" && option === "data-dir" ? " here, allowed is a server, --server URL" : null
}

function readArguments(command: Command, args: readonly string[]) {
  const options = optionsOf(command)
  const refuse = (reason: string) =>
    new UsageError(`Cannot run sluice ${command.name}: ${reason}. sluice ${command.name} --help tells more.`)
  // Not strict: what cannot be is told here, in the words of all the others.
  const { tokens, positionals } = parseArgs({
    args: [...args],
    options: Object.fromEntries(
      Object.entries(options).map(([name, { type, short }]) => [
        name,
        short === undefined ? { type } : { type, short },
      ]),
    ),
    allowPositionals: true,
    strict: false,
    tokens: true,
  })
  const values: Record<string, string | boolean> = {}
  for (const token of tokens) {
    if (token.kind !== "option") continue
    const { name, rawName, value } = token
    const option = Object.hasOwn(options, name) ? options[name] : undefined
    if (option === undefined) {
      const elsewhere = placeOf(command, name)
      throw refuse(`${show(rawName)} is no option${elsewhere ?? hint(nearestOption(name, Object.keys(options)))}`)
    }
    if (option.type === "boolean" && value !== undefined) {
      throw refuse(`${rawName} is ${show(value)}, allowed is ${rawName} alone`)
    }
    // Another option in the value's place means that it was forgotten; a negative number is a value, if a wrong one.
    const isForgotten = value !== undefined && !token.inlineValue && /^-(?!\d)./.test(value)
    if (option.type === "string" && (value === undefined || isForgotten)) {
      const [before, other] = isForgotten ? [` before ${show(value)}`, `, or ${rawName}=${value}`] : ["", ""]
      throw refuse(`${rawName} has no value${before}, allowed is ${rawName} ${option.value ?? "VALUE"}${other}`)
    }
    values[name] = value ?? true
  }
  return { values, positionals }
}
