import { expect, test } from "vitest"
import { LEAST_RESET, MOST_RESET, ResetKeys } from "../../src/engine/reset-keys.js"
import { SettledReceipts } from "../../src/engine/settled-receipts.js"

test("has() knows what a key was charged before its last reset", () => {
  const resets = new ResetKeys()
  expect(resets.has("a", 1)).toBe(false)
  resets.add("a", { charge: 2, timeMs: 5 })
  resets.add("b", { charge: 3, timeMs: 6 })
  expect([1, 2, 3].map((charge) => resets.has("a", charge))).toEqual([true, true, false])
  resets.add("a", { charge: 7, timeMs: 4 })
  expect([resets.has("a", 7), resets.has("b", 4), resets.latestMs]).toEqual([true, false, 6])
  expect(resets.entries().map(([key]) => key)).toEqual(["b", "a"])
})

test("forgetResets() forgets the first of what is too old beyond the least, and of too many, and closes all of their time", () => {
  const settled = new SettledReceipts()
  const isOpen = (chargedAtMs: number) => settled.isOpen({ id: "x", chargedAtMs }, 0, 1_000)
  for (let timeMs = 0; timeMs < LEAST_RESET + 2; timeMs++) {
    settled.resets.add(`${timeMs}`, { charge: timeMs + 1, timeMs })
  }
  settled.forgetResets(1_001, 1_000, LEAST_RESET)
  expect([settled.resets.has("0", 1), settled.resets.has("1", 1), isOpen(0), isOpen(1)]).toEqual([
    false,
    true,
    false,
    true,
  ])
  settled.forgetResets(1_011, 1_000)
  expect([settled.resets.has("10", 1), settled.resets.has("11", 1), isOpen(10), isOpen(11)]).toEqual([
    false,
    true,
    false,
    true,
  ])
  for (let timeMs = 2_000; timeMs < 2_000 + MOST_RESET; timeMs++) {
    settled.resets.add(`${timeMs}`, { charge: timeMs, timeMs })
  }
  settled.forgetResets(0, 1_000, LEAST_RESET)
  expect(settled.resets.entries()).toHaveLength(MOST_RESET)
  expect([settled.resets.has("2000", 1), isOpen(LEAST_RESET + 1), isOpen(LEAST_RESET + 2)]).toEqual([true, false, true])
})
