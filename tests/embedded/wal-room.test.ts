import fs, { appendFileSync, mkdirSync, statSync } from "node:fs"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import { afterAll, afterEach, describe, expect, test, vi } from "vitest"
import { BoundedSql } from "../../src/embedded/bounded-sql.js"
import { WalFile } from "../../src/embedded/wal-file.node.js"
import { WalRoom } from "../../src/embedded/wal-room.node.js"
import { LogTable } from "../../src/ledger/log-table.js"
import { sqliteLedgerPort } from "../../src/ledger/sqlite-port.node.js"
import { removeFolders, temporaryFolder } from "./temporary-folder.js"

const MIB = 2 ** 20
const FRAME_BYTES = 4_096 + 24

afterAll(removeFolders)
afterEach(() => {
  vi.restoreAllMocks()
})

/** A table of rows on a disk that tells what it is told to. */
function openRoom() {
  const folder = temporaryFolder()
  mkdirSync(folder)
  const file = join(folder, "log.db")
  const database = new DatabaseSync(file)
  database.exec("PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0; PRAGMA synchronous = OFF")
  // Not plenty, which would be looked at only once a second.
  const disk = { free: 60 * MIB }
  const room = new WalRoom(database, file, new WalFile(`${file}-wal`), () => disk.free)
  const table = new LogTable(new BoundedSql(sqliteLedgerPort(database).sql, room))
  table.create()
  room.empty()
  const wal = `${file}-wal`
  const walBytes = () => statSync(wal).size
  let last = 0
  const insert = (bytes = 100_000) => table.writeRow(++last, new Uint8Array(bytes))
  const ids = () => table.read().map(({ id }) => id)
  return { database, file, wal, disk, room, table, insert, ids, walBytes }
}

