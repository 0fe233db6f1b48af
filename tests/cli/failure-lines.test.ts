import { afterEach, beforeEach, expect, test, vi } from "vitest"
import { FailureLines } from "../../src/cli/failure-lines.node.js"
import { StoreUnavailable } from "../../src/types/errors.js"

const FULL = new StoreUnavailable("a commit failed: database or disk is full")
const WHY = "Cannot reach the store: a commit failed: database or disk is full."

let lines: string[]
let failures: FailureLines

beforeEach(() => {
  vi.useFakeTimers()
  lines = []
  failures = new FailureLines((line) => lines.push(line))
})
afterEach(() => vi.useRealTimers())

test("the first failure is told at once, and those that follow together, ten seconds later", () => {
  failures.note(FULL, 0)
  expect(lines.splice(0)).toEqual([WHY])
  for (let times = 0; times < 1_000; times++) failures.note(FULL, 3)
  vi.advanceTimersByTime(9_999)
  expect(lines).toEqual([])
  vi.advanceTimersByTime(1)
  const rest = " 1000 commits failed since the last such line. At most 3000 records that were told are lost."
  expect(lines.splice(0)).toEqual([`${WHY}${rest}`])
  failures.note(FULL, 1)
  vi.advanceTimersByTime(10_000)
  expect(lines.splice(0)).toEqual([`${WHY} At most 1 records that were told are lost.`])
})

test("after ten seconds without one the next is told at once", () => {
  failures.note(FULL, 0)
  vi.advanceTimersByTime(10_000)
  failures.note(FULL, 2)
  expect(lines).toEqual([WHY, `${WHY} At most 2 records that were told are lost.`])
})

test("what is untold is told at the end, once", () => {
  failures.note(FULL, 45)
  failures.note(FULL, 1_000)
  failures.note(FULL, 1_000)
  failures.end()
  failures.end()
  vi.advanceTimersByTime(60_000)
  const rest = " 2 commits failed since the last such line. At most 2000 records that were told are lost."
  expect(lines).toEqual([`${WHY} At most 45 records that were told are lost.`, `${WHY}${rest}`])
})

test("a message steers no terminal", () => {
  failures.note(new StoreUnavailable("\u001b[2J"), 0)
  expect(lines).toEqual([expect.stringMatching(/^[\x20-\x7e]+$/)])
})
