import { spawnSync } from "node:child_process"
import fs, { existsSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from "node:fs"
import { syncBuiltinESMExports } from "node:module"
import { join } from "node:path"
import { repair } from "sluice/embedded"
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest"
import { ROOT } from "../conformance/run-in-runtime.js"
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

const REPAIRED_FILE = "sluice.db.repaired"

afterAll(removeFolders)
vi.setConfig({ testTimeout: 60_000 })

/** A store after its life, as a crash leaves it, and after a close; a damaged one whose end is lost. */
let crashed: Files
let closed: Files
let damaged: Files

beforeAll(async () => {
  const path = temporaryFolder()
  const limiter = await open(path)
  await live(limiter)
  crashed = readFiles(path)
  await limiter.close()
  closed = readFiles(path)
  damaged = withFile(crashed, WAL_FILE, crashed.get(WAL_FILE)!.slice(0, -6_000))
})

/** What another process is told that opens the folder. */
function openElsewhere(path: string): string {
  const program = `
    import { openLimiter } from "sluice/embedded"
    const limiter = await openLimiter({ path: ${JSON.stringify(path)} }).catch((error) => console.log(error.code))
    if (limiter) console.log("opened")`
  const { stdout, stderr } = spawnSync(process.execPath, ["--input-type=module", "--eval", program], {
    cwd: ROOT,
    encoding: "utf8",
    timeout: 20_000,
  })
  return stdout.trim() || stderr
}

/** Runs `work` where a function of the file system fails. */
async function withFailing<T>(name: "renameSync" | "fsyncSync" | "rmSync", work: () => Promise<T>): Promise<T> {
  const working = fs[name]
  Object.assign(fs, {
    [name]: () => {
      throw Object.assign(new Error("EIO: i/o error"), { code: "EIO" })
    },
  })
  syncBuiltinESMExports()
  try {
    return await work()
  } finally {
    Object.assign(fs, { [name]: working })
    syncBuiltinESMExports()
  }
}

describe("repair() of a store that this process has open", () => {
  test("is refused, by any of its paths, and leaves it locked for other processes", async () => {
    const path = temporaryFolder()
    await using limiter = await open(path, { policy: "10/hour" })
    const alias = `${path}-alias`
    symlinkSync(path, alias)
    const before = readdirSync(path)
    await expect(repair(path)).rejects.toMatchObject({ code: "STORE_LOCKED", path })
    await expect(repair(alias)).rejects.toMatchObject({ code: "STORE_LOCKED", path: alias })
    await expect(open(alias)).rejects.toMatchObject({ code: "STORE_LOCKED" })
    expect(readdirSync(path)).toEqual(before)
    expect(openElsewhere(path)).toBe("STORE_LOCKED")
    expect((await limiter.check("a")).remaining).toBe(9)
    await limiter.close()
    expect((await repair(path)).isRepaired).toBe(false)
    expect(openElsewhere(path)).toBe("opened")
  })

  test("a store cannot be opened while it is repaired, and can be afterwards", async () => {
    const path = layOut(damaged)
    const repairing = repair(path)
    await expect(open(path)).rejects.toMatchObject({ code: "STORE_LOCKED" })
    await expect(repair(path)).rejects.toMatchObject({ code: "STORE_LOCKED" })
    expect(openElsewhere(path)).toBe("STORE_LOCKED")
    expect((await repairing).isRepaired).toBe(true)
    await (await open(path)).close()
  })
})

describe("repair() that is interrupted", () => {
  test("puts the log aside with what belonged to it, as they were", async () => {
    const path = layOut(damaged)
    const { asidePath } = await repair(path)
    expect(readFiles(asidePath!)).toEqual(damaged)
    // What SQLite drops when it opens an empty log, too.
    const empty = withFile(crashed, LOG_FILE, new Uint8Array())
    const report = await repair(layOut(empty))
    expect(readFiles(report.asidePath!).get(WAL_FILE)).toEqual(crashed.get(WAL_FILE))
  })

  test("where it cannot replace the log, keeps that and what it put aside, and opens nothing new", async () => {
    const path = layOut(damaged)
    await expect(withFailing("renameSync", () => repair(path))).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" })
    expect(existsSync(join(path, LOG_FILE))).toBe(true)
    expect(readFiles(join(path, "aside-1"))).toEqual(damaged)
    await expect(open(path)).rejects.toMatchObject({ code: "STORE_CORRUPT", row: REPAIRED_FILE })
    const again = await repair(path)
    expect(again).toMatchObject({ isRepaired: true, asidePath: join(path, "aside-2") })
    expect(again.gaveUp.join()).toContain(REPAIRED_FILE)
    expect(existsSync(join(path, "aside-2", REPAIRED_FILE))).toBe(true)
    expect(readFiles(join(path, "aside-1"))).toEqual(damaged)
    const limiter = await open(path)
    expect(await seen(limiter)).toMatch(/^default .*; a 3 /)
    expect((await limiter.doctor()).ok).toBe(true)
    await limiter.close()
  })

  test("where it cannot bring the copy to the disk, changes nothing", async () => {
    const path = layOut(damaged)
    await expect(withFailing("fsyncSync", () => repair(path))).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" })
    expect(readdirSync(path).filter((name) => !damaged.has(name))).toEqual([])
    expect((await repair(path)).isRepaired).toBe(true)
  })
})

describe("openLimiter() on a folder whose log is missing", () => {
  test.each([REPAIRED_FILE, WITNESS_FILE, WAL_FILE, "sluice.db-journal", "aside-1"])(
    "is refused where %s is there, and makes nothing",
    async (name) => {
      const path = layOut(new Map())
      if (name === "aside-1") mkdirSync(join(path, name))
      else writeFileSync(join(path, name), "damaged")
      await expect(open(path)).rejects.toMatchObject({
        code: "STORE_CORRUPT",
        row: LOG_FILE,
        message: expect.stringContaining(name),
      })
      expect(readdirSync(path)).toEqual([name])
    },
  )

  test("is refused after a repair whose log was removed; the files aside still open", async () => {
    const path = layOut(damaged)
    await repair(path)
    fs.rmSync(join(path, LOG_FILE))
    await expect(open(path)).rejects.toMatchObject({ code: "STORE_CORRUPT", row: LOG_FILE })
    expect(await outcomeOf(closed)).toHaveProperty("state")
  })
})
