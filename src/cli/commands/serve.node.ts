import { createHmac, randomBytes } from "node:crypto"
import { isIPv6 } from "node:net"
import process from "node:process"
import { requireTokenText } from "../../api/authorize.js"
import { createApi } from "../../api/create-api.js"
import { embeddedStorage } from "../../api/embedded-storage.js"
import { listen } from "../../api/listen.node.js"
import { type Config, decisionLog, limitsByConfig, parseConfig } from "../../config/index.js"
import { openLimiter } from "../../limiter/open-limiter.node.js"
import { EventStream } from "../../metrics/event-stream.js"
import { Metrics } from "../../metrics/metrics.js"
import { show } from "../../types/errors.js"
import { bytesOnDisk } from "../bytes-on-disk.node.js"
import type { Command, CommandCall } from "../command.js"
import { FailureLines } from "../failure-lines.node.js"
import { LogFile } from "../log-file.node.js"
import { readNamedFile, withNamedFile } from "../named-file.node.js"
import { dataDirOf } from "../open-target.node.js"
import { choiceOption, flagOption, readWhole, textOption, wholeOption } from "../option-values.js"
import { write } from "../output.js"
import { dashboardPages } from "../pages.node.js"
import { plainText } from "../plain-text.js"
import { UsageError } from "../usage-error.js"

const DEFAULT_BIND = "127.0.0.1"
const DEFAULT_PORT = 8080
const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|::1)$/

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
  // An empty variable is as good as none. One that was named and is empty is refused: somebody wants a token.
  const token = named ?? (call.terminal.env["SLUICE_TOKEN"] || undefined)
  if (token !== undefined) {
    // Before a folder is made or opened for it.
    requireTokenText(token)
    return token
  }
  if (LOOPBACK.test(host)) return null
  throw new UsageError(
    `Cannot serve on ${show(host)} without a token: set --token-file or SLUICE_TOKEN, or bind to 127.0.0.1.`,
  )
}

function readConfig(call: CommandCall): Config | null {
  const path = textOption(call, "config")
  return path === undefined ? null : parseConfig(readNamedFile("--config", path), { env: call.terminal.env })
}

/**
 * What `/metrics` tells of a key. A bare hash of an address can be tried out, so it is keyed: by the token, that it is the
 * same after a restart, or where there is none by chance.
 */
function keyLabel(mode: "off" | "plain" | "hash", token: string | null): (key: string) => string | null {
  if (mode === "off") return () => null
  if (mode === "plain") return (key) => key
  const secret = token ?? randomBytes(32)
  return (key) => createHmac("sha256", secret).update(`metrics\n${key}`).digest("hex").slice(0, 16)
}

