import { ByteReader, MalformedBytes } from "./byte-reader.js"
import type { LedgerState } from "./ledger-state.js"
import { loadPiece } from "./saved-limit.js"
import { withMemory } from "./with-memory.js"

/**
 * Makes a new state what a `StateSave` told.
 *
 * @throws {MalformedBytes} {PolicyError} where the bytes cannot be a state's, {StoreUnavailable}
 */
export function loadState(state: LedgerState, bytes: Uint8Array): void {
  const steps = loadSteps(state, bytes)
  withMemory(state.core, () => {
    while (!steps.next().done);
  })
}

/** `loadState` in steps, which yield how many bytes each has read. To be run `withMemory`. */
export function* loadSteps(state: LedgerState, bytes: Uint8Array): Generator<number, void> {
  const reader = new ByteReader(bytes)
  const head = {
    timeMs: reader.f64(),
    sync: reader.varint(),
    numbers: reader.varint(),
    chargesAfter: reader.varint(),
  }
  const limitAt = (number: number) => {
    const limit = state.limitAt(number)
    if (limit === undefined) throw new MalformedBytes("it tells of a limit that it has not named")
    return limit
  }
  yield* state.restore(head, function* (add) {
    const home = { keepsNames: state.keepsNames, add, limitAt }
    while (!reader.atEnd) {
      const { at } = reader
      loadPiece(reader, home)
      yield reader.at - at
    }
  })
}
