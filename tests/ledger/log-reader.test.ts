import { DatabaseSync } from "node:sqlite"
import { describe, expect, test } from "vitest"
import { Ledger } from "../../src/ledger/ledger.js"
import type { LogPlace } from "../../src/ledger/log-reader.js"
import { sqliteLedgerPort } from "../../src/ledger/sqlite-port.node.js"
import { parsePolicy } from "../../src/policy/parse-policy.js"
import { StoreUnavailable } from "../../src/types/errors.js"
import { START_MS } from "./ledger-case.js"
import { core } from "./script-run.js"

/** A ledger whose log has many segments. */
async function openLong() {
  const ledger = await Ledger.open(sqliteLedgerPort(new DatabaseSync(":memory:")), { core })
  const limit = ledger.define("l", parsePolicy("100000/day"), START_MS)
  for (let commit = 0; commit < 20; commit++) {
    for (let check = 0; check < 200; check++) ledger.check(limit, `key ${check}`, 1, START_MS)
    await ledger.commit()
  }
  return ledger
}

test("records() ends where the log ended when it began, and tells from there on what came meanwhile", async () => {
  const ledger = await Ledger.open(sqliteLedgerPort(new DatabaseSync(":memory:")), { core, compactBytes: 1e12 })
  const limit = ledger.define("l", parsePolicy("100000/day"), START_MS)
  const check = async (kind: string, count: number) => {
    for (let key = 0; key < count; key++) ledger.check(limit, `${kind} ${key}`, 1, START_MS)
    await ledger.commit()
  }
  await check("first", 20)
  /** The keys from a place on, and where to go on; `meanwhile` hears how many were told with each. */
  const read = async (from?: LogPlace, meanwhile = async (_told: number) => {}) => {
    const keys: string[] = []
    let next = from
    for await (const { sequence, index, record } of ledger.records(from)) {
      next = { sequence, index: index + 1 }
      if (!("key" in record)) continue
      keys.push(record.key)
      await meanwhile(keys.length)
    }
    return { keys, next }
  }
  const names = (kind: string, count: number) => Array.from({ length: count }, (_, key) => `${kind} ${key}`)
  // To the segment that is read, with each of its records; not without end, should the reading have none.
  const first = await read(undefined, async (told) => {
    if (told <= 100) await check("second", 1)
  })
  expect(first.keys).toEqual(names("first", 20))
  // To that one, and to later ones.
  const second = await read(first.next, async (told) => {
    for (let commit = 0; told === 5 && commit < 10; commit++) await check(`third ${commit}`, 2_000)
  })
  expect(second.keys).toEqual(Array.from({ length: 20 }, () => "second 0"))
  const third = await read(second.next)
  expect(third.keys).toEqual(Array.from({ length: 10 }, (_, commit) => names(`third ${commit}`, 2_000)).flat())
  expect((await read(third.next)).keys).toEqual([])
  await ledger.close()
})

test("records() from a segment that a compaction dropped tells all of the first one that is left", async () => {
  const ledger = await Ledger.open(sqliteLedgerPort(new DatabaseSync(":memory:")), { core })
  const limit = ledger.define("l", parsePolicy("100000/day"), START_MS)
  for (let check = 0; check < 5; check++) ledger.check(limit, "before", 1, START_MS)
  await ledger.compact()
  for (let check = 0; check < 5; check++) ledger.check(limit, `key ${check}`, 1, START_MS)
  const places: LogPlace[] = []
  const keys: string[] = []
  for await (const { sequence, index, record } of ledger.records({ sequence: 1, index: 3 })) {
    places.push({ sequence, index })
    if ("key" in record) keys.push(record.key)
  }
  expect(places[0]).toEqual({ sequence: 2, index: 0 })
  expect(keys).toEqual(["key 0", "key 1", "key 2", "key 3", "key 4"])
  await ledger.close()
})

test("lastRecords() tells as many records as there are of one commit, however many", async () => {
  // More than a function takes as arguments.
  const many = 150_000
  const options = { core, sync: "batch", flushEveryRecords: 1e9, flushEveryMs: 1e9, compactBytes: 1e12 } as const
  const ledger = await Ledger.open(sqliteLedgerPort(new DatabaseSync(":memory:")), options)
  const limit = ledger.define("l", parsePolicy("1000000/day fixed_window"), START_MS)
  await ledger.commit()
  for (let check = 0; check < many; check++) ledger.check(limit, "a", 1, START_MS)
  const admissions = await ledger.lastRecords(1e9, ({ op }) => op === "admit")
  expect(admissions.length).toBe(many)
  await ledger.close()
})

describe("lastRecords() of a long log", () => {
  /** What it tells while others go on, and whether they were done before it. */
  async function readBeside(others: (ledger: Ledger, check: (key: string) => void) => Promise<unknown>) {
    const ledger = await Ledger.open(sqliteLedgerPort(new DatabaseSync(":memory:")), { core, compactBytes: 1e12 })
    const limit = ledger.define("l", parsePolicy("100000/day"), START_MS)
    const check = (key: string) => void ledger.check(limit, key, 1, START_MS)
    for (let commit = 0; commit < 40; commit++) {
      for (let each = 0; each < 1_000; each++) check(`key ${commit} ${each}`)
      await ledger.commit()
    }
    const read = async () => {
      const told = await ledger.lastRecords(1e9, ({ op }) => op === "admit")
      return told.map((record) => ("key" in record ? record.key : ""))
    }
    const expected = await read()
    let isRead = false
    const reading = read().finally(() => {
      isRead = true
    })
    await others(ledger, check)
    const wasRead = isRead
    const told = await reading
    await ledger.close()
    return { expected, told, wasRead }
  }

  test("lets others write meanwhile, and tells what was there when it began", async () => {
    const { expected, told, wasRead } = await readBeside(async (ledger, check) => {
      for (let commit = 0; commit < 10; commit++) {
        await ledger.commit()
        check(`later ${commit}`)
      }
    })
    expect(wasRead).toBe(false)
    expect(told).toEqual(expected)
    expect(told.length).toBe(40_000)
  })

  test("tells all up to what a compaction dropped meanwhile", async () => {
    const { expected, told } = await readBeside((ledger) => ledger.compact())
    expect(told.length).toBeGreaterThan(0)
    expect(told).toEqual(expected.slice(0, told.length))
  })
})

test("records() that is closed in the middle ends with an error that says so", async () => {
  const ledger = await openLong()
  const records = ledger.records()
  expect((await records.next()).value).toMatchObject({ sequence: 1, index: 0 })
  await ledger.close()
  const rest = async () => {
    for await (const _ of records);
  }
  const error = await rest().catch((error: unknown) => error)
  expect(error).toBeInstanceOf(StoreUnavailable)
  expect(error).toMatchObject({ message: "Cannot reach the store: the ledger is closed." })
})

test("lastRecords() that is closed in the middle ends with an error that says so", async () => {
  const ledger = await openLong()
  const last = ledger.lastRecords(10_000, () => true).catch((error: unknown) => error)
  await ledger.close()
  expect(await last).toBeInstanceOf(StoreUnavailable)
})
