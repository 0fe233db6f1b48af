import { runInDurableObject } from "cloudflare:test"
import { env } from "cloudflare:workers"
import { describe, test } from "vitest"
import { objectLedgerPort } from "../../worker/object-port.js"
import { ledgerCases } from "../ledger/ledger-cases.js"

describe("Ledger on Durable Object storage", () => {
  for (const { name, run } of ledgerCases) {
    test(
      name,
      () =>
        // The object itself is not asked, so its storage is the case's alone.
        runInDurableObject(env.LIMITER.getByName(`ledger case: ${name}`), (_object, { storage }) =>
          run(() => {
            storage.sql.exec("DROP TABLE IF EXISTS sluice_log")
            return objectLedgerPort(storage)
          }),
        ),
      60_000,
    )
  }
})
