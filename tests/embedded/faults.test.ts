import fs, { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs"
import { syncBuiltinESMExports } from "node:module"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import { StoreCorrupt, StoreUnavailable } from "sluice"
import { repair } from "sluice/embedded"
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest"
import { planRepair } from "../../src/embedded/repair.node.js"
import { Witness } from "../../src/embedded/witness.node.js"
import {
  type Files,
  LOG_FILE,
  layOut,
  live,
  open,
  outcomeOf,
  readFiles,
  seen,
  WAL_FILE,
  WITNESS_FILE,
  withFile,
} from "./store-files.js"
import { removeFolders, temporaryFolder } from "./temporary-folder.js"

const LONG_MS = 600_000

afterAll(removeFolders)

/** A store after its life, with its last commits in the write-ahead log as a crash leaves them; and after a close. */
let crashed: Files
let closed: Files
let state: string

beforeAll(async () => {
  const path = temporaryFolder()
  const limiter = await open(path)
  await live(limiter)
  state = await seen(limiter)
  crashed = readFiles(path)
  await limiter.close()
  closed = readFiles(path)
  expect(await outcomeOf(crashed)).toEqual({ state })
  expect(await outcomeOf(closed)).toEqual({ state })
  expect(crashed.has(WAL_FILE)).toBe(true)
  expect(closed.has(WAL_FILE)).toBe(false)
}, LONG_MS)

/** Every damage ends in the exact state, or in a refusal that names a row. Tells how many were refused. */
async function expectExactOrRefused(damaged: Iterable<readonly [label: string, files: Files]>): Promise<number> {
  let refused = 0
  for (const [label, files] of damaged) {
    const outcome = await outcomeOf(files)
    if ("state" in outcome) {
      expect(outcome.state, label).toBe(state)
      continue
    }
    refused += 1
    const { error } = outcome
    const isTyped = error instanceof Error && ["STORE_CORRUPT", "STORE_UNAVAILABLE"].includes(codeOf(error))
    if (!isTyped) throw new Error(`${label}: ${String(error)}`, { cause: error })
    if (codeOf(error) === "STORE_CORRUPT") expect((error as StoreCorrupt).row, label).not.toBe("")
  }
  return refused
}

function codeOf(error: unknown): string {
  return String((error as { code?: unknown }).code)
}

function flipped(bytes: Uint8Array, at: number, by = 0xff): Uint8Array {
  const copy = bytes.slice()
  copy[at]! ^= by
  return copy
}

describe("openLimiter() on damaged files", () => {
  test(
    "any byte of the file of a closed store flipped: exact, or refused",
    async () => {
      const bytes = closed.get(LOG_FILE)!
      function* damages() {
        for (let at = 0; at < bytes.length; at++) {
          yield [`byte ${at}`, withFile(closed, LOG_FILE, flipped(bytes, at, 1 + (at % 255)))] as const
        }
      }
      // Free space of pages holds nothing; what holds something is most of the rest.
      expect(await expectExactOrRefused(damages())).toBeGreaterThan(1_000)
    },
    LONG_MS,
  )

  test(
    "any byte of the write-ahead log flipped: exact, or refused",
    async () => {
      const bytes = crashed.get(WAL_FILE)!
      // Each frame's header in full, and its page now and then.
      const FRAME_BYTES = 4_096 + 24
      function* damages() {
        for (let at = 0; at < bytes.length; at += (at - 32) % FRAME_BYTES < 32 || at < 32 ? 1 : 61) {
          yield [`byte ${at} of the log`, withFile(crashed, WAL_FILE, flipped(bytes, at))] as const
        }
      }
      expect(await expectExactOrRefused(damages())).toBeGreaterThan(200)
    },
    LONG_MS,
  )

  test(
    "the write-ahead log lost, cut at any length, or zeros from any length on: exact, or refused",
    async () => {
      const bytes = crashed.get(WAL_FILE)!
      function* damages() {
        yield ["lost", withFile(crashed, WAL_FILE, null)] as const
        for (let length = 0; length < bytes.length; length += length % 4_120 < 64 ? 1 : 97) {
          yield [`cut at ${length}`, withFile(crashed, WAL_FILE, bytes.subarray(0, length))] as const
          const zeroed = bytes.slice()
          zeroed.fill(0, length)
          yield [`zeros from ${length}`, withFile(crashed, WAL_FILE, zeroed)] as const
        }
      }
      expect(await expectExactOrRefused(damages())).toBeGreaterThan(500)
    },
    LONG_MS,
  )

  test(
    "the file lost, or cut at any length: exact, or refused",
    async () => {
      function* damages() {
        for (const [name, files] of [
          ["crashed", crashed],
          ["closed", closed],
        ] as const) {
          const bytes = files.get(LOG_FILE)!
          yield [`${name}, lost`, withFile(files, LOG_FILE, null)] as const
          for (let length = 0; length < bytes.length; length += length % 4_096 < 32 ? 1 : 89) {
            yield [`${name}, cut at ${length}`, withFile(files, LOG_FILE, bytes.subarray(0, length))] as const
          }
        }
      }
      expect(await expectExactOrRefused(damages())).toBeGreaterThan(100)
    },
    LONG_MS,
  )

  test("the file cut within a large row, while there is a write-ahead log: the file, not the disk, is at fault", async () => {
    const path = temporaryFolder()
    const before = await open(path, { policy: "9/hour" })
    // In several commits, so that the tree of the table stands before its large rows in the file.
    for (let commit = 0; commit < 100; commit++) {
      await Promise.all(Array.from({ length: 10 }, (_, index) => before.check(`key-${commit}-${index}`)))
    }
    await before.compact()
    await before.close()
    const limiter = await open(path)
    await limiter.check("a")
    const files = readFiles(path)
    await limiter.close()
    const bytes = files.get(LOG_FILE)!
    expect(files.has(WAL_FILE)).toBe(true)
    const told: string[] = []
    for (let length = 4_096; length < bytes.length; length += 4_000) {
      const outcome = await outcomeOf(withFile(files, LOG_FILE, bytes.subarray(0, length)))
      // What is cut off may be in the write-ahead log too.
      if ("error" in outcome) told.push((outcome.error as Error).message)
    }
    expect(told.filter((message) => !message.startsWith("Cannot recover the store: "))).toEqual([])
    expect(told).toContain(
      "Cannot recover the store: the file is corrupt: it ends too early, and SQLite says: disk I/O error.",
    )
  })

  test("the witness lost, cut, or any byte of it flipped: the state is exact", async () => {
    const bytes = closed.get(WITNESS_FILE)!
    expect(await outcomeOf(withFile(closed, WITNESS_FILE, null))).toEqual({ state })
    for (let at = 0; at < bytes.length; at++) {
      expect(await outcomeOf(withFile(closed, WITNESS_FILE, flipped(bytes, at)))).toEqual({ state })
      expect(await outcomeOf(withFile(closed, WITNESS_FILE, bytes.subarray(0, at)))).toEqual({ state })
    }
  })

  test("an older copy of the file, or another store's: refused", async () => {
    const path = temporaryFolder()
    const limiter = await open(path)
    await limiter.define("default", "9/hour")
    await limiter.close()
    const young = readFiles(path)
    for (const files of [
      withFile(closed, LOG_FILE, young.get(LOG_FILE)!),
      withFile(closed, WITNESS_FILE, young.get(WITNESS_FILE)!),
    ]) {
      expect(await outcomeOf(files)).toMatchObject({ error: { code: "STORE_CORRUPT", row: "the meta row" } })
    }
    const again = await open(path)
    await again.check("a")
    await again.close()
    const older = withFile(readFiles(path), LOG_FILE, young.get(LOG_FILE)!)
    expect(await outcomeOf(older)).toMatchObject({ error: { code: "STORE_CORRUPT", row: "segment 1" } })
  })

  test("rows deleted, doubled, reordered, swapped between stores, and parts of a snapshot damaged: refused", async () => {
    const other = temporaryFolder()
    const limiter = await open(other)
    await live(limiter)
    await limiter.close()
    const otherRows = rowsOf(layOut(readFiles(other)))
    const rows = rowsOf(layOut(closed))
    expect(rows.map(({ id }) => id)).toEqual(otherRows.map(({ id }) => id))
    expect(rows.length).toBeGreaterThan(3)
    const edits: [string, (database: DatabaseSync) => void][] = []
    for (const [index, { id, body }] of rows.entries()) {
      const put = (database: DatabaseSync, at: number, blob: Uint8Array) =>
        database.prepare("INSERT OR REPLACE INTO sluice_log (id, body) VALUES (?, ?)").run(at, blob)
      edits.push([`row ${id} deleted`, (database) => database.exec(`DELETE FROM sluice_log WHERE id = ${id}`)])
      edits.push([`row ${id} doubled`, (database) => put(database, rows.at(-1)!.id + 1, body)])
      edits.push([`row ${id} of another store`, (database) => put(database, id, otherRows[index]!.body)])
      for (const next of rows.slice(index + 1)) {
        edits.push([
          `rows ${id} and ${next.id} swapped`,
          (database) => {
            put(database, id, next.body)
            put(database, next.id, body)
          },
        ])
      }
    }
    for (const [label, edit] of edits) {
      const path = layOut(closed)
      const database = new DatabaseSync(join(path, LOG_FILE))
      edit(database)
      database.close()
      await expect(open(path), label).rejects.toBeInstanceOf(StoreCorrupt)
    }
  })

  test("what is no SQLite file: refused, and left as it is", async () => {
    const files: Files = new Map([[LOG_FILE, new TextEncoder().encode("hello, I am something else. ".repeat(300))]])
    const path = layOut(files)
    await expect(open(path)).rejects.toMatchObject({ code: "STORE_CORRUPT", row: "the file" })
    expect(readFiles(path).get(LOG_FILE)).toEqual(files.get(LOG_FILE)!)
  })

  test("an empty file beside other files of a store, as a copy to a full disk leaves it: refused, and left as it is", async () => {
    const empty = new Uint8Array()
    for (const [name, bytes] of [
      [WITNESS_FILE, empty],
      [WITNESS_FILE, closed.get(WITNESS_FILE)!],
      [WAL_FILE, empty],
      [WAL_FILE, crashed.get(WAL_FILE)!],
    ] as const) {
      const files: Files = new Map([
        [LOG_FILE, empty],
        [name, bytes],
      ])
      const path = layOut(files)
      const message = `Cannot recover the store: sluice.db is corrupt: it is empty, and ${name} is there: put it back, or repair the store.`
      await expect(open(path)).rejects.toMatchObject({ code: "STORE_CORRUPT", message })
      expect(await planRepair(path)).toMatchObject({ isNeeded: true, givesUp: ["the file: it is empty"] })
      expect(readFiles(path)).toEqual(files)
      await repair(path)
      expect(readFiles(join(path, "aside-1"))).toEqual(files)
      await (await open(path)).close()
    }
  })

  test("an empty file alone, or with SQLite's journal, as a kill leaves it while a store is made: a new store", async () => {
    const empty = new Uint8Array()
    for (const journal of [null, empty, new Uint8Array(512)]) {
      const path = layOut(withFile(new Map([[LOG_FILE, empty]]), "sluice.db-journal", journal))
      await using limiter = await open(path, { policy: "9/hour" })
      expect((await limiter.check("a")).remaining).toBe(8)
    }
  })

  test("a file without a log beside a witness, damaged or not: refused", async () => {
    const path = temporaryFolder()
    mkdirSync(path)
    const database = new DatabaseSync(join(path, LOG_FILE))
    database.exec("PRAGMA journal_mode = WAL")
    database.close()
    const begun = readFiles(path)
    expect(await outcomeOf(begun)).toHaveProperty("state")
    for (const witness of [new Uint8Array(), new Uint8Array(64), closed.get(WITNESS_FILE)!]) {
      const files = withFile(begun, WITNESS_FILE, witness)
      expect(await outcomeOf(files)).toMatchObject({ error: { code: "STORE_CORRUPT", row: "the log" } })
      expect(await planRepair(layOut(files))).toMatchObject({ givesUp: ["the log: it is missing"] })
    }
  })

  test("a database of another program: refused, also by repair, and left as it is", async () => {
    const path = temporaryFolder()
    mkdirSync(path)
    const database = new DatabaseSync(join(path, LOG_FILE))
    database.exec("CREATE TABLE orders (id INTEGER PRIMARY KEY, what TEXT)")
    database.close()
    const before = readFiles(path)
    const what = 'is a database of another program: it holds the table "orders", and no log.'
    for (const look of [open, planRepair, repair]) {
      const message = `Cannot reach the store: the file "${join(path, LOG_FILE)}" ${what}`
      await expect(look(path)).rejects.toMatchObject({ code: "STORE_UNAVAILABLE", message })
      expect(readFiles(path)).toEqual(before)
      expect(readdirSync(path)).toEqual([LOG_FILE])
    }
    writeFileSync(join(path, WITNESS_FILE), closed.get(WITNESS_FILE)!)
    await expect(open(path)).rejects.toMatchObject({ code: "STORE_CORRUPT", row: "the log" })
    expect(readFiles(path).get(LOG_FILE)).toEqual(before.get(LOG_FILE))
  })

  test("what lies in the file beside the log: refused, and gone after a repair, which keeps the log", async () => {
    for (const [what, statement] of [
      ["table", "CREATE TABLE other (x)"],
      ["view", "CREATE VIEW other AS SELECT body FROM sluice_log"],
      ["index", "CREATE INDEX other ON sluice_log (body)"],
      ["trigger", "CREATE TRIGGER other AFTER INSERT ON sluice_log BEGIN DELETE FROM sluice_log; END"],
    ] as const) {
      const path = layOut(closed)
      const database = new DatabaseSync(join(path, LOG_FILE))
      database.exec(statement)
      database.close()
      const failure = `it holds the ${what} "other", which sluice did not make`
      await expect(open(path)).rejects.toMatchObject({ code: "STORE_CORRUPT", row: LOG_FILE, failure })
      expect(await repair(path)).toMatchObject({ gaveUp: [`the file: ${failure}`], keptState: true })
      await using limiter = await open(path)
      expect(await seen(limiter)).toBe(state)
    }
  })

  test("tables that SQLite makes for itself, as statistics by ANALYZE: opened, and no damage", async () => {
    const path = layOut(closed)
    const database = new DatabaseSync(join(path, LOG_FILE))
    database.exec("ANALYZE")
    expect(database.prepare("SELECT name FROM sqlite_master WHERE name = 'sqlite_stat1'").get()).toBeDefined()
    database.close()
    expect(await planRepair(path)).toMatchObject({ isNeeded: false, givesUp: [] })
    await using limiter = await open(path)
    expect(await seen(limiter)).toBe(state)
  })

  test("an end that is missing, of a log with something beside it: told of, and that state is lost", async () => {
    const path = layOut(closed)
    const database = new DatabaseSync(join(path, LOG_FILE))
    database.exec("CREATE TABLE notes (x)")
    database.exec("DELETE FROM sluice_log WHERE id = (SELECT MAX(id) FROM sluice_log)")
    database.close()
    const beside = 'the file: it holds the table "notes", which sluice did not make'
    const end = expect.stringMatching(/^segment \d+: it (is missing|has \d+ records, \d+ were committed)$/)
    expect(await planRepair(path)).toMatchObject({ givesUp: [beside, end], keptState: false })
  })

  describe.skipIf(process.platform === "win32")("a link in place of a file", () => {
    const linked = (file: string) =>
      `Cannot reach the store: the file ${JSON.stringify(file)} is a link, allowed is a file of the store's own.`

    test.each([LOG_FILE, WAL_FILE, `${LOG_FILE}-journal`, `${LOG_FILE}.repaired`, WITNESS_FILE])(
      "%s: refused, also by repair, and what it leads to is left, or not made",
      async (name) => {
        const bytes = closed.get(name)
        const contents = [null, "not of sluice", ...(bytes ? [bytes] : [])]
        for (const files of [withFile(closed, name, null), new Map() as Files]) {
          for (const content of contents) {
            const path = layOut(files)
            const other = join(temporaryFolder(), "other")
            mkdirSync(join(other, ".."))
            if (content !== null) writeFileSync(other, content)
            symlinkSync(other, join(path, name))
            for (const look of [open, planRepair, repair]) {
              const refusal = { code: "STORE_UNAVAILABLE", message: linked(join(path, name)) }
              await expect(look(path)).rejects.toMatchObject(refusal)
              expect(readdirSync(join(other, ".."))).toEqual(content === null ? [] : ["other"])
              if (content !== null) expect(readFileSync(other)).toEqual(Buffer.from(content as string))
              expect(readdirSync(path).sort()).toEqual([...files.keys(), name].sort())
            }
          }
        }
      },
    )

    test("that is made while the store is open: no witness is written through it", () => {
      const file = join(layOut(closed), "link")
      symlinkSync(`${file}-other`, file)
      const witness = new Witness(file)
      const note = () => witness.note({ sequence: 1, count: 1, metaHash: new Uint8Array(32) })
      for (const act of [() => witness.open(), () => witness.read(), note]) expect(act).toThrow(linked(file))
      expect(fs.existsSync(`${file}-other`)).toBe(false)
    })
  })

  test("a path that is a file: StoreUnavailable", async () => {
    const path = join(layOut(closed), LOG_FILE)
    await expect(open(path)).rejects.toBeInstanceOf(StoreUnavailable)
  })
})

describe("a witness that cannot be synced", () => {
  const failure = Object.assign(new Error("EIO: i/o error, fsync"), { code: "EIO" })

  afterEach(() => {
    vi.restoreAllMocks()
    syncBuiltinESMExports()
  })

  test("close() lets everything go", async () => {
    const path = temporaryFolder()
    const limiter = await open(path, { policy: "9/hour" })
    const syncing = vi.spyOn(fs, "fsync").mockImplementation((_, done) => done(failure))
    const closing = vi.spyOn(fs, "close")
    syncBuiltinESMExports()
    await limiter.close()
    expect(closing).toHaveBeenCalledWith(syncing.mock.calls[0]![0], expect.any(Function))
    await (await open(path)).close()
  })

  test("openLimiter() that refuses the store lets everything go, and tells why", async () => {
    const path = layOut(withFile(crashed, WAL_FILE, crashed.get(WAL_FILE)!.slice(0, -6_000)))
    const syncing = vi.spyOn(fs, "fsyncSync").mockImplementation(() => {
      throw failure
    })
    const closing = vi.spyOn(fs, "closeSync")
    syncBuiltinESMExports()
    await expect(open(path)).rejects.toBeInstanceOf(StoreCorrupt)
    expect(closing).toHaveBeenCalledWith(syncing.mock.calls[0]![0])
    // Not locked.
    await expect(open(path)).rejects.toBeInstanceOf(StoreCorrupt)
  })
})

function rowsOf(path: string): { id: number; body: Uint8Array }[] {
  const database = new DatabaseSync(join(path, LOG_FILE))
  const rows = database.prepare("SELECT id, body FROM sluice_log ORDER BY id").all()
  database.close()
  return rows as unknown as { id: number; body: Uint8Array }[]
}
