import { expect, test } from "vitest"
import { SettledReceipts } from "../../src/engine/settled-receipts.js"

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
