import { statSync } from "node:fs"
import { isIPv6 } from "node:net"
import { isLoopback, requireTokenText } from "../api/authorize.js"
import type { ListenOptions } from "../api/listen.node.js"
import { type Config, ConfigError, parseConfig } from "../config/index.js"
import type { OpenLimiterOptions } from "../embedded/open-limiter.node.js"
import { STORE_BOUNDS } from "../embedded/store-bounds.js"
import { SYNC_MODES, type SyncMode } from "../ledger/sync-mode.js"
import { type EventStreamOptions, MAX_RETAIN } from "../metrics/event-stream.js"
import { show } from "../types/errors.js"
import type { CommandCall } from "./command.js"
import { type Keeping, keepingOf } from "./keeping-options.js"
import { readNamedFile, withNamedFile } from "./named-file.node.js"
import { dataDirOf, lockTimeoutOf } from "./open-target.node.js"
import { choiceOption, flagOption, readWhole, textOption, variable, wholeOption } from "./option-values.js"
import { UsageError } from "./usage-error.js"

export const DEFAULT_BIND = "127.0.0.1"
export const DEFAULT_PORT = 8080

/** What `sluice serve` was told, as what it starts takes it. */
export interface ServeOptions {
  readonly place: ListenOptions
  /** `null`: this machine alone is served. */
  readonly token: string | null
  readonly config: Config | null
  /** The data folder. */
  readonly path: string
  /** How long to wait for it where another process has it. */
  readonly lockTimeoutMs: number
  readonly flushing: Flushing
  readonly upkeep: Upkeep
  readonly metricsKeys: "off" | "plain" | "hash"
  readonly events: EventStreamOptions
  /** Where requests are logged. */
  readonly logPath: string | undefined
  readonly isQuiet: boolean
}

interface Flushing extends Pick<OpenLimiterOptions, "flushEveryMs" | "flushEveryRecords"> {
  readonly sync: SyncMode
}

/** What stays of the log, and when it is compacted. */
type Upkeep = Keeping & Pick<OpenLimiterOptions, "compactBytes">

/** @throws {UsageError} {ConfigError} before anything is made or opened for it */
export function readServeOptions(call: CommandCall): ServeOptions {
  const { host, port } = readBind(call)
  const token = readToken(call, host)
  const flushing = readFlushing(call)
  const maxConnections = wholeOption(call, "max-connections", 1, 1_000_000)
  const metricsKeys = choiceOption(call, "metrics-keys", ["off", "plain", "hash"]) ?? "off"
  const config = readConfig(call)
  return {
    place: { host, port, ...(maxConnections !== undefined && { maxConnections }) },
    token,
    flushing,
    metricsKeys,
    config,
    events: readEvents(call, config),
    path: dataDirOf(call),
    upkeep: readUpkeep(call),
    lockTimeoutMs: lockTimeoutOf(call),
    logPath: textOption(call, "log-file"),
    isQuiet: flagOption(call, "quiet"),
  }
}

/** `HOST`, `HOST:PORT`, `[IPv6]` or `[IPv6]:PORT`. */
function readBind(call: CommandCall): { host: string; port: number } {
  const bind = textOption(call, "bind") ?? DEFAULT_BIND
  const {
    v6,
    v4,
    port: inBind,
  } = /^(?:\[(?<v6>[0-9a-fA-F:.]+)\]|(?<v4>[^:[\]]+))(?::(?<port>\d+))?$/.exec(bind)?.groups ?? {}
  const host = v6 ?? v4 ?? (isIPv6(bind) ? bind : undefined)
  if (host === undefined || host === "") {
    throw new UsageError(`Cannot serve: --bind is ${show(bind)}, allowed is an address, or one and a port.`)
  }
  const named = textOption(call, "port")
  if (named !== undefined && inBind !== undefined) throw new UsageError("Cannot serve: the port is given twice.")
  const port = named ?? inBind
  return { host, port: port === undefined ? DEFAULT_PORT : readWhole("--port", port, 0, 65_535) }
}

