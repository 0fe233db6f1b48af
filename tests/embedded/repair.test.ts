import { spawn, spawnSync } from "node:child_process"
import { once } from "node:events"
import fs, { cpSync, existsSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from "node:fs"
import { syncBuiltinESMExports } from "node:module"
import { join } from "node:path"
import { DatabaseSync, StatementSync } from "node:sqlite"
import { StoreCorrupt, StoreLocked, StoreUnavailable } from "sluice"
import { repair } from "sluice/embedded"
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest"
import { planRepair } from "../../src/embedded/repair.node.js"
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

/** Breaks one byte of a row, or of the snapshot's first part. */
function damage(path: string, which: number | "snapshot"): void {
  const database = new DatabaseSync(join(path, LOG_FILE))
  const row =
    which === "snapshot"
      ? database.prepare("SELECT id, body FROM sluice_log WHERE id < 0 ORDER BY id DESC").get()
      : database.prepare("SELECT id, body FROM sluice_log WHERE id = ?").get(which)
  const { id, body } = row as { id: number; body: Uint8Array }
  body[10]! ^= 1
  database.prepare("UPDATE sluice_log SET body = ? WHERE id = ?").run(body, id)
  database.close()
}

describe("repair()", () => {
  test("leaves a store that is right as it is", async () => {
    const path = temporaryFolder()
    const limiter = await open(path)
    await live(limiter)
    const state = await seen(limiter)
    await expect(repair(path)).rejects.toBeInstanceOf(StoreLocked)
    await limiter.close()
    expect(await repair(path)).toMatchObject({ path, isRepaired: false, asidePath: null, gaveUp: [] })
    expect(readdirSync(path).sort()).toEqual([LOG_FILE, WITNESS_FILE])
    expect(await outcomeOf(readFiles(path))).toEqual({ state })
    await expect(repair(temporaryFolder())).rejects.toBeInstanceOf(StoreUnavailable)
  })

  test("refuses what is no path", async () => {
    for (const path of [undefined, null, 5, "", {}]) {
      const refusal = repair(path as unknown as string)
      await expect(refusal).rejects.toBeInstanceOf(RangeError)
      await expect(refusal).rejects.toThrow(/^Cannot repair a store: path is .*, allowed is the path of a folder\.$/)
    }
  })

  test("keeps the longest beginning that is right, puts the files aside, and says what it gave up", async () => {
    const path = temporaryFolder()
    const limiter = await open(path, { historySegments: 0 })
    await limiter.define("default", "9/hour")
    const states: string[] = []
    for (const key of ["a", "b", "c"]) {
      await limiter.check(key, { cost: 2 })
      // Closes a segment.
      await limiter.verify()
      states.push(await seen(limiter))
    }
    await limiter.close()
    const files = readFiles(path)
    for (const [damaged, kept] of [
      [3, 1],
      [2, 0],
    ] as const) {
      const broken = layOut(files)
      damage(broken, damaged)
      await expect(open(broken)).rejects.toBeInstanceOf(StoreCorrupt)
      const report = await repair(broken)
      expect(report).toMatchObject({ isRepaired: true, keptRecords: kept + 2 })
      expect(report.gaveUp[0]).toBe(`segment ${damaged}: its SHA-256 differs`)
      expect(readFiles(report.asidePath!).get(LOG_FILE)).toBeDefined()
      const again = await open(broken)
      expect(await seen(again)).toBe(states[kept])
      await again.check("a")
      expect((await again.doctor()).ok).toBe(true)
      await again.close()
      // What was put aside is as it was.
      fs.rmSync(join(broken, LOG_FILE))
      await expect(open(report.asidePath!)).rejects.toBeInstanceOf(StoreCorrupt)
    }
  })

  test("opens a store whose end is lost, and one that is no database", async () => {
    const cases = [
      { files: withFile(crashed, WAL_FILE, null), says: /^segment|^the log/ },
      { files: withFile(closed, LOG_FILE, new Uint8Array(9_000).fill(7)), says: /^the file: SQLite says/ },
    ]
    for (const { files, says } of cases) {
      const broken = layOut(files)
      await expect(open(broken)).rejects.toBeInstanceOf(StoreCorrupt)
      const { gaveUp } = await repair(broken)
      expect(gaveUp[0]).toMatch(says)
      const again = await open(broken, { policy: "9/hour" })
      expect((await again.check("new")).allowed).toBe(true)
      expect((await again.doctor()).ok).toBe(true)
      await again.close()
    }
  })

  test("keeps the history of a snapshot that is damaged, but nothing that came after it", async () => {
    const broken = layOut(closed)
    damage(broken, "snapshot")
    expect(await repair(broken)).toMatchObject({
      // Segment 1, which begins the log: a definition, three checks, and the compaction that ended it.
      keptRecords: 5,
      keptHistoryRecords: 0,
      keptSnapshot: false,
      keptState: false,
      gaveUp: [
        "snapshot part 0: its SHA-256 differs",
        "segment 2: the snapshot that it stands on is missing or older",
        "segment 3: a row that it stands on is lost",
      ],
    })
    await using again = await open(broken)
    expect(await seen(again)).toMatch(/; a 7 0 1 0; b 7 0 1 0; c 7 0 1 0$/)
  })
})

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

  test("another process finds it locked until the new log lies in place", async () => {
    const path = layOut(damaged)
    const found: string[] = []
    const report = await atEachStep(
      (step) => {
        // From the first file of the old log that goes on, that has no lock any more.
        if (/^before (rm|rename)Sync/.test(step)) found.push(openElsewhere(path))
      },
      () => repair(path),
    )
    expect(report.isRepaired).toBe(true)
    expect(found.length).toBeGreaterThan(1)
    expect(new Set(found)).toEqual(new Set(["STORE_LOCKED"]))
    expect(openElsewhere(path)).toBe("opened")
  })
})

