import type { Terminal } from "./terminal.js"

/** Colours where they are wanted, and nothing where they are not. */
export interface Style {
  bold(text: string): string
  dim(text: string): string
  red(text: string): string
  green(text: string): string
}

const CODES = { bold: 1, dim: 2, red: 31, green: 32 } as const

/** Colours on a terminal, unless NO_COLOR (no-color.org) or `--no-color` says otherwise; FORCE_COLOR always. */
export function styleFor(terminal: Terminal, wanted: boolean): Style {
  const { NO_COLOR, FORCE_COLOR, TERM } = terminal.env
  const isForced = FORCE_COLOR !== undefined && FORCE_COLOR !== "" && FORCE_COLOR !== "0"
  const isOn = wanted && (isForced || (terminal.isTty && !NO_COLOR && TERM !== "dumb"))
  const paint = (code: number) => (text: string) => (isOn ? `\u001b[${code}m${text}\u001b[0m` : text)
  return {
    bold: paint(CODES.bold),
    dim: paint(CODES.dim),
    red: paint(CODES.red),
    green: paint(CODES.green),
  }
}
