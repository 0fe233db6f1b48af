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
