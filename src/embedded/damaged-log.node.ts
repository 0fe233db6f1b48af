import { existsSync } from "node:fs"
import { join } from "node:path"
import { Core } from "../engine/core.js"
import { readDamaged } from "../ledger/damaged-table.js"
import { requireEnd } from "../ledger/log-end.js"
import { LogTable } from "../ledger/log-table.js"
import { longestPrefix, type Prefix } from "../ledger/longest-prefix.js"
import { recover } from "../ledger/recovery.js"
import type { LogRow } from "../ledger/sql-port.js"
import { StoreCorrupt } from "../types/errors.js"
import { findLogLoss, LOG_FILE } from "./store-files.node.js"
import { StoreFolder } from "./store-folder.node.js"

/** What can be kept of a store. */
export interface Salvage {
  /** A log that opens; none where nothing can be kept. */
  readonly rows: readonly LogRow[]
  /** Records in the segments that are kept. */
  readonly records: number
  /** Those of them from before the snapshot, kept as history. */
  readonly historyRecords: number
  /** Whether a snapshot is kept, which stands for all records before it, those that are not kept too. */
  readonly hasSnapshot: boolean
  /** What must be given up, and why; empty where the store is right. */
  readonly gaveUp: readonly string[]
  /**
   * Whether what limits and keys had used is kept: no more than history is given up, and what is no part of the log.
   */
  readonly keepsState: boolean
}

/** A log to be salvaged, locked where it is one of SQLite: else there is nothing to lock, and nothing to keep. */
export class DamagedLog {
  readonly #folder: StoreFolder | null
  readonly #lost: readonly string[]

  private constructor(folder: StoreFolder | null, lost: readonly string[]) {
    this.#folder = folder
    this.#lost = lost
  }

  /**
   * Locks the log of a folder that this process has claimed. It makes none. @throws {StoreLocked} {StoreUnavailable}
   */
  static lock(path: string): DamagedLog {
    if (!existsSync(join(path, LOG_FILE))) return new DamagedLog(null, ["the file: it is missing"])
    // SQLite would make a new log of it, and drop the write-ahead log.
    if (findLogLoss(path) !== null) return new DamagedLog(null, ["the file: it is empty"])
    try {
      return new DamagedLog(
        StoreFolder.lock(path, () => {}),
        [],
      )
    } catch (error) {
      if (!(error instanceof StoreCorrupt)) throw error
      return new DamagedLog(null, [told(error)])
    }
  }

  /** Reads everything. @throws {StoreVersion} where a newer version wrote it; {StoreUnavailable} */
  async salvage(): Promise<Salvage> {
    const lost = [...this.#lost]
    const prefix = this.#folder === null ? NOTHING : await keep(this.#folder, lost)
    // No part of the log: with it, nothing is lost that keys have used.
    const foreign = this.#folder?.findForeign() ?? null
    const beside = foreign === null ? [] : [`the file: ${foreign}`]
    const gaveUp = [...prefix.gaveUp.map(({ row, failure }) => `${row}: ${failure}`), ...beside, ...lost]
    const { rows, records, historyRecords } = prefix
    const keepsState = prefix.keepsState && lost.length === 0
    // The rows of snapshots are those with negative ids.
    return { rows, records, historyRecords, hasSnapshot: rows.some(({ id }) => id < 0), gaveUp, keepsState }
  }

  /** Lets the log go. */
  close(): void {
    this.#folder?.close()
  }
}

const NOTHING: Prefix = { rows: [], records: 0, historyRecords: 0, gaveUp: [], keepsState: true }

/** What can be kept; adds what is lost beside rows. */
async function keep(folder: StoreFolder, lost: string[]): Promise<Prefix> {
  // Before all else: a store whose witness is a link does not open, and may not be called right.
  const leastEnd = folder.witness.read()
  lost.push(...folder.findFaults().map((fault) => `the file: ${fault}`))
  const rows = readRows(folder, lost)
  if (rows === null) return NOTHING
  const prefix = await longestPrefix(folder.port, new Core(), rows)
  if (!prefix.keepsState || lost.length > 0 || leastEnd === undefined) return prefix
  // Everything that is there after the history is right: what may be missing is its end.
  const { state, open, metaHash } = await recover(folder.port, new Core(), prefix.rows)
  state.free()
  try {
    requireEnd({ sequence: open.sequence, count: open.count, metaHash }, leastEnd)
  } catch (error) {
    if (!(error instanceof StoreCorrupt)) throw error
    lost.push(told(error))
  }
  return prefix
}

/** Every row that can be read; `null` where there is no table, or none that can be told of. */
function readRows({ port, witness }: StoreFolder, lost: string[]): LogRow[] | null {
  // What SQLite found wrong with the file is why it cannot be read through.
  const isToldOfFile = lost.length > 0
  const tell = (what: string, error: unknown) => {
    if (what === "the file" && isToldOfFile) return
    lost.push(`${what}: ${error instanceof Error ? error.message : String(error)}`)
  }
  try {
    const table = new LogTable(port.sql)
    if (!table.exists()) {
      // One that nobody has written to is right.
      if (witness.exists) lost.push("the log: it is missing")
      return null
    }
    return readDamaged(port.sql, tell)
  } catch (error) {
    tell("the file", error)
    return null
  }
}

function told({ row, failure }: StoreCorrupt): string {
  return `${row}: ${failure}`
}
