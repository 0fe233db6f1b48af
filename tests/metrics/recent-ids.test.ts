import { expect, test } from "vitest"
import { RecentIds } from "../../src/metrics/recent-ids.js"

/** So many are remembered at least, and twice as many at most. */
const GENERATION = 8_192

test("noteRepeat() remembers the last 8,192 ids, and forgets those of long ago", () => {
  const ids = new RecentIds()
  const tell = (first: number, count: number) => {
    for (let id = first; id < first + count; id++) expect(ids.noteRepeat(`r${id}`)).toBe(false)
  }
  tell(0, GENERATION + 1)
  expect(ids.noteRepeat("r0")).toBe(true)
  expect(ids.noteRepeat("r1")).toBe(true)
  tell(GENERATION + 1, GENERATION)
  expect(ids.noteRepeat("r0")).toBe(false)
})