describe("WalRoom", () => {
  test("empties the write-ahead log before it takes more than a quarter of what is free, and not before", () => {
    const { database, disk, room, insert, ids, walBytes } = openRoom()
    disk.free = MIB
    insert()
    expect(room.isScarce).toBe(true)
    const once = walBytes()
    insert()
    expect(walBytes()).toBeGreaterThan(once)
    disk.free = 3 * walBytes()
    insert()
    expect(walBytes()).toBeLessThan(2 * once)
    expect(ids()).toEqual([1, 2, 3])
    database.close()
  })

  test("cuts off what a commit that failed left behind the pages that count", () => {
    const { database, wal, disk, room, table, insert, ids, walBytes } = openRoom()
    disk.free = 60 * MIB
    insert()
    expect(room.isScarce).toBe(false)
    const before = walBytes()
    const fail = () => {
      appendFileSync(wal, new Uint8Array(50_000))
      throw new Error("the disk is full")
    }
    expect(() => table.transaction(fail)).toThrow("the disk is full")
    expect(walBytes()).toBe(before)
    insert()
    expect(database.prepare("PRAGMA integrity_check").get()).toEqual({ integrity_check: "ok" })
    expect(ids()).toEqual([1, 2])
    database.close()
  })

  test("refuses a commit after which the file could not grow by all that it and the log have for it, and writes nothing", () => {
    const { database, disk, table, insert, ids, walBytes } = openRoom()
    insert()
    const before = walBytes()
    // The log has 25 pages that the file must grow by. The second row takes 8 and 99 in the log, 98 in the file; 10 are
    // kept.
    disk.free = (8 + 99 + 10) * FRAME_BYTES + (25 + 98) * 4_096 - 1
    const refused = "a commit of 440840 bytes needs 985848 bytes of room on the disk, where 985847 are free."
    // Of a row by itself, and of one in a transaction.
    expect(() => insert(400_000)).toThrow(refused)
    expect(() => table.transaction(() => insert(400_000))).toThrow(refused)
    expect(walBytes()).toBe(before)
    expect(ids()).toEqual([1])
    disk.free += 1
    insert(400_000)
    expect(ids()).toEqual([1, 4])
    database.close()
  })

  test("lets the commits of opening() take the room that others leave for them", async () => {
    const { database, disk, room, insert, ids } = openRoom()
    insert(100)
    room.empty()
    disk.free = 19 * FRAME_BYTES
    expect(() => insert(100)).toThrow("a commit of 41200 bytes needs 82400 bytes of room")
    await room.opening(async () => insert(100))
    expect(() => insert(100)).toThrow("bytes of room")
    await expect(room.opening(async () => insert())).rejects.toThrow("bytes of room")
    expect(ids()).toEqual([1, 3])
    database.close()
  })

  test("no commit writes more pages than it is taken to", () => {
    const { database, room, table, walBytes } = openRoom()
    const frames = () => Math.max(0, walBytes() - 32) / FRAME_BYTES
    let random = 1
    const below = (most: number) => {
      random = (random * 48_271) % 2_147_483_647
      return random % most
    }
    let first = 1
    let next = 1
    for (let commit = 0; commit < 200; commit++) {
      room.empty()
      let pages = 8
      table.transaction(() => {
        for (let rows = below(commit % 10 === 0 ? 40 : 4); rows >= 0; rows--) {
          const bytes = below(20) === 0 ? below(140_000) : below(9_000)
          table.writeRow(next, new Uint8Array(bytes))
          pages += room.pagesOf(bytes)
          next += 1
        }
        // The open segment is written again and again, the snapshot before the others.
        table.writeRow(next, new Uint8Array(below(3_500)))
        pages += room.pagesOf(3_500)
        if (commit % 4 === 0) {
          table.writeRow(-commit - 1, new Uint8Array(131_072))
          pages += room.pagesOf(131_072)
        }
        if (commit % 7 === 0) {
          const drops = Array.from({ length: Math.min(below(256), next - first) }, (_, at) => first + at)
          table.drop(drops)
          first += drops.length
          pages += drops.length * room.pagesOf(null)
        }
      })
      expect(frames()).toBeLessThanOrEqual(Math.ceil(pages))
    }
    database.close()
  })

  test("findLackFor() asks for a row's room beside that of a busy commit, less what the file has free", () => {
    const { database, disk, room, table, insert } = openRoom()
    disk.free = 50 * MIB
    expect(room.findLackFor(131_072)).toBeNull()
    insert(200_000)
    table.drop([1])
    room.empty()
    // Nothing is to be copied, and the file has the pages already.
    disk.free = (8 + 34 + 10) * FRAME_BYTES + 65_536
    expect(room.findLackFor(131_072)).toBeNull()
    disk.free -= 1
    expect(room.findLackFor(131_072)).toBe(
      "a commit of 173040 bytes needs 279776 bytes of room on the disk, where 279775 are free",
    )
    disk.free = 100 * MIB
    expect(room.findLackFor(131_072)).toBeNull()
    database.close()
  })

  /** Has no file grow past so many bytes, by what is written with Node: a write takes a part first. */
  function mostBytes(most: number) {
    const write = fs.writeSync
    return vi.spyOn(fs, "writeSync").mockImplementation(((file: number, bytes: Uint8Array, ...at: number[]) => {
      const [offset, length, position] = at as [number, number, number]
      const fits = Math.min(length, most - position)
      if (fits <= 0) throw new Error("ENOSPC: no space left on device, write")
      return write(file, bytes, offset, fits, position)
    }) as never)
  }

  test("require() asks for the room that a busy commit takes, and leaves the write-ahead log as it was", () => {
    const { database, disk, room, insert, ids, walBytes } = openRoom()
    insert()
    const before = walBytes()
    room.require()
    expect(walBytes()).toBe(before)
    insert()
    expect(ids()).toEqual([1, 2])
    mostBytes(65_535)
    expect(() => room.require()).toThrow(
      "Cannot reach the store: a commit of 65536 bytes cannot be written: ENOSPC: no space left on device, write.",
    )
    // What was written of it is cut off, and what had filled the log is in the file.
    expect(walBytes()).toBe(0)
    vi.restoreAllMocks()
    mostBytes(65_536)
    room.require()
    disk.free = 65_536
    expect(() => room.require()).toThrow(
      "a commit of 65536 bytes needs 106736 bytes of room on the disk, where 65536 are",
    )
    expect(database.prepare("PRAGMA integrity_check").get()).toEqual({ integrity_check: "ok" })
    database.close()
  })

  test("require() asks for what the last commit that failed took, until one succeeds", () => {
    const { database, wal, disk, room, table, insert } = openRoom()
    disk.free = 60 * MIB
    const fail = () => {
      appendFileSync(wal, new Uint8Array(200_000))
      throw new Error("the disk is full")
    }
    expect(() => table.transaction(fail)).toThrow("the disk is full")
    mostBytes(200_000)
    expect(() => room.require()).toThrow("a commit of 204120 bytes cannot be written")
    insert()
    room.require()
    disk.free = 600_000
    expect(() => insert(400_000)).toThrow("a commit of 440840 bytes needs")
    disk.free = 500_000
    expect(() => room.require()).toThrow("a commit of 440840 bytes needs")
    database.close()
  })
})
