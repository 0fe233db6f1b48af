import type { Core } from "../engine/core.js"
import { StoreCorrupt } from "../types/errors.js"
import type { LedgerLogInput } from "./ledger-log.js"
import { type LedgerOptions, stateOptions } from "./ledger-options.js"
import { LedgerState } from "./ledger-state.js"
import { requireEnd } from "./log-end.js"
import type { LogTable } from "./log-table.js"
import { newMeta, writeMeta } from "./meta.js"
import { type Recovered, recover } from "./recovery.js"
import { SegmentWriter } from "./segment.js"
import type { LedgerPort } from "./sql-port.js"

/** A log that was read and can be appended to. */
export type OpenedLog = Pick<LedgerLogInput, "state" | "open" | "position"> & Pick<Recovered, "leftIds">

/**
 * Reads the log, or starts one where there is none.
 *
 * @throws {StoreCorrupt} {StoreVersion}; then nothing was written
 */
export function openLog(port: LedgerPort, table: LogTable, core: Core, options: LedgerOptions): Promise<OpenedLog> {
  return table.exists() ? readLog(port, table, core, options) : startLog(port, table, core, options)
}

async function readLog(port: LedgerPort, table: LogTable, core: Core, options: LedgerOptions): Promise<OpenedLog> {
  const recovered = await recover(port, core, table.read(), stateOptions(options))
  const { state, metaHash } = recovered
  const { sequence, count } = recovered.open
  try {
    if (options.leastEnd !== undefined) requireEnd({ sequence, count, metaHash }, options.leastEnd)
  } catch (error) {
    state.free()
    throw error
  }
  return { state, open: SegmentWriter.resume(recovered.open), position: recovered, leftIds: recovered.leftIds }
}

async function startLog(port: LedgerPort, table: LogTable, core: Core, options: LedgerOptions): Promise<OpenedLog> {
  if (options.leastEnd !== undefined) throw new StoreCorrupt("the log", "it is missing")
  const meta = newMeta()
  const { body, hash } = await writeMeta(port, meta)
  const open = new SegmentWriter(1, hash)
  const segment = open.seal(port, { isSealed: false })
  table.transaction(() => {
    table.create()
    table.writeRow(0, body)
    table.writeRow(1, segment.body)
  })
  options.onCommit?.({ sequence: 1, count: 0, metaHash: hash })
  const state = new LedgerState(core, meta.seed, meta.id, stateOptions(options))
  const none = { logBytes: 0, snapshotBytes: 0, uncoveredRecords: 0 }
  const position = { metaHash: hash, ...none, oldestSequence: 1, snapshotIds: [] }
  return { state, open, position, leftIds: [] }
}
