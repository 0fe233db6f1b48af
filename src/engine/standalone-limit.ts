import { unfit } from "../policy/check-fields.js"
import { DumpError } from "../types/errors.js"
import { BatchStage } from "./batch-stage.js"
import { type Decisions, requireRoom } from "./decisions.js"
import { type DumpHead, readDumpTables, writeDump } from "./dump.js"
import { Limit } from "./limit.js"
import { packedRoom, packKeys } from "./packed-keys.js"
import { requireCosts } from "./require-cost.js"
import { loadCells, SAVED, saveCells } from "./saved-cells.js"
import type { SettledReceipts } from "./settled-receipts.js"

/**
 * The limit of a limiter by itself: with batches, and all that it holds as bytes, apart so that what makes no such limiter
 * does not ship them.
 */
export class StandaloneLimit extends Limit {
  /** Made by the first batch. */
  #stage: BatchStage | null = null

  /**
   * Asks and charges for many keys at one time, in their order.
   *
   * @param costs one for each key; 1 where not given
   * @param into where the answers go; new ones where not given
   * @throws {CostError} {KeyError} {RangeError} where any of them cannot be; then nothing has changed
   */
  checkMany(keys: readonly string[], costs: ArrayLike<number> | undefined, nowMs: number, into?: Decisions): Decisions {
    this.#requireMany(keys, costs, into)
    const pack = (bytes: Uint8Array, ends: Uint32Array) => packKeys(keys, bytes, ends)
    const keyRoom = packedRoom(keys)
    return this.#batch().ask(this.pointer, { count: keys.length, keyRoom, costs, nowMs, into, pack })
  }

  /**
   * `checkMany` for keys that are bytes already: key i is `bytes` from the end of the one before to `ends[i]`.
   *
   * @throws {CostError} {RangeError} where a key is empty or longer than 512 bytes, or a cost cannot be; then nothing
   * has changed
   */
  checkPacked(
    bytes: Uint8Array,
    ends: Uint32Array,
    costs: ArrayLike<number> | undefined,
    nowMs: number,
    into?: Decisions,
  ): Decisions {
    if (ends.length > 0 && ends[ends.length - 1]! > bytes.length) {
      throw unfit("check keys", "the last of ends", ends.at(-1), `at most ${bytes.length}`)
    }
    this.#requireMany(ends, costs, into)
    const pack = (room: Uint8Array, roomEnds: Uint32Array) => {
      room.set(bytes)
      roomEnds.set(ends)
    }
    return this.#batch().ask(this.pointer, {
      count: ends.length,
      keyRoom: bytes.length + 16,
      costs,
      nowMs,
      into,
      pack,
    })
  }

  #batch(): BatchStage {
    this.#stage ??= new BatchStage(this.core)
    return this.#stage
  }

  #requireMany(keys: ArrayLike<unknown>, costs: ArrayLike<number> | undefined, into: Decisions | undefined): void {
    requireCosts(keys, costs, this.policy.rules)
    if (into !== undefined) requireRoom(into, keys.length)
  }

  /**
   * All that is held, as bytes for `restore`.
   *
   * @param receipts which of them can no more be settled
   */
  dump(nowMs: number, receipts: Pick<SettledReceipts, "entries" | "closedBeforeMs" | "resets">): Uint8Array {
    const { canonical, rules } = this.policy
    const { stats, seed, issuerId } = this.options
    const hasLog = rules.some(({ algorithm }) => algorithm === "sliding_window_log")
    const settled = receipts.entries()
    const { closedBeforeMs, resets } = receipts
    // Which keys were reset is not told, for a dump names none: all receipts of before the last reset are closed.
    const closedThrough = resets.lastCharge
    const head = {
      policy: canonical,
      stats,
      seed,
      issuerId,
      charges: this.charges,
      settled,
      closedBeforeMs,
      closedThrough,
    }
    const cells = hasLog ? saveCells(this.core, this.pointer, SAVED.cells, nowMs) : []
    return writeDump(this.core, this.pointer, head, cells)
  }

  /**
   * Puts what a dump holds into this limit, which must hold nothing and have the dump's seed.
   *
   * @throws {DumpError} where it does not fit; this limit then holds a part of it
   */
  restore(bytes: Uint8Array, { charges }: DumpHead): void {
    const { core, pointer } = this
    readDumpTables(core, pointer, bytes, (cell) => loadCells(core, pointer, SAVED.cells, cell))
    const { maxKeys } = this.options
    if (this.size > maxKeys) throw new DumpError(`it holds ${this.size} keys, allowed are ${maxKeys} (maxKeys)`)
    this.skipChargesTo(charges)
  }
}
