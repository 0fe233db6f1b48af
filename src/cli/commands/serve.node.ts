import { createHmac, randomBytes } from "node:crypto"
import { isIPv6 } from "node:net"
import process from "node:process"
import { type Api, createApi } from "../../api/create-api.js"
import { embeddedStorage } from "../../api/embedded-storage.js"
import { DEFAULT_MAX_CONNECTIONS, type Listening, type ListenOptions, listen } from "../../api/listen.node.js"
import { configPolicies, type LogOutput, requireGroupNames } from "../../config/index.js"
import type { EmbeddedLimiter } from "../../embedded/embedded-limiter.js"
import { openLimiter } from "../../embedded/open-limiter.node.js"
import { DEFAULT_COMPACT_BYTES } from "../../embedded/store-bounds.js"
import { DEFAULT_FLUSH_MS, DEFAULT_FLUSH_RECORDS } from "../../ledger/durability.js"
import { SYNC_MODES } from "../../ledger/sync-mode.js"
import { DEFAULT_RETAIN, EventStream } from "../../metrics/event-stream.js"
import { Metrics } from "../../metrics/metrics.js"
import { SluiceError, show } from "../../types/errors.js"
import { TimeError } from "../../types/time-error.js"
import { bytesOnDisk } from "../bytes-on-disk.node.js"
import type { Command, CommandCall } from "../command.js"
import { FOLDER_OPTIONS } from "../common-options.js"
import { connectionRoom } from "../connection-room.node.js"
import { FailureLines } from "../failure-lines.node.js"
import { Hangups } from "../hangups.node.js"
import { KEEPING_OPTIONS } from "../keeping-options.js"
import { LogFile } from "../log-file.node.js"
import { withNamedFile } from "../named-file.node.js"
import { answerText } from "../output.js"
import { dashboardPages } from "../pages.node.js"
import { plainText } from "../plain-text.js"
import { RefusalLines } from "../refusal-lines.node.js"
import {
  DEFAULT_BIND,
  DEFAULT_PORT,
  namingConfig,
  readServeOptions,
  rereadConfig,
  type ServeOptions,
} from "../serve-options.node.js"
import { ServedConfig } from "../served-config.node.js"
import type { Terminal } from "../terminal.js"
import { UsageError } from "../usage-error.js"

export const serve: Command = {
  name: "serve",
  summary: "Serve the limits of a data folder over HTTP: the /v1 API, /metrics and events.",
  usage: "",
  minArguments: 0,
  maxArguments: 0,
  asks: null,
  options: {
    bind: {
      type: "string",
      short: "b",
      value: "ADDRESS",
      description: `Address, or address:port (default ${DEFAULT_BIND}).`,
    },
    port: { type: "string", short: "p", value: "N", description: `Port, 0 for any (default ${DEFAULT_PORT}).` },
    token: { type: "string", value: "TOKEN", description: "What requests must bear; others see it here, better:" },
    "token-file": { type: "string", value: "FILE", description: "A file that holds it (default $SLUICE_TOKEN)." },
    config: {
      type: "string",
      short: "c",
      value: "FILE",
      description: "Limits to define, sluice.toml; SIGHUP reads it anew.",
    },
    ...FOLDER_OPTIONS,
    sync: {
      type: "string",
      value: "MODE",
      description: "What an answer promises (default always).",
      choices: SYNC_MODES,
    },
    "flush-every-ms": {
      type: "string",
      value: "MS",
      description: `With ahead and batch: time between flushes (default ${DEFAULT_FLUSH_MS}).`,
    },
    "flush-every-records": {
      type: "string",
      value: "N",
      description: `With batch: the most unflushed records (default ${DEFAULT_FLUSH_RECORDS}).`,
    },
    ...KEEPING_OPTIONS,
    "compact-bytes": {
      type: "string",
      value: "BYTES",
      description: `Past so much log it is compacted (default ${DEFAULT_COMPACT_BYTES}).`,
    },
    "log-file": { type: "string", value: "FILE", description: "Append a JSON line for each API request; no keys." },
    "max-connections": {
      type: "string",
      value: "N",
      description: `The most connections (default ${DEFAULT_MAX_CONNECTIONS}).`,
    },
    "metrics-keys": {
      type: "string",
      value: "HOW",
      description: "Keys in /metrics (default off).",
      choices: ["off", "plain", "hash"],
    },
    "event-sample": {
      type: "string",
      value: "PERCENT",
      description: "Share of decisions in /v1/events (default 100).",
    },
    "event-retain": {
      type: "string",
      value: "N",
      description: `Decisions kept for replay (default ${DEFAULT_RETAIN}).`,
    },
    quiet: { type: "boolean", short: "q", description: "Say nothing once it serves." },
  },
  examples: [
    "sluice serve --config sluice.toml",
    "sluice serve --bind 0.0.0.0:8080 --token-file /etc/sluice.token --data-dir /var/lib/sluice",
  ],
  async run(call) {
    const options = readServeOptions(call)
    // Until the folder is closed: a reload that is asked for while it is waited for, or let go, ends nothing.
    const hangups = endsAtHangup(options) ? null : new Hangups()
    try {
      await serveLimits(call, options, hangups)
    } finally {
      hangups?.end()
    }
  },
}

