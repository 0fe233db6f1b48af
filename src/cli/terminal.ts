/** Where a command writes, and what it may know of its surroundings. */
export interface Terminal {
  /** Reads standard input to its end. */
  read(): Promise<string>
  /**
   * Writes what the command is there to tell. @throws {Error} where nobody reads it any more, which ends the command
   */
  out(text: string): void
  /** Writes lines of a log to standard output. Those that cannot be written are lost, and the command goes on. */
  log(text: string): void
  /** Writes to standard error, and never throws. */
  err(text: string): void
  /** Whether standard output is a terminal: only then are there colours and live views. */
  readonly isTty: boolean
  /** Whether standard error is one: only then is progress shown. */
  readonly isErrTty: boolean
  /** Columns of a line, at the moment: a character takes one, of some scripts two. */
  readonly columns: number
  readonly rows: number
  readonly env: Readonly<Record<string, string | undefined>>
  /** Aborted when the user asks the command to end, or nobody reads what it tells. */
  readonly signal: AbortSignal
}
