import type { Core } from "../engine/core.js"
import { StoreUnavailable } from "../types/errors.js"
import { type LedgerOptions, stateOptions } from "./ledger-options.js"
import type { LedgerState } from "./ledger-state.js"
import type { LogFailure } from "./log-failure.js"
import type { LogTable } from "./log-table.js"
import { readRows } from "./read-rows.js"
import { recover } from "./recovery.js"
import type { LedgerPort, LogRow } from "./sql-port.js"
import { compareStates } from "./state-comparison.js"
import type { StateSave } from "./state-save.js"
import { Turns } from "./turns.js"
import { withMemory } from "./with-memory.js"

const DISCARDED_BYTES = 32_768

/** What `verify` found. */
export interface Verification {
  readonly rows: number
  /** Those of the rows that are segments. */
  readonly segments: number
  readonly bytes: number
  readonly records: number
  /** The open segment. */
  readonly sequence: number
  /** The last segment that the snapshot covers; 0 where there is none. */
  readonly coveredSequence: number
  /** Whether replaying the log gives the live state, bit for bit. */
  readonly replayEqualsLive: boolean
}

/** What is verified. */
export interface VerificationInput {
  readonly port: LedgerPort
  readonly table: LogTable
  readonly core: Core
  /** The live state. */
  readonly state: LedgerState
  readonly options: LedgerOptions
  /** The row of the open segment, which has no records yet: all rows before it are as they will stay. */
  readonly open: LogRow
  /** Once the ledger was closed, what it held is freed. */
  readonly failure: LogFailure
}

/**
 * Replays a log and compares the outcome with the live state as it is when this is called, in turns of the event loop
 * between which the ledger goes on being asked.
 *
 *   1. At once the live state begins to be saved; see `StateSave` for how the state of that moment is saved while it
 *      changes. Until the end, nothing but the calls that change it costs memory.
 *   2. Row after row is read and replayed in a state of its own. No compaction may be under way, so each is still
 *      there.
 *   3. What is saved is compared with that, piece by piece, and not kept.
 *
 * @throws {StoreCorrupt} {StoreVersion} where the log is not what was written, {StoreUnavailable} also where it cannot
 *   be read, or there is no memory for it
 */
export async function verifyLog(input: VerificationInput): Promise<Verification> {
  const { port, core, state: live, options, failure } = input
  const save = live.saveAll()
  const turns = new Turns(port, failure)
  try {
    port.readAnew?.()
    const { state, ...found } = await recover(port, core, rowsOf(input), { turns, ...stateOptions(options) })
    try {
      const steps = compareStates(save, state)
      const isSame = await turns.run(() => withMemory(core, () => steps.next()))
      if (isSame === null) throw new StoreUnavailable("the memory for keys is full, and the log was not verified")
      return {
        rows: found.rows,
        segments: found.segments,
        bytes: found.bytes,
        records: found.records,
        sequence: found.open.sequence,
        coveredSequence: found.coveredSequence,
        replayEqualsLive: isSame,
      }
    } finally {
      state.free()
    }
  } catch (error) {
    // Why it failed is to be heard.
    await discard(save, turns, failure).catch(() => undefined)
    throw error
  }
}

/** Each row when its turn comes: a large log would fill the memory. */
function* rowsOf({ port, table, open }: VerificationInput): Generator<LogRow, void> {
  const rowFrom = (id: number) => readRows(port, () => table.rowFrom(id)) ?? open
  let row = rowFrom(Number.MIN_SAFE_INTEGER)
  for (; row.id < open.id; row = rowFrom(row.id + 1)) yield row
  yield open
}

/**
 * Saves to the end, since no other save can begin before. @throws where the ledger was closed: then nothing is saved
 */
async function discard(save: StateSave, turns: Turns, failure: LogFailure): Promise<void> {
  failure.requireOpen()
  while (!save.isDone) {
    save.work(DISCARDED_BYTES, DISCARDED_BYTES)
    save.next(DISCARDED_BYTES)
    await turns.next()
  }
}
