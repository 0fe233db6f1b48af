import { expect, test } from "vitest"
import { TOLD_MAX } from "../../src/ledger/charge-gaps.js"
import { Durability } from "../../src/ledger/durability.js"
import type { LogWriter } from "../../src/ledger/log-writer.js"
import type { LedgerLimit } from "../../src/ledger/own-limit.js"
import type { LedgerPort } from "../../src/ledger/sql-port.js"

test("admissionWaits() under ahead: a block covers no more than the numbers that a crash skips", () => {
  const writer = { unwritten: 1, made: 0, writeOfNext: 1 }
  const port = { after: () => {} } as Partial<LedgerPort> as LedgerPort
  const options = { sync: "ahead", block: 2 ** 31 } as const
  const durability = new Durability(port, writer as Partial<LogWriter> as LogWriter, async () => {}, options)
  const limit = { name: "l", number: 0 } as LedgerLimit
  const waits = () => durability.admissionWaits(limit, "a", 1, 0, () => {})
  expect(waits()).toBe(true)
  // The block is in the file.
  Object.assign(writer, { made: 1, writeOfNext: 2, unwritten: TOLD_MAX })
  expect(waits()).toBe(false)
  writer.unwritten += 1
  expect(waits()).toBe(true)
})
