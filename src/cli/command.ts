import type { ServerHealth, ServerTotals } from "../client/index.js"
import type { LogEvent } from "../embedded/log-event.js"
import type { LogPlace } from "../ledger/log-reader.js"
import type { NamedLimits } from "../limiter/named-limits.js"
import type { Compaction, Diagnosis, LogCheck } from "../types/storage-report.js"
import type { Style } from "./style.js"
import type { Terminal } from "./terminal.js"

export interface CommandOption {
  readonly type: "string" | "boolean"
  readonly short?: string
  /** What stands for the value in the help, such as `N`. */
  readonly value?: string
  readonly description: string
  readonly choices?: readonly string[]
}

/** What a command was called with. */
export interface CommandCall {
  readonly positionals: readonly string[]
  readonly options: Readonly<Record<string, string | boolean | undefined>>
  readonly terminal: Terminal
  readonly style: Style
  /** Of sluice. */
  readonly version: string
  /** The limits that `--server` or `--data-dir` names, opened at the first call. */
  target(): Promise<Target>
}

export type Asks = "limits" | "folder" | "server"

/** One command of the command line. */
export interface Command {
  /** As it is typed: `"limit add"`. */
  readonly name: string
  readonly summary: string
  /** The arguments as the help shows them: `"KEY"`, `"NAME POLICY"`. */
  readonly usage: string
  readonly minArguments: number
  readonly maxArguments: number
  /** What its argument may be, where that is one of a few words. */
  readonly choices?: readonly string[]
  /** Those of its own; `optionsOf` adds the common ones. */
  readonly options: Readonly<Record<string, CommandOption>>
  /**
   * What it asks, and so which of `--data-dir`, `--server`, `--token` it takes: limits wherever they are, or only
   * those.
   */
  readonly asks: Asks | null
  /** Why no server can be asked, where it asks a folder alone. */
  readonly whyFolder?: string
  /** Whether it compacts a folder, by the options that say what is left. Others leave a folder's log as it is. */
  readonly compacts?: boolean
  readonly examples: readonly string[]
  /** @returns the exit code, 0 where it returns none */
  run(call: CommandCall): Promise<number> | Promise<void>
}

/** A record of a log, or a decision of a server's event stream, which has no place in a log. */
export interface LogLine extends Omit<LogEvent, keyof LogPlace>, Partial<LogPlace> {}

/** What commands work on: a data folder or a server. */
export interface Target {
  /** `"data folder x"` or `"server y"`. */
  readonly name: string
  readonly limits: NamedLimits
  compact(): Promise<Compaction>
  verify(): Promise<LogCheck>
  doctor(): Promise<Diagnosis>
  /** Every record that the log still has, in order; `null` where nobody has it as a whole. */
  readonly records: (() => AsyncIterable<LogLine>) | null
  /** What happened last, oldest first. */
  last(count: number): AsyncIterable<LogLine>
  /** What happens from now on, the last `past` events first; `null` where nothing will. */
  readonly follow: ((past: number, signal: AbortSignal) => AsyncIterable<LogLine>) | null
  /** Sums over all limits; `null` where nobody adds them up. */
  totals(): Promise<ServerTotals | null>
  /** What a server tells of itself; `null` where there is none. */
  health(): Promise<ServerHealth | null>
  close(): Promise<void>
}