describe("repair() of a store that another process has open", () => {
  test("is refused, touches nothing, and leaves that one its lock", async () => {
    const path = temporaryFolder()
    const program = `
      import { openLimiter } from "sluice/embedded"
      const limiter = await openLimiter({ path: ${JSON.stringify(path)}, policy: "10/day" })
      process.on("message", async () => {
        process.send((await limiter.check("a")).remaining)
      })
      process.send("open")`
    const holder = spawn(process.execPath, ["--input-type=module", "--eval", program], {
      cwd: ROOT,
      stdio: ["ignore", "inherit", "inherit", "ipc"],
    })
    try {
      await once(holder, "message")
      const before = readFiles(path)
      await expect(repair(path)).rejects.toMatchObject({ code: "STORE_LOCKED", path })
      await expect(open(path)).rejects.toMatchObject({ code: "STORE_LOCKED" })
      expect(readdirSync(path).sort()).toEqual([...before.keys()].sort())
      expect(readFiles(path)).toEqual(before)
      holder.send("check")
      expect((await once(holder, "message"))[0]).toBe(9)
    } finally {
      holder.kill()
    }
  })
})

/** Every name of a folder, those in its folders included. */
function namesIn(path: string): string[] {
  return (readdirSync(path, { recursive: true }) as string[]).sort()
}

const STEPS = ["mkdirSync", "openSync", "writeSync", "fsyncSync", "closeSync", "rmSync", "renameSync"] as const

/** Runs `work`, and calls `at` before and after each of its steps that changes a file, with the step's name. */
async function atEachStep<T>(at: (step: string) => void, work: () => Promise<T>): Promise<T> {
  const working = Object.fromEntries(STEPS.map((name) => [name, fs[name]]))
  const { exec } = DatabaseSync.prototype
  const { close } = DatabaseSync.prototype
  const { run } = StatementSync.prototype
  let isInside = false
  const around = (name: string, step: (...values: never[]) => unknown) =>
    function (this: unknown, ...values: never[]) {
      // What `at` itself does is no step.
      if (isInside) return Reflect.apply(step, this, values)
      const tell = (when: string) => {
        isInside = true
        at(`${when} ${name} ${values.filter((value) => typeof value === "string").join(" ")}`)
        isInside = false
      }
      tell("before")
      const result = Reflect.apply(step, this, values)
      tell("after")
      return result
    }
  for (const name of STEPS) Object.assign(fs, { [name]: around(name, working[name] as never) })
  DatabaseSync.prototype.exec = around("exec", exec as never) as never
  DatabaseSync.prototype.close = around("close", close as never) as never
  StatementSync.prototype.run = around("run", run as never) as never
  syncBuiltinESMExports()
  try {
    return await work()
  } finally {
    Object.assign(fs, working)
    DatabaseSync.prototype.exec = exec
    DatabaseSync.prototype.close = close
    StatementSync.prototype.run = run
    syncBuiltinESMExports()
  }
}

/** Stores that need a repair, by what is wrong with them. */
const DAMAGES: Readonly<Record<string, () => Files>> = {
  "whose end is lost": () => damaged,
  "whose write-ahead log is lost": () => withFile(crashed, WAL_FILE, null),
  "whose pages are damaged": () => {
    const bytes = closed.get(LOG_FILE)!.slice()
    // The head of the table's page.
    bytes.fill(0xff, 4_096, 4_104)
    return withFile(closed, LOG_FILE, bytes)
  },
  "whose log is no file of SQLite": () => withFile(closed, LOG_FILE, new Uint8Array(9_000).fill(7)),
  "whose log is missing": () => withFile(closed, LOG_FILE, null),
}

