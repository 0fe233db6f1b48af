import { randomId, randomSeed, type Seed } from "../engine/seed.js"
import { beginRow, KIND, openRow, type Sealed, sealRow } from "./envelope.js"
import type { LedgerPort } from "./sql-port.js"

/** What a ledger is from its first day on: its identity, and the seed under which its cells are kept. */
export interface Meta {
  readonly id: string
  readonly seed: Seed
}

export const META_ROW = "the meta row"

/** A new ledger's identity. */
export function newMeta(): Meta {
  return { id: randomId(), seed: randomSeed() }
}

export function writeMeta(port: LedgerPort, { id, seed }: Meta): Promise<Sealed> {
  const row = beginRow(KIND.meta)
  row.text(id)
  for (const word of seed) row.u32(word)
  return sealRow(port, row)
}

/** @throws {StoreCorrupt} {StoreVersion} */
export function readMeta(port: LedgerPort, body: Uint8Array): Promise<{ content: Meta; hash: Uint8Array }> {
  return openRow(port, META_ROW, KIND.meta, body, (reader) => ({
    id: reader.text(),
    seed: [reader.u32(), reader.u32(), reader.u32(), reader.u32()] as const,
  }))
}
