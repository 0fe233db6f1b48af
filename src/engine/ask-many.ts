import type { Core } from "./core.js"
import { OUTCOME } from "./core-exports.js"
import { type Decisions, readDecisions } from "./decisions.js"
import { timeError } from "./outcome-error.js"

/*
 * Many checks in one call of the core, staged in one block of its memory:
 *
 *   │ keys │ ends u32, one a key │ costs u32, one a key │ answers, as assembly/batch.ts draws them │   each at a multiple of 8
 */
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

/** @throws {RangeError} where an end or the time cannot be; then nothing has changed */
export function askMany(core: Core, limit: number, checks: ManyChecks): Decisions {
  const { count, keyRoom, costs, nowMs, into, pack } = checks
  const { exports } = core
  const endsAt = upTo8(keyRoom)
  const costsAt = endsAt + upTo8(count * 4)
  const answersAt = costsAt + upTo8(count * 4)
  const answerBytes = exports.manyBytes(count) >>> 0
  return core.withScratch(answersAt + answerBytes, (block) => {
    const { buffer } = core.bytes
    pack(new Uint8Array(buffer, block, keyRoom), new Uint32Array(buffer, block + endsAt, count))
    if (costs !== undefined) new Uint32Array(buffer, block + costsAt, count).set(costs)
    const costsPointer = costs === undefined ? 0 : block + costsAt
    const answers = block + answersAt
    const outcome = exports.checkMany(limit, block, block + endsAt, costsPointer, count, nowMs, answers)
    if (outcome !== OUTCOME.admitted) {
      throw timeError(nowMs) ?? new RangeError("Cannot check keys: allowed are ends that rise by 1 to 512 bytes.")
    }
    return readDecisions(exports.memory.buffer, answers, count, answerBytes, into)
  })
}
