import { expect, test } from "vitest"
import { SavedReceipts } from "../../src/ledger/saved-receipts.js"

const HOUR_MS = 3_600_000

test("beginSave() closes no receipt that can still be settled: an hour is over with the last of its charges", () => {
  const receipts = new SavedReceipts()
  const chargedAtMs = 2 * HOUR_MS - 1
  const nowMs = chargedAtMs + HOUR_MS
  receipts.restore("settled", chargedAtMs)
  receipts.beginSave(nowMs, HOUR_MS)
  expect(receipts.add({ id: "other", chargedAtMs }, nowMs, HOUR_MS)).toBe(true)
  expect(receipts.add({ id: "settled", chargedAtMs }, nowMs, HOUR_MS)).toBe(false)
})

test("add() forgets no receipt that is too old, however many there are, before a save begins", () => {
  const receipts = new SavedReceipts()
  receipts.add({ id: "first", chargedAtMs: 0 }, 0, HOUR_MS)
  const nowMs = 3 * HOUR_MS
  for (let index = 0; index < 3_000; index++) receipts.add({ id: `${index}`, chargedAtMs: nowMs }, nowMs, HOUR_MS)
  expect(receipts.has("first")).toBe(true)
  expect(receipts.closedBeforeMs).toBe(0)
  receipts.beginSave(nowMs, HOUR_MS)
  const saved = Array.from({ length: 2 }, () => receipts.saveSome(2_000)!.length)
  expect(saved).toEqual([1_999, 1_001])
  expect(receipts.saveSome(2_000)).toBe(null)
  expect(receipts.has("first")).toBe(false)
  expect(receipts.closedBeforeMs).toBe(1)
})
