import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { DatabaseSync } from "node:sqlite"
import { afterEach, beforeEach, describe, expect, test } from "vitest"
import { openLimiter } from "../../src/embedded/open-limiter.node.js"
import { type Ran, run, Scratch } from "./run.js"

let scratch: Scratch
let data: string

beforeEach(() => {
  scratch = new Scratch()
  data = scratch.file("data")
})
afterEach(() => scratch[Symbol.dispose]())

const sluice = (...args: string[]): Promise<Ran> => run(args, { env: { SLUICE_DATA_DIR: data } })

/** A data folder whose second segment is damaged: the second check of "a" is in it. */
async function damagedFolder(): Promise<void> {
  const limiter = await openLimiter({ path: data, policy: "9/day" })
  for (let times = 0; times < 2; times++) {
    await limiter.check("a", { cost: 2 })
    // Closes a segment.
    await limiter.verify()
  }
  await limiter.close()
  damageSegment(2)
}

function damageSegment(sequence: number): void {
  const database = new DatabaseSync(`${data}/sluice.db`)
  const row = database.prepare("SELECT body FROM sluice_log WHERE id = ?").get(sequence) as { body: Uint8Array }
  row.body[10]! ^= 1
  database.prepare("UPDATE sluice_log SET body = ? WHERE id = ?").run(row.body, sequence)
  database.close()
}

function contents(path: string): Map<string, string> {
  return new Map(readdirSync(path).map((name) => [name, readFileSync(`${path}/${name}`, "hex")]))
}