async function serveLimits(call: CommandCall, options: ServeOptions, hangups: Hangups | null): Promise<void> {
  const failures = new FailureLines((line) => call.terminal.err(`${line}\n`))
  const metrics = new Metrics({ keyLabel: keyLabel(options.metricsKeys, options.token) })
  const limiter = await openLimits(options, metrics, failures)
  try {
    const served = await serveConfig(call, options, limiter)
    const log = openLog(call, options)
    const stopReloading = served && hangups && reloadOnHangup(call, options, { served, metrics, hangups })
    try {
      const api = makeApi(call, options, { limiter, served, metrics, failures, log })
      await serveUntilEnded(call, options, { api, metrics })
    } finally {
      await stopReloading?.()
      log?.close()
    }
  } finally {
    // Whatever was answered is in the file when this is done.
    await limiter.close().finally(() => failures.end())
  }
}

/** With a log of requests a hangup has that opened anew, and with a configuration that read anew. */
function endsAtHangup({ config, logPath }: ServeOptions): boolean {
  return config === null && logPath === undefined
}

function openLimits(
  { path, lockTimeoutMs, flushing, upkeep, config }: ServeOptions,
  metrics: Metrics,
  failures: FailureLines,
): Promise<EmbeddedLimiter> {
  return openLimiter({
    path,
    lockTimeout: lockTimeoutMs,
    ...flushing,
    ...upkeep,
    ...(config !== null && { limits: configPolicies(config) }),
    onCommit: (seconds) => metrics.commitSeconds.observe(seconds),
    onFailure: (error, lostRecords) => {
      metrics.commitFailed()
      failures.note(error, lostRecords)
    },
  })
}

/** The log of requests, where one is wanted. @throws {UsageError} where its file cannot be written */
function openLog({ terminal }: CommandCall, { logPath }: ServeOptions): LogFile | null {
  if (logPath === undefined) return null
  return withNamedFile("write --log-file", logPath, (file) => new LogFile(file, (line) => terminal.err(`${line}\n`)))
}

async function serveConfig(
  call: CommandCall,
  { config }: ServeOptions,
  limiter: EmbeddedLimiter,
): Promise<ServedConfig | null> {
  if (config === null) return null
  await requireGroupNames(limiter, config).catch((error: unknown) => {
    throw namingConfig(call, error)
  })
  return new ServedConfig(config, limiter, logOutput(call.terminal))
}

/** Each SIGHUP has the file read anew. How that went is told on stderr and in `/metrics`. */
function reloadOnHangup(
  call: CommandCall,
  { isQuiet }: ServeOptions,
  { served, metrics, hangups }: { readonly served: ServedConfig; readonly metrics: Metrics; readonly hangups: Hangups },
): () => Promise<void> {
  const tell = (line: string) => call.terminal.err(`${plainText(line)}\n`)
  metrics.configLoaded(Date.now())
  return served.reloadOn(
    hangups,
    () => rereadConfig(call)!,
    (error) => {
      if (error === null) {
        metrics.configLoaded(Date.now())
        if (!isQuiet) tell("The configuration was read anew and is in force.")
      } else {
        metrics.configRefused()
        const { message } = namingConfig(call, error) as Error
        tell(`${message} The configuration before goes on.`)
      }
    },
  )
}

interface Served {
  readonly limiter: EmbeddedLimiter
  readonly served: ServedConfig | null
  readonly metrics: Metrics
  readonly failures: FailureLines
  readonly log: LogFile | null
}

