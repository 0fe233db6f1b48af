import { DatabaseSync } from "node:sqlite"
import { describe, expect, test } from "vitest"
import type { EmbeddedStore } from "../../src/embedded/embedded-store.js"
import { OpenStore } from "../../src/embedded/open-store.js"
import { Ledger } from "../../src/ledger/ledger.js"
import type { LedgerPort } from "../../src/ledger/sql-port.js"
import { sqliteLedgerPort } from "../../src/ledger/sqlite-port.node.js"
import type { SyncMode } from "../../src/ledger/sync-mode.js"
import { parsePolicy } from "../../src/policy/parse-policy.js"
import { StoreUnavailable } from "../../src/types/errors.js"
import { START_MS } from "../ledger/ledger-case.js"
import { core } from "../ledger/script-run.js"

/** A store whose disk can be full for a while. */
async function openStore(sync: SyncMode, onFailure?: EmbeddedStore["onFailure"]) {
  const inner = sqliteLedgerPort(new DatabaseSync(":memory:"))
  const disk = { isFull: false, isLetGo: false }
  const refuse = <T extends unknown[], R>(write: (...args: T) => R) => {
    return (...args: T): R => {
      if (disk.isFull) throw new Error("the disk is full")
      return write(...args)
    }
  }
  const port: LedgerPort = {
    ...inner,
    sql: {
      run: refuse((statement, ...values) => inner.sql.run(statement, ...values)),
      rows: (statement, ...values) => inner.sql.rows(statement, ...values),
      transaction: refuse((work) => inner.sql.transaction(work)) as LedgerPort["sql"]["transaction"],
    },
    // What waits for its time is flushed when a test says so.
    after: () => undefined,
  }
  const failures: [string, number][] = []
  const openLedger = () =>
    Ledger.open(port, { core, sync, onFailure: (error, lost) => failures.push([error.message, lost]) })
  const store = new OpenStore(
    {
      path: "a folder",
      sync,
      lastCommitAtMs: null,
      openLedger,
      ...(onFailure && { onFailure }),
      findFileProblems: () => [],
      tryCommit: () => undefined,
      findProblems: () => [],
      close: async () => {
        disk.isLetGo = true
      },
    },
    await openLedger(),
  )
  const limit = () => store.ledger.limit("l") ?? store.ledger.define("l", parsePolicy("99/day"), START_MS)
  limit()
  await store.flush()
  /** Asks, has the commit fail that nobody waits for, and gives the disk room again. */
  const lose = async (times = 1) => {
    let needsCommit = false
    for (let each = 0; each < times; each++) ({ needsCommit } = store.ledger.check(limit(), "a", 2, START_MS))
    disk.isFull = true
    await store.ledger.commit().catch(() => undefined)
    disk.isFull = false
    return needsCommit
  }
  return { store, disk, lose, failures }
}

const lost = (records: number) =>
  `Cannot reach the store: a commit failed, and at most ${records} records that were told are lost.`
const LOST = lost(1)

test("close() waits for a store that is being opened anew, and closes it", async () => {
  const { store, disk, lose } = await openStore("always")
  await lose()
  const opening = store.open()
  await store.close()
  expect(disk.isLetGo).toBe(true)
  expect((await opening).isOpen).toBe(false)
})

