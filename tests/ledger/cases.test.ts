import { DatabaseSync } from "node:sqlite"
import { afterEach, describe, expect, test, vi } from "vitest"
import { Ledger } from "../../src/ledger/ledger.js"
import { sqliteLedgerPort } from "../../src/ledger/sqlite-port.node.js"
import { ledgerCases } from "./ledger-cases.js"
import { core } from "./script-run.js"
import { turn } from "./watched-port.js"

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

  test("commit() of a closed ledger that nobody waits for leaves no rejection unhandled", async () => {
    const unhandled = vi.fn()
    process.on("unhandledRejection", unhandled)
    const ledger = await Ledger.open(makePort(), { core })
    ledger.abandon()
    void ledger.commit()
    await turn()
    process.off("unhandledRejection", unhandled)
    expect(unhandled).not.toHaveBeenCalled()
    await expect(ledger.commit()).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" })
  })
})
