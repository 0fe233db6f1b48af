import { DatabaseSync } from "node:sqlite"
import { expect, test } from "vitest"
import { Ledger } from "../../src/ledger/ledger.js"
import { OwnLimit } from "../../src/ledger/own-limit.js"
import { sqliteLedgerPort } from "../../src/ledger/sqlite-port.node.js"
import { parsePolicy } from "../../src/policy/parse-policy.js"
import type { Receipt } from "../../src/types/receipt.js"
import { START_MS } from "./ledger-case.js"
import { readRows } from "./rows.js"
import { core } from "./script-run.js"

const HOUR_MS = 3_600_000
const MANY = 300_000
const BATCH = 10_000

function limitOf(ledger: Ledger): OwnLimit {
  const limit = ledger.limit("l")
  if (!(limit instanceof OwnLimit)) throw new Error("there is no limit")
  return limit
}

test("300,000 receipts that were settled take a bit each, in memory and in a snapshot, and none settles again", async () => {
  const port = sqliteLedgerPort(new DatabaseSync(":memory:"))
  let ledger = await Ledger.open(port, { core, compactBytes: 2 ** 30 })
  ledger.define("l", parsePolicy("1000000000/hour"), START_MS)
  const bytes = () => limitOf(ledger).receipts.bytes
  const some: Receipt[] = []
  const open: Receipt[] = []
  const endMs = START_MS + HOUR_MS
  for (let number = 1; number <= MANY; number++) {
    const nowMs = START_MS + Math.floor((number / MANY) * HOUR_MS)
    const receipt = ledger.check(limitOf(ledger), "a", 1, nowMs).decision.receipt!
    if (number % 1_000 === 500) open.push(receipt)
    else if (!ledger.settle(limitOf(ledger), receipt, 1, nowMs)) expect.fail(`${receipt.id} is not open`)
    if (number % 1_000 === 1) some.push(receipt)
    if (number % BATCH === 0) await ledger.commit()
  }
  const settleAll = (receipts: readonly Receipt[], nowMs: number) =>
    new Set(receipts.map((receipt) => ledger.settle(limitOf(ledger), receipt, 1, nowMs)))
  const again = async () => {
    await ledger.commit()
    ledger.abandon()
    ledger = await Ledger.open(port, { core, compactBytes: 2 ** 30 })
  }
  expect(bytes()).toBeLessThan(50_000)
  const held = bytes()

  await again()
  expect(bytes()).toBe(held)
  expect(settleAll(some, endMs)).toEqual(new Set([false]))

  await ledger.compact()
  const snapshot = (await readRows(port)).filter(({ id }) => id < 0)
  expect(snapshot.reduce((sum, { body }) => sum + body.length, 0)).toBeLessThan(50_000)
  expect(bytes()).toBe(held)
  expect(settleAll(some, endMs)).toEqual(new Set([false]))

  await again()
  expect(bytes()).toBe(held)
  expect(settleAll(some, endMs)).toEqual(new Set([false]))
  expect(settleAll(open.slice(0, 150), endMs)).toEqual(new Set([true]))
  expect(settleAll(open.slice(0, 150), endMs)).toEqual(new Set([false]))
  expect((await ledger.verify()).replayEqualsLive).toBe(true)

  // A receipt of this policy can be settled for three hours.
  const laterMs = START_MS + 3 * HOUR_MS + HOUR_MS / 2
  const receipt = ledger.check(limitOf(ledger), "a", 1, laterMs).decision.receipt!
  await ledger.compact()
  expect(bytes()).toBeLessThan(held * 0.7)
  for (const nowMs of [laterMs, endMs]) expect(settleAll(some, nowMs)).toEqual(new Set([false]))
  expect(settleAll(open.slice(0, 140), laterMs)).toEqual(new Set([false]))
  expect(settleAll(open.slice(160), laterMs)).toEqual(new Set([true]))
  expect(ledger.settle(limitOf(ledger), receipt, 1, laterMs)).toBe(true)

  await again()
  for (const nowMs of [laterMs, endMs]) {
    for (const receipts of [some, open.slice(0, 140), open.slice(160), [receipt]]) {
      expect(settleAll(receipts, nowMs)).toEqual(new Set([false]))
    }
  }
  expect((await ledger.verify()).replayEqualsLive).toBe(true)

  ledger.check(limitOf(ledger), "a", 1, laterMs + 4 * HOUR_MS)
  await ledger.compact()
  expect(bytes()).toBe(0)
  expect(settleAll([...some, ...open, receipt], laterMs)).toEqual(new Set([false]))
  expect((await ledger.verify()).replayEqualsLive).toBe(true)
  await ledger.close()
})