describe("sluice repair", () => {
  test("tells that a snapshot is kept, where that has what no record tells any more", async () => {
    const limiter = await openLimiter({ path: data, policy: "9/day", historySegments: 0 })
    await limiter.check("a")
    await limiter.compact()
    await limiter.close()
    expect((await sluice("repair")).out).toMatch(/is right: a snapshot, and after it \d+ records, nothing to repair/)
    expect(JSON.parse((await sluice("repair", "--json")).out)).toMatchObject({ keptSnapshot: true })
  })

  test("tells history, which the snapshot stands for, apart from the records after the snapshot", async () => {
    const limiter = await openLimiter({ path: data, policy: "9/day" })
    for (let times = 0; times < 3; times++) await limiter.check("a")
    await limiter.compact()
    const { records: keptHistoryRecords } = await limiter.doctor()
    for (const key of ["b", "c"]) await limiter.check(key)
    await limiter.close()
    const history = `before it ${keptHistoryRecords} records of history`
    expect((await sluice("repair")).out).toContain(`is right: a snapshot, and after it 2 records (${history})`)
    damageSegment(2)
    expect((await sluice("repair")).out).toContain(`kept       a snapshot, and after it 0 records (${history})\n`)
    const told = { keptSnapshot: true, keptRecords: keptHistoryRecords, keptHistoryRecords, keptState: false }
    for (const flags of [[], ["--yes"]]) {
      expect(JSON.parse((await sluice("repair", "--json", ...flags)).out)).toMatchObject(told)
    }
  })

  test("tells each thing that SQLite finds wrong in a line of its own", async () => {
    const limiter = await openLimiter({ path: data, policy: "9/day" })
    for (let key = 0; key < 400; key++) await limiter.check(`key ${key}`)
    await limiter.close()
    const file = readFileSync(`${data}/sluice.db`)
    const pageBytes = file.readUInt16BE(16)
    const leaves: number[] = []
    for (let start = pageBytes; start < file.length; start += pageBytes) {
      // The first byte of a leaf is 13, the eighth counts what is lost between its cells.
      if (file[start] !== 13) continue
      file[start + 7] = 9
      leaves.push(start / pageBytes + 1)
    }
    writeFileSync(`${data}/sluice.db`, file)
    expect(leaves.length).toBeGreaterThan(1)
    const { code, out } = await sluice("repair")
    expect(code).toBe(1)
    for (const page of leaves) expect(out).toMatch(new RegExp(`^ .* the file: .* on page ${page}$`, "m"))
    expect(out).not.toMatch(/\*\*\*|u\{a\}/)
  })

  test("without --yes tells what it would do, does nothing, and exits with 1", async () => {
    await damagedFolder()
    const before = contents(data)
    const { code, out, err } = await sluice("repair")
    expect({ code, err }).toEqual({ code: 1, err: "" })
    expect(out).toMatch(
      / is damaged\. A repair would do this:\n {2}kept +2 records\n {2}given up +segment 2: its SHA-256 differs\n/,
    )
    expect(out).toContain("with --yes it is done")
    const json = await sluice("repair", "--json")
    expect(json.code).toBe(1)
    expect(JSON.parse(json.out)).toEqual({
      path: data,
      isNeeded: true,
      isRepaired: false,
      keptRecords: 2,
      keptHistoryRecords: 0,
      keptSnapshot: false,
      gaveUp: expect.arrayContaining(["segment 2: its SHA-256 differs"]),
      keptState: false,
      asidePath: null,
    })
    expect(contents(data)).toEqual(before)
  })

  test("--yes repairs, tells what was kept, given up and set aside, and then nothing is wrong", async () => {
    await damagedFolder()
    const copy = scratch.file("copy")
    cpSync(data, copy, { recursive: true })
    expect(await sluice("doctor")).toMatchObject({ code: 1, err: expect.stringContaining("sluice repair tells") })
    const { code, out } = await sluice("repair", "--yes")
    expect(code).toBe(0)
    expect(out).toMatch(/ is repaired:\n {2}kept +2 records\n {2}given up +segment 2: its SHA-256 differs\n/)
    expect(out).toContain(`${data}/aside-1\n`)
    expect(out).toContain("Keys may be admitted again what they had used in what was given up.")
    expect(contents(`${data}/aside-1`)).toEqual(contents(copy))
    expect((await sluice("doctor")).code).toBe(0)
    expect(JSON.parse((await sluice("limit", "status", "a", "--json")).out).remaining).toBe(7)
    const json = await sluice("repair", "--data-dir", copy, "-y", "--json")
    expect(json.code).toBe(0)
    expect(JSON.parse(json.out)).toEqual({
      path: copy,
      isNeeded: true,
      isRepaired: true,
      keptRecords: 2,
      keptHistoryRecords: 0,
      keptSnapshot: false,
      gaveUp: expect.arrayContaining(["segment 2: its SHA-256 differs"]),
      keptState: false,
      asidePath: `${copy}/aside-1`,
    })
  })

  test("tells that nothing is lost where no more than history is given up, or what lies beside the log", async () => {
    const limiter = await openLimiter({ path: data, policy: "9/day" })
    await limiter.check("a", { cost: 2 })
    await limiter.compact()
    await limiter.check("a", { cost: 3 })
    await limiter.close()
    damageSegment(1)
    expect(JSON.parse((await sluice("repair", "--json")).out)).toMatchObject({ keptSnapshot: true, keptState: true })
    const { out } = await sluice("repair", "--yes")
    expect(out).toContain("Nothing that keys have used was given up.")
    const database = new DatabaseSync(`${data}/sluice.db`)
    database.exec("CREATE TABLE notes (x)")
    database.close()
    const again = await sluice("repair", "--yes")
    expect(again.out).toContain("Nothing that keys have used was given up.")
    expect(JSON.parse((await sluice("limit", "status", "a", "--json")).out).remaining).toBe(4)
  })

  test("tells that the end of the log is missing, also where history is damaged", async () => {
    const limiter = await openLimiter({ path: data, policy: "9/day" })
    await limiter.check("a", { cost: 2 })
    await limiter.compact()
    await limiter.check("a", { cost: 3 })
    await limiter.verify()
    await limiter.check("a")
    await limiter.close()
    damageSegment(1)
    const database = new DatabaseSync(`${data}/sluice.db`)
    database.prepare("DELETE FROM sluice_log WHERE id = (SELECT MAX(id) FROM sluice_log)").run()
    database.close()
    const { keptState, gaveUp } = JSON.parse((await sluice("repair", "--json")).out)
    expect({ keptState, gaveUp }).toEqual({
      keptState: false,
      gaveUp: ["segment 1: its SHA-256 differs", "segment 3: it has 0 records, 1 were committed"],
    })
  })

  test.each([[], ["--yes"]])("leaves a folder that is right as it is: repair %s", async (...flags) => {
    const limiter = await openLimiter({ path: data, policy: "9/day" })
    await limiter.check("a")
    await limiter.close()
    const before = contents(data)
    expect(await sluice("repair", ...flags)).toMatchObject({
      code: 0,
      out: expect.stringMatching(/ is right: 2 records/),
    })
    expect(JSON.parse((await sluice("repair", "--json", ...flags)).out)).toMatchObject({
      isNeeded: false,
      isRepaired: false,
      gaveUp: [],
      asidePath: null,
    })
    expect(contents(data)).toEqual(before)
  })

  test("begins a repair anew that was interrupted, of a folder whose log is missing", async () => {
    await damagedFolder()
    writeFileSync(`${data}/sluice.db.repaired`, readFileSync(`${data}/sluice.db`))
    rmSync(`${data}/sluice.db`)
    const refused = await sluice("limit", "list")
    expect(refused).toMatchObject({
      code: 1,
      err: expect.stringMatching(/sluice\.db is corrupt: it is missing.*sluice repair/),
    })
    expect(await sluice("repair")).toMatchObject({ code: 1, out: expect.stringContaining("would be begun anew") })
    expect(await sluice("repair", "--yes")).toMatchObject({ code: 0, out: expect.stringContaining("was begun anew") })
    expect((await sluice("limit", "list")).code).toBe(0)
  })

  test("is refused while the folder is open, and where it is none", async () => {
    const limiter = await openLimiter({ path: data, policy: "9/day" })
    for (const flags of [[], ["--yes"]]) {
      expect(await sluice("repair", ...flags)).toMatchObject({ code: 1, err: expect.stringContaining("open") })
      const { err } = await sluice("repair", "--json", ...flags)
      expect(JSON.parse(err)).toMatchObject({ code: "STORE_LOCKED" })
    }
    expect(readdirSync(data).some((name) => name.startsWith("aside"))).toBe(false)
    await limiter.close()
    const empty = scratch.file("empty")
    mkdirSync(empty)
    for (const [path, what] of [
      [scratch.file("none"), "it is no data folder"],
      [empty, "it is no data folder"],
      [`${data}/sluice.db`, "it is a file, allowed is a folder"],
    ] as const) {
      expect(await sluice("repair", "--yes", "-d", path)).toMatchObject({ code: 2, err: expect.stringContaining(what) })
    }
    expect(existsSync(scratch.file("none"))).toBe(false)
    expect(readdirSync(empty)).toEqual([])
    expect((await sluice("repair", "--server", "http://127.0.0.1:9")).code).toBe(2)
  })

  test.each(["bash", "zsh", "fish"])("is completed in %s, with its options", async (shell) => {
    const { out } = await sluice("completion", shell)
    if (shell === "fish") expect(out).toMatch(/__sluice_in repair' -l yes /)
    else expect(out).toMatch(/"repair"\) words="--data-dir --yes --json --no-color --help"/)
  })
})
