import { DatabaseSync } from "node:sqlite"
import { expect, test } from "vitest"
import { examine } from "../../src/embedded/doctor.js"
import type { EmbeddedStore } from "../../src/embedded/embedded-store.js"
import { Core } from "../../src/engine/core.js"
import { Ledger } from "../../src/ledger/ledger.js"
import { sqliteLedgerPort } from "../../src/ledger/sqlite-port.node.js"
import { parsePolicy } from "../../src/policy/parse-policy.js"
import { takeAll } from "../engine/take-all.js"

test("examine() tells of a compaction that was given up, and how many keys there are", async () => {
  const core = new Core()
  const ledger = await Ledger.open(sqliteLedgerPort(new DatabaseSync(":memory:")), { core })
  const limit = ledger.define("l", parsePolicy("5/minute"), 0)
  for (let key = 0; key < 300; key++) ledger.check(limit, `key ${key}`, 1, 0)
  takeAll(core)
  await expect(ledger.compact()).rejects.toThrow("the log was not compacted")
  const store: EmbeddedStore = {
    path: "data",
    sync: "always",
    lastCommitAtMs: null,
    openLedger: () => Promise.resolve(ledger),
    findFileProblems: () => [],
    findProblems: () => [],
    close: async () => undefined,
  }
  expect(await examine(() => ledger, store)).toMatchObject({
    ok: false,
    problems: [
      "Cannot reach the store: the memory for keys is full.",
      "Cannot reach the store: the memory for keys is full, and the log was not compacted.",
    ],
    keys: 300,
  })
  await ledger.close()
})
