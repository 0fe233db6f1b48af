import { jsonText } from "../lib/json-text.js"
import type { CommandCall } from "./command.js"
import { flagOption } from "./option-values.js"

/** Writes a value as JSON where machines read, else as `people` says it. */
export function write(call: CommandCall, value: unknown, people: () => string): void {
  call.terminal.out(answerText(call, value, people))
}

/** A value as JSON where machines read, else as `people` says it. */
export function answerText(call: CommandCall, value: unknown, people: () => string): string {
  return flagOption(call, "json") ? `${jsonText(value)}\n` : people()
}
