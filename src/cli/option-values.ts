import { show } from "../types/errors.js"
import type { CommandCall } from "./command.js"
import { UsageError } from "./usage-error.js"

type WithOptions = Pick<CommandCall, "options">

/** A variable of the environment, `undefined` where there is none. An empty one is as good as none. */
export function variable({ terminal }: Pick<CommandCall, "terminal">, name: string): string | undefined {
  return terminal.env[name] || undefined
}

/** An option's text, `undefined` where it was not given. */
export function textOption({ options }: WithOptions, name: string): string | undefined {
  const value = options[name]
  return typeof value === "string" ? value : undefined
}

export function flagOption({ options }: WithOptions, name: string): boolean {
  return options[name] === true
}

/** @throws {UsageError} where it is no whole number in range, both ends included */
export function wholeOption(call: WithOptions, name: string, min: number, max: number): number | undefined {
  const value = textOption(call, name)
  return value === undefined ? undefined : readWhole(`--${name}`, value, min, max)
}

/** @throws {UsageError} where it is no whole number in range, both ends included */
export function readWhole(what: string, value: string, min: number, max: number): number {
  const number = /^\d{1,16}$/.test(value) ? Number(value) : Number.NaN
  if (number >= min && number <= max) return number
  throw new UsageError(`Cannot run: ${what} is ${show(value)}, allowed is a whole number from ${min} to ${max}.`)
}

/** @throws {UsageError} where it is none of the choices */
export function choiceOption<const T extends string>(
  call: WithOptions,
  name: string,
  choices: readonly T[],
): T | undefined {
  const value = textOption(call, name)
  if (value === undefined || choices.includes(value as T)) return value as T | undefined
  throw new UsageError(`Cannot run: --${name} is ${show(value)}, allowed is one of ${choices.join(", ")}.`)
}

/** `{ limit }` where one was named. */
export function limitChoice(call: WithOptions): { limit?: string } {
  const limit = textOption(call, "limit")
  return limit === undefined ? {} : { limit }
}
