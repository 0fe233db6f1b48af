import { DatabaseSync } from "node:sqlite"
import { expect, test } from "vitest"
import { examine } from "../../src/embedded/doctor.js"
import type { EmbeddedStore } from "../../src/embedded/embedded-store.js"
import { Core } from "../../src/engine/core.js"
import { Ledger } from "../../src/ledger/ledger.js"
import { sqliteLedgerPort } from "../../src/ledger/sqlite-port.node.js"
import { parsePolicy } from "../../src/policy/parse-policy.js"
import { StoreUnavailable } from "../../src/types/errors.js"
import { takeAll } from "../engine/take-all.js"

function storeOf(ledger: Ledger): EmbeddedStore {
  return {
    path: "data",
    sync: "always",
    lastCommitAtMs: null,
    openLedger: () => Promise.resolve(ledger),
    findFileProblems: () => [],
    tryCommit: () => undefined,
    findProblems: () => [],
    close: async () => undefined,
  }
}

test("examine() tells of a store that is right and cannot be written", async () => {
  const ledger = await Ledger.open(sqliteLedgerPort(new DatabaseSync(":memory:")), { core: new Core() })
  const tryCommit = () => {
    throw new StoreUnavailable("the disk is full")
  }
  expect(await examine(() => ledger, { ...storeOf(ledger), tryCommit })).toMatchObject({
    ok: false,
    problems: ["Cannot reach the store: the disk is full."],
    replayEqualsLive: true,
    fileIsSound: true,
  })
  await ledger.close()
})

test("examine() tells of a compaction that was given up, and how many keys there are", async () => {
  const core = new Core()
  const ledger = await Ledger.open(sqliteLedgerPort(new DatabaseSync(":memory:")), { core })
  const limit = ledger.define("l", parsePolicy("5/minute"), 0)
  for (let key = 0; key < 300; key++) ledger.check(limit, `key ${key}`, 1, 0)
  takeAll(core)
  await expect(ledger.compact()).rejects.toThrow("the log was not compacted")
  expect(await examine(() => ledger, storeOf(ledger))).toMatchObject({
    ok: false,
    problems: [
      "Cannot reach the store: the memory for keys is full.",
      "Cannot reach the store: the memory for keys is full, and the log was not compacted.",
    ],
    keys: 300,
  })
  await ledger.close()
})
