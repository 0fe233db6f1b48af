import { expect, test } from "vitest"
import { RecentIds } from "../../src/metrics/recent-ids.js"

/** So many are remembered at least, and twice as many at most. */
const GENERATION = 8_192

test("isRepeated() remembers the last 8,192 ids, and forgets those of long ago", () => {
  const ids = new RecentIds()
  const tell = (first: number, count: number) => {
    for (let id = first; id < first + count; id++) expect(ids.isRepeated(`r${id}`)).toBe(false)
  }
  tell(0, GENERATION + 1)
  expect(ids.isRepeated("r0")).toBe(true)
  expect(ids.isRepeated("r1")).toBe(true)
  tell(GENERATION + 1, GENERATION)
  expect(ids.isRepeated("r0")).toBe(false)
})

test("isRepeated() knows no id of what was not admitted", () => {
  const ids = new RecentIds()
  expect([ids.isRepeated(undefined), ids.isRepeated(undefined)]).toEqual([false, false])
})
