import { afterEach, expect, test, vi } from "vitest"
import { KeptAnswers } from "../../worker/api/kept-answers.js"

afterEach(() => {
  vi.useRealTimers()
})

test("ask() reads anew where the clock was set back to before the answer was read", () => {
  vi.useFakeTimers({ toFake: ["Date"], now: 1_000_000 })
  const answers = new KeptAnswers()
  let scans = 0
  const ask = () => answers.ask("q", () => ({ rows: [++scans], rowsRead: 100 }))
  expect([ask(), ask()]).toEqual([[1], [1]])
  vi.setSystemTime(1_000_000 - 3_600_000)
  expect([ask(), ask()]).toEqual([[2], [2]])
})
