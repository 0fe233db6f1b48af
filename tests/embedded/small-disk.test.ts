import { spawnSync } from "node:child_process"
import fs, { appendFileSync, mkdirSync, statSync } from "node:fs"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import { afterAll, afterEach, describe, expect, test, vi } from "vitest"
import { openLimiter } from "../../src/embedded/index.node.js"
import { WalRoom } from "../../src/embedded/wal-room.node.js"
import { ROOT } from "../conformance/run-in-runtime.js"
import { removeFolders, temporaryFolder } from "./temporary-folder.js"

const TEST_MS = 120_000
const MIB = 2 ** 20

afterAll(removeFolders)
afterEach(() => {
  vi.restoreAllMocks()
  vi.unstubAllGlobals()
})

/** Has every disk tell that so much is free. */
function freeOnDisk(bytes: number) {
  return vi.spyOn(fs, "statfsSync").mockReturnValue({ bavail: bytes, blocks: bytes, bsize: 1 } as never)
}

/** Runs lines of a shell, in namespaces of its own: it may mount what nobody else sees. */
function shellApart(lines: string, ...values: string[]) {
  return spawnSync("unshare", ["-rm", "sh", "-ec", lines, "sh", ...values], { cwd: ROOT, encoding: "utf8" })
}

const MOUNT = 'mkdir "$1"; mount -t tmpfs -o size=3m tmpfs "$1"'
const MAY_MOUNT = shellApart(MOUNT, temporaryFolder()).status === 0
const PROGRAM = 'node tests/embedded/programs/small-disk.mjs "$1/data" "$2"'

describe("a store on a small disk", () => {
  // Where no namespace can be made, no small disk can.
  test.skipIf(!MAY_MOUNT)(
    "a volume of 3 MB never fills up with what is compacted to a few pages",
    () => {
      const { stdout, stderr } = shellApart(`${MOUNT}\n${PROGRAM}`, temporaryFolder(), "60000")
      expect(stderr).toBe("")
      expect(JSON.parse(stdout)).toEqual({ failures: 0, lastFailures: 0, ok: true })
    },
    TEST_MS,
  )

  test.skipIf(!MAY_MOUNT)(
    "doctor() tells of a disk on which no check can be made durable, open and opened anew, and not once it has room",
    () => {
      const program = 'node tests/embedded/programs/full-disk.mjs "$1/data" "$1/filler"'
      const { stdout, stderr } = shellApart(`${MOUNT}\n${program}`, temporaryFolder())
      expect(stderr).toBe("")
      const noRoom = {
        ok: false,
        problems: [expect.stringMatching(/^Cannot reach the store: a commit of 65536 bytes cannot be written: ENOSPC/)],
      }
      expect(JSON.parse(stdout)).toEqual({ told: [noRoom, noRoom, noRoom, { ok: true, problems: [] }], isSame: true })
    },
    TEST_MS,
  )

  test(
    "where no file may grow past 100 KB, a commit that the write-ahead log has no room for is followed by others",
    () => {
      const folder = temporaryFolder()
      const { stdout } = spawnSync("sh", ["-c", `ulimit -f 200; ${PROGRAM}`, "sh", folder, "1500"], {
        cwd: ROOT,
        encoding: "utf8",
      })
      const { failures, lastFailures, ok } = JSON.parse(stdout)
      expect(ok).toBe(true)
      expect(failures).toBeGreaterThan(0)
      expect(lastFailures).toBeLessThan(100)
    },
    TEST_MS,
  )

  test.each([
    ["scarce", 15, true],
    ["not scarce", 1_000, false],
  ])(
    "a log of 200 KB is compacted where the room on the disk is scarce: where it is %s",
    async (_, freeMib, isCompacted) => {
      freeOnDisk(freeMib * MIB)
      await using limiter = await openLimiter({ path: temporaryFolder(), policy: "9/hour", sync: "batch" })
      for (let key = 0; key < 1_000; key++) await limiter.check(`${key}`.padStart(200))
      await limiter.flush()
      await expect.poll(async () => (await limiter.doctor()).coveredSequence > 0).toBe(isCompacted)
    },
  )

  test.each([
    ["prompt", 0],
    ["denied", 0],
    ["granted", 1],
  ])("Deno, whose permission to look at disks is %s, is not made to ask for it", async (state, looks) => {
    const querySync = vi.fn(() => ({ state }))
    vi.stubGlobal("Deno", { permissions: { querySync } })
    const look = freeOnDisk(1_000 * MIB)
    const limiter = await openLimiter({ path: temporaryFolder(), policy: "9/hour" })
    await limiter.check("ada")
    await limiter.close()
    expect(querySync).toHaveBeenCalledWith({ name: "sys", kind: "statfs" })
    expect(look).toHaveBeenCalledTimes(looks)
  })
})

