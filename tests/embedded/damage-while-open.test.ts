import { closeSync, fstatSync, mkdirSync, openSync, statSync, truncateSync, writeSync } from "node:fs"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import { openLimiter } from "sluice/embedded"
import { afterAll, afterEach, describe, expect, test, vi } from "vitest"
import { WalFile } from "../../src/embedded/wal-file.node.js"
import { LOG_FILE, WAL_FILE } from "./store-files.js"
import { removeFolders, temporaryFolder } from "./temporary-folder.js"

afterAll(removeFolders)
afterEach(() => {
  vi.restoreAllMocks()
})

const KEYS = 200
const PAGE_BYTES = 4_096

/** Puts zeros in place of a part of a file, as another program does. */
function zero(file: string, from: number, to?: number): void {
  const descriptor = openSync(file, "r+")
  const end = to ?? fstatSync(descriptor).size
  writeSync(descriptor, new Uint8Array(end - from), 0, end - from, from)
  closeSync(descriptor)
}

/** A store with keys in its file and in its write-ahead log. */
async function openWritten({ isNew = false } = {}) {
  const path = temporaryFolder()
  const open = () => openLimiter({ path, policy: "1000000/day" })
  const charge = async (limiter: Awaited<ReturnType<typeof open>>, to: string) => {
    for (let key = 0; key < KEYS; key++) await limiter.check(`${to} ${key} ${"x".repeat(200)}`)
  }
  if (!isNew) {
    const before = await open()
    await charge(before, "before")
    await before.close()
  }
  const limiter = await open()
  await charge(limiter, "after")
  return { limiter, file: join(path, LOG_FILE), wal: join(path, WAL_FILE) }
}

const failed = { code: expect.stringMatching(/^STORE_(CORRUPT|UNAVAILABLE)$/) }

const WAL_DAMAGES: readonly [string, (wal: string) => void][] = [
  ["cut to nothing", (wal) => truncateSync(wal, 0)],
  ["cut in half", (wal) => truncateSync(wal, statSync(wal).size >> 1)],
  ["zeros", (wal) => zero(wal, 0)],
  ["zeros from the middle on", (wal) => zero(wal, statSync(wal).size >> 1)],
]

describe.each([
  ["a new store", true],
  ["one that was opened again", false],
])("the write-ahead log of %s, damaged while it is open", (_, isNew) => {
  test.each(WAL_DAMAGES)("%s: doctor(), verify() and close() tell", async (name, damage) => {
    const { limiter, wal } = await openWritten({ isNew })
    expect((await limiter.doctor()).problems).toEqual([])
    damage(wal)
    // Where it is as long as before, it goes on from what it has in memory.
    const checked = limiter.check("a")
    if (name.startsWith("cut")) await expect(checked).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" })
    else expect((await checked).allowed).toBe(true)
    await expect(limiter.verify()).rejects.toMatchObject(failed)
    expect(await limiter.doctor()).toMatchObject({ ok: false, fileIsSound: false })
    await expect(limiter.close()).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" })
  })

  test.each(WAL_DAMAGES)("%s: close() tells, also after it could not be opened anew", async (_name, damage) => {
    const { limiter, wal } = await openWritten({ isNew })
    damage(wal)
    expect((await limiter.doctor()).ok).toBe(false)
    // What is read anew makes the first fail, so that the second opens the store anew.
    for (let times = 0; times < 3; times++) await limiter.check("after 0").catch(() => {})
    await expect(limiter.close()).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" })
  })
})

test("pages of the file that are damaged while it is open: doctor() and verify() tell", async () => {
  const { limiter, file } = await openWritten()
  expect((await limiter.doctor()).problems).toEqual([])
  zero(file, PAGE_BYTES, 6 * PAGE_BYTES)
  await expect(limiter.verify()).rejects.toMatchObject(failed)
  expect(await limiter.doctor()).toMatchObject({ ok: false, fileIsSound: false })
  await limiter.close().catch(() => {})
})

describe.each([
  ["was looked at", true],
  ["has grown since it was looked at", false],
])("a write-ahead log that %s, damaged while it is open", (_, isLookedAt) => {
  const told = {
    code: "STORE_UNAVAILABLE",
    message: expect.stringContaining(`${WAL_FILE}" was cut or overwritten while it was open`),
  }

  test.each(WAL_DAMAGES.filter(([name]) => !name.includes("middle")))(
    "%s: from a second later on all who charge are told",
    async (_name, damage) => {
      const { limiter, wal } = await openWritten({ isNew: !isLookedAt })
      if (isLookedAt) expect((await limiter.doctor()).ok).toBe(true)
      damage(wal)
      const { now } = performance
      vi.spyOn(performance, "now").mockImplementation(() => now.call(performance) + 1_000)
      for (let times = 0; times < 2; times++) await expect(limiter.check("a")).rejects.toMatchObject(told)
      await expect(limiter.close()).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" })
    },
  )

  test.each(WAL_DAMAGES.filter(([name]) => name.startsWith("cut")))(
    "%s: the next that charges is told",
    async (_name, damage) => {
      const { limiter, wal } = await openWritten({ isNew: !isLookedAt })
      if (isLookedAt) expect((await limiter.doctor()).ok).toBe(true)
      damage(wal)
      for (let times = 0; times < 2; times++) await expect(limiter.check("a")).rejects.toMatchObject(told)
      await expect(limiter.close()).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" })
    },
  )
})

