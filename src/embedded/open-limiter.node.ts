import { Core } from "../engine/core.js"
import { requireKey } from "../engine/key-bytes.js"
import { Ledger } from "../ledger/ledger.js"
import { requireTime } from "../ledger/ledger-input.js"
import { KEEPS_ALL, type LedgerOptions } from "../ledger/ledger-options.js"
import { SYNC_MODES, type SyncMode } from "../ledger/sync-mode.js"
import { callListener } from "../limiter/call-listener.js"
import { checkedClock } from "../limiter/checked-clock.js"
import { DEFAULT_LIMIT } from "../limiter/named-limits.js"
import { parseDurationArgument, TIMEOUT_RANGE } from "../policy/parse-duration.js"
import { parsePolicy } from "../policy/parse-policy.js"
import type { Duration, PolicyInput } from "../policy/policy.js"
import {
  CLOCK,
  FUNCTION,
  flag,
  type Kinds,
  LIST,
  OBJECT,
  oneOf,
  READ_ELSEWHERE,
  requireFields,
  unfit,
  whole,
} from "../policy/require-fields.js"
import { type Clock, systemClock } from "../types/clock.js"
import { type SluiceError, show } from "../types/errors.js"
import { EmbeddedLimiter } from "./embedded-limiter.js"
import type { EmbeddedStore } from "./embedded-store.js"
import { closeOnSignals, SHUTDOWN_SIGNALS, type ShutdownSignal } from "./shutdown.node.js"
import { DEFAULT_COMPACT_BYTES, DEFAULT_HISTORY_SEGMENTS, STORE_BOUNDS } from "./store-bounds.js"
import { folderError, STORE_PATH, StoreFolder } from "./store-folder.node.js"
import { timeCommits } from "./time-commits.js"

export interface OpenLimiterOptions {
  /** The folder of the store. It is made where there is none, for its owner only. */
  readonly path: string
  /** How long to wait for the folder where another process has it, 0 ms … 10 years; default 0: refused at once. */
  readonly lockTimeout?: Duration | undefined
  /**
   * What an answer promises: `"always"` (the default) that the charge is in the file; `"ahead"` that a grant of units
   * is, so that after a crash a key has at most one grant less than it should; `"batch"` nothing yet: a crash forgets
   * at most what was not flushed.
   */
  readonly sync?: SyncMode | undefined
  /**
   * Only with `ahead` and `batch`: how long a record waits for the next flush to start, 1 ms … 1 hour; default 100 ms.
   */
  readonly flushEveryMs?: number | undefined
  /** Only with `batch`: the most records that were told and not flushed, 1 … 1,000,000; default 10,000. */
  readonly flushEveryRecords?: number | undefined
  /**
   * Only with `ahead`: the units of a grant, 1 … 2^31. Without it a grant grows with its key's use, to a tenth of the
   * capacity.
   */
  readonly aheadUnits?: number | undefined
  /** The policy of the default limit, for keys without a limit of their own. */
  readonly policy?: PolicyInput | undefined
  /** Limits to define, by name, where the store has not the same already. Others that it has stay. */
  readonly limits?: Readonly<Record<string, PolicyInput>> | ReadonlyMap<string, PolicyInput> | undefined
  /** Where the time comes from; default the machine's wall clock. */
  readonly clock?: Clock | undefined
  /**
   * Whether the names of keys are kept, for `list` and `top`; default `true`. The log's records name keys either way.
   */
  readonly names?: boolean | undefined
  /**
   * How long the statistics and the name of a key are kept after the last decision about it; 1 ms … 10 years, default
   * 30 days. They go with the next compaction. Those of a key with a limit of its own stay as long as the limit.
   */
  readonly keepStats?: Duration | undefined
  /** How many segments of the log a compaction keeps as history, 0 … 10,000; default 16. */
  readonly historySegments?: number | undefined
  /** Past so many bytes of log the store is compacted by itself, 4,096 … 2^31; default 4 MiB. */
  readonly compactBytes?: number | undefined
  /**
   * Signals at which the store is closed in good order: `["SIGINT", "SIGTERM"]`, say. Where nobody else listens to the
   * signal, the process then ends by it as it would have; else the store is flushed and stays open.
   */
  readonly closeOn?: readonly ShutdownSignal[] | undefined
  /**
   * Told of each commit how many seconds it took. What it throws, or rejects with, is dropped, and what was committed
   * stays so.
   */
  readonly onCommit?: ((seconds: number) => void) | undefined
  /**
   * Told when the store could not be written: why, and how many records that were told under `batch` may be lost with
   * it, 0 where none. The next call opens the store anew; it is told too each time that this fails. With it, `close()`
   * does not tell of such losses. What it throws, or rejects with, is dropped.
   */
  readonly onFailure?: ((error: SluiceError, lostRecords: number) => void) | undefined
}