function makeApi(call: CommandCall, options: ServeOptions, { limiter, served, metrics, failures, log }: Served): Api {
  const { terminal, version } = call
  const { path, token, flushing } = options
  const onError = (error: unknown) => {
    // Every request may fail for it.
    if (error instanceof SluiceError || error instanceof TimeError) return failures.note(error, 0)
    terminal.err(`${plainText(error instanceof Error ? (error.stack ?? error.message) : String(error))}\n`)
  }
  const events = new EventStream({ ...options.events, onError })
  return createApi({
    limits: served?.limits ?? limiter,
    storage: embeddedStorage(limiter, () => bytesOnDisk(path)),
    token,
    metrics,
    events,
    ...(served !== null && {
      givenNames: served.names,
      limitsAsked: served.limitsAsked,
      onDecision: served.onDecision,
    }),
    about: { version, storage: `embedded, sync ${flushing.sync}` },
    onError,
    ...(log !== null && {
      onAnswer: (method, endpoint, status, seconds) => {
        log.add({ at: new Date().toISOString(), method, endpoint, status, ms: Math.round(seconds * 1e6) / 1e3 })
      },
    }),
  })
}

function logOutput(terminal: Terminal): LogOutput {
  return { info: (line) => terminal.log(`${line}\n`), error: (line) => terminal.err(`${line}\n`) }
}

function writeServing(call: CommandCall, { path, token, flushing: { sync } }: ServeOptions, url: string): void {
  const text = answerText(call, { url, dataDir: path, sync, token: token !== null }, () => {
    const open = token === null ? "no token: this machine alone" : "with a token"
    return `sluice serves ${plainText(path)} on ${url} (sync ${sync}, ${open}); dashboard: ${url}/dashboard\n`
  })
  call.terminal.log(text)
}

/** Answers requests until the process is told to end. */
async function serveUntilEnded(
  call: CommandCall,
  options: ServeOptions,
  { api, metrics }: { readonly api: Api; readonly metrics: Metrics },
): Promise<void> {
  // From before anybody can know that it serves, a signal ends it in good order.
  const { signal } = call.terminal
  const ending = endsAtHangup(options) ? AbortSignal.any([signal, hangup()]) : signal
  const tell = (line: string) => call.terminal.err(`${line}\n`)
  const { maxConnections: wanted = DEFAULT_MAX_CONNECTIONS } = options.place
  const maxConnections = Math.min(wanted, connectionRoom())
  const refusals = new RefusalLines(maxConnections, tell)
  const onRefused = () => {
    metrics.connectionRefused()
    refusals.note()
  }
  const listening = await listenAt(api, { ...options.place, maxConnections, onRefused })
  if (!options.isQuiet) writeServing(call, options, listening.url)
  if (maxConnections < wanted) {
    tell(`Cannot hold ${wanted} connections: "ulimit -n" leaves room for ${maxConnections}; further ones are closed.`)
  }
  await ended(ending)
  await listening.close()
  refusals.end()
}

function listenAt(api: Api, place: ListenOptions): Promise<Listening> {
  return listen(api, place, dashboardPages()).catch((error: unknown) => {
    throw listenError(error, place)
  })
}

/**
 * What `/metrics` tells of a key. A bare hash of an address can be tried out, so it is keyed: by the token, that it is
 * the same after a restart, or where there is none by chance.
 */
function keyLabel(mode: ServeOptions["metricsKeys"], token: string | null): (key: string) => string | null {
  if (mode === "off") return () => null
  if (mode === "plain") return (key) => key
  const secret = token ?? randomBytes(32)
  return (key) => createHmac("sha256", secret).update(`metrics\n${key}`).digest("hex").slice(0, 16)
}

/**
 * Says of a host that has no address, or one of another machine, and of a port that is taken or not for this user, what
 * to do about it.
 */
function listenError(error: unknown, { host, port }: ListenOptions): unknown {
  const place = `${isIPv6(host) ? `[${host}]` : host}:${port}`
  switch ((error as { code?: unknown }).code) {
    case "ENOTFOUND":
    case "EAI_AGAIN":
    case "EADDRNOTAVAIL":
      return new UsageError(
        `Cannot serve: --bind is ${show(host)}, allowed is an address or a host name of this machine.`,
      )
    case "EADDRINUSE":
      // No fault of the command line: once that ends, the same may be asked again.
      return new Error(
        `Cannot serve on ${place}: something else listens there; --port names another, 0 any that is free.`,
      )
    case "EACCES":
      return new UsageError(
        `Cannot serve on ${place}: this user may not; --port names another, from 1024 on as a rule any user may.`,
      )
    default:
      return error
  }
}

/** Aborted when the terminal is closed, which then does not end the process by itself. */
function hangup(): AbortSignal {
  const hungUp = new AbortController()
  process.on("SIGHUP", () => hungUp.abort())
  return hungUp.signal
}

function ended(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve()
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }))
}
