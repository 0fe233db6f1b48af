import { spawn, spawnSync } from "node:child_process"
import { once } from "node:events"
import fs, {
  chmodSync,
  cpSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from "node:fs"
import { syncBuiltinESMExports } from "node:module"
import { dirname, join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import { Worker } from "node:worker_threads"
import { CostError, KeyError, LimitNotFound, parsePolicy, StoreCorrupt, StoreLocked, StoreUnavailable } from "sluice"
import { openLimiter } from "sluice/embedded"
import { afterAll, describe, expect, test, vi } from "vitest"
import { ManualClock } from "../../src/types/clock.js"
import { START_MS } from "../conformance/limiter-case.js"
import { ROOT } from "../conformance/run-in-runtime.js"
import { LOG_FILE, layOut, live, open, outcomeOf, readFiles, seen, WITNESS_FILE, withFile } from "./store-files.js"
import { removeFolders, temporaryFolder } from "./temporary-folder.js"

afterAll(removeFolders)
// A busy disk may take milliseconds for each commit.
vi.setConfig({ testTimeout: 60_000 })

const YEAR_MS = 31_536_000_000

/** What a program tells; where this is the superuser, who may write anywhere, it runs as a user who owns nothing. */
function runUnprivileged(program: string): string {
  const user = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {}
  const args = ["--input-type=module", "--eval", program]
  return spawnSync(process.execPath, args, { cwd: ROOT, encoding: "utf8", timeout: 20_000, ...user }).stdout
}

describe("openLimiter()", () => {
  test.skipIf(process.platform === "win32")("a folder or a file that cannot be written is named", async () => {
    const path = temporaryFolder()
    const limiter = await open(path)
    await limiter.define("default", "3/minute")
    await limiter.close()
    const program = `
      import { openLimiter, repair } from "sluice/embedded"
      const told = (error) => console.log(error.code, error.message)
      await openLimiter({ path: ${JSON.stringify(path)} }).catch(told)
      await repair(${JSON.stringify(path)}).catch(told)`
    const line = (what: string) =>
      `STORE_UNAVAILABLE Cannot reach the store: ${what} cannot be written (EACCES: permission denied).\n`
    const file = join(path, LOG_FILE)
    chmodSync(dirname(path), 0o755)
    chmodSync(file, 0o444)
    chmodSync(path, 0o555)
    expect(runUnprivileged(program)).toBe(line(`the folder "${path}"`).repeat(2))
    chmodSync(path, 0o777)
    expect(runUnprivileged(program)).toBe(line(`the file "${file}"`).repeat(2))
    chmodSync(file, 0o666)
    const witness = join(path, WITNESS_FILE)
    chmodSync(witness, 0o444)
    // Nothing is wrong with the store, so a repair writes nothing.
    expect(runUnprivileged(program)).toBe(line(`the file "${witness}"`))
    chmodSync(witness, 0o666)
    // Now it opens, and so cannot be repaired.
    expect(runUnprivileged(program)).toMatch(/^STORE_LOCKED .*: this process has it open already\.\n$/)
  })

  test.skipIf(process.platform !== "linux")("a folder where a file system makes none is refused", async () => {
    const refusal = open("/proc/sluice/data")
    await expect(refusal).rejects.toMatchObject({
      code: "STORE_UNAVAILABLE",
      message: expect.stringContaining("ENOENT"),
    })
  })

  test("a second one on the folder is refused at once with StoreLocked, naming it, in this process and in others", async () => {
    const path = temporaryFolder()
    await using limiter = await open(path)
    await limiter.define("default", "3/minute")
    const refusal = open(path)
    await expect(refusal).rejects.toBeInstanceOf(StoreLocked)
    const message = `Cannot open the store "${path}": this process has it open already.`
    await expect(refusal).rejects.toMatchObject({ path, message })
    const program = `
      import { openLimiter } from "sluice/embedded"
      await openLimiter({ path: ${JSON.stringify(path)} }).catch(({ code, message }) => console.log(code, message))`
    for (const [command, ...args] of [
      ["node", "--input-type=module", "--eval", program],
      ["deno", "eval", program],
      ["bun", "--eval", program],
    ] as const) {
      const { stdout } = spawnSync(`${ROOT}node_modules/.bin/${command}`, args, {
        cwd: ROOT,
        encoding: "utf8",
        timeout: 20_000,
      })
      expect(stdout, command).toBe(
        `STORE_LOCKED Cannot open the store "${path}": another process or thread holds its lock.\n`,
      )
    }
    expect((await limiter.check("a")).remaining).toBe(2)
    await limiter.close()
    await using next = await open(path)
    expect((await next.check("a")).remaining).toBe(1)
  })

  test("lockTimeout waits for the folder, and no longer: in turn each of several processes has it", async () => {
    const path = temporaryFolder()
    const limiter = await openLimiter({ path, policy: "100/day" })
    const program = `
      import { openLimiter } from "sluice/embedded"
      console.log("asks")
      const limiter = await openLimiter({ path: ${JSON.stringify(path)}, lockTimeout: "60s" })
      console.log((await limiter.check("a")).remaining)
      await limiter.close()`
    const waiting = [1, 2, 3].map(() => {
      const { stdout } = spawn(process.execPath, ["--input-type=module", "--eval", program], { cwd: ROOT })
      return stdout.setEncoding("utf8")
    })
    await Promise.all(waiting.map((told) => once(told, "data")))
    const here = openLimiter({ path, lockTimeout: "60s" })
    await expect(open(path, { lockTimeout: 1 })).rejects.toBeInstanceOf(StoreLocked)
    expect((await limiter.check("a")).remaining).toBe(99)
    const others = waiting.map(async (told) => Number((await told.toArray()).join("")))
    await limiter.close()
    const next = await here
    const own = (await next.check("a")).remaining
    await next.close()
    expect([own, ...(await Promise.all(others))].sort()).toEqual([95, 96, 97, 98])
  })

  test("what no waiting mends is refused at once", async () => {
    const path = temporaryFolder()
    await (await open(path)).close()
    writeFileSync(join(path, LOG_FILE), "no database, for longer than a page's head would be".repeat(100))
    await expect(open(path, { lockTimeout: "10d" })).rejects.toBeInstanceOf(StoreCorrupt)
  })

  test("one in another thread is refused in words that are true of it, and leaves this one its lock", async () => {
    const path = temporaryFolder()
    await using limiter = await open(path, { policy: "3/minute" })
    const program = `
      const { parentPort } = require("node:worker_threads")
      import("sluice/embedded").then(async ({ openLimiter, repair }) => {
        const message = (error) => error.message
        const path = ${JSON.stringify(path)}
        parentPort.postMessage([await openLimiter({ path }).catch(message), await repair(path).catch(message)])
      })`
    const message = `Cannot open the store "${path}": another process or thread holds its lock.`
    const [told] = await once(new Worker(program, { eval: true }), "message")
    expect(told).toEqual([message, message])
    const elsewhere = `
      import { openLimiter } from "sluice/embedded"
      await openLimiter({ path: ${JSON.stringify(path)} }).catch(({ message }) => console.log(message))`
    const args = ["--input-type=module", "--eval", elsewhere]
    expect(spawnSync(process.execPath, args, { cwd: ROOT, encoding: "utf8" }).stdout).toBe(`${message}\n`)
    expect((await limiter.check("a")).remaining).toBe(2)
  })

  test("what an asynchronous onCommit rejects with is dropped too", async () => {
    let heard = 0
    const onCommit = async () => {
      heard += 1
      throw new Error("the hook failed")
    }
    await using limiter = await open(temporaryFolder(), { onCommit, policy: "100/day" })
    expect((await limiter.check("a")).allowed).toBe(true)
    // Not caught, it would end the test as an unhandled rejection.
    await new Promise(setImmediate)
    expect(heard).toBeGreaterThan(0)
  })

  test("onCommit hears once of each commit, of one check or of many, and what it throws fails none", async () => {
    const path = temporaryFolder()
    const heard: number[] = []
    const onCommit = (seconds: number) => {
      heard.push(seconds)
      throw new Error("the hook failed")
    }
    const limiter = await open(path, { onCommit, policy: "100/day", compactBytes: 4_096 })
    const during = async (work: () => Promise<unknown>) => {
      heard.length = 0
      await work()
      return heard.length
    }
    expect(await during(() => limiter.check("a"))).toBe(1)
    expect(await during(() => limiter.peek("a"))).toBe(0)
    const together = async () => {
      const decisions = await Promise.all(Array.from({ length: 40 }, () => limiter.check("a")))
      expect(decisions.every(({ allowed }) => allowed)).toBe(true)
    }
    expect(await during(together)).toBe(1)
    // One begins it, and one ends it.
    expect(await during(() => limiter.compact())).toBe(2)
    expect(await during(() => limiter.checkAll([{ key: "a" }, { key: "b" }]))).toBe(1)
    expect(heard.every((seconds) => seconds > 0 && seconds < 60)).toBe(true)
    await limiter.close()
    await using again = await open(path)
    expect((await again.peek("a", { cost: 0 })).remaining).toBe(58)
    expect((await again.doctor()).ok).toBe(true)
  })

  test("a closed store under batch keeps the process no longer", () => {
    const program = `
      import { openLimiter } from "sluice/embedded"
      const limiter = await openLimiter({
        path: ${JSON.stringify(temporaryFolder())}, sync: "batch", flushEveryMs: 3_600_000, policy: "9/day",
      })
      await limiter.check("a")
      await limiter.close()`
    const ended = spawnSync(process.execPath, ["--input-type=module", "--eval", program], {
      cwd: ROOT,
      timeout: 20_000,
    })
    expect(ended.status).toBe(0)
  })

  test("makes its folder and files for their owner only", async () => {
    const path = temporaryFolder()
    await using limiter = await open(join(path, "deep"))
    await limiter.define("default", "3/minute")
    expect(statSync(join(path, "deep")).mode & 0o777).toBe(0o700)
    const files = readdirSync(join(path, "deep"))
    expect(files.sort()).toEqual(["sluice.db", "sluice.db-wal", "sluice.end"])
    for (const file of files) expect(statSync(join(path, "deep", file)).mode & 0o777, file).toBe(0o600)
  })

  test("a folder in a file: StoreUnavailable", async () => {
    const path = temporaryFolder()
    await (await open(path)).close()
    await expect(open(join(path, LOG_FILE, "in a file"))).rejects.toBeInstanceOf(StoreUnavailable)
  })

  test.each([
    [{ sync: "sometimes" }, "sync"],
    [{ flushEveryMs: 0 }, "flushEveryMs"],
    [{ flushEveryRecords: 1.5 }, "flushEveryRecords"],
    [{ aheadUnits: -1 }, "aheadUnits"],
    [{ flushEveryMs: 50 }, 'flushEveryMs is 50, allowed is none with sync "always": that is for "ahead" and "batch"'],
    [{ flushEveryRecords: 50, sync: "ahead" }, 'flushEveryRecords is 50, allowed is none with sync "ahead"'],
    [{ aheadUnits: 50, sync: "batch" }, 'aheadUnits is 50, allowed is none with sync "batch": that is for "ahead"'],
    [{ names: "yes" }, "names"],
    [{ historySegments: Number.NaN }, "historySegments"],
    [{ compactBytes: 1 }, "compactBytes"],
    [{ keepStats: "never" }, "keepStats"],
    [
      { keepStats: null },
      "Cannot open a limiter: keepStats is null, allowed is a whole number of ms, or a text such as",
    ],
    [{ lockTimeout: null }, "Cannot open a limiter: lockTimeout is null, allowed is a whole number of ms, or a text"],
    [{ limits: null }, "limits is null, allowed is an object"],
    [{ closeOn: ["SIGKILL"] }, "closeOn"],
    [{ polices: "1/minute" }, '"polices"'],
    [{ polices: "1/minute" }, 'did you mean "policy"?'],
    [{ clock: {} }, "clock"],
    [{ clock: { now: (): number => 0.5 } }, "Cannot decide: nowMs is 0.5, allowed is a whole number from 0 to"],
    [{ clock: { now: (): number => Number.POSITIVE_INFINITY }, sync: "batch" }, "nowMs is Infinity"],
    [{ onCommit: "log" }, "onCommit"],
    [{ closeOn: "SIGINT" }, "closeOn"],
    [{ limits: "1/minute" }, "limits"],
    [{ limits: { default: "1/minute" }, policy: "2/minute" }, "default"],
    [{ limits: { "": "1/minute" } }, "key"],
    [{ policy: "none" }, "policy"],
    [{ path: "" }, "path"],
  ])("refuses the option %o, naming it, and makes nothing", async (wrong, name) => {
    const path = temporaryFolder()
    await expect(openLimiter({ path, ...(wrong as object) })).rejects.toThrow(name)
    expect(() => statSync(path)).toThrow("ENOENT")
  })

  test("limits given at opening are defined where the store has not the same, and others stay", async () => {
    const path = temporaryFolder()
    const first = await open(path, { policy: "9/hour", limits: { api: "5/hour", old: "1/hour" } })
    await first.check("a", { limit: "api", cost: 3 })
    await first.close()
    await using again = await open(path, { limits: new Map([["api", "8/hour"]]) })
    expect((await again.limits()).map(({ name, policy }) => [name, policy.rules[0].limit])).toEqual([
      ["api", 8],
      ["default", 9],
      ["old", 1],
    ])
    expect((await again.peek("a", { limit: "api", cost: 0 })).remaining).toBe(5)
  })

  test("without names, listings are a TypeError, and everything else works", async () => {
    await using limiter = await open(temporaryFolder(), { names: false, policy: "3/minute" })
    await limiter.check("a")
    await expect(limiter.list()).rejects.toBeInstanceOf(TypeError)
    await expect(limiter.top({ by: "allowed" })).rejects.toBeInstanceOf(TypeError)
    expect(await limiter.history("a")).toMatchObject([{ event: "admit" }, { event: "define" }])
    expect((await limiter.stats("a")).totalAllowed).toBe(1)
  })

  test("a clock that stands, goes back an hour, or jumps a year ahead and back keeps the store whole and heals", async () => {
    const path = temporaryFolder()
    const clock = new ManualClock(START_MS)
    let limiter = await open(path, { clock, policy: "2/minute" })
    for (const byMs of [0, 0, 0, -3_600_000, 1, YEAR_MS, 0, -YEAR_MS, 30_000, 60_000]) {
      clock.advance(byMs)
      await limiter.check("a")
      expect((await limiter.verify()).replayEqualsLive, `after ${byMs}`).toBe(true)
      await limiter.close()
      limiter = await open(path, { clock })
    }
    await limiter.compact()
    clock.advance(60_000)
    expect((await limiter.check("a")).allowed).toBe(true)
    await limiter.close()
  })

  test("closes in good order on a signal where asked, and the process ends by it", async () => {
    const path = temporaryFolder()
    const program = `
      import { openLimiter } from "sluice/embedded"
      const limiter = await openLimiter({
        path: ${JSON.stringify(path)}, sync: "batch", flushEveryMs: 3_600_000, policy: "9/day", closeOn: ["SIGTERM"],
      })
      await limiter.check("a", { cost: 4 })
      setInterval(() => {}, 1_000)
      process.kill(process.pid, "SIGTERM")`
    const ended = spawnSync(process.execPath, ["--input-type=module", "--eval", program], {
      cwd: ROOT,
      timeout: 20_000,
    })
    expect(ended.signal).toBe("SIGTERM")
    await using again = await open(path, { clock: { now: () => Date.now() } })
    expect((await again.peek("a", { cost: 0 })).remaining).toBe(5)
  })

  test("a full disk refuses what it cannot keep, loses nothing that was told, and goes on when there is room", async () => {
    const path = temporaryFolder()
    const full = await open(path, { policy: "1000/day" })
    await full.check("a", { cost: 5 })
    await full.close()
    // SQLite keeps the bound in the connection, so the store is asked through a port of its own.
    const { sqliteLedgerPort } = await import("../../src/ledger/sqlite-port.node.js")
    const { Ledger } = await import("../../src/ledger/ledger.js")
    const database = new DatabaseSync(join(path, LOG_FILE))
    const pages = Number(Object.values(database.prepare("PRAGMA page_count").get()!)[0])
    database.exec(`PRAGMA max_page_count = ${pages + 2}`)
    const ledger = await Ledger.open(sqliteLedgerPort(database))
    const limit = ledger.limit("default")!
    let told = 0
    const fill = async () => {
      for (let turn = 0; ; turn++) {
        ledger.check(limit, `${"x".repeat(400)}${turn}`, 1, START_MS + 2_000)
        await ledger.commit()
        told += 1
      }
    }
    await expect(fill()).rejects.toMatchObject({
      code: "STORE_UNAVAILABLE",
      message: expect.stringContaining("a commit failed: database or disk is full."),
    })
    expect(told).toBeGreaterThan(5)
    database.exec("PRAGMA max_page_count = 1000000")
    const again = await Ledger.open(sqliteLedgerPort(database))
    for (let turn = 0; turn < told; turn++) {
      expect(
        again
          .limit("default")!
          .openKeys()
          .stats(`${"x".repeat(400)}${turn}`).totalAllowed,
      ).toBe(1)
    }
    again.check(again.limit("default")!, "later", 1, START_MS + 3_000)
    await again.close()
    ledger.abandon()
    database.close()
  })
})

describe("EmbeddedLimiter", () => {
  test("of() is a limiter of one limit, for middleware", async () => {
    await using limiter = await open(temporaryFolder(), { limits: { api: "3/minute", other: "5/minute" } })
    const api = limiter.of("api")
    expect(api.policy.rules[0].limit).toBe(3)
    const { receipt } = await api.check("api", { cost: 2 })
    expect((await limiter.peek("api", { limit: "api", cost: 0 })).remaining).toBe(1)
    await api.refund(receipt!)
    expect((await api.checkAll([{ key: "x" }, { key: "y" }])).allowed).toBe(true)
    await expect(api.checkAll([{ key: "x", limit: "other" }])).rejects.toThrow(LimitNotFound)
    expect(await api.allow("z")).toBe(true)
    await api.charge("z", 1)
    await api.block("z", "1m")
    expect(await api.unblock("z")).toBe(true)
    expect((await api.status("z")).remaining).toBe(1)
    expect((await api.stats("z")).totalAllowed).toBe(1)
    expect(await api.reset("z")).toBe(true)
    expect((await api.peek("z")).remaining).toBe(3)
    await limiter.define("api", "7/minute")
    expect(api.policy.rules[0].limit).toBe(7)
    await limiter.remove("api")
    expect(() => api.policy).toThrow(LimitNotFound)
    expect(() => limiter.of("none")).toThrow(LimitNotFound)
  })

  test("records() tells everything that the log has, with limits by name", async () => {
    await using limiter = await open(temporaryFolder(), { limits: { api: "3/minute" }, sync: "batch" })
    await limiter.check("a", { limit: "api", id: "call-1" })
    await limiter.define("gone", "1/minute")
    await limiter.check("b", { limit: "gone" })
    await limiter.remove("gone")
    const events: unknown[] = []
    for await (const { event, limit, key, id } of limiter.records()) events.push([event, limit, key, id])
    expect(events).toEqual([
      ["open", null, null, undefined],
      ["define", "api", null, undefined],
      ["admit", "api", "a", "call-1"],
      ["define", "gone", null, undefined],
      ["admit", "gone", "b", undefined],
      ["remove", "gone", null, undefined],
    ])
  })

  test("records() and history() tell several denials at the time of the last", async () => {
    const clock = new ManualClock(1_000)
    const limiter = await openLimiter({ path: temporaryFolder(), clock, limits: { default: "1/hour" } })
    for (let call = 0; call < 4; call++) {
      await limiter.check("a")
      clock.advance(500)
    }
    const denied = { event: "deny", count: 3, atMs: 2_500 }
    expect((await limiter.history("a"))[0]).toMatchObject(denied)
    expect((await limiter.stats("a")).lastDeniedAt).toBe(2_500)
    const events = []
    for await (const event of limiter.records()) events.push(event)
    expect(events.at(-1)).toMatchObject(denied)
    await limiter.close()
  })

  test("records() ends, also where a check is made for each that is told", async () => {
    await using limiter = await open(temporaryFolder(), { policy: "1000/minute" })
    for (let check = 0; check < 3; check++) await limiter.check("a")
    const events: string[] = []
    for await (const { event } of limiter.records()) {
      events.push(event)
      if (events.length <= 100) await limiter.check("audit")
    }
    expect(events).toEqual(["define", "admit", "admit", "admit"])
  })

  test("records() refuses a place where no record can be", async () => {
    await using limiter = await open(temporaryFolder(), { policy: "9/minute" })
    await limiter.check("a")
    const whole = (from: number) => `a whole number from ${from} to 9007199254740991`
    for (const [place, told] of [
      [{ sequence: 0, index: 0 }, `from.sequence is 0, allowed is ${whole(1)}`],
      [{ sequence: -5, index: 0 }, `from.sequence is -5, allowed is ${whole(1)}`],
      [{ sequence: "2", index: 0 }, `from.sequence is "2", allowed is ${whole(1)}`],
      [{}, `from.sequence is undefined, allowed is ${whole(1)}`],
      [{ sequence: 1 }, `from.index is undefined, allowed is ${whole(0)}`],
      [{ sequence: 1, index: -1 }, `from.index is -1, allowed is ${whole(0)}`],
      [{ sequence: 1, index: 0.5 }, `from.index is 0.5, allowed is ${whole(0)}`],
      [null, "from is null, allowed is an object"],
    ] as const) {
      expect(() => limiter.records(place as never)).toThrow(new RangeError(`Cannot read records: ${told}.`))
    }
    const events: string[] = []
    for await (const { event } of limiter.records({ sequence: 1, index: 1 })) events.push(event)
    expect(events).toEqual(["admit"])
  })

  test("records() tells of a definition which policy it put in force", async () => {
    await using limiter = await open(temporaryFolder(), { limits: { api: "3/minute" } })
    const { policy } = await limiter.define("api", "5/minute")
    const policies: unknown[] = []
    for await (const record of limiter.records()) policies.push(record.policy)
    expect(policies).toEqual([parsePolicy("3/minute").canonical, policy.canonical])
  })

  test("records() tells that a block was forgotten which had ended by itself; history() does not", async () => {
    const clock = new ManualClock(START_MS)
    await using limiter = await open(temporaryFolder(), { clock, policy: "3/minute" })
    await limiter.block("a", "1s")
    clock.advance(1_000)
    expect(await limiter.unblock("a")).toBe(false)
    const events: string[] = []
    for await (const { event } of limiter.records()) events.push(event)
    expect(events).toEqual(["define", "block", "unblock"])
    expect((await limiter.history("a")).map(({ event }) => event)).toEqual(["block", "define"])
  })

  test("doctor() tells that all is well, and what is not", async () => {
    const path = temporaryFolder()
    const limiter = await open(path)
    await live(limiter)
    expect(await limiter.doctor()).toMatchObject({
      ok: true,
      problems: [],
      path,
      sync: "always",
      format: 1,
      replayEqualsLive: true,
      fileIsSound: true,
      lastCommitAtMs: START_MS + 1_000,
      limits: 1,
      keys: 3,
    })
    await limiter.close()
    await expect(limiter.check("a")).rejects.toBeInstanceOf(StoreUnavailable)
    await limiter.close()
  })

  test("doctor() tells what SQLite finds wrong with its file, in sentences", async () => {
    const path = temporaryFolder()
    const limiter = await open(path)
    await live(limiter)
    await limiter.close()
    const file = readFileSync(join(path, LOG_FILE))
    // The table's page begins the second; its eighth byte counts what is lost between cells, which no reading minds.
    const page = file.readUInt16BE(16)
    file[page + 7] = 9
    writeFileSync(join(path, LOG_FILE), file)
    await using damaged = await open(path)
    const { ok, problems, fileIsSound, replayEqualsLive } = await damaged.doctor()
    expect({ ok, fileIsSound, replayEqualsLive }).toEqual({ ok: false, fileIsSound: false, replayEqualsLive: true })
    expect(problems.length).toBeGreaterThan(0)
    for (const problem of problems) expect(problem).toMatch(/^SQLite: .*[^.]\.$/)
  })

  test("doctor() tells of a witness that is missing, damaged, or not kept", async () => {
    const path = temporaryFolder()
    const limiter = await open(path, { policy: "9/hour" })
    const witness = join(path, WITNESS_FILE)
    rmSync(witness)
    const lost = "sluice.end is not kept: it cannot be read or written, or was deleted or replaced."
    expect(await limiter.doctor()).toMatchObject({ ok: false, problems: [lost] })
    await limiter.close()
    const closed = readFiles(path)
    expect(closed.has(WITNESS_FILE)).toBe(false)
    const lacked = /^sluice\.end was missing or damaged when the store was opened/
    for (const files of [closed, withFile(closed, WITNESS_FILE, new Uint8Array(64))]) {
      const copy = layOut(files)
      await using found = await open(copy)
      const { ok, problems } = await found.doctor()
      expect(ok).toBe(false)
      expect(problems).toEqual([expect.stringMatching(lacked)])
      await found.check("a")
      await found.close()
      // From here on there is one.
      await using again = await open(copy)
      expect((await again.doctor()).problems).toEqual([])
    }
  })

  test.skipIf(process.platform === "win32")(
    "a folder that is deleted or moved while it is open is told by doctor(), by close(), and within a second by all who charge",
    async () => {
      const other = temporaryFolder()
      await (await open(other, { policy: "1/hour" })).close()
      for (const sync of ["always", "ahead", "batch"] as const) {
        const path = temporaryFolder()
        const limiter = await open(path, { policy: "1000000/hour", sync })
        await limiter.check("a")
        renameSync(path, `${path}-moved`)
        const gone = `the file "${join(realpathSync(dirname(path)), "store", LOG_FILE)}" was deleted, moved or replaced`
        const refusal = { code: "STORE_UNAVAILABLE", message: expect.stringContaining(gone) }
        const problems = [expect.stringContaining(gone)]
        expect(await limiter.doctor()).toMatchObject({ ok: false, problems, fileIsSound: false })
        // Another's, in its place.
        cpSync(other, path, { recursive: true })
        const charge = async () => {
          await limiter.check("a")
          await limiter.flush()
        }
        await expect.poll(() => charge().catch((error: unknown) => error), { interval: 50 }).toMatchObject(refusal)
        await expect(limiter.check("a")).rejects.toMatchObject(refusal)
        expect(readFiles(path)).toEqual(readFiles(other))
        await expect(limiter.close()).rejects.toMatchObject(refusal)
        // It is let go, and what was told is where it was moved.
        await using moved = await open(`${path}-moved`, { sync })
        expect((await moved.stats("a")).totalAllowed).toBeGreaterThanOrEqual(1)
      }
    },
  )

  test.skipIf(process.platform === "win32")(
    "onFailure hears of each time that the store cannot be opened anew",
    async () => {
      const path = temporaryFolder()
      const onFailure = vi.fn()
      await using limiter = await open(path, { policy: "1000000/hour", onFailure })
      await limiter.check("a")
      renameSync(path, `${path}-moved`)
      const charge = () =>
        limiter.check("a").then(
          () => null,
          (error: unknown) => error,
        )
      await expect.poll(charge, { interval: 50 }).toBeInstanceOf(StoreUnavailable)
      onFailure.mockClear()
      for (let times = 0; times < 3; times++) await charge()
      const gone = expect.objectContaining({ message: expect.stringContaining("was deleted, moved or replaced") })
      expect(onFailure.mock.calls).toEqual(Array(3).fill([gone, 0]))
      renameSync(`${path}-moved`, path)
      expect(await charge()).toBe(null)
      expect(onFailure).toHaveBeenCalledTimes(3)
    },
  )

  test("close() has SQLite close its file while the witness is brought to the disk, and waits for both", async () => {
    const path = temporaryFolder()
    const limiter = await open(path, { policy: "9/hour" })
    await limiter.check("a")
    const { fsync } = fs
    const syncs: (() => void)[] = []
    fs.fsync = ((...args: Parameters<typeof fsync>) => syncs.push(() => fsync(...args))) as unknown as typeof fsync
    syncBuiltinESMExports()
    try {
      let isClosed = false
      const closing = limiter.close().then(() => {
        isClosed = true
      })
      await expect.poll(() => syncs.length).toBe(1)
      expect(readdirSync(path).sort()).toEqual([LOG_FILE, WITNESS_FILE])
      expect(isClosed).toBe(false)
      syncs[0]!()
      await closing
    } finally {
      Object.assign(fs, { fsync })
      syncBuiltinESMExports()
    }
  })

  test.skipIf(process.platform === "win32")("goes on where a folder that was moved away comes back", async () => {
    const path = temporaryFolder()
    const limiter = await open(path, { policy: "9/hour" })
    await limiter.check("a")
    renameSync(path, `${path}-moved`)
    expect((await limiter.doctor()).ok).toBe(false)
    renameSync(`${path}-moved`, path)
    expect((await limiter.check("a")).remaining).toBe(7)
    expect((await limiter.doctor()).problems).toEqual([])
    await limiter.close()
  })

  test.skipIf(process.platform === "win32")(
    "goes on where its folder cannot be looked at, and lets it go when it is closed",
    async () => {
      const path = temporaryFolder()
      const limiter = await open(join(path, "data"), { policy: "9/hour" })
      await limiter.check("a")
      renameSync(path, `${path}-moved`)
      // A link to itself leads nowhere, for the superuser too.
      symlinkSync(path, path)
      const unread = "sluice.end is not kept: it cannot be read or written, or was deleted or replaced."
      expect((await limiter.doctor()).problems).toEqual([unread])
      await new Promise((resolve) => setTimeout(resolve, 1_100))
      expect((await limiter.check("a")).remaining).toBe(7)
      await limiter.close()
      unlinkSync(path)
      renameSync(`${path}-moved`, path)
      await using again = await open(join(path, "data"))
      expect((await again.check("a")).remaining).toBe(6)
    },
  )

  test.skipIf(process.platform === "win32")(
    "a link to the folder that comes to lead elsewhere is noticed",
    async () => {
      const paths = [temporaryFolder(), temporaryFolder()] as const
      for (const path of paths) await (await open(path, { policy: "9/hour" })).close()
      const link = `${paths[0]}-link`
      symlinkSync(paths[0], link)
      const limiter = await open(link)
      await limiter.check("a")
      expect((await limiter.doctor()).problems).toEqual([])
      unlinkSync(link)
      symlinkSync(paths[1], link)
      const gone = `the file "${join(link, LOG_FILE)}" was deleted, moved or replaced`
      expect((await limiter.doctor()).problems).toEqual([expect.stringContaining(gone)])
      await expect(limiter.close()).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" })
      expect(readFiles(paths[1]).has(LOG_FILE)).toBe(true)
    },
  )

  test.skipIf(process.platform === "win32")("a file that is moved and linked while it is open is noticed", async () => {
    const path = temporaryFolder()
    const limiter = await open(path, { policy: "9/hour" })
    await limiter.check("a")
    renameSync(join(path, LOG_FILE), `${path}-moved`)
    symlinkSync(`${path}-moved`, join(path, LOG_FILE))
    const gone = `the file "${join(path, LOG_FILE)}" was deleted, moved or replaced`
    expect((await limiter.doctor()).problems).toEqual([expect.stringContaining(gone)])
    await expect(limiter.close()).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" })
  })

  test("a folder named by a relative path is the same wherever the process goes", () => {
    const path = temporaryFolder()
    const program = `
      import { openLimiter } from ${JSON.stringify(import.meta.resolve("sluice/embedded"))}
      process.chdir(${JSON.stringify(dirname(path))})
      const limiter = await openLimiter({ path: "store", policy: "9/hour", sync: "batch" })
      process.chdir("/")
      for (let checks = 0; checks < 3; checks++) await limiter.check("a").then(() => limiter.flush())
      console.log((await limiter.doctor()).problems.join() || "well")
      await limiter.close()`
    const args = ["--input-type=module", "--eval", program]
    const { stdout, stderr } = spawnSync(process.execPath, args, { cwd: ROOT, encoding: "utf8", timeout: 20_000 })
    expect(stdout || stderr).toBe("well\n")
    expect(readdirSync(path).sort()).toEqual([LOG_FILE, WITNESS_FILE])
  })

  test("errors leave everything as it was", async () => {
    await using limiter = await open(temporaryFolder(), { limits: { api: "3/minute" } })
    await expect(limiter.check("a", { limit: "api", cost: 4 })).rejects.toBeInstanceOf(CostError)
    await expect(limiter.check("", { limit: "api" })).rejects.toBeInstanceOf(KeyError)
    await expect(limiter.check("a")).rejects.toBeInstanceOf(LimitNotFound)
    const many = Array.from({ length: 1_001 }, (_, index) => ({ key: `${index}`, limit: "api" }))
    await expect(limiter.checkAll(many)).rejects.toBeInstanceOf(RangeError)
    const events: string[] = []
    for await (const { event } of limiter.records()) events.push(event)
    expect(events).toEqual(["define"])
  })

  test("compacts by itself past `compactBytes`, and keeps a tail of history", async () => {
    await using limiter = await open(temporaryFolder(), {
      policy: "1000000/day",
      compactBytes: 4_096,
      historySegments: 3,
    })
    for (let round = 0; round < 120; round++) {
      await Promise.all(Array.from({ length: 40 }, (_, index) => limiter.check(`key ${index}`)))
    }
    const { coveredSequence, sequence, bytes } = await limiter.doctor()
    expect(coveredSequence).toBeGreaterThan(0)
    expect(sequence).toBeGreaterThan(coveredSequence)
    expect(bytes).toBeLessThan(40_000)
    expect((await limiter.stats("key 7")).totalAllowed).toBe(120)
    expect((await limiter.history("key 7")).length).toBeGreaterThan(3)
  })

  test("close() waits for a compaction and a verification that were asked for just before", async () => {
    const path = temporaryFolder()
    const limiter = await open(path, { policy: "10/day" })
    const checks = Array.from({ length: 100 }, (_, index) => limiter.check(`key ${index}`))
    const compaction = limiter.compact()
    const verification = limiter.verify()
    await limiter.close()
    await Promise.all(checks)
    const { records, bytesBefore, bytesAfter } = await compaction
    expect(records).toBe(101)
    expect(bytesAfter).toBeGreaterThan(bytesBefore!)
    expect(await verification).toMatchObject({ replayEqualsLive: true })
    await using again = await open(path)
    expect(again.keyCount).toBe(100)
  })
})

describe("a copy of the files at any statement", () => {
  test("opens in a state that was acknowledged, or the one that was being written", async () => {
    const path = temporaryFolder()
    const copies: { files: ReturnType<typeof readFiles>; acknowledged: string; next: string | null }[] = []
    let acknowledged = ""
    const limiter = await open(path)
    acknowledged = await seen(limiter)
    // Every statement of every write goes through these: the files are copied before and after each.
    const take = () => {
      copies.push({ files: readFiles(path), acknowledged, next: null })
    }
    const { exec } = DatabaseSync.prototype
    const { StatementSync } = await import("node:sqlite")
    const { run } = StatementSync.prototype
    DatabaseSync.prototype.exec = function (sql) {
      take()
      exec.call(this, sql)
      take()
    }
    StatementSync.prototype.run = function (this: object, ...values: never[]) {
      take()
      const result = Reflect.apply(run, this, values) as ReturnType<typeof run>
      take()
      return result
    }
    try {
      await live(limiter, (state) => {
        acknowledged = state
        for (const copy of copies) copy.next ??= state
      })
      await limiter.compact()
      await limiter.close()
    } finally {
      DatabaseSync.prototype.exec = exec
      StatementSync.prototype.run = run
    }
    expect(copies.length).toBeGreaterThan(40)
    const found = { before: 0, after: 0 }
    for (const [index, copy] of copies.entries()) {
      const outcome = await outcomeOf(copy.files)
      const next = copy.next ?? copy.acknowledged
      expect([{ state: copy.acknowledged }, { state: next }], `copy ${index}`).toContainEqual(outcome)
      const { state } = outcome as { state: string }
      found[state === copy.acknowledged ? "before" : "after"] += 1
    }
    // Both happen, so the test can tell them apart.
    expect(found.before).toBeGreaterThan(10)
    expect(found.after).toBeGreaterThan(5)
  })
})