describe("WalRoom", () => {
  function openRoom() {
    const folder = temporaryFolder()
    mkdirSync(folder)
    const file = join(folder, "log.db")
    const database = new DatabaseSync(file)
    database.exec("PRAGMA journal_mode = WAL; CREATE TABLE log (body BLOB)")
    const wal = `${file}-wal`
    const disk = { free: 100 * MIB }
    const room = new WalRoom(database, wal, () => disk.free)
    const insert = () => database.exec("INSERT INTO log VALUES (zeroblob(100000))")
    return { database, wal, disk, room, insert, walBytes: () => statSync(wal).size }
  }

  test("empties the write-ahead log before it takes more than a quarter of what is free, and not before", () => {
    const { database, disk, room, insert, walBytes } = openRoom()
    disk.free = MIB
    room.commit(insert)
    expect(room.isScarce).toBe(true)
    const once = walBytes()
    room.commit(insert)
    expect(walBytes()).toBeGreaterThan(once)
    disk.free = 3 * walBytes()
    room.commit(insert)
    expect(walBytes()).toBeLessThanOrEqual(once)
    expect(database.prepare("SELECT count(*) AS count FROM log").get()).toEqual({ count: 3 })
    database.close()
  })

  test("cuts off what a commit that failed left behind the pages that count", () => {
    const { database, wal, disk, room, insert, walBytes } = openRoom()
    disk.free = 60 * MIB
    room.commit(insert)
    expect(room.isScarce).toBe(false)
    const before = walBytes()
    const fail = () => {
      appendFileSync(wal, new Uint8Array(50_000))
      throw new Error("the disk is full")
    }
    expect(() => room.commit(fail)).toThrow("the disk is full")
    expect(walBytes()).toBe(before)
    room.commit(insert)
    expect(database.prepare("PRAGMA integrity_check").get()).toEqual({ integrity_check: "ok" })
    expect(database.prepare("SELECT count(*) AS count FROM log").get()).toEqual({ count: 2 })
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
    const { database, room, insert, walBytes } = openRoom()
    room.commit(insert)
    const before = walBytes()
    room.require()
    expect(walBytes()).toBe(before)
    room.commit(insert)
    const { length } = database.prepare("SELECT * FROM log").all()
    expect(length).toBe(2)
    mostBytes(65_535)
    expect(() => room.require()).toThrow(
      "Cannot reach the store: a commit of 65536 bytes cannot be written: ENOSPC: no space left on device, write.",
    )
    // What was written of it is cut off, and what had filled the log is in the file.
    expect(walBytes()).toBe(0)
    vi.restoreAllMocks()
    mostBytes(65_536)
    room.require()
    expect(database.prepare("PRAGMA integrity_check").get()).toEqual({ integrity_check: "ok" })
    database.close()
  })

  test("require() asks for what the last commit that failed took, until one succeeds", () => {
    const { database, wal, disk, room, insert } = openRoom()
    disk.free = 60 * MIB
    const fail = () => {
      appendFileSync(wal, new Uint8Array(200_000))
      throw new Error("the disk is full")
    }
    expect(() => room.commit(fail)).toThrow("the disk is full")
    mostBytes(200_000)
    expect(() => room.require()).toThrow("a commit of 204120 bytes cannot be written")
    room.commit(insert)
    room.require()
    database.close()
  })
})
