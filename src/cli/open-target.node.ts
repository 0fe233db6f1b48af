import { statSync } from "node:fs"
import { embeddedStorage } from "../api/embedded-storage.js"
import { SluiceClient } from "../client/index.js"
import type { EmbeddedLimiter } from "../limiter/embedded-limiter.js"
import { openLimiter } from "../limiter/open-limiter.node.js"
import { holdsStore } from "../limiter/store-files.node.js"
import { parseDurationArgument, TIMEOUT_RANGE } from "../policy/parse-duration.js"
import type { DecisionEvent } from "../types/decision-event.js"
import { StoreUnavailable, show } from "../types/errors.js"
import { bytesOnDisk } from "./bytes-on-disk.node.js"
import type { Command, CommandCall, LogLine, Target } from "./command.js"
import { textOption } from "./option-values.js"
import { UsageError } from "./usage-error.js"

const DEFAULT_DATA_DIR = "sluice-data"
/** How long a server may take to begin an answer, or to go on with it. */
const SILENCE_MS = 5_000

/** The data folder that a command is about. @throws {UsageError} where a file is in its place */
export function dataDirOf(call: Pick<CommandCall, "options" | "terminal">): string {
  const path = textOption(call, "data-dir") ?? call.terminal.env["SLUICE_DATA_DIR"] ?? DEFAULT_DATA_DIR
  if (path === "") throw new UsageError('Cannot open "": allowed is the path of a folder.')
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory() === false) {
    throw new UsageError(`Cannot open ${show(path)}: it is a file, allowed is a folder.`)
  }
  return path
}

/** How long to wait for that folder where another process has it, in ms. @throws {RangeError} where it is no duration */
export function lockTimeoutOf(call: Pick<CommandCall, "options">): number {
  const text = textOption(call, "lock-timeout")
  return text === undefined ? 0 : parseDurationArgument("run", "--lock-timeout", text, TIMEOUT_RANGE)
}

/**
 * Opens what a command is about: the server of `--server`, else the data folder.
 *
 * @throws {UsageError} where both are named, or there is no such folder, or no server is named that there must be, or one
 * that cannot be; what opening throws
 */
export async function openTarget(
  call: Pick<CommandCall, "options" | "terminal">,
  { asks, whyFolder = "" }: Pick<Command, "asks" | "whyFolder">,
): Promise<Target> {
  const named = textOption(call, "server")
  if (named !== undefined && textOption(call, "data-dir") !== undefined) {
    throw new UsageError("Cannot run: allowed is either --server or --data-dir.")
  }
  // A folder that was named goes before a server in the environment.
  const isNamedFolder = textOption(call, "data-dir") !== undefined
  const server = named ?? (asks === "folder" || isNamedFolder ? undefined : call.terminal.env["SLUICE_SERVER"])
  if (server !== undefined) {
    if (textOption(call, "lock-timeout") !== undefined) {
      throw new UsageError("Cannot run: --lock-timeout is given, allowed is that only with a data folder.")
    }
    // An empty variable counts as none.
    const fromEnvironment = call.terminal.env["SLUICE_TOKEN"] || undefined
    return serverTarget(server, textOption(call, "token") ?? fromEnvironment)
  }
  if (asks === "server")
    throw new UsageError("Cannot run: no server is named, allowed is --server URL or SLUICE_SERVER.")
  if (textOption(call, "token") !== undefined) {
    throw new UsageError("Cannot run: --token is given, allowed is that only with --server.")
  }
  // Not the default folder in silence, where all other commands ask the server.
  const isNamed = isNamedFolder || call.terminal.env["SLUICE_DATA_DIR"] !== undefined
  if (asks === "folder" && !isNamed && call.terminal.env["SLUICE_SERVER"] !== undefined) {
    throw new UsageError(`Cannot ask SLUICE_SERVER: ${whyFolder}, allowed is a data folder, --data-dir.`)
  }
  const path = dataDirOf(call)
  if (!holdsStore(path)) {
    throw new UsageError(
      `Cannot open ${show(path)}: it is no data folder. sluice init --data-dir ${show(path)} makes one.`,
    )
  }
  return folderTarget(await openLimiter({ path, lockTimeout: lockTimeoutOf(call) }))
}

function serverTarget(url: string, token: string | undefined): Target {
  const client = new SluiceClient(url, token === undefined ? {} : { token })
  return {
    name: `server ${url}`,
    limits: client,
    compact: () => client.compact(),
    verify: () => client.verify(),
    doctor: () => client.doctor(),
    records: null,
    last: (count) => lastEvents(client, count),
    async *follow(past, signal) {
      for await (const event of client.events({ replay: past, signal })) yield eventLine(event)
    },
    totals: () => client.totals(),
    close: async () => {},
  }
}

function eventLine({ atMs, allowed, limit, key, cost }: DecisionEvent): LogLine {
  return { atMs, event: allowed ? "admit" : "deny", limit, key, units: cost, count: 1 }
}

/** The last decisions of a server. @throws {StoreUnavailable} where it falls silent before all are told */
async function* lastEvents(client: SluiceClient, count: number): AsyncGenerator<LogLine> {
  const silence = new AbortController()
  const timer = setTimeout(() => silence.abort(), SILENCE_MS)
  try {
    let told = 0
    for await (const event of client.events({ replay: count, follow: false, signal: silence.signal })) {
      timer.refresh()
      // What was decided while many were told comes after them.
      if (told++ === count) return
      yield eventLine(event)
    }
  } finally {
    clearTimeout(timer)
  }
  if (silence.signal.aborted) throw new StoreUnavailable(`the server did not go on within ${SILENCE_MS} ms`)
}

async function* lastRecords(limiter: EmbeddedLimiter, count: number): AsyncGenerator<LogLine> {
  const last: LogLine[] = []
  for await (const line of limiter.records()) {
    last.push(line)
    if (last.length > count) last.shift()
  }
  yield* last
}

function folderTarget(limiter: EmbeddedLimiter): Target {
  const storage = embeddedStorage(limiter, () => bytesOnDisk(limiter.path))
  return {
    name: `data folder ${limiter.path}`,
    limits: limiter,
    compact: async () => storage.compact(),
    verify: async () => storage.verify(),
    async doctor() {
      const findings = await storage.doctor()
      return { ok: findings.every(({ ok }) => ok), findings }
    },
    records: () => limiter.records(),
    last: (count) => lastRecords(limiter, count),
    // One process has the folder: while this one does, nobody writes to it.
    follow: null,
    totals: async () => null,
    close: () => limiter.close(),
  }
}
