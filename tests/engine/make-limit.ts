import { Core } from "../../src/engine/core.js"
import { readDumpTables, writeDump } from "../../src/engine/dump.js"
import { RecordedLimit } from "../../src/engine/recorded-limit.js"
import { type SavedKind, saveCells } from "../../src/engine/saved-cells.js"
import { StandaloneLimit } from "../../src/engine/standalone-limit.js"
import type { TableOptions } from "../../src/engine/table-options.js"
import { parsePolicy } from "../../src/policy/parse-policy.js"
import type { PolicyInput } from "../../src/policy/policy.js"

/** A limit whose cells and tables can be looked at. */
export class MadeLimit extends RecordedLimit {
  /** Every cell that says something at `nowMs`, as bytes without a pointer in them, in no order. */
  save(kind: SavedKind, nowMs: number): Uint8Array[] {
    return saveCells(this.core, this.pointer, kind, nowMs)
  }

  /** Its tables as they lie in the core's memory; without the cells of sliding logs. */
  dumpTables(): Uint8Array {
    const { stats, seed, issuerId } = this.options
    const closed = { settled: [], closedBeforeMs: 0, closedThrough: 0 }
    const head = { policy: this.policy.canonical, stats, seed, issuerId, charges: this.charges, ...closed }
    return writeDump(this.core, this.pointer, head, [])
  }

  /** Puts the tables of another limit into this one, which holds nothing and has its seed. */
  restoreTables(bytes: Uint8Array): void {
    readDumpTables(this.core, this.pointer, bytes, () => false)
  }
}

export const TABLE_OPTIONS: TableOptions = {
  maxKeys: 2 ** 32 - 1,
  onFull: "evict-nearest-full",
  stats: false,
  seed: [0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a],
  issuerId: "test",
  sharesCore: true,
}

/** A limit in a core of its own, or in a given one. */
export function makeLimit(policy: PolicyInput, options: Partial<TableOptions> = {}, core = new Core()): MadeLimit {
  return new MadeLimit(core, parsePolicy(policy), { ...TABLE_OPTIONS, ...options })
}

/** `makeLimit` for a limit that can be asked in batches. */
export function makeStandaloneLimit(
  policy: PolicyInput,
  options: Partial<TableOptions> = {},
  core = new Core(),
): StandaloneLimit {
  return new StandaloneLimit(core, parsePolicy(policy), { ...TABLE_OPTIONS, ...options })
}
