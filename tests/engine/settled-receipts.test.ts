import { expect, test } from "vitest"
import { MAX_SETTLED, SettledReceipts } from "../../src/engine/settled-receipts.js"

const KEEP_MS = 1_000

test("add() keeps a receipt closed that was dropped as too old, where a longer policy would take it again", () => {
  const settled = new SettledReceipts()
  expect(settled.add({ id: "first", chargedAtMs: 0 }, 0, KEEP_MS)).toBe(true)
  for (let index = 0; index < 1_100; index++) {
    expect(settled.add({ id: `${index}`, chargedAtMs: 5_000 }, 5_000, KEEP_MS)).toBe(true)
  }
  expect(settled.entries().some(([id]) => id === "first")).toBe(false)
  expect(settled.add({ id: "first", chargedAtMs: 0 }, 5_000, 100 * KEEP_MS)).toBe(false)
  expect(settled.add({ id: "later", chargedAtMs: 1 }, 5_000, 100 * KEEP_MS)).toBe(true)
})

test("add() takes a receipt in the last millisecond of its time", () => {
  const settled = new SettledReceipts()
  expect(settled.add({ id: "last", chargedAtMs: 0 }, KEEP_MS, KEEP_MS)).toBe(true)
  expect(settled.add({ id: "late", chargedAtMs: 0 }, KEEP_MS + 1, KEEP_MS)).toBe(false)
})

test("add() drops the oldest charges of too many, whatever the order, and keeps all of their time closed", () => {
  const settled = new SettledReceipts()
  const keepMs = 10 * MAX_SETTLED
  for (let chargedAtMs = MAX_SETTLED; chargedAtMs > 0; chargedAtMs--) {
    settled.add({ id: `${chargedAtMs}`, chargedAtMs }, MAX_SETTLED, keepMs)
  }
  const dropped = MAX_SETTLED / 4
  expect(settled.entries()).toHaveLength(MAX_SETTLED - dropped)
  expect(settled.closedBeforeMs).toBe(dropped + 1)
  expect(settled.add({ id: "of their time", chargedAtMs: dropped }, MAX_SETTLED, keepMs)).toBe(false)
  expect(settled.add({ id: "later", chargedAtMs: dropped + 1 }, MAX_SETTLED, keepMs)).toBe(true)
  expect(settled.add({ id: `${dropped + 1}`, chargedAtMs: dropped + 1 }, MAX_SETTLED, keepMs)).toBe(false)
})

test("add() drops too many of one time as well", () => {
  const settled = new SettledReceipts()
  for (let number = 0; number < MAX_SETTLED; number++) settled.add({ id: `${number}`, chargedAtMs: 5 }, 5, KEEP_MS)
  expect(settled.entries()).toHaveLength(0)
  expect(settled.add({ id: "0", chargedAtMs: 5 }, 5, KEEP_MS)).toBe(false)
})

test("add() looks at all that are held once for each quarter of the most, though few of them are too old", () => {
  const settled = new SettledReceipts()
  const add = (chargedAtMs: number) => settled.add({ id: `${chargedAtMs}`, chargedAtMs }, chargedAtMs, MAX_SETTLED - 10)
  for (let nowMs = 0; nowMs < MAX_SETTLED; nowMs++) add(nowMs)
  // Each time some are dropped, and all of their time are closed.
  let times = 0
  let closedBeforeMs = settled.closedBeforeMs
  for (let nowMs = MAX_SETTLED; nowMs < 2 * MAX_SETTLED; nowMs++) {
    add(nowMs)
    if (settled.closedBeforeMs !== closedBeforeMs) times += 1
    closedBeforeMs = settled.closedBeforeMs
  }
  expect(times).toBe(4)
})
