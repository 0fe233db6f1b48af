import { statSync } from "node:fs"
import { embeddedStorage } from "../api/embedded-storage.js"
import { SluiceClient } from "../client/index.js"
import type { EmbeddedLimiter } from "../embedded/embedded-limiter.js"
import { openKeepingAll, openLimiter } from "../embedded/open-limiter.node.js"
import { holdsStore } from "../embedded/store-files.node.js"
import { type DurationRange, parseDurationArgument, TIMEOUT_RANGE } from "../policy/parse-duration.js"
import { MAX_TIMER_MS } from "../policy/policy-range.js"
import type { DecisionEvent } from "../types/decision-event.js"
import { StoreUnavailable, show } from "../types/errors.js"
import { bytesOnDisk } from "./bytes-on-disk.node.js"
import type { Command, CommandCall, LogLine, Target } from "./command.js"
import { KEEPING_OPTIONS, keepingOf } from "./keeping-options.js"
import { withNamedFile } from "./named-file.node.js"
import { flagOption, textOption, variable } from "./option-values.js"
import { patientFetch } from "./patient-fetch.node.js"
import { promptFetch } from "./prompt-fetch.js"
import { UsageError } from "./usage-error.js"

const DEFAULT_DATA_DIR = "sluice-data"
/** How long a server may take to begin an answer, or to go on with it. */
const SILENCE_MS = 5_000
/** The same where it reads or writes its whole log first, in the time of which it answers nobody. */
const LOG_MS = 600_000
const CALL_RANGE: DurationRange = { minMs: 1, maxMs: MAX_TIMER_MS }
const ONLY_FOLDER = ["lock-timeout", ...Object.keys(KEEPING_OPTIONS)]
const ONLY_SERVER = ["token", "timeout"]

type CallOfTarget = Pick<CommandCall, "options" | "terminal">

/**
 * The data folder that a command is about. @throws {UsageError} where a file is in its place, or nobody may look there
 */
export function dataDirOf(call: CallOfTarget): string {
  const path = textOption(call, "data-dir") ?? variable(call, "SLUICE_DATA_DIR") ?? DEFAULT_DATA_DIR
  if (path === "") throw new UsageError('Cannot open "": allowed is the path of a folder.')
  const found = withNamedFile("open", path, (folder) => statSync(folder, { throwIfNoEntry: false }))
  if (found?.isDirectory() === false) {
    throw new UsageError(`Cannot open ${show(path)}: it is a file, allowed is a folder.`)
  }
  return path
}

/**
 * Whether a path is a data folder, or what is left of one. @throws {UsageError} where this user may not look into it
 */
export function isDataDir(path: string): boolean {
  return withNamedFile("open", path, holdsStore)
}

/**
 * `dataDirOf`, where no server can be asked: not the default folder in silence, where all other commands ask the server
 * of the environment.
 *
 * @param whyFolder why no server can be asked
 * @throws {UsageError}
 */
export function onlyDataDirOf(call: CallOfTarget, whyFolder: string): string {
  const isNamed = textOption(call, "data-dir") !== undefined || variable(call, "SLUICE_DATA_DIR") !== undefined
  if (!isNamed && variable(call, "SLUICE_SERVER") !== undefined) {
    throw new UsageError(`Cannot ask SLUICE_SERVER: ${whyFolder}, allowed is a data folder, --data-dir.`)
  }
  return dataDirOf(call)
}

/**
 * How long to wait for that folder where another process has it, in ms. @throws {RangeError} where it is no duration
 */
export function lockTimeoutOf(call: Pick<CommandCall, "options">): number {
  const text = textOption(call, "lock-timeout")
  return text === undefined ? 0 : parseDurationArgument("run", "--lock-timeout", text, TIMEOUT_RANGE)
}

/**
 * Opens what a command is about: the server of `--server`, else the data folder.
 *
 * @throws {UsageError} where both are named, or there is no such folder, or no server is named that there must be, or
 * one that cannot be; what opening throws
 */
