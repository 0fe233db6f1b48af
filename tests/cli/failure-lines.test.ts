import { afterEach, beforeEach, expect, test, vi } from "vitest"
import { FailureLines } from "../../src/cli/failure-lines.node.js"
import { StoreCorrupt, StoreUnavailable } from "../../src/types/errors.js"

const full = () => new StoreUnavailable("a commit failed: database or disk is full")
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
  failures.note(full(), 0)
  expect(lines.splice(0)).toEqual([WHY])
  for (let times = 0; times < 1_000; times++) failures.note(full(), 3)
  vi.advanceTimersByTime(9_999)
  expect(lines).toEqual([])
  vi.advanceTimersByTime(1)
  const rest = " 1000 failures since the last such line. At most 3000 records that were told are lost."
  expect(lines.splice(0)).toEqual([`${WHY}${rest}`])
  failures.note(full(), 1)
  vi.advanceTimersByTime(10_000)
  expect(lines.splice(0)).toEqual([`${WHY} At most 1 records that were told are lost.`])
})

test("after ten seconds without one the next is told at once", () => {
  failures.note(full(), 0)
  vi.advanceTimersByTime(10_000)
  failures.note(full(), 2)
  expect(lines).toEqual([WHY, `${WHY} At most 2 records that were told are lost.`])
})

test("what is untold is told at the end, once", () => {
  failures.note(full(), 45)
  failures.note(full(), 1_000)
  failures.note(full(), 1_000)
  failures.end()
  failures.end()
  vi.advanceTimersByTime(60_000)
  const rest = " 2 failures since the last such line. At most 2000 records that were told are lost."
  expect(lines).toEqual([`${WHY} At most 45 records that were told are lost.`, `${WHY}${rest}`])
})

test("a line says why it failed last", () => {
  failures.note(full(), 0)
  failures.note(new StoreUnavailable("too many open files"), 0)
  failures.end()
  expect(lines[1]).toBe("Cannot reach the store: too many open files.")
})

test("one failure that many calls end with counts once", () => {
  const error = full()
  for (let calls = 0; calls < 10; calls++) failures.note(error, 0)
  failures.end()
  expect(lines).toEqual([WHY])
})

test("of a damaged store it says what to do", () => {
  failures.note(new StoreCorrupt("segment 3", "its hash is another"), 0)
  expect(lines).toEqual([
    "Cannot recover the store: segment 3 is corrupt: its hash is another. sluice repair tells what can be kept: stop the server first.",
  ])
})

test("a message steers no terminal", () => {
  failures.note(new StoreUnavailable("\u001b[2J"), 0)
  expect(lines).toEqual([expect.stringMatching(/^[\x20-\x7e]+$/)])
})
