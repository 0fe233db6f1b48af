import { DatabaseSync } from "node:sqlite"
import { expect, test } from "vitest"
import { Core } from "../../src/engine/core.js"
import { Ledger } from "../../src/ledger/ledger.js"
import { sqliteLedgerPort } from "../../src/ledger/sqlite-port.node.js"
import { parsePolicy } from "../../src/policy/parse-policy.js"

const NOW_MS = 1_700_000_000_000
const KEYS = 130
/** Moves what is allocated through a page, by as much as an allocation is rounded to. */
const PLACES = 65_536 / 128
const GRAIN_BYTES = 128

test("a log is read wherever the core's memory ends", async () => {
  const port = sqliteLedgerPort(new DatabaseSync(":memory:"))
  const written = await Ledger.open(port, { core: new Core() })
  const limit = written.define("a", parsePolicy("100/hour"), NOW_MS)
  for (let index = 0; index < 3 * KEYS; index++) written.check(limit, `key ${index % KEYS}`, 1, NOW_MS)
  await written.close()
  for (let place = 0; place < 2 * PLACES; place++) {
    const core = new Core()
    for (let taken = 0; taken < place; taken++) core.exports.memoryTake(GRAIN_BYTES)
    const ledger = await Ledger.open(port, { core })
    expect((await ledger.verify()).replayEqualsLive).toBe(true)
    ledger.abandon()
  }
}, 60_000)
