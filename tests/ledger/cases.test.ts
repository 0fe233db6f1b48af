import { DatabaseSync } from "node:sqlite"
import { afterEach, describe, test } from "vitest"
import { sqliteLedgerPort } from "../../src/ledger/sqlite-port.node.js"
import { ledgerCases } from "./ledger-cases.js"

let database: DatabaseSync | null = null

function makePort() {
  database?.close()
  database = new DatabaseSync(":memory:")
  return sqliteLedgerPort(database)
}

afterEach(() => {
  database?.close()
  database = null
})

describe("Ledger on node:sqlite", () => {
  for (const { name, run } of ledgerCases) test(name, () => run(makePort), 30_000)
})
