import type { Core } from "./core.js"
import { OUTCOME } from "./core-exports.js"
import { columnsAt, copyDecisions, type Decisions } from "./decisions.js"
import { timeError } from "./outcome-error.js"

const upTo8 = (bytes: number) => (bytes + 7) & ~7

/** Checks that are made at one time. */
export interface ManyChecks {
  readonly count: number
  /** Bytes for the keys and for what a hash reads past the last. */
  readonly keyRoom: number
  /** One for each key, in range; 1 where not given. */
  readonly costs: ArrayLike<number> | undefined
  readonly nowMs: number
  /** With room for the answers; new ones where not given. */
  readonly into: Decisions | undefined
  /** Writes the keys and where each ends. */
  readonly pack: (bytes: Uint8Array, ends: Uint32Array) => void
}

/*
 * Many checks in one call of the core, staged in one block of its memory:
 *
 *   │ answers, as assembly/batch.ts draws them │ ends u32, one a key │ costs u32, one a key │ keys │   each at a multiple of 8
 *
 * Seen as typed arrays, which are of use while the memory does not grow.
 */
interface Views {
  readonly buffer: ArrayBuffer
  readonly block: number
  readonly count: number
  readonly answers: Decisions
  readonly ends: Uint32Array
  readonly costs: Uint32Array
  /** Ends where the room for keys does: what an array tells of itself may change while it is packed. */
  readonly keys: Uint8Array
}

/** Asks a core many checks at a time. A batch of as many as the one before finds its views of the memory. */
export class BatchStage {
  readonly #core: Core
  #views: Views | null = null

  constructor(core: Core) {
    this.#core = core
  }

  /** @throws {RangeError} where an end or the time cannot be; then nothing has changed */
  ask(limit: number, { count, keyRoom, costs, nowMs, into, pack }: ManyChecks): Decisions {
    const { exports } = this.#core
    const answerBytes = upTo8(exports.manyBytes(count) >>> 0)
    const columnBytes = upTo8(count * 4)
    return this.#core.withScratch(answerBytes + 2 * columnBytes + keyRoom, (block) => {
      const view = () => this.#viewsAt(block, count, block + answerBytes, columnBytes, keyRoom)
      const { ends, costs: column, keys } = view()
      pack(keys, ends)
      if (costs !== undefined) column.set(costs)
      const costsAt = costs === undefined ? 0 : column.byteOffset
      const outcome = exports.checkMany(limit, keys.byteOffset, ends.byteOffset, costsAt, count, nowMs, block)
      if (outcome !== OUTCOME.admitted) {
        throw timeError(nowMs) ?? new RangeError("Cannot check keys: allowed are ends that rise by 1 to 512 bytes.")
      }
      // The call may have made the memory grow.
      const { buffer, answers } = view()
      if (into !== undefined) return copyDecisions(answers, into)
      return columnsAt(buffer.slice(block, block + answerBytes), 0, count)
    })
  }

  #viewsAt(block: number, count: number, endsAt: number, columnBytes: number, keyRoom: number): Views {
    const { buffer } = this.#core.exports.memory
    const known = this.#views
    const isKnown = known?.buffer === buffer && known.block === block && known.count === count
    if (isKnown && known.keys.length === keyRoom) return known
    const keys = new Uint8Array(buffer, endsAt + 2 * columnBytes, keyRoom)
    this.#views = isKnown
      ? { ...known, keys }
      : {
          buffer,
          block,
          count,
          answers: columnsAt(buffer, block, count),
          ends: new Uint32Array(buffer, endsAt, count),
          costs: new Uint32Array(buffer, endsAt + columnBytes, count),
          keys,
        }
    return this.#views
  }
}
