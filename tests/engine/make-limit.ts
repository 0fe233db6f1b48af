import { Core } from "../../src/engine/core.js"
import { RecordedLimit } from "../../src/engine/recorded-limit.js"
import { type SavedKind, saveCells } from "../../src/engine/saved-cells.js"
import type { TableOptions } from "../../src/engine/table-options.js"
import { parsePolicy } from "../../src/policy/parse-policy.js"
import type { PolicyInput } from "../../src/policy/policy.js"

/** A limit whose cells can be looked at one by one. */
export class MadeLimit extends RecordedLimit {
  /** Every cell that says something at `nowMs`, as bytes without a pointer in them, in no order. */
  save(kind: SavedKind, nowMs: number): Uint8Array[] {
    return saveCells(this.core, this.pointer, kind, nowMs)
  }
}

/** A limit in a core of its own, or in a given one. */
export function makeLimit(policy: PolicyInput, options: Partial<TableOptions> = {}, core = new Core()): MadeLimit {
  return new MadeLimit(core, parsePolicy(policy), {
    maxKeys: 2 ** 32 - 1,
    onFull: "evict-nearest-full",
    stats: false,
    seed: [0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a],
    issuerId: "test",
    sharesCore: true,
    ...options,
  })
}