/** What would do nothing under the other modes. */
const ONLY_UNDER: Readonly<Record<"flushEveryMs" | "flushEveryRecords" | "aheadUnits", readonly SyncMode[]>> = {
  flushEveryMs: ["ahead", "batch"],
  flushEveryRecords: ["batch"],
  aheadUnits: ["ahead"],
}
const OPTION_KINDS: Kinds<OpenLimiterOptions> = {
  path: STORE_PATH,
  lockTimeout: READ_ELSEWHERE,
  sync: oneOf(...SYNC_MODES),
  flushEveryMs: whole(...STORE_BOUNDS.flushEveryMs),
  flushEveryRecords: whole(...STORE_BOUNDS.flushEveryRecords),
  aheadUnits: whole(...STORE_BOUNDS.aheadUnits),
  policy: READ_ELSEWHERE,
  limits: OBJECT,
  clock: CLOCK,
  names: flag(),
  keepStats: READ_ELSEWHERE,
  historySegments: whole(...STORE_BOUNDS.historySegments),
  compactBytes: whole(...STORE_BOUNDS.compactBytes),
  closeOn: {
    allowed: `a list of ${SHUTDOWN_SIGNALS.map(show).join(" and ")}`,
    fits: (value) => LIST.fits(value) && (value as unknown[]).every(oneOf(...SHUTDOWN_SIGNALS).fits),
  },
  onCommit: FUNCTION,
  onFailure: FUNCTION,
}
const DAY_MS = 86_400_000

/**
 * Opens a durable limiter on a folder: its limits survive restarts and crashes, with no daemon. One process at a time
 * has the folder.
 *
 * @throws {StoreLocked} where another has it, at once or after `lockTimeout`; {StoreCorrupt} where what is in it is not
 * what was written; {StoreVersion} where a newer version wrote it; {StoreUnavailable} where it cannot be read or
 * written; {PolicyError} {KeyError} {RangeError} where an option cannot be, or the clock tells no time
 * @example
 * ```ts
 * import { openLimiter } from "sluice/embedded"
 *
 * await using limiter = await openLimiter({ path: "data/example", policy: "100/minute" })
 * const decision = await limiter.check("user:42")
 * decision.remaining // 99
 * ```
 */
export async function openLimiter(options: OpenLimiterOptions): Promise<EmbeddedLimiter> {
  return open(options, readOptions(options))
}

/**
 * `openLimiter` for who visits another program's store: what that keeps is for that to say, so nothing is compacted by
 * itself.
 *
 * @throws as `openLimiter`
 */
export async function openKeepingAll(options: OpenLimiterOptions): Promise<EmbeddedLimiter> {
  const settings = readOptions(options)
  return open(options, { ...settings, ledger: { ...settings.ledger, ...KEEPS_ALL } })
}

