import { DatabaseSync } from "node:sqlite"
import { expect, test } from "vitest"
import { topOf } from "../../src/embedded/ledger-keys.js"
import { Core } from "../../src/engine/core.js"
import { Ledger } from "../../src/ledger/ledger.js"
import type { LedgerPort } from "../../src/ledger/sql-port.js"
import { sqliteLedgerPort } from "../../src/ledger/sqlite-port.node.js"
import type { TopOptions } from "../../src/limiter/named-limits.js"
import { parsePolicy } from "../../src/policy/parse-policy.js"

/** A ledger with a limit of so many keys that `topOf` lets others have their turn before it has looked at all. */
async function openLarge() {
  const inner = sqliteLedgerPort(new DatabaseSync(":memory:"))
  /** What goes on only when it is told to. */
  let held: (() => void)[] | null = null
  const port: LedgerPort = { ...inner, defer: (work) => (held === null ? inner.defer(work) : void held.push(work)) }
  /** `topOf` up to the others' turn, and what lets it go on. */
  const beginTop = (options: TopOptions) => {
    held = []
    const top = topOf(ledger, options)
    const turns = held
    held = null
    expect(turns.length).toBe(1)
    return { top, goOn: () => turns[0]!() }
  }
  const ledger = await Ledger.open(port, { core: new Core(), names: true, partBytes: 2_000 })
  const limit = ledger.define("l", parsePolicy("5/minute"), 0)
  for (let key = 0; key < 5_100; key++) ledger.check(limit, `key ${key}`, 1, 0)
  const other = ledger.define("other", parsePolicy("5/minute"), 0)
  for (let key = 0; key < 3_000; key++) ledger.check(other, `key ${key}`, 1, 0)
  await ledger.commit()
  return { ledger, limit, beginTop }
}

test("topOf() tells what it found of a limit that is removed while others have their turn, also during a compaction", async () => {
  const { ledger, limit, beginTop } = await openLarge()
  const { top, goOn } = beginTop({ by: "allowed", count: 10_000 })
  ledger.remove(limit, 0)
  let isCompacting = true
  const compaction = ledger.compact().finally(() => {
    isCompacting = false
  })
  for (let turns = 0; turns < 6; turns++) await new Promise(setImmediate)
  goOn()
  const found = await top
  expect(isCompacting).toBe(true)
  expect(found.filter(({ limit }) => limit === "l").length).toBe(4_999)
  expect(found.filter(({ limit }) => limit === "other").length).toBe(3_000)
  await compaction
  await ledger.close()
})

test("topOf() of a ledger that is closed while others have their turn says so, and tells no part of it", async () => {
  const { ledger, beginTop } = await openLarge()
  const { top, goOn } = beginTop({ by: "allowed" })
  await ledger.close()
  goOn()
  expect(await top.catch((error: unknown) => error)).toMatchObject({
    name: "StoreUnavailable",
    message: "Cannot reach the store: the ledger is closed.",
  })
})
