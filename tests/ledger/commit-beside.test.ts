import { DatabaseSync } from "node:sqlite"
import { describe, expect, test } from "vitest"
import type { DurabilityOptions } from "../../src/ledger/durability.js"
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

async function openLedger(sync: SyncMode = "always", options: DurabilityOptions = {}) {
  const syncs: Sync[] = []
  /** Whether somebody waited for each. */
  const awaited: boolean[] = []
  const ends: LogEnd[] = []
  const port: LedgerPort = {
    ...sqliteLedgerPort(new DatabaseSync(":memory:")),
    durably(write, { isAwaited }) {
      write()
      // What opening writes is not what these tests are about.
      if (isOpening) return undefined
      const made = Promise.withResolvers<void>()
      awaited.push(isAwaited)
      syncs.push(made)
      return made.promise
    },
  }
  let isOpening = true
  const ledger = await Ledger.open(port, { core, sync, ...options, onCommit: (end) => ends.push(end) })
  isOpening = false
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
  return { ledger, limit, syncs, awaited, ends, told, check, port }
}

/** As many turns as any commit takes. */
async function settle(): Promise<void> {
  for (let turns = 0; turns < 4; turns++) await turn()
}

/** Makes everything durable that was appended. */
async function settleAll(ledger: Ledger, syncs: readonly Sync[]): Promise<void> {
  const committed = ledger.commit()
  for (let turns = 0; turns < 3; turns++) {
    await settle()
    for (const { resolve } of syncs) resolve()
  }
  await committed
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

  test("goes on beside a compaction, whose writes are like it, and a verification, whose write is durable at once", async () => {
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
    expect(again.limit("l")!.openKeys().status("a", START_MS).remaining).toBe(999)
    expect(again.limit("l")!.openKeys().status("b", START_MS).remaining).toBe(999)
    await again.close()
    clearInterval(endAll)
  })

  test.each(["ahead", "batch"] as const)(
    "with sync %s holds up nobody, and is one that nobody waits for",
    async (sync) => {
      const { ledger, limit, syncs, awaited } = await openLedger(sync)
      // The second check of a key is granted units.
      ledger.check(limit, "a", 1, START_MS)
      void ledger.commit()
      await settle()
      expect(ledger.check(limit, "a", 1, START_MS).needsCommit).toBe(sync === "ahead")
      void ledger.commit()
      syncs[0]!.resolve()
      await settle()
      syncs[1]!.resolve()
      await settle()
      expect(ledger.check(limit, "a", 1, START_MS).needsCommit).toBe(false)
      void ledger.commit()
      await settle()
      expect([syncs.length, awaited]).toEqual([3, [false, false, false]])
      expect(ledger.check(limit, "a", 1, START_MS).needsCommit).toBe(false)
      for (const { resolve } of syncs) resolve()
    },
  )

  test("with sync batch tells no more than so many records before they are durable", async () => {
    const { ledger, limit, syncs } = await openLedger("batch", { flushEveryRecords: 3 })
    await settleAll(ledger, syncs)
    const needsCommit = () => ledger.check(limit, "a", 1, START_MS).needsCommit
    expect([needsCommit(), needsCommit()]).toEqual([false, false])
    void ledger.commit()
    await settle()
    // In the file, and not durable.
    expect([needsCommit(), needsCommit()]).toEqual([false, true])
    await settleAll(ledger, syncs)
    expect(needsCommit()).toBe(false)
    await settleAll(ledger, syncs)
  })

  test("with sync ahead tells no more units of a key than its grant before they are durable", async () => {
    const { ledger, limit, syncs } = await openLedger("ahead", { aheadUnits: 10 })
    const needsCommit = (cost: number) => ledger.check(limit, "a", cost, START_MS).needsCommit
    // The second draw makes the grant, which counts when it is durable.
    expect([needsCommit(1), needsCommit(1)]).toEqual([true, true])
    await settleAll(ledger, syncs)
    expect(needsCommit(6)).toBe(false)
    void ledger.commit()
    await settle()
    // Six are on their way to the disk.
    expect([needsCommit(4), needsCommit(1)]).toEqual([false, true])
    await settleAll(ledger, syncs)
    expect(needsCommit(10)).toBe(false)
    await settleAll(ledger, syncs)
  })
})
