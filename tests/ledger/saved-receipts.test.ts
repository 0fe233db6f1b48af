import { expect, test } from "vitest"
import { ByteReader } from "../../src/ledger/byte-reader.js"
import { ByteWriter } from "../../src/ledger/byte-writer.js"
import { CHUNK_CHARGES, ChargeChunk } from "../../src/ledger/charge-chunk.js"
import { SavedReceipts } from "../../src/ledger/saved-receipts.js"

const HOUR_MS = 3_600_000
const LONG_MS = 100 * HOUR_MS
/** What a chunk of one charge takes. */
const CHUNK_BYTES = bytesOf([1])

function bytesOf(charges: readonly number[]): number {
  const receipts = new SavedReceipts()
  settle(receipts, charges, 0)
  return receipts.bytes
}

/** Settles the receipts of charges, all of a time. */
function settle(receipts: SavedReceipts, charges: readonly number[], chargedAtMs: number): void {
  for (const charge of charges)
    expect(receipts.add({ chargeNumber: charge, chargedAtMs }, chargedAtMs, LONG_MS)).toBe(true)
}

/** The first charge of a chunk. */
const first = (index: number) => index * CHUNK_CHARGES

/** What is left of a save, as a snapshot gives it back. */
function saved(receipts: SavedReceipts): ChargeChunk[] {
  const chunks: ChargeChunk[] = []
  for (let chunk = receipts.saveNext(); chunk !== undefined; chunk = receipts.saveNext()) {
    const writer = new ByteWriter()
    chunk.write(writer)
    chunks.push(ChargeChunk.read(new ByteReader(writer.written)))
  }
  return chunks
}

const indexesOf = (chunks: readonly ChargeChunk[]) => chunks.map(({ index }) => index)

test("beginSave() closes no receipt that can still be settled", () => {
  const receipts = new SavedReceipts()
  settle(receipts, [1], HOUR_MS)
  receipts.beginSave(2 * HOUR_MS, HOUR_MS)
  expect(receipts.add({ chargeNumber: 2, chargedAtMs: HOUR_MS }, 2 * HOUR_MS, HOUR_MS)).toBe(true)
  expect(receipts.add({ chargeNumber: 1, chargedAtMs: HOUR_MS }, 2 * HOUR_MS, HOUR_MS)).toBe(false)
  receipts.beginSave(2 * HOUR_MS + 1, HOUR_MS)
  expect(receipts.has(1)).toBe(false)
  // A clock that is set back opens none of them.
  for (const charge of [1, 3]) {
    expect(receipts.add({ chargeNumber: charge, chargedAtMs: HOUR_MS }, 2 * HOUR_MS, HOUR_MS)).toBe(false)
  }
})

test("beginSave() remembers all of a chunk as long as the latest charge in it could be settled", () => {
  const receipts = new SavedReceipts()
  settle(receipts, [1], 0)
  settle(receipts, [2], HOUR_MS)
  settle(receipts, [first(1)], 0)
  receipts.beginSave(2 * HOUR_MS, HOUR_MS)
  expect([1, 2, first(1)].map((charge) => receipts.has(charge))).toEqual([true, true, false])
  expect(receipts.closedBeforeMs).toBe(1)
})

test("add() forgets no receipt that is too old, however many there are, before a save begins", () => {
  const receipts = new SavedReceipts()
  receipts.add({ chargeNumber: 1, chargedAtMs: 0 }, 0, HOUR_MS)
  const nowMs = 3 * HOUR_MS
  for (let index = 1; index <= 300; index++)
    receipts.add({ chargeNumber: first(index), chargedAtMs: nowMs }, nowMs, HOUR_MS)
  expect(receipts.has(1)).toBe(true)
  expect(receipts.closedBeforeMs).toBe(0)
  receipts.beginSave(nowMs, HOUR_MS)
  expect(saved(receipts)).toHaveLength(300)
  expect(receipts.saveNext()).toBe(undefined)
  expect(receipts.has(1)).toBe(false)
  expect(receipts.closedBeforeMs).toBe(1)
})

test("a save tells what was settled when it began, and none of those that are settled while it goes on", () => {
  const receipts = new SavedReceipts()
  for (const begin of [() => receipts.beginSave(0, LONG_MS), () => receipts.beginCopy()]) {
    const before = receipts.chunks.length
    for (const index of [0, 1, 2]) settle(receipts, [first(index) + 10 * (before + 1)], 2)
    begin()
    const one = receipts.saveNext()!
    for (const index of [0, 1, 2, 3]) settle(receipts, [first(index) + 10 * (before + 1) + 5], 1)
    const chunks = [one, ...saved(receipts)]
    const indexes = before === 0 ? [0, 1, 2] : [0, 1, 2, 3]
    expect(indexesOf(chunks)).toEqual(indexes)
    // The first one was told before: what it held was written then.
    for (const chunk of chunks.slice(1)) expect(chunk.has(10 * (before + 1) + 5)).toBe(false)
    for (const index of [0, 1, 2, 3]) expect(receipts.has(first(index) + 10 * (before + 1) + 5)).toBe(true)
    // Those that were settled meanwhile were charged earlier.
    expect(receipts.chunks.map(({ latestMs }) => latestMs)).toEqual([2, 2, 2, 1])
  }
})

