import { ByteReader, MalformedBytes } from "./byte-reader.js"
import { FORMAT } from "./envelope.js"
import type { AddLimit, LedgerState } from "./ledger-state.js"
import type { OwnLimit } from "./own-limit.js"
import { loadOldLimit, loadPiece, type PieceReader } from "./saved-limit.js"
import { SYNC_NUMBER } from "./sync-mode.js"
import { withMemory } from "./with-memory.js"

/** The first format in which charges skip numbers. */
const FIRST_SKIPPING_FORMAT = 5

/**
 * Makes a new state what a `StateSave` told, or what was written in an older format:
 *
 *   format 1   │ time of the last record f64 │ count varint │ limits … │
 *   format 2   │ time f64 │ sync mode varint │ numbers given so far varint │ count varint │ number varint, limit … │
 *   formats 3, 4   as a `StateSave` tells, without the number of charges, and without gaps in the pieces
 *
 * @param format that of the snapshot
 * @throws {MalformedBytes} {PolicyError} where the bytes cannot be a state's, {StoreUnavailable}
 */
export function loadState(state: LedgerState, bytes: Uint8Array, format = FORMAT): void {
  const reader = new ByteReader(bytes)
  const timeMs = reader.f64()
  const sync = format > 1 ? reader.varint() : SYNC_NUMBER.always
  const numbers = format > 1 ? reader.varint() : 0
  const chargesAfter = format < FIRST_SKIPPING_FORMAT ? 0 : reader.varint()
  const { keepsNames } = state
  withMemory(state.core, () =>
    state.restore({ timeMs, sync, numbers, chargesAfter }, (add) => {
      if (format > 2) loadPieces(reader, format, add, { keepsNames, savedAtMs: timeMs })
      else loadOld(reader, format, add, keepsNames)
    }),
  )
}

function loadPieces(
  reader: ByteReader,
  format: number,
  add: AddLimit,
  about: Pick<PieceReader, "keepsNames" | "savedAtMs">,
): void {
  const limits = new Map<number, OwnLimit>()
  const home = {
    ...about,
    hasGaps: format >= FIRST_SKIPPING_FORMAT,
    add: (number: number, name: string, policy: string) => {
      const limit = add(number, name, policy)
      limits.set(number, limit)
      return limit
    },
    limitAt: (number: number) => {
      const limit = limits.get(number)
      if (limit === undefined) throw new MalformedBytes("it tells of a limit that it has not named")
      return limit
    },
  }
  while (!reader.atEnd) loadPiece(reader, home)
}

function loadOld(reader: ByteReader, format: number, add: AddLimit, keepsNames: boolean): void {
  let next = 0
  for (let left = reader.varint(); left > 0; left--) {
    const number = format > 1 ? reader.varint() : next++
    loadOldLimit(reader, add(number, reader.text(), reader.text()), format, keepsNames)
  }
  if (!reader.atEnd) throw new MalformedBytes("it goes on after its end")
}
