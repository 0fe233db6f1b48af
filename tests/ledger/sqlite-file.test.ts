import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import { afterEach, beforeEach, describe, expect, test } from "vitest"
import { Ledger } from "../../src/ledger/ledger.js"
import { sqliteLedgerPort } from "../../src/ledger/sqlite-port.node.js"
import { parsePolicy } from "../../src/policy/parse-policy.js"
import { START_MS } from "./ledger-case.js"
import { logRecords } from "./log-records.js"
import { readRows } from "./rows.js"
import { core } from "./script-run.js"
import { turn } from "./watched-port.js"

const CALLERS = 200

describe.each(["WAL", "DELETE"])("Ledger in a file, journal mode %s", (journal) => {
  let folder = ""
  let file = ""
  const open: DatabaseSync[] = []

  function connect(): DatabaseSync {
    const database = new DatabaseSync(file)
    database.exec(`PRAGMA journal_mode = ${journal}`)
    open.push(database)
    return database
  }

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "sluice-ledger-"))
    file = join(folder, "log.sqlite")
  })

  afterEach(() => {
    for (const database of open.splice(0)) if (database.isOpen) database.close()
    rmSync(folder, { recursive: true })
  })

  test("commit() resolves whatever onCommit throws, and nothing is lost", async () => {
    const port = sqliteLedgerPort(connect())
    let told = 0
    const onCommit = () => {
      // Not where the log is made.
      if (++told > 1) throw new Error("the hook failed")
    }
    const ledger = await Ledger.open(port, { core, onCommit })
    const limit = ledger.define("l", parsePolicy("9/hour"), START_MS)
    await ledger.commit()
    ledger.check(limit, "a", 4, START_MS)
    await ledger.commit()
    await ledger.compact()
    ledger.check(limit, "a", 2, START_MS)
    await ledger.commit()
    expect(ledger.commits).toBe(3)
    // Those that made the log, began the compaction and ended it are no commits of what was decided.
    expect(told).toBe(6)
    expect((await ledger.verify()).replayEqualsLive).toBe(true)
    await ledger.close()
    const again = await Ledger.open(port, { core })
    expect(again.limit("l")!.openKeys().status("a", START_MS).remaining).toBe(3)
    await again.close()
  })

  test("compact() leaves the connection's checkpoints as they were", async () => {
    const database = connect()
    const ledger = await Ledger.open(sqliteLedgerPort(database), { core })
    ledger.define("l", parsePolicy("9/hour"), START_MS)
    const checkpoint = () => database.prepare("PRAGMA wal_autocheckpoint").get()
    const before = checkpoint()
    await ledger.compact()
    expect(checkpoint()).toEqual(before)
    await ledger.close()
  })

  test("commit() resolves when another connection sees the caller's record", async () => {
    const port = sqliteLedgerPort(connect())
    const other = sqliteLedgerPort(connect())
    const ledger = await Ledger.open(port, { core })
    const limit = ledger.define("l", parsePolicy("1000000/second"), START_MS)
    await ledger.commit()
    const told: Promise<void>[] = []
    for (let caller = 0; caller < CALLERS; caller++) {
      const key = `key ${caller}`
      ledger.check(limit, key, 1, START_MS)
      expect(lastKeys(await logRecords(other))).not.toContain(key)
      const seen = async () => {
        await ledger.commit()
        expect(lastKeys(await logRecords(other))).toContain(key)
      }
      told.push(seen())
      if (caller % 20 === 0) await turn()
    }
    await Promise.all(told)
    expect(ledger.commits).toBeLessThan(CALLERS / 5)
    await ledger.close()
  })

  test("transaction() leaves none behind where its work fails, also of a database that does not tell, as in Node 22.13", () => {
    const database = connect()
    database.exec("CREATE TABLE t (value)")
    // `isTransaction` is no property that a test could hide.
    const silent = { exec: (sql: string) => database.exec(sql), prepare: (sql: string) => database.prepare(sql) }
    const { sql } = sqliteLedgerPort(silent as DatabaseSync)
    const fail = (last: string) => () => {
      sql.run("INSERT INTO t VALUES (1)")
      sql.run(last)
      throw new Error("the work failed")
    }
    expect(() => sql.transaction(fail("INSERT INTO t VALUES (2)"))).toThrow("the work failed")
    // SQLite itself may have ended the transaction.
    expect(() => sql.transaction(fail("ROLLBACK"))).toThrow("the work failed")
    sql.transaction(() => sql.run("INSERT INTO t VALUES (3)"))
    expect([...sql.rows("SELECT value FROM t")]).toEqual([{ value: 3 }])
  })

  test("a transaction that the process did not live to commit leaves nothing", async () => {
    const database = connect()
    const ledger = await Ledger.open(sqliteLedgerPort(database), { core })
    const limit = ledger.define("l", parsePolicy("5/minute"), START_MS)
    ledger.check(limit, "a", 2, START_MS)
    await ledger.compact()
    const rows = readRows(sqliteLedgerPort(database))
    database.exec("BEGIN IMMEDIATE")
    database.exec("DELETE FROM sluice_log")
    database.close()
    ledger.abandon()
    const port = sqliteLedgerPort(connect())
    expect(readRows(port)).toEqual(rows)
    const again = await Ledger.open(port, { core })
    expect(again.limit("l")!.openKeys().peek("a", 1, START_MS).remaining).toBe(3)
    await again.close()
  })

  test("another connection that holds the file makes a commit fail with StoreUnavailable, and nothing is lost", async () => {
    const ledger = await Ledger.open(sqliteLedgerPort(connect()), { core })
    const limit = ledger.define("l", parsePolicy("5/minute"), START_MS)
    ledger.check(limit, "a", 2, START_MS)
    await ledger.commit()
    const other = connect()
    other.exec("BEGIN IMMEDIATE")
    ledger.check(limit, "a", 1, START_MS)
    await expect(ledger.commit()).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" })
    other.exec("ROLLBACK")
    ledger.abandon()
    const again = await Ledger.open(sqliteLedgerPort(connect()), { core })
    expect(again.limit("l")!.openKeys().peek("a", 1, START_MS).remaining).toBe(3)
    await again.close()
  })
})

function lastKeys(records: Awaited<ReturnType<typeof logRecords>>): string[] {
  return records.flatMap((record) => (record.op === "admit" ? [record.key] : []))
}
