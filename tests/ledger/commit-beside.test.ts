import { DatabaseSync } from "node:sqlite"
import { describe, expect, test } from "vitest"
import { Ledger } from "../../src/ledger/ledger.js"
import type { LogEnd } from "../../src/ledger/log-end.js"
import type { LedgerPort } from "../../src/ledger/sql-port.js"
import { sqliteLedgerPort } from "../../src/ledger/sqlite-port.node.js"
import type { SyncMode } from "../../src/ledger/sync-mode.js"
import { parsePolicy } from "../../src/policy/parse-policy.js"
import { StoreUnavailable } from "../../src/types/errors.js"
import { START_MS } from "./ledger-case.js"
import { core } from "./script-run.js"
import { turn } from "./watched-port.js"

/** A sync that a test ends when it likes. */
type Sync = PromiseWithResolvers<void>

async function openLedger(sync: SyncMode = "always") {
  const syncs: Sync[] = []
  const ends: LogEnd[] = []
  const port: LedgerPort = {
    ...sqliteLedgerPort(new DatabaseSync(":memory:")),
    durably(write) {
      write()
      const made = Promise.withResolvers<void>()
      syncs.push(made)
      return made.promise
    },
  }
  const ledger = await Ledger.open(port, { core, sync, onCommit: (end) => ends.push(end) })
  const limit = ledger.define("l", parsePolicy("1000/hour"), START_MS)
  const told: string[] = []
  /** Checks, and notes when it is told so. */
  const check = (key: string): Promise<void> => {
    ledger.check(limit, key, 1, START_MS)
    return ledger.commit().then(
      () => void told.push(key),
      (error: unknown) => void told.push(`${key}: ${(error as Error).constructor.name}`),
    )
  }
  return { ledger, limit, syncs, ends, told, check, port }
}

/** As many turns as any commit takes. */
async function settle(): Promise<void> {
  for (let turns = 0; turns < 4; turns++) await turn()
}

describe("a commit that becomes durable beside the thread", () => {
  test("is told when it is durable, and not before", async () => {
    const { syncs, ends, told, check } = await openLedger()
    const before = ends.length
    void check("a")
    await settle()
    expect([syncs.length, told, ends.length]).toEqual([1, [], before])
    syncs[0]!.resolve()
    await settle()
    expect(told).toEqual(["a"])
    // The definition and the check.
    expect(ends.at(-1)).toMatchObject({ sequence: 1, count: 2 })
  })

  test("lets the next ones wait for it, and they share one", async () => {
    const { ledger, syncs, told, check } = await openLedger()
    void check("a")
    await settle()
    void check("b")
    void check("c")
    await settle()
    expect(syncs).toHaveLength(1)
    syncs[0]!.resolve()
    await settle()
    expect([syncs.length, told]).toEqual([2, ["a"]])
    syncs[1]!.resolve()
    await settle()
    expect(told).toEqual(["a", "b", "c"])
    expect(ledger.commits).toBe(2)
  })

  test("closes the ledger where it fails, for those who wait too", async () => {
    const { ledger, limit, syncs, told, check } = await openLedger()
    void check("a")
    await settle()
    void check("b")
    syncs[0]!.reject(new Error("the disk is gone"))
    await settle()
    expect(told).toEqual(["a: StoreUnavailable", "b: StoreUnavailable"])
    expect(() => ledger.check(limit, "c", 1, START_MS)).toThrow(StoreUnavailable)
    expect(() => ledger.check(limit, "c", 1, START_MS)).toThrow("the disk is gone")
  })

  test("goes on beside a compaction and a verification, whose own writes are durable at once", async () => {
    const { ledger, syncs, told, check, port } = await openLedger()
    void check("a")
    const compacted = ledger.compact()
    await settle()
    expect([syncs.length, told]).toEqual([1, []])
    const endAll = setInterval(() => {
      for (const each of syncs) each.resolve()
    })
    await compacted
    void check("b")
    const { replayEqualsLive, records } = await ledger.verify()
    await ledger.close()
    expect([replayEqualsLive, records, told]).toEqual([true, 1, ["a", "b"]])
    const { durably: _, ...inThread } = port
    const again = await Ledger.open(inThread, { core })
    expect(again.limit("l")!.keys.status("a", START_MS).remaining).toBe(999)
    expect(again.limit("l")!.keys.status("b", START_MS).remaining).toBe(999)
    await again.close()
    clearInterval(endAll)
  })

  test.each(["ahead", "batch"] as const)(
    "is none with sync %s, where what is told is bounded by what is durable",
    async (sync) => {
      const { ledger, syncs, told, check } = await openLedger(sync)
      await check("a")
      expect([syncs.length, told]).toEqual([0, ["a"]])
      await ledger.close()
    },
  )
})
