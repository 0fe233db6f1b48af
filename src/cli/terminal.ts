/** Where a command writes, and what it may know of its surroundings. */
export interface Terminal {
  out(text: string): void
  err(text: string): void
  /** Whether standard output is a terminal: only then are there colours and live views. */
  readonly isTty: boolean
  /** Whether standard error is one: only then is progress shown. */
  readonly isErrTty: boolean
  /** Characters in a line. */
  readonly columns: number
  readonly rows: number
  readonly env: Readonly<Record<string, string | undefined>>
  /** Aborted when the user asks the command to end. */
  readonly signal: AbortSignal
}
