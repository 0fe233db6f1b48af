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

test("beginSave() forgets the oldest hours of too many, keeps their time closed, and the last hour whole", () => {
  const receipts = new SavedReceipts(12)
  const keepMs = 100 * HOUR_MS
  const add = (hour: number, count: number) => {
    for (let index = 0; index < count; index++) receipts.restore(`${hour}/${index}`, hour * HOUR_MS + index)
  }
  for (const [hour, count] of [
    [3, 2],
    [1, 3],
    [2, 3],
    [4, 3],
  ] as const)
    add(hour, count)
  expect(receipts.isFull).toBe(false)
  add(5, 1)
  expect(receipts.isFull).toBe(true)
  receipts.beginSave(6 * HOUR_MS, keepMs)
  const saved = receipts.saveSome(100)!.map(([id]) => id)
  // Six may stay.
  expect(saved.sort()).toEqual(["3/0", "3/1", "4/0", "4/1", "4/2", "5/0"])
  expect(receipts.closedBeforeMs).toBe(2 * HOUR_MS + 3)
  expect(receipts.isFull).toBe(false)
  add(5, 40)
  receipts.beginSave(6 * HOUR_MS, keepMs)
  expect(receipts.saveSome(100)!.map(([id]) => id)).toContain("5/0")
  expect(receipts.closedBeforeMs).toBe(4 * HOUR_MS + 3)
})

test("beginSave() forgets the same whether receipts that a change of policy closed were saved before or not", () => {
  const made = () => {
    const receipts = new SavedReceipts(4)
    for (let index = 0; index < 5; index++) receipts.restore(`1/${index}`, HOUR_MS + index)
    receipts.closeBefore(HOUR_MS + 3)
    return receipts
  }
  const live = made()
  live.beginSave(2 * HOUR_MS, 100 * HOUR_MS)
  const restored = new SavedReceipts(4)
  restored.closeBefore(live.closedBeforeMs)
  for (const [id, chargedAtMs] of live.saveSome(100)!) restored.restore(id, chargedAtMs)
  const told = [live, restored].map((receipts) => {
    for (let index = 0; index < 3; index++) receipts.restore(`2/${index}`, 2 * HOUR_MS + index)
    receipts.beginSave(5 * HOUR_MS, 100 * HOUR_MS)
    return { saved: receipts.saveSome(100), closedBeforeMs: receipts.closedBeforeMs }
  })
  expect(told[0]).toEqual(told[1])
  expect(told[0]!.saved).toEqual([])
})

test("beginSave() forgets the same whether receipts of a forgotten hour were settled while a save went on or after it", () => {
  const told = [2, 1_000].map((savedBefore) => {
    const receipts = new SavedReceipts(12)
    const keepMs = 100 * HOUR_MS
    for (let index = 0; index < 8; index++) receipts.restore(`1/${index}`, HOUR_MS + index)
    receipts.beginSave(5 * HOUR_MS, keepMs)
    receipts.saveSome(savedBefore)
    // Charged in the same hour, but after those that were forgotten.
    for (let index = 0; index < 5; index++) {
      expect(receipts.add({ id: `1b/${index}`, chargedAtMs: HOUR_MS + 1_000 + index }, 5 * HOUR_MS, keepMs)).toBe(true)
    }
    while (receipts.saveSome(1_000) !== null) {}
    for (let index = 0; index < 5; index++) receipts.restore(`2/${index}`, 2 * HOUR_MS + index)
    receipts.beginSave(6 * HOUR_MS, keepMs)
    return { saved: receipts.saveSome(100)!.map(([id]) => id), closedBeforeMs: receipts.closedBeforeMs }
  })
  expect(told[0]).toEqual(told[1])
  expect(told[0]!.saved).toEqual(["2/0", "2/1", "2/2", "2/3", "2/4"])
})