export const serve: Command = {
  name: "serve",
  summary: "Serve the limits of a data folder over HTTP: the /v1 API, /metrics and events.",
  usage: "",
  least: 0,
  most: 0,
  asks: null,
  options: {
    bind: {
      type: "string",
      short: "b",
      value: "ADDRESS",
      description: "Address, or address:port (default 127.0.0.1).",
    },
    port: { type: "string", short: "p", value: "N", description: "Port, 0 for any (default 8080)." },
    token: { type: "string", value: "TOKEN", description: "What requests must bear; others see it here, better:" },
    "token-file": { type: "string", value: "FILE", description: "A file that holds it (default $SLUICE_TOKEN)." },
    config: { type: "string", short: "c", value: "FILE", description: "Limits to define at the start, sluice.toml." },
    "data-dir": { type: "string", short: "d", value: "FOLDER", description: "The folder (default sluice-data)." },
    sync: {
      type: "string",
      value: "MODE",
      description: "What an answer promises (default always).",
      choices: ["always", "ahead", "batch"],
    },
    "flush-every-ms": {
      type: "string",
      value: "MS",
      description: "With ahead and batch: time between flushes (default 100).",
    },
    "flush-every-records": {
      type: "string",
      value: "N",
      description: "With batch: the most unflushed records (default 10000).",
    },
    "log-file": { type: "string", value: "FILE", description: "Append a JSON line for each request; no keys in it." },
    "max-connections": { type: "string", value: "N", description: "The most connections (default 4096)." },
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
    "event-retain": { type: "string", value: "N", description: "Decisions kept for replay (default 10000)." },
    quiet: { type: "boolean", short: "q", description: "Say nothing once it serves." },
  },
  examples: [
    "sluice serve --config sluice.toml",
    "SLUICE_TOKEN=$(openssl rand -hex 32) sluice serve --bind 0.0.0.0:8080 --data-dir /var/lib/sluice",
  ],
  async run(call) {
    const { terminal } = call
    const { host, port } = readBind(call)
    const token = readToken(call, host)
    const sync = choiceOption(call, "sync", ["always", "ahead", "batch"]) ?? "always"
    const flushEveryMs = wholeOption(call, "flush-every-ms", 1, 3_600_000)
    const flushEveryRecords = wholeOption(call, "flush-every-records", 1, 1_000_000)
    if (sync === "always" && (flushEveryMs ?? flushEveryRecords) !== undefined) {
      throw new UsageError("Cannot serve: with --sync always every answer is flushed, allowed is no --flush-every.")
    }
    if (sync === "ahead" && flushEveryRecords !== undefined) {
      throw new UsageError("Cannot serve: --flush-every-records is given, allowed is that only with --sync batch.")
    }
    const maxConnections = wholeOption(call, "max-connections", 1, 1_000_000)
    const label = keyLabel(choiceOption(call, "metrics-keys", ["off", "plain", "hash"]) ?? "off", token)
    const config = readConfig(call)
    const sample = wholeOption(call, "event-sample", 0, 100)
    const retain = wholeOption(call, "event-retain", 1, 1_000_000)
    const path = dataDirOf(call)

    const onError = (error: unknown) => {
      terminal.err(`${plainText(error instanceof Error ? (error.stack ?? error.message) : String(error))}\n`)
    }
    const failures = new FailureLines((line) => terminal.err(`${line}\n`))
    const metrics = new Metrics({ keyLabel: label })
    const events = new EventStream({
      sample: sample === undefined ? (config?.analytics.sampleRate ?? 1) : sample / 100,
      ...(config !== null && { retainMs: config.analytics.retentionMs }),
      ...(retain !== undefined && { retain }),
      onError,
    })
    const limiter = await openLimiter({
      path,
      sync,
      ...(flushEveryMs !== undefined && { flushEveryMs }),
      ...(flushEveryRecords !== undefined && { flushEveryRecords }),
      ...(config !== null && { limits: new Map([...config.limits].map(([name, { policy }]) => [name, policy])) }),
      onCommit: (seconds) => metrics.commitSeconds.observe(seconds),
      onFailure: (error, lostRecords) => {
        metrics.commitFailed()
        failures.note(error, lostRecords)
      },
    })
    const logPath = textOption(call, "log-file")
    try {
      const output = {
        info: (line: string) => terminal.out(`${line}\n`),
        error: (line: string) => terminal.err(`${line}\n`),
      }
      const openLog = (file: string) => new LogFile(file, output.error)
      const log = logPath === undefined ? null : withNamedFile("write --log-file", logPath, openLog)
      const hooks = config === null ? {} : decisionLog(config.logging, output)
      const api = createApi({
        limits: config === null ? limiter : limitsByConfig(limiter, config),
        storage: embeddedStorage(limiter, () => bytesOnDisk(path)),
        token,
        metrics,
        events,
        ...(config !== null && { givenNames: new Set([...config.limits.keys(), ...config.groups.keys()]) }),
        onDecision(decision, limit, seconds, nowMs) {
          metrics.decided(decision, limit.label, seconds)
          if (decision.cost > 0) events.push(decision, limit.name, nowMs)
          hooks.onDecision?.(decision)
        },
        about: { version: call.version, storage: `embedded, sync ${sync}` },
        onError,
        ...(log !== null && {
          onAnswer: (method, endpoint, status, seconds) => {
            log.add({ at: new Date().toISOString(), method, endpoint, status, ms: Math.round(seconds * 1e6) / 1e3 })
          },
        }),
      })
      try {
        const place = { host, port, ...(maxConnections !== undefined && { maxConnections }) }
        const listening = await listen(api, place, dashboardPages()).catch((error: unknown) => {
          throw listenError(error, host, port)
        })
        if (!flagOption(call, "quiet")) {
          write(call, { url: listening.url, dataDir: path, sync, token: token !== null }, () => {
            const open = token === null ? "no token: this machine alone" : "with a token"
            return `sluice serves ${plainText(path)} on ${listening.url} (sync ${sync}, ${open}); dashboard: ${listening.url}/dashboard\n`
          })
        }
        // With a log of requests it has that opened anew.
        const ending = log === null ? AbortSignal.any([terminal.signal, hangup()]) : terminal.signal
        await ended(ending)
        await listening.close()
      } finally {
        log?.close()
      }
    } finally {
      // Whatever was answered is in the file when this is done.
      await limiter.close().finally(() => failures.end())
    }
  },
}

/** Says of a host that has no address, or one of another machine, and of a port that is taken, what to do about it. */
function listenError(error: unknown, host: string, port: number): unknown {
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
        `Cannot serve on ${isIPv6(host) ? `[${host}]` : host}:${port}: something else listens there; --port names another, 0 any that is free.`,
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
