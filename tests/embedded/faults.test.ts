import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import { StoreCorrupt, StoreUnavailable } from "sluice"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
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

  test("a path that is a file: StoreUnavailable", async () => {
    const path = join(layOut(closed), LOG_FILE)
    await expect(open(path)).rejects.toBeInstanceOf(StoreUnavailable)
  })
})

function rowsOf(path: string): { id: number; body: Uint8Array }[] {
  const database = new DatabaseSync(join(path, LOG_FILE))
  const rows = database.prepare("SELECT id, body FROM sluice_log ORDER BY id").all()
  database.close()
  return rows as unknown as { id: number; body: Uint8Array }[]
}
