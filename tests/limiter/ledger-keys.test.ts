import { DatabaseSync } from "node:sqlite"
import { expect, test, vi } from "vitest"
import { Core } from "../../src/engine/core.js"
import { Ledger } from "../../src/ledger/ledger.js"
import { sqliteLedgerPort } from "../../src/ledger/sqlite-port.node.js"
import { topOf } from "../../src/limiter/ledger-keys.js"
import { parsePolicy } from "../../src/policy/parse-policy.js"

test("topOf() tells what it found of a limit that is removed while others have their turn, and asks it no more", async () => {
  const port = sqliteLedgerPort(new DatabaseSync(":memory:"))
  const ledger = await Ledger.open(port, { core: new Core(), names: true })
  const limit = ledger.define("l", parsePolicy("5/minute"), 0)
  for (let key = 0; key < 5_100; key++) ledger.check(limit, `key ${key}`, 1, 0)
  const stats = vi.spyOn(limit.keys, "stats")
  const top = topOf(ledger, { by: "allowed", count: 2 })
  const asked = stats.mock.calls.length
  ledger.remove(limit, 0)
  expect((await top).map(({ key }) => key)).toEqual(["key 0", "key 1"])
  // Its memory is freed, and may be another's by then.
  expect(stats).toHaveBeenCalledTimes(asked)
  expect(await topOf(ledger, { by: "allowed" })).toEqual([])
  await ledger.close()
})