test("beginSave() forgets the oldest chunks of too many, keeps their time closed, and those of the last hour", () => {
  const receipts = new SavedReceipts(6 * CHUNK_BYTES)
  // The clock was set back: the time of the first chunk is the latest but one.
  for (const [index, hour] of [4, 1, 2, 3, 5].entries()) settle(receipts, [first(index)], hour * HOUR_MS)
  expect(receipts.isFull).toBe(false)
  settle(receipts, [first(5)], 5 * HOUR_MS + 1)
  expect(receipts.isFull).toBe(true)
  receipts.beginSave(6 * HOUR_MS, LONG_MS)
  // Three may stay.
  expect(indexesOf(saved(receipts))).toEqual([0, 4, 5])
  expect(receipts.closedBeforeMs).toBe(3 * HOUR_MS + 1)
  expect(receipts.isFull).toBe(false)
  for (let index = 6; index < 40; index++) settle(receipts, [first(index)], 5 * HOUR_MS + 2)
  receipts.beginSave(6 * HOUR_MS, LONG_MS)
  expect(indexesOf(saved(receipts)).slice(0, 2)).toEqual([4, 5])
  expect(receipts.closedBeforeMs).toBe(4 * HOUR_MS + 1)
  expect(receipts.isFull).toBe(true)
  receipts.beginSave(6 * HOUR_MS + 2, LONG_MS)
  expect(indexesOf(saved(receipts))).toEqual(Array.from({ length: 34 }, (_, index) => index + 6))
})

test("no receipt settles twice, nor one of a time that was closed, whatever was forgotten", () => {
  const receipts = new SavedReceipts(4 * CHUNK_BYTES)
  const all = Array.from({ length: 40 }, (_, hour) => ({ chargeNumber: first(hour) + 1, chargedAtMs: hour * HOUR_MS }))
  for (const { chargeNumber, chargedAtMs } of all) {
    settle(receipts, [chargeNumber], chargedAtMs)
    receipts.beginSave(chargedAtMs, LONG_MS)
    expect(receipts.bytes).toBeLessThanOrEqual(2 * CHUNK_BYTES)
  }
  for (const receipt of all) expect(receipts.add(receipt, 40 * HOUR_MS, LONG_MS)).toBe(false)
  expect(receipts.add({ chargeNumber: 5, chargedAtMs: 0 }, 40 * HOUR_MS, LONG_MS)).toBe(false)
})

test("beginSave() forgets the same of what a snapshot gave back, whatever a change of policy closed", () => {
  const live = new SavedReceipts(6 * CHUNK_BYTES)
  for (const index of [0, 1, 2]) settle(live, [first(index)], HOUR_MS + index)
  live.closeBefore(HOUR_MS + 1)
  live.beginSave(2 * HOUR_MS, LONG_MS)
  // None was one too many.
  expect(indexesOf(live.chunks)).toEqual([1, 2])
  const restored = new SavedReceipts(6 * CHUNK_BYTES)
  restored.closeBefore(live.closedBeforeMs)
  for (const chunk of saved(live)) restored.restore(chunk)
  const told = [live, restored].map((receipts) => {
    for (const index of [1, 2, 3, 4]) settle(receipts, [first(index) + 1], 2 * HOUR_MS + index)
    receipts.beginSave(5 * HOUR_MS, LONG_MS)
    const { bytes, closedBeforeMs } = receipts
    return { saved: saved(receipts).map(({ index, latestMs }) => [index, latestMs]), closedBeforeMs, bytes }
  })
  expect(told[0]).toEqual(told[1])
  expect(told[0]!.saved).toEqual([
    [2, 2 * HOUR_MS + 2],
    [3, 2 * HOUR_MS + 3],
    [4, 2 * HOUR_MS + 4],
  ])
})

test("beginSave() forgets the same whether receipts of a forgotten chunk were settled while a save went on or after it", () => {
  const told = [1, 100].map((savedBefore) => {
    const receipts = new SavedReceipts(6 * CHUNK_BYTES)
    for (let index = 0; index < 5; index++) settle(receipts, [first(index)], HOUR_MS + index)
    receipts.beginSave(5 * HOUR_MS, LONG_MS)
    for (let count = 0; count < savedBefore; count++) receipts.saveNext()
    // Of chunks that were forgotten, that were told and that were not, charged after those that were forgotten.
    for (let index = 0; index < 5; index++) settle(receipts, [first(index) + 1], 2 * HOUR_MS + index)
    while (receipts.saveNext() !== undefined);
    receipts.beginSave(6 * HOUR_MS, LONG_MS)
    return { saved: indexesOf(saved(receipts)), closedBeforeMs: receipts.closedBeforeMs }
  })
  expect(told[0]).toEqual(told[1])
  expect(told[0]).toEqual({ saved: [2, 3, 4], closedBeforeMs: 2 * HOUR_MS + 2 })
})
