import { DatabaseSync } from "node:sqlite"
import { expect, test } from "vitest"
import { Ledger } from "../../src/ledger/ledger.js"
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

test("records() tells what is appended while it is read, also to the segment that it has begun", async () => {
  const ledger = await Ledger.open(sqliteLedgerPort(new DatabaseSync(":memory:")), { core, compactBytes: 1e12 })
  const limit = ledger.define("l", parsePolicy("100000/day"), START_MS)
  const check = async (kind: string, count: number) => {
    for (let key = 0; key < count; key++) ledger.check(limit, `${kind} ${key}`, 1, START_MS)
    await ledger.commit()
  }
  await check("first", 20)
  const seen: string[] = []
  for await (const { record } of ledger.records()) {
    if ("key" in record) seen.push(record.key)
    if (seen.length === 5) {
      // To the segment that is read, and to later ones; then to the last one.
      await check("many", 3_000)
      for (let commit = 0; commit < 10; commit++) await check(`some ${commit}`, 200)
    }
    if (seen.at(-1) === "some 9 199") await check("last", 2)
  }
  const names = (kind: string, count: number) => Array.from({ length: count }, (_, key) => `${kind} ${key}`)
  const some = Array.from({ length: 10 }, (_, commit) => names(`some ${commit}`, 200)).flat()
  expect(seen).toEqual([...names("first", 20), ...names("many", 3_000), ...some, ...names("last", 2)])
  await ledger.close()
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
