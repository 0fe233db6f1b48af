import { unfit } from "../policy/require-fields.js"
import { DumpError } from "../types/errors.js"
import { BatchStage } from "./batch-stage.js"
import { type Decisions, requireRoom } from "./decisions.js"
import { type DumpHead, readDumpTables, writeDump } from "./dump.js"
import { MemoryLimit } from "./memory-limit.js"
import { packedRoom, packKeys } from "./packed-keys.js"
import { requireCosts } from "./require-cost.js"
import { loadCells, SAVED, saveCells } from "./saved-cells.js"
import { settleWithinMs } from "./settlement.js"

/**
 * The limit of a limiter by itself: with batches, and all that it holds as bytes, apart so that what makes no such
 * limiter does not ship them.
 */
export class StandaloneLimit extends MemoryLimit {
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

  /** All that is held but the ids of calls, as bytes for `restore`. */
  dump(nowMs: number): Uint8Array {
    const { core, pointer, policy, charges, settled, options } = this
    const { stats, seed, issuerId } = options
    const keepMs = settleWithinMs(policy)
    settled.prune(nowMs, keepMs)
    settled.forgetResets(nowMs, keepMs)
    const hasLog = policy.rules.some(({ algorithm }) => algorithm === "sliding_window_log")
    const head = {
      policy: policy.canonical,
      stats,
      seed,
      issuerId,
      charges,
      settled: settled.entries(),
      closedBeforeMs: settled.closedBeforeMs,
      // Which keys were reset is not told, for a dump names none: all receipts of before the last reset are closed.
      closedThrough: settled.resets.lastCharge,
    }
    const cells = hasLog ? saveCells(core, pointer, SAVED.cells, nowMs) : []
    return writeDump(core, pointer, head, cells)
  }

  /**
   * Puts what a dump holds into this limit, which must hold nothing and have the dump's seed.
   *
   * @throws {DumpError} where it does not fit; this limit then holds a part of it
   */
  restore(bytes: Uint8Array, head: DumpHead): void {
    const { core, pointer, settled, options } = this
    readDumpTables(core, pointer, bytes, (cell) => loadCells(core, pointer, SAVED.cells, cell))
    const { maxKeys } = options
    if (this.size > maxKeys) throw new DumpError(`it holds ${this.size} keys, allowed are ${maxKeys} (maxKeys)`)
    this.skipChargesTo(head.charges)
    for (const [id, chargedAtMs] of head.settled) settled.restore(id, chargedAtMs)
    settled.closeBefore(head.closedBeforeMs)
    settled.resets.closeThrough(head.closedThrough)
  }
}
