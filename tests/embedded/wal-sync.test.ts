import fs, { mkdirSync, renameSync } from "node:fs"
import { syncBuiltinESMExports } from "node:module"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import { afterAll, afterEach, describe, expect, test, vi } from "vitest"
import { WalSync } from "../../src/embedded/wal-sync.node.js"
import { turn } from "../ledger/watched-port.js"
import { removeFolders, temporaryFolder } from "./temporary-folder.js"

afterAll(removeFolders)
afterEach(() => {
  vi.restoreAllMocks()
  syncBuiltinESMExports()
})

const COMMITS = 200
const TRY_EVERY = 65

/** @param takesMs how long each commit in the thread takes, and each sync beside it */
function openDatabase(busyShare: number, takesMs = () => 0) {
  const folder = temporaryFolder()
  mkdirSync(folder)
  const file = join(folder, "log.db")
  const database = new DatabaseSync(file)
  database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; CREATE TABLE log (id INTEGER PRIMARY KEY)")
  const path = `${file}-wal`
  let nowMs = 0
  const walSync = new WalSync(
    database,
    path,
    () => () => busyShare,
    // Asked before each and after it.
    () => (nowMs += takesMs()),
  )
  return {
    database,
    path,
    walSync,
    commit: (isAwaited = true) => walSync.durably(() => database.exec("INSERT INTO log DEFAULT VALUES"), { isAwaited }),
    count: () => Number(database.prepare("SELECT count(*) AS count FROM log").get()!["count"]),
    /** 1 is NORMAL, 2 is FULL. */
    synchronous: () => database.prepare("PRAGMA synchronous").get()!["synchronous"],
  }
}

/** Which of the commits were synced beside the thread. */
async function syncedBeside(commit: () => Promise<void> | undefined): Promise<number[]> {
  const beside: number[] = []
  for (let index = 1; index <= COMMITS; index++) {
    const syncing = commit()
    if (syncing === undefined) continue
    beside.push(index)
    await syncing
  }
  return beside
}

/** Holds the end of each sync beside the thread, until the test tells how it ended. */
function holdSyncs() {
  const ends: fs.NoParamCallback[] = []
  const fdatasync = vi.spyOn(fs, "fdatasync").mockImplementation((_file, end) => void ends.push(end))
  syncBuiltinESMExports()
  return { ends, fdatasync }
}

describe("WalSync", () => {
  test("syncs in the thread, and tries one commit of 65 beside it, where the event loop is idle meanwhile", async () => {
    const { database, walSync, commit, count } = openDatabase(0)
    expect(await syncedBeside(commit)).toEqual([TRY_EVERY, 2 * TRY_EVERY, 3 * TRY_EVERY])
    expect(count()).toBe(COMMITS)
    walSync.close()
    database.close()
  })

  test("goes on beside the thread as long as the event loop is busy, and never before SQLite synced itself", async () => {
    const { database, walSync, commit, count } = openDatabase(1)
    const last = COMMITS - TRY_EVERY + 1
    expect(await syncedBeside(commit)).toEqual(Array.from({ length: last }, (_, index) => TRY_EVERY + index))
    expect(count()).toBe(COMMITS)
    walSync.close()
    database.close()
  })

  test("syncs what nobody waits for beside the thread, but the first commit, however idle the loop is", async () => {
    const { database, walSync, commit, count } = openDatabase(0)
    expect(await syncedBeside(() => commit(false))).toEqual(
      Array.from({ length: COMMITS - 1 }, (_, index) => index + 2),
    )
    // It says nothing of those that somebody waits for: the first was as one of them.
    expect(await syncedBeside(commit)).toEqual([TRY_EVERY - 1, 2 * TRY_EVERY - 1, 3 * TRY_EVERY - 1])
    expect(count()).toBe(2 * COMMITS)
    walSync.close()
    database.close()
  })

  test("syncs beside the thread after a commit that was slow, until one is not", async () => {
    let takesMs = 0
    const { database, walSync, commit, count } = openDatabase(0, () => takesMs)
    const commits = async (times: number) => {
      const beside: boolean[] = []
      for (let time = 0; time < times; time++) {
        const syncing = commit()
        beside.push(syncing !== undefined)
        await syncing
      }
      return beside
    }
    expect(await commits(2)).toEqual([false, false])
    takesMs = 4
    expect(await commits(4)).toEqual([false, true, true, true])
    takesMs = 0
    expect(await commits(3)).toEqual([true, false, false])
    expect(count()).toBe(9)
    walSync.close()
    database.close()
  })

  test("syncs the log once for each commit beside the thread, which is made when that is over", async () => {
    const { ends, fdatasync } = holdSyncs()
    const { database, path, walSync, commit } = openDatabase(0)
    // The first is synced by SQLite.
    commit(false)
    expect(fdatasync).not.toHaveBeenCalled()
    for (let time = 1; time <= 3; time++) {
      const made = vi.fn()
      const syncing = commit(false)!.then(made)
      await turn()
      expect(fdatasync).toHaveBeenCalledTimes(time)
      expect(fs.fstatSync(fdatasync.mock.lastCall![0]).ino).toBe(fs.statSync(path).ino)
      expect(made).not.toHaveBeenCalled()
      ends.at(-1)!(null)
      await syncing
    }
    walSync.close()
    database.close()
  })

  test("fails a commit whose sync fails, and no other", async () => {
    const { ends } = holdSyncs()
    const { database, walSync, commit } = openDatabase(0)
    commit(false)
    const [failing, later] = [commit(false), commit(false)]
    const error = Object.assign(new Error("EIO: i/o error, fdatasync"), { code: "EIO" })
    ends[0]!(error)
    ends[1]!(null)
    await expect(failing).rejects.toBe(error)
    await expect(later).resolves.toBeUndefined()
    walSync.close()
    database.close()
  })

  test("leaves SQLite syncing what others write, also after a write that failed", async () => {
    const { database, walSync, commit, count, synchronous } = openDatabase(1)
    await syncedBeside(commit)
    const syncing = commit()
    expect(synchronous()).toBe(2)
    const failing = () => {
      throw new Error("the write failed")
    }
    expect(() => walSync.durably(failing, { isAwaited: true })).toThrow("the write failed")
    expect(synchronous()).toBe(2)
    await syncing
    expect(count()).toBe(COMMITS + 1)
    walSync.close()
    database.close()
  })

  test("lets its file go after the sync that is under way", async () => {
    const { database, walSync, commit } = openDatabase(1)
    await syncedBeside(commit)
    const syncing = commit()
    walSync.close()
    database.close()
    await expect(syncing).resolves.toBeUndefined()
  })

  test("leaves the sync to SQLite where it cannot open the write-ahead log, and tries again later", async () => {
    const { database, path, commit, count, synchronous, walSync } = openDatabase(1)
    renameSync(path, `${path}-away`)
    expect(await syncedBeside(commit)).toEqual([])
    expect([count(), synchronous()]).toEqual([COMMITS, 2])
    renameSync(`${path}-away`, path)
    expect(await syncedBeside(commit)).not.toEqual([])
    walSync.close()
    database.close()
  })
})
