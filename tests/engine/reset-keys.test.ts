import { expect, test } from "vitest"
import { LEAST_RESET, MAX_RESET, ResetKeys } from "../../src/engine/reset-keys.js"
import { SettledReceipts } from "../../src/engine/settled-receipts.js"

test("has() knows what a key was charged before its last reset", () => {
  const resets = new ResetKeys()
  expect(resets.has("a", 1)).toBe(false)
  resets.add("a", { chargeNumber: 2, timeMs: 5 })
  resets.add("b", { chargeNumber: 3, timeMs: 6 })
  expect([1, 2, 3].map((charge) => resets.has("a", charge))).toEqual([true, true, false])
  resets.add("a", { chargeNumber: 7, timeMs: 4 })
  expect([resets.has("a", 7), resets.has("b", 4), resets.lastCharge]).toEqual([true, false, 7])
  expect(resets.entries().map(([key]) => key)).toEqual(["b", "a"])
})

test("forgetResets() forgets the first of what is too old beyond the least, and of too many, and keeps closed what was charged before", () => {
  const settled = new SettledReceipts()
  const isClosed = (...charges: number[]) => charges.map((charge) => settled.resets.has("any", charge))
  for (let timeMs = 0; timeMs < LEAST_RESET + 2; timeMs++) {
    settled.resets.add(`${timeMs}`, { chargeNumber: timeMs + 1, timeMs })
  }
  settled.forgetResets(1_001, 1_000, LEAST_RESET)
  expect(isClosed(1, 2)).toEqual([true, false])
  expect(settled.resets.has("1", 2)).toBe(true)
  settled.forgetResets(1_011, 1_000)
  expect(isClosed(11, 12)).toEqual([true, false])
  for (let timeMs = 2_000; timeMs < 2_000 + MAX_RESET; timeMs++) {
    settled.resets.add(`${timeMs}`, { chargeNumber: timeMs, timeMs })
  }
  settled.forgetResets(0, 1_000, LEAST_RESET)
  expect(settled.resets.entries()).toHaveLength(1 + MAX_RESET)
  expect(isClosed(LEAST_RESET + 2, LEAST_RESET + 3)).toEqual([true, false])
})

test("entries() tells all there is to know", () => {
  const resets = new ResetKeys()
  expect(resets.entries()).toEqual([])
  resets.closeThrough(4)
  resets.add("a", { chargeNumber: 9, timeMs: 1 })
  const again = new ResetKeys()
  for (const [key, chargeNumber, timeMs] of resets.entries()) again.add(key, { chargeNumber, timeMs })
  expect([again.has("b", 4), again.has("b", 5), again.has("a", 9), again.lastCharge]).toEqual([true, false, true, 9])
  expect(again.entries()).toEqual(resets.entries())
})