describe("OpenStore, when a commit fails that nobody waited for", () => {
  test("sync batch: flush() says once that what was told is lost, also where the store was opened anew", async () => {
    const { store, lose } = await openStore("batch")
    expect(await lose()).toBe(false)
    expect((await store.open()).limit("l")!.openKeys().peek("a", 0, START_MS).remaining).toBe(99)
    const told = await store.flush().catch((error: unknown) => error)
    expect(told).toBeInstanceOf(StoreUnavailable)
    expect(told).toMatchObject({ message: LOST, cause: { message: expect.stringContaining("the disk is full") } })
    await store.flush()
    await store.close()
  })

  test("sync batch: close() says so, and lets the folder go", async () => {
    const { store, disk, lose } = await openStore("batch")
    await lose()
    await expect(store.close()).rejects.toThrow(LOST)
    expect(disk.isLetGo).toBe(true)
  })

  test("sync batch: close() says nothing of it to who heard of it when it failed", async () => {
    const { store, disk, lose } = await openStore("batch", () => undefined)
    await lose()
    await store.close()
    expect(disk.isLetGo).toBe(true)
  })

  test("sync batch: each time that it cannot be opened anew is told, with the reason of that time", async () => {
    const told: [string, number][] = []
    const { store, disk, lose } = await openStore("batch", (error, lost) => told.push([error.message, lost]))
    await lose()
    disk.isFull = true
    for (let times = 0; times < 2; times++) await expect(store.open()).rejects.toThrow("the disk is full")
    const full = ["Cannot reach the store: a commit failed: the disk is full.", 0]
    expect(told).toEqual([full, full])
    disk.isFull = false
    await store.open()
    await store.close()
    expect(told).toHaveLength(2)
  })

  test("sync batch: who heard of it by flush() does not hear of it again", async () => {
    const { store, disk } = await openStore("batch")
    store.ledger.check(store.ledger.limit("l")!, "a", 2, START_MS)
    disk.isFull = true
    await expect(store.flush()).rejects.toThrow("the disk is full")
    disk.isFull = false
    await store.flush()
    await store.close()
  })

  test("sync batch: what several commits lost adds up, until somebody hears of it", async () => {
    const { store, lose } = await openStore("batch")
    for (const records of [2, 3]) {
      await lose(records)
      await store.open()
    }
    await lose(4)
    await expect(store.flush()).rejects.toThrow(lost(9))
    await lose(5)
    await store.open()
    await lose(6)
    await expect(store.close()).rejects.toThrow(lost(11))
  })

  test("sync batch: close() adds what its own commit loses", async () => {
    const { store, disk, lose } = await openStore("batch")
    await lose(2)
    const ledger = await store.open()
    for (let each = 0; each < 3; each++) ledger.check(ledger.limit("l")!, "a", 2, START_MS)
    disk.isFull = true
    await expect(store.close()).rejects.toThrow(lost(5))
    expect(disk.isLetGo).toBe(true)
  })

  test.each(["always", "ahead", "batch"] as const)(
    "sync %s: doctor() tells that it cannot be written",
    async (sync) => {
      const { store, disk, lose } = await openStore(sync)
      await lose()
      disk.isFull = true
      const report = await store.doctor()
      expect(report).toMatchObject({ ok: false, problems: [expect.stringContaining("the disk is full")] })
      disk.isFull = false
      expect(await store.doctor()).toMatchObject({ ok: true, problems: [], limits: 1 })
      await store.close().catch(() => undefined)
      await expect(store.doctor()).rejects.toThrow("the limiter is closed")
    },
  )

  test.each(["always", "ahead"] as const)("sync %s: nothing is lost that was told", async (sync) => {
    const { store, lose } = await openStore(sync)
    expect(await lose()).toBe(true)
    await store.open()
    await store.flush()
    await store.close()
  })

  test.each([
    ["always", 0],
    ["ahead", 0],
    ["batch", 1],
  ] as const)("sync %s: each failure is told once, with the %i records that it may lose", async (sync, lost) => {
    const { store, lose, failures } = await openStore(sync)
    await lose()
    await store.open()
    await lose()
    const told = [expect.stringContaining("a commit failed: the disk is full"), lost]
    expect(failures).toEqual([told, told])
    await store.open()
    await store.flush().catch(() => undefined)
    await store.close()
    // Closing is none.
    expect(failures).toHaveLength(2)
  })

  test("sync batch: what fails when the store is opened anew was never told", async () => {
    const { store, disk, failures } = await openStore("batch")
    store.ledger.check(store.ledger.limit("l")!, "a", 2, START_MS)
    disk.isFull = true
    await store.ledger.commit().catch(() => undefined)
    await expect(store.open()).rejects.toThrow("the disk is full")
    await expect(store.open()).rejects.toThrow("the disk is full")
    expect(failures.map(([, lost]) => lost)).toEqual([1, 0, 0])
    disk.isFull = false
    // One was told, and one is what is said to be lost.
    await expect(store.flush()).rejects.toThrow(LOST)
    await store.close()
  })
})