async function open(options: OpenLimiterOptions, settings: ReturnType<typeof readOptions>): Promise<EmbeddedLimiter> {
  const { path, lockTimeoutMs, sync, clock, closeOn } = settings
  // Before a folder is made: a clock that tells no time leaves nothing behind.
  requireTime(clock.now())
  const folder = await StoreFolder.openWithin(lockTimeoutMs, path)
  const { onCommit, onFailure } = options
  const port = onCommit === undefined ? folder.port : timeCommits(folder.port, onCommit)
  let lastCommitAtMs: number | null = null
  let stopListening = () => {}
  const failing = onFailure && { onFailure: onceEach(onFailure) }
  const openLedger = async () => {
    try {
      folder.files.require()
      return await folder.openLog(() => {
        const leastEnd = folder.readWitness()
        return Ledger.open(port, {
          ...settings.ledger,
          ...(leastEnd === undefined ? {} : { leastEnd }),
          openedAtMs: clock.now(),
          onCommit: (end) => {
            lastCommitAtMs = clock.now()
            folder.witness.note(end)
          },
          ...failing,
        })
      })
    } catch (error) {
      throw folderError(error, path)
    }
  }
  const store: EmbeddedStore = {
    path,
    sync,
    get lastCommitAtMs() {
      return lastCommitAtMs
    },
    openLedger,
    ...failing,
    findFileProblems: () => folder.findFileProblems(),
    tryCommit: () => folder.tryCommit(),
    findProblems: () => folder.findProblems(),
    close: async () => {
      stopListening()
      try {
        folder.files.require()
      } finally {
        await folder.closeTogether()
      }
    },
  }
  try {
    const ledger = await openLedger()
    const nowMs = clock.now()
    for (const [name, policy] of settings.limits) ledger.define(name, policy, nowMs)
    await ledger.commit()
    const limiter = new EmbeddedLimiter(ledger, store, clock)
    stopListening = closeOnSignals(limiter, closeOn)
    return limiter
  } catch (error) {
    folder.close()
    throw error
  }
}

/** A write that fails while the store is opened anew is told by the ledger, and again by what opens it. */
function onceEach(onFailure: NonNullable<OpenLimiterOptions["onFailure"]>): typeof onFailure {
  let told: SluiceError | null = null
  return (error, lostRecords) => {
    if (error === told) return
    told = error
    callListener(onFailure, error, lostRecords)
  }
}

function readOptions(options: OpenLimiterOptions) {
  requireFields("open a limiter", options, OPTION_KINDS)
  const { path, sync = "always", clock = systemClock, closeOn = [], names = true } = options
  const { lockTimeout = 0, keepStats = 30 * DAY_MS, limits: named = {} } = options
  const { flushEveryMs, flushEveryRecords, aheadUnits } = options
  const { historySegments = DEFAULT_HISTORY_SEGMENTS, compactBytes = DEFAULT_COMPACT_BYTES } = options
  for (const [name, modes] of Object.entries(ONLY_UNDER)) {
    const value = options[name as keyof typeof ONLY_UNDER]
    if (value === undefined || modes.includes(sync)) continue
    throw unfit(
      "open a limiter",
      name,
      value,
      `none with sync ${show(sync)}: that is for ${modes.map(show).join(" and ")}`,
    )
  }
  const lockTimeoutMs = parseDurationArgument("open a limiter", "lockTimeout", lockTimeout, TIMEOUT_RANGE)
  const keepStatsMs = parseDurationArgument("open a limiter", "keepStats", keepStats)
  const limits = new Map<string, ReturnType<typeof parsePolicy>>()
  if (options.policy !== undefined) limits.set(DEFAULT_LIMIT, parsePolicy(options.policy))
  for (const [name, policy] of named instanceof Map ? named : Object.entries(named as Record<string, PolicyInput>)) {
    requireKey(name)
    if (name === DEFAULT_LIMIT && options.policy !== undefined) {
      throw new RangeError(`Cannot open a limiter: limits has ${DEFAULT_LIMIT}, allowed is that or policy, not both.`)
    }
    limits.set(name, parsePolicy(policy))
  }
  const ledger: LedgerOptions = {
    core: new Core(),
    sync,
    names,
    keepStatsMs,
    historySegments,
    compactBytes,
    ...(flushEveryMs === undefined ? {} : { flushEveryMs }),
    ...(flushEveryRecords === undefined ? {} : { flushEveryRecords }),
    ...(aheadUnits === undefined ? {} : { aheadUnits }),
  }
  return { path, lockTimeoutMs, sync, clock: checkedClock(clock), closeOn, limits, ledger }
}