export async function openTarget(
  call: CallOfTarget,
  { asks, whyFolder = "", compacts = false }: Pick<Command, "asks" | "whyFolder" | "compacts">,
): Promise<Target> {
  const named = textOption(call, "server")
  if (named !== undefined && textOption(call, "data-dir") !== undefined) {
    throw new UsageError("Cannot run: allowed is either --server or --data-dir.")
  }
  // A folder that was named goes before a server in the environment.
  const asksFolder = asks === "folder" || textOption(call, "data-dir") !== undefined
  const server = named ?? (asksFolder ? undefined : variable(call, "SLUICE_SERVER"))
  if (server !== undefined) {
    refuse(call, ONLY_FOLDER, "a data folder")
    return serverTarget(call, server)
  }
  if (asks === "server")
    throw new UsageError("Cannot run: no server is named, allowed is --server URL or SLUICE_SERVER.")
  refuse(call, ONLY_SERVER, "--server")
  const path = asks === "folder" ? onlyDataDirOf(call, whyFolder) : dataDirOf(call)
  if (!isDataDir(path)) {
    throw new UsageError(
      `Cannot open ${show(path)}: it is no data folder. sluice init --data-dir ${show(path)} makes one.`,
    )
  }
  const options = { path, lockTimeout: lockTimeoutOf(call) }
  // How much a folder keeps is for the program to say that it belongs to, or for who asks for a compaction.
  return folderTarget(await (compacts ? openLimiter({ ...options, ...keepingOf(call) }) : openKeepingAll(options)))
}

/** @throws {UsageError} where an option is given that says nothing of what is asked */
function refuse(call: CallOfTarget, names: readonly string[], allowed: string): void {
  const given = names.find((name) => textOption(call, name) !== undefined || flagOption(call, name))
  if (given !== undefined) {
    throw new UsageError(`Cannot run: --${given} is given, allowed is that only with ${allowed}.`)
  }
}

function serverTarget(call: CallOfTarget, url: string): Target {
  const token = textOption(call, "token") ?? variable(call, "SLUICE_TOKEN")
  const text = textOption(call, "timeout")
  const timeoutMs = text === undefined ? undefined : parseDurationArgument("run", "--timeout", text, CALL_RANGE)
  const bearing = token === undefined ? {} : { token }
  const client = new SluiceClient(url, { ...bearing, timeoutMs: timeoutMs ?? SILENCE_MS })
  // Not asked again: what was asked before may be under way still.
  const patient = new SluiceClient(url, {
    ...bearing,
    timeoutMs: timeoutMs ?? LOG_MS,
    retries: 0,
    fetch: patientFetch,
  })
  const following = new SluiceClient(url, { ...bearing, fetch: promptFetch(timeoutMs ?? SILENCE_MS) })
  return {
    name: `server ${url}`,
    limits: client,
    compact: () => patient.compact(),
    verify: () => patient.verify(),
    doctor: () => patient.doctor(),
    records: null,
    last: (count) => lastEvents(client, count, timeoutMs ?? SILENCE_MS),
    async *follow(past, signal) {
      for await (const event of following.events({ replay: past, signal })) yield eventLine(event)
    },
    totals: () => client.totals(),
    health: () => client.health(),
    close: async () => {},
  }
}

function eventLine({ atMs, allowed, limit, key, cost }: DecisionEvent): LogLine {
  return { atMs, event: allowed ? "admit" : "deny", limit, key, units: cost, count: 1 }
}

/** The last decisions of a server. @throws {StoreUnavailable} where it falls silent before all are told */
async function* lastEvents(client: SluiceClient, count: number, silenceMs: number): AsyncGenerator<LogLine> {
  const silence = new AbortController()
  const timer = setTimeout(() => silence.abort(), silenceMs)
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
  if (silence.signal.aborted) throw new StoreUnavailable(`the server did not go on within ${silenceMs} ms`)
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
    health: async () => null,
    close: () => limiter.close(),
  }
}