describe("WalFile", () => {
  const databases: DatabaseSync[] = []
  const wals: WalFile[] = []
  afterEach(() => {
    for (const wal of wals.splice(0)) wal.close()
    for (const database of databases.splice(0)) database.close()
  })

  function openWal() {
    const folder = temporaryFolder()
    mkdirSync(folder)
    const database = new DatabaseSync(join(folder, "a.db"))
    databases.push(database)
    database.exec("PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF")
    database.exec("CREATE TABLE t (body BLOB)")
    const wal = new WalFile(join(folder, "a.db-wal"))
    wals.push(wal)
    const insert = (bytes = 10) => database.exec(`INSERT INTO t VALUES (zeroblob(${bytes}))`)
    const written = () => database.prepare("PRAGMA wal_checkpoint(PASSIVE)").get()!["log"]
    return { database, wal, insert, written }
  }

  test("counts the frames that SQLite has written, also where it has begun anew before old ones", () => {
    const { wal, insert, written } = openWal()
    insert(100_000)
    const first = wal.countFrames()
    expect(first).toBeGreaterThan(24)
    expect(written()).toBe(first)
    const { bytes } = wal
    insert()
    expect(wal.bytes).toBe(bytes)
    const second = wal.countFrames()
    expect(second).toBeLessThan(first!)
    expect(written()).toBe(second)
  })

  test("finds no damage in what SQLite begins anew, or empties and is noted", () => {
    const { database, wal, insert, written } = openWal()
    expect(wal.findDamage()).toBe(null)
    insert(100_000)
    expect(wal.findDamage()).toBe(null)
    written()
    insert()
    expect(wal.findDamage()).toBe(null)
    database.exec("PRAGMA wal_checkpoint(TRUNCATE)")
    expect(wal.bytes).toBe(0)
    wal.noteCut()
    expect([wal.findDamage(), wal.countFrames()]).toEqual([null, 0])
    insert()
    expect(wal.findDamage()).toBe(null)
  })

  test("finds it shorter, or without its beginning after it has grown again, for as long as that is so", () => {
    const { wal, insert } = openWal()
    insert()
    expect(wal.findDamage()).toBe(null)
    truncateSync(wal.path, 0)
    expect(wal.findDamage()).toBe(wal.damaged)
    insert(100_000)
    for (let times = 0; times < 2; times++) expect(wal.findDamage()).toBe(wal.damaged)
    expect(wal.countFrames()).toBe(0)
  })

  test("knows how long SQLite has made it, and that it is damaged though it has grown again", () => {
    const { database, wal, insert, written } = openWal()
    const commit = (bytes?: number) => {
      insert(bytes)
      wal.noteCommit()
      return wal.isCut
    }
    expect([commit(100_000), commit()]).toEqual([false, false])
    written()
    expect([commit(), commit()]).toEqual([false, false])
    database.exec("PRAGMA wal_checkpoint(TRUNCATE)")
    wal.noteCut()
    expect([wal.isCut, commit(), wal.isCut]).toEqual([false, false, false])
    truncateSync(wal.path, wal.bytes - 1)
    expect(wal.isCut).toBe(true)
    expect(wal.findDamage()).toBe(wal.damaged)
    expect([commit(100_000), wal.findDamage()]).toEqual([false, wal.damaged])
  })

  test("misses the beginning of a log that SQLite has made longer, though nobody looked at it before", () => {
    const { wal, insert } = openWal()
    insert()
    wal.noteCommit()
    zero(wal.path, 0)
    expect(wal.isCut).toBe(false)
    expect(wal.findDamage()).toBe(wal.damaged)
  })

  test("counts up to any byte that was changed", () => {
    const { wal, insert } = openWal()
    insert(10_000)
    const frames = wal.countFrames()!
    const length = PAGE_BYTES + 24
    for (const at of [0, 8, 16, 24, length - 1]) {
      const descriptor = openSync(wal.path, "r+")
      writeSync(descriptor, Uint8Array.of(0xa5), 0, 1, 32 + length * (frames - 1) + at)
      closeSync(descriptor)
      expect(wal.countFrames()).toBe(frames - 1)
    }
  })

  test("says nothing of a file that is not there", () => {
    const wal = new WalFile(join(temporaryFolder(), "none"))
    expect([wal.bytes, wal.findDamage(), wal.countFrames()]).toEqual([0, null, null])
  })
})
