import { expect, test } from "vitest"
import { RecentTimes } from "../../src/ledger/recent-times.js"

const RECORDS = 1_024

/** Times of a limit that holds keys, where records come and all of them of one time. */
function timesOf(held: number, limits = 1) {
  const limit = { size: held }
  const others = Array.from({ length: limits - 1 }, (_, index) => [`other ${index}`, { size: 0 }] as const)
  const times = new RecentTimes(new Map([["l", limit], ...others]))
  const pass = (timeMs: number, { keys, records = RECORDS }: { readonly keys: number; readonly records?: number }) => {
    limit.size += keys
    for (let record = 0; record < records; record++) times.note(timeMs, 1)
    return times.earliestMs
  }
  return { times, pass }
}

test("earliestMs is of all records where few keys come, however many records", () => {
  const { times, pass } = timesOf(5_000)
  expect(times.earliestMs).toBe(Number.POSITIVE_INFINITY)
  expect(pass(50, { keys: 1 })).toBe(50)
  for (let span = 0; span < 10; span++) expect(pass(90, { keys: 100 })).toBe(50)
  expect(pass(20, { keys: 0, records: 1 })).toBe(20)
})

test("earliestMs is of the records with which at least 1,024 keys came last", () => {
  const { pass } = timesOf(0)
  expect(pass(10, { keys: 1_024 })).toBe(10)
  expect(pass(20, { keys: 1_023 })).toBe(10)
  // The first span ends, and counts until the next one does.
  expect(pass(30, { keys: 1 })).toBe(10)
  expect(pass(40, { keys: 1_023 })).toBe(10)
  expect(pass(50, { keys: 1 })).toBe(30)
  expect(pass(60, { keys: 1_024 })).toBe(50)
})

test("earliestMs follows keys that come where others go", () => {
  const { pass } = timesOf(10_000)
  pass(10, { keys: 0 })
  pass(20, { keys: -6_000 })
  expect(pass(30, { keys: 1_024 })).toBe(10)
  expect(pass(40, { keys: 1_024 })).toBe(30)
})

test("restart() begins with a time, and with the keys that are held then", () => {
  const { times, pass } = timesOf(0)
  pass(10, { keys: 1_024 })
  pass(20, { keys: 1_024 })
  times.restart(90)
  expect(times.earliestMs).toBe(90)
  expect(pass(100, { keys: 1_024 })).toBe(90)
  expect(pass(110, { keys: 1_024 })).toBe(90)
  expect(pass(120, { keys: 1_024 })).toBe(110)
})

test("note() counts the keys once for as many records as there are limits", () => {
  const { pass } = timesOf(0, 3_000)
  pass(10, { keys: 0, records: 3_000 })
  pass(20, { keys: 2_048, records: 2_999 })
  expect(pass(30, { keys: 0, records: 1 })).toBe(10)
  pass(40, { keys: 2_048, records: 2_999 })
  expect(pass(50, { keys: 0, records: 1 })).toBe(30)
})
