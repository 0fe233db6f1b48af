import { AdmissionBatch } from "../engine/admission-batch.js"
import { KeySet } from "../engine/key-set.js"
import { MalformedBytes } from "./byte-reader.js"
import type { LedgerState } from "./ledger-state.js"
import type { RecordDecoder } from "./record-decoder.js"
import { replayRecord } from "./replay-record.js"
import { readRecords, type Segment } from "./segment.js"
import { withMemory } from "./with-memory.js"

/**
 * Repeats the records of a log's segments in a state. Most are admissions, and most of those come in runs of one limit:
 * such a run is one call of the core, and neither an object nor a text is made for it.
 */
export class Replay {
  readonly #state: LedgerState
  /** By the number of their limit, keys that were read, and their names noted. */
  readonly #met = new Map<number, KeySet>()

  constructor(state: LedgerState) {
    this.#state = state
  }

  /**
   * @throws {MalformedBytes} where the bytes are no records, or the state decides otherwise than a record tells,
   *   {StoreUnavailable}
   */
  segment(segment: Segment): void {
    const steps = this.steps(segment)
    withMemory(this.#state.core, () => {
      while (!steps.next().done);
    })
  }

  /** `segment` in steps, which yield about how many bytes each has gone through. To be run `withMemory`. */
  *steps(segment: Segment): Generator<number, void> {
    const batch = new AdmissionBatch(this.#state.core, segment.records)
    try {
      yield* readRecords(segment, (decoder, left) => {
        const count = decoder.readAdmissions(batch, left)
        if (count === 0) return this.#repeat(decoder)
        this.#admit(decoder, batch, count)
        return count
      })
    } finally {
      batch.free()
    }
  }

  #repeat(decoder: RecordDecoder): number {
    const record = decoder.read()
    // These make the state forget names.
    if (record.op === "compact" || record.op === "remove") this.end()
    replayRecord(this.#state, record)
    return 1
  }

  #admit(decoder: RecordDecoder, batch: AdmissionBatch, count: number): void {
    const limit = this.#state.limitAt(batch.limit)
    if (limit === undefined) throw new MalformedBytes("a record names a limit that was not defined")
    this.#state.noteUses(batch, count)
    if (limit.openKeys().admitAgain(batch, count, this.#metOf(batch.limit)) < count) {
      throw new MalformedBytes("replay denies what was admitted")
    }
    const { keepsNames } = this.#state
    const { costs: areNew, spans } = batch
    for (let index = 0; index < count; index++) {
      if (areNew[index] === 0) continue
      // Read even where names are not kept, since a key that is no text makes the log corrupt.
      const key = decoder.keyAt(spans[2 * index]!, spans[2 * index + 1]!)
      if (keepsNames) limit.noteName(key)
    }
  }

  #metOf(limit: number): KeySet {
    let met = this.#met.get(limit)
    if (met === undefined) {
      met = new KeySet(this.#state.core)
      this.#met.set(limit, met)
    }
    return met
  }

  /** Gives the memory back that was used beside the state. */
  end(): void {
    for (const met of this.#met.values()) met.free()
    this.#met.clear()
  }
}
