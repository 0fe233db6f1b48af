import { runInDurableObject } from "cloudflare:test"
import { env } from "cloudflare:workers"
import { describe, expect, test } from "vitest"
import { objectLedgerPort } from "../../worker/object-ledger-port.js"
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

test("nextTurn() of an object's storage lets others come, also where no commit is under way and defer() need not", () =>
  runInDurableObject(env.LIMITER.getByName("turns"), async (_object, { storage }) => {
    const port = objectLedgerPort(storage)
    const order: string[] = []
    const later = new Promise<void>((resolve) => {
      port.nextTurn!(() => {
        order.push("next turn")
        resolve()
      })
    })
    port.defer(() => order.push("deferred"))
    for (let count = 0; count < 10; count++) await null
    order.push("awaited")
    await later
    expect(order).toEqual(["deferred", "awaited", "next turn"])
  }))
