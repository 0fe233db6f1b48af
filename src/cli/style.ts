import type { Terminal } from "./terminal.js"

/** Colours where they are wanted, and nothing where they are not. */
export interface Style {
  bold(text: string): string
  dim(text: string): string
  red(text: string): string
  green(text: string): string
}

const CODES = { bold: 1, dim: 2, red: 31, green: 32 } as const

/** Whether an output is a terminal that can do more than write on: colours, and writing over what stands there. */
export function isCapable({ isTty, env }: Pick<Terminal, "isTty" | "env">): boolean {
  return isTty && env["TERM"] !== "dumb"
}

/**
 * Colours on a terminal, unless NO_COLOR (no-color.org) says otherwise. FORCE_COLOR goes before both, as Node has it,
 * and `--no-color` before all.
 */
export function styleFor(terminal: Terminal, wanted: boolean): Style {
  const { NO_COLOR, FORCE_COLOR } = terminal.env
  const isForced = FORCE_COLOR !== undefined && FORCE_COLOR !== "" && FORCE_COLOR !== "0"
  const isOn = wanted && (isForced || (isCapable(terminal) && !NO_COLOR))
  const paint = (code: number) => (text: string) => (isOn ? `\u001b[${code}m${text}\u001b[0m` : text)
  return {
    bold: paint(CODES.bold),
    dim: paint(CODES.dim),
    red: paint(CODES.red),
    green: paint(CODES.green),
  }
}