test.each(["always", "ahead", "batch"] as const)(
  "sync %s: no later receipt has the id of one that a repair gave up",
  async (sync) => {
    const path = temporaryFolder()
    const limiter = await open(path, { policy: "10/day", sync })
    const kept = await limiter.check("a", { cost: 4 })
    await limiter.flush()
    const before = readFiles(path).get(WAL_FILE)!
    const lost = await limiter.check("a", { cost: 5 })
    await limiter.flush()
    const after = readFiles(path)
    await limiter.close()
    const cut = layOut(withFile(after, WAL_FILE, after.get(WAL_FILE)!.subarray(0, before.length)))
    expect((await repair(cut)).isRepaired).toBe(true)
    await using repaired = await open(cut, { sync })
    const used = async (key: string) => 10 - (await repaired.peek(key)).remaining
    const usedOfA = await used("a")
    const later = await repaired.check("b", { cost: 3 })
    expect(later.receipt!.id).not.toBe(lost.receipt!.id)
    await repaired.refund(lost.receipt!)
    expect([await used("a"), await used("b")]).toEqual([usedOfA, 3])
    await repaired.refund(later.receipt!)
    await repaired.refund(kept.receipt!)
    expect([await used("a"), await used("b")]).toEqual([usedOfA - 4, 0])
    expect((await repaired.doctor()).problems).toEqual([])
  },
)

describe.each(Object.keys(DAMAGES))("a crash at any step of the repair of a store %s", (damage) => {
  test("leaves one that is refused or repaired, whose files are whole, and that the next repair heals", async () => {
    const files = DAMAGES[damage]!()
    expect(await outcomeOf(files)).toMatchObject({ error: { code: "STORE_CORRUPT" } })
    const path = layOut(files)
    const copies: { step: string; copy: string }[] = []
    const report = await atEachStep(
      (step) => {
        const copy = temporaryFolder()
        cpSync(path, copy, { recursive: true })
        copies.push({ step: step.replaceAll(path, ""), copy })
      },
      () => repair(path),
    )
    expect(report.isRepaired).toBe(true)
    expect(readFiles(report.asidePath!)).toEqual(files)
    const after = await open(path)
    const repaired = await seen(after)
    await after.close()

    const found = { refused: 0, interrupted: 0, repaired: 0 }
    for (const [index, { step, copy }] of copies.entries()) {
      const label = `copy ${index}, ${step}: ${namesIn(copy).join(" ")}`
      const isInterrupted = existsSync(join(copy, REPAIRED_FILE))
      // Nothing of the old store goes before it lies aside, and what lies aside stays.
      if (isInterrupted) expect(readFiles(join(copy, "aside-1")), label).toEqual(files)
      const kept = existsSync(join(copy, "aside-1")) ? namesIn(join(copy, "aside-1")) : []
      const outcome = await open(copy).then(
        async (limiter) => {
          const state = await seen(limiter)
          await limiter.close()
          return { state }
        },
        (error: unknown) => ({ error }),
      )
      if ("state" in outcome) {
        expect(outcome.state, label).toBe(repaired)
        found.repaired += 1
        continue
      }
      expect(outcome, label).toMatchObject({ error: { code: "STORE_CORRUPT" } })
      if (isInterrupted) {
        const row = existsSync(join(copy, LOG_FILE))
          ? { row: expect.stringMatching(/^sluice.db.repaired$|^the file$/) }
          : {}
        expect(outcome, label).toMatchObject({ error: row })
      }
      found[isInterrupted ? "interrupted" : "refused"] += 1
      expect((await repair(copy)).isRepaired, label).toBe(true)
      const healed = await open(copy)
      expect(await seen(healed), label).toBe(repaired)
      expect((await healed.doctor()).ok, label).toBe(true)
      await healed.close()
      if (kept.length > 0) expect(namesIn(join(copy, "aside-1")), label).toEqual(expect.arrayContaining(kept))
    }
    // All three happen, so the test can tell them apart.
    expect(found.refused).toBeGreaterThan(5)
    expect(found.interrupted).toBeGreaterThan(5)
    expect(found.repaired).toBeGreaterThan(1)
  })

  test("brings what it put aside, and the new log, to the disk before the old one goes", async () => {
    const path = layOut(DAMAGES[damage]!())
    const steps: string[] = []
    await atEachStep(
      (step) => steps.push(step.replaceAll(path, "")),
      () => repair(path),
    )
    const at = (pattern: RegExp) => steps.findIndex((step) => pattern.test(step))
    const renamed = at(/^before renameSync/)
    const firstGone = steps.findIndex((step) => /^before rmSync/.test(step))
    const isWrite = (step: string) => /^after writeSync/.test(step)
    const written = steps.slice(0, firstGone).findLastIndex(isWrite)
    const witnesses = steps.slice(firstGone).filter(isWrite).length
    // Each file that is written is synced before it is let go.
    const ofFiles = steps.flatMap((step) => /^before ((?:write|fsync|close)Sync)/.exec(step)?.[1] ?? [])
    expect(ofFiles).toContain("writeSync")
    expect(ofFiles.join(" ")).not.toContain("writeSync closeSync")
    const between = (from: number, to: number) => steps.slice(from, to).filter((step) => /^after fsyncSync/.test(step))
    expect(renamed).toBeGreaterThan(firstGone)
    // The last file, the folder aside, its own folder, and that again for the new log.
    expect(between(written, firstGone).length).toBeGreaterThanOrEqual(3)
    // The folder, and the new log's witness, where there is a log that has one.
    expect(between(firstGone, renamed).length).toBe(1 + witnesses)
    expect(between(renamed, steps.length).length).toBe(1)
  })
})

