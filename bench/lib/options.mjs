import { parseArgs } from "node:util"

/** A command line that cannot be: shown without a stack, exit code 2. */
export class UsageError extends Error {
  name = "UsageError"
}

/**
 * Reads `args` by node:util's `parseArgs` rules, its complaints turned into a {@link UsageError}.
 *
 * @param {string[]} args
 * @param {import("node:util").ParseArgsOptionsConfig} options
 * @returns {Record<string, any>} the values by option
 */
export function readOptions(args, options) {
  try {
    return parseArgs({ args, options, strict: true, allowPositionals: false }).values
  } catch (error) {
    throw new UsageError(`Cannot read the options: ${error.message}`)
  }
}

/**
 * The number that an option's text stands for.
 *
 * @param {string} name the option, as the user writes it
 * @param {string} text
 * @param {{ minimum: number, maximum: number, whole: boolean }} range both ends allowed
 */
export function readNumber(name, text, { minimum, maximum, whole }) {
  const value = text.trim() === "" ? Number.NaN : Number(text)
  if (value >= minimum && value <= maximum && (!whole || Number.isInteger(value))) return value
  const kind = whole ? "a whole number" : "a number"
  throw new UsageError(
    `Cannot read ${name}: it is ${JSON.stringify(text)}, allowed is ${kind} from ${minimum} to ${maximum}.`,
  )
}

/**
 * The members of a comma-separated list, each of which must be one of `allowed`.
 *
 * @param {string} name the option, as the user writes it
 * @param {string} text
 * @param {readonly string[]} allowed
 */
export function readList(name, text, allowed) {
  const members = text.split(",").map((member) => member.trim())
  for (const member of members) {
    if (allowed.includes(member)) continue
    throw new UsageError(
      `Cannot read ${name}: it names ${JSON.stringify(member)}, allowed are ${allowed.join(", ")}, separated by commas.`,
    )
  }
  return [...new Set(members)]
}
