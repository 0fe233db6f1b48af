import { DatabaseSync } from "node:sqlite"
import { expect, test } from "vitest"
import { MAX_TOLD } from "../../src/ledger/charge-gaps.js"
import { Durability } from "../../src/ledger/durability.js"
import { Ledger } from "../../src/ledger/ledger.js"
import type { LogWriter } from "../../src/ledger/log-writer.js"
import type { LedgerLimit } from "../../src/ledger/own-limit.js"
import type { LedgerPort } from "../../src/ledger/sql-port.js"
import { sqliteLedgerPort } from "../../src/ledger/sqlite-port.node.js"
import { parsePolicy } from "../../src/policy/parse-policy.js"
import { START_MS } from "./ledger-case.js"
import { core } from "./script-run.js"
import { turn } from "./watched-port.js"

test("admissionWaits() under ahead: a grant covers no more than the numbers that a crash skips", () => {
  const writer = { unwritten: 1, made: 0, writeOfNext: 1 }
  const port = { after: () => {} } as Partial<LedgerPort> as LedgerPort
  const options = { sync: "ahead", aheadUnits: 2 ** 31 } as const
  const durability = new Durability({
    ...{ port, writer: writer as Partial<LogWriter> as LogWriter, options },
    ...{ commit: async () => {}, takeBack: () => false },
  })
  const limit = { name: "l", number: 0 } as LedgerLimit
  const waits = () => durability.admissionWaits(limit, "a", 1, 0, () => {})
  expect([waits(), waits()]).toEqual([true, true])
  // The grant is in the file.
  Object.assign(writer, { made: 1, writeOfNext: 2, unwritten: MAX_TOLD })
  expect(waits()).toBe(false)
  writer.unwritten += 1
  expect(waits()).toBe(true)
})

test("changeWaits() under batch: as many records are told as may be lost, and no more", () => {
  const writer = { unwritten: 10, noteTold: () => {} }
  const port = { after: () => {} } as Partial<LedgerPort> as LedgerPort
  const durability = new Durability({
    ...{ port, writer: writer as Partial<LogWriter> as LogWriter, options: { sync: "batch", flushEveryRecords: 10 } },
    ...{ commit: async () => {}, takeBack: () => false },
  })
  expect(durability.changeWaits(0)).toBe(false)
  writer.unwritten += 1
  expect(durability.changeWaits(0)).toBe(true)
})

test.each(["check", "checkAll"] as const)(
  "many admissions that nobody waits for are written before their time comes, by %s()",
  async (verb) => {
    // The time at which they would be written never comes.
    const port = { ...sqliteLedgerPort(new DatabaseSync(":memory:")), after: () => undefined }
    const ledger = await Ledger.open(port, { core, sync: "batch", flushEveryRecords: 1e9 })
    const limit = ledger.define("l", parsePolicy("1/day"), START_MS)
    await ledger.commit()
    const before = ledger.commits
    const admit = async (from: number, to: number) => {
      for (let index = from; index < to; index++) {
        const key = `${index}`.padStart(400, "k")
        if (verb === "check") ledger.check(limit, key, 1, START_MS)
        else ledger.checkAll([{ limit, key, cost: 1 }], START_MS)
      }
      await turn()
    }
    await admit(0, 1_000)
    expect(ledger.commits).toBe(before)
    await admit(1_000, 2_000)
    expect(ledger.commits).toBeGreaterThan(before)
    await ledger.close()
  },
)
