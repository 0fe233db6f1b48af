import { expect, test } from "vitest"
import { MalformedBytes } from "../../src/ledger/byte-reader.js"
import { ChargeGaps } from "../../src/ledger/charge-gaps.js"

test("has() tells the numbers that were skipped from those before, between and after", () => {
  const gaps = new ChargeGaps()
  expect(gaps.has(1)).toBe(false)
  gaps.skip({ after: 3, through: 10 })
  gaps.skip({ after: 12, through: 13 })
  const skipped = Array.from({ length: 15 }, (_, charge) => charge).filter((charge) => gaps.has(charge))
  expect(skipped).toEqual([4, 5, 6, 7, 8, 9, 10, 13])
})

test("skip() makes a gap longer where nothing was charged since", () => {
  const gaps = new ChargeGaps()
  gaps.skip({ after: 3, through: 10 })
  gaps.skip({ after: 10, through: 20 })
  expect(gaps.all).toEqual([{ after: 3, through: 20 }])
})

test("skip() beyond 64 gaps skips all before the end of the second one, and no more", () => {
  const gaps = new ChargeGaps()
  for (let gap = 1; gap <= 65; gap++) gaps.skip({ after: 10 * gap, through: 10 * gap + 5 })
  expect(gaps.all).toHaveLength(64)
  expect(gaps.all.slice(0, 2)).toEqual([
    { after: 0, through: 25 },
    { after: 30, through: 35 },
  ])
  expect([1, 16, 25, 26, 30].map((charge) => gaps.has(charge))).toEqual([true, true, true, false, false])
})

test.each([
  ["go back", { after: 9, through: 12 }],
  ["are none", { after: 10, through: 10 }],
  ["end before they begin", { after: 12, through: 11 }],
])("skip() throws MalformedBytes where the numbers %s", (_, gap) => {
  const gaps = new ChargeGaps()
  gaps.skip({ after: 3, through: 10 })
  expect(() => gaps.skip(gap)).toThrow(MalformedBytes)
  expect(gaps.all).toEqual([{ after: 3, through: 10 }])
})