function readToken(call: CommandCall, host: string): string | null {
  const file = textOption(call, "token-file")
  const written = textOption(call, "token")
  if (file !== undefined && written !== undefined) {
    throw new UsageError("Cannot serve: allowed is either --token or --token-file.")
  }
  const named = written ?? (file === undefined ? undefined : readNamedFile("--token-file", file).trim())
  // One that was named and is empty is refused: somebody wants a token.
  const token = named ?? variable(call, "SLUICE_TOKEN")
  if (token !== undefined) {
    // Before a folder is made or opened for it.
    requireTokenText(token)
    return token
  }
  if (isLoopback(isIPv6(host) ? `[${host}]` : host)) return null
  throw new UsageError(
    `Cannot serve on ${show(host)} without a token: set --token-file or SLUICE_TOKEN, or bind to 127.0.0.1.`,
  )
}

/** The configuration that `--config` names, as its file is now; `null` where none is named. */
function readConfig(call: CommandCall): Config | null {
  const path = textOption(call, "config")
  if (path === undefined) return null
  const text = readNamedFile("--config", path)
  try {
    return parseConfig(text, { env: call.terminal.env })
  } catch (error) {
    throw namingConfig(call, error)
  }
}

/**
 * `readConfig`, of a server that has read it before. A pipe can be read once: it would be taken for an empty
 * configuration then, or the server would wait for somebody to write to it.
 *
 * @throws {UsageError} where the path is of no regular file by now
 */
export function rereadConfig(call: CommandCall): Config | null {
  const path = textOption(call, "config")
  if (path !== undefined && !withNamedFile("read --config", path, (file) => statSync(file)).isFile()) {
    throw new UsageError(`Cannot read --config ${show(path)} anew: allowed is a regular file.`)
  }
  return readConfig(call)
}

/** The error of a configuration that cannot be, naming its file; any other as it is. */
export function namingConfig(call: CommandCall, error: unknown): unknown {
  if (!(error instanceof ConfigError)) return error
  const { field, value, allowed } = error
  return new ConfigError(field, value, allowed, { what: `--config ${show(textOption(call, "config"))}`, cause: error })
}

function readFlushing(call: CommandCall): Flushing {
  const sync = choiceOption(call, "sync", SYNC_MODES) ?? "always"
  const flushEveryMs = wholeOption(call, "flush-every-ms", ...STORE_BOUNDS.flushEveryMs)
  const flushEveryRecords = wholeOption(call, "flush-every-records", ...STORE_BOUNDS.flushEveryRecords)
  if (sync === "always" && (flushEveryMs ?? flushEveryRecords) !== undefined) {
    throw new UsageError("Cannot serve: with --sync always every answer is flushed, allowed is no --flush-every.")
  }
  if (sync === "ahead" && flushEveryRecords !== undefined) {
    throw new UsageError("Cannot serve: --flush-every-records is given, allowed is that only with --sync batch.")
  }
  return {
    sync,
    ...(flushEveryMs !== undefined && { flushEveryMs }),
    ...(flushEveryRecords !== undefined && { flushEveryRecords }),
  }
}

function readUpkeep(call: CommandCall): Upkeep {
  const compactBytes = wholeOption(call, "compact-bytes", ...STORE_BOUNDS.compactBytes)
  return { ...keepingOf(call), ...(compactBytes !== undefined && { compactBytes }) }
}

/** What the command line says goes before what the configuration does. */
function readEvents(call: CommandCall, config: Config | null): EventStreamOptions {
  const percent = wholeOption(call, "event-sample", 0, 100)
  const retain = wholeOption(call, "event-retain", 1, MAX_RETAIN)
  return {
    sample: percent === undefined ? (config?.analytics.sampleRate ?? 1) : percent / 100,
    ...(config !== null && { retainMs: config.analytics.retentionMs }),
    ...(retain !== undefined && { retain }),
  }
}
