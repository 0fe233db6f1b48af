import { expect, test } from "vitest"
import { ClosedReceipts } from "../../src/ledger/closed-receipts.js"

const HOUR_MS = 3_600_000

test("beginSave() closes no receipt that can still be settled: an hour is over with the last of its charges", () => {
  const receipts = new ClosedReceipts()
  const chargedAtMs = 2 * HOUR_MS - 1
  const nowMs = chargedAtMs + HOUR_MS
  receipts.restore("settled", chargedAtMs)
  receipts.beginSave(nowMs, HOUR_MS)
  expect(receipts.add({ id: "other", chargedAtMs }, nowMs, HOUR_MS)).toBe(true)
  expect(receipts.add({ id: "settled", chargedAtMs }, nowMs, HOUR_MS)).toBe(false)
})