describe("repair() that is interrupted", () => {
  test("of a folder whose log is missing: refused, and repaired as any other, with all that was there put aside", async () => {
    const path = layOut(damaged)
    await repair(path)
    const ready = readFiles(path).get(LOG_FILE)!
    for (const log of [ready, new Uint8Array(9_000).fill(7), new Uint8Array()]) {
      const files = new Map([...damaged, [REPAIRED_FILE, log]])
      files.delete(LOG_FILE)
      const folder = layOut(files)
      await expect(open(folder)).rejects.toMatchObject({ code: "STORE_CORRUPT", row: LOG_FILE })
      const missing = "the file: it is missing"
      const givesUp = [missing, expect.stringContaining("would be begun anew")]
      expect(await planRepair(folder)).toMatchObject({ isNeeded: true, keptRecords: 0, keptState: false, givesUp })
      expect(readFiles(folder)).toEqual(files)
      const gaveUp = [missing, expect.stringContaining("was begun anew")]
      const report = await repair(folder)
      expect(report).toMatchObject({ isRepaired: true, keptRecords: 0, keptState: false, gaveUp })
      // Also the log that may have lain ready.
      expect(readFiles(report.asidePath!)).toEqual(files)
      await (await open(folder)).close()
    }
  })

  test("where nothing but what was put aside is left, makes an empty log, and no empty folder", async () => {
    const path = layOut(damaged)
    await repair(path)
    for (const name of [LOG_FILE, WITNESS_FILE]) fs.rmSync(join(path, name))
    expect(await repair(path)).toMatchObject({ isRepaired: true, asidePath: null, keptRecords: 0 })
    expect(namesIn(path).filter((name) => !name.includes("/"))).toEqual(["aside-1", LOG_FILE])
    // Nobody has written to it, and nothing is wrong with it.
    expect(await repair(path)).toMatchObject({ isRepaired: false, keptRecords: 0, gaveUp: [] })
    await (await open(path)).close()
  })

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

describe.each([
  { command: "deno", args: ["eval"] },
  { command: "bun", args: ["--eval"] },
])("repair() in $command", ({ command, args }) => {
  test("repairs the same, and is refused while the store is open", async () => {
    const path = layOut(damaged)
    const program = `
      import { openLimiter, repair } from "sluice/embedded"
      const path = ${JSON.stringify(path)}
      const repairing = repair(path)
      const refusals = [await openLimiter({ path }).catch((error) => error.code)]
      const { isRepaired, keptRecords, gaveUp } = await repairing
      const limiter = await openLimiter({ path })
      refusals.push(await repair(path).catch((error) => error.code))
      await limiter.close()
      console.log(JSON.stringify({ isRepaired, keptRecords, gaveUp, refusals }))`
    const { stdout, stderr } = spawnSync(`${ROOT}node_modules/.bin/${command}`, [...args, program], {
      cwd: ROOT,
      encoding: "utf8",
      timeout: 20_000,
    })
    expect(stdout, stderr).not.toBe("")
    const { keptRecords, gaveUp } = await repair(layOut(damaged))
    expect(JSON.parse(stdout)).toEqual({
      isRepaired: true,
      keptRecords,
      gaveUp,
      refusals: ["STORE_LOCKED", "STORE_LOCKED"],
    })
    expect(readFiles(join(path, "aside-1"))).toEqual(damaged)
    await (await open(path)).close()
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
