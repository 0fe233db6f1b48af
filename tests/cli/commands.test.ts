import fs, { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs"
import { syncBuiltinESMExports } from "node:module"
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest"
import { COMMANDS } from "../../src/cli/commands/index.node.js"
import { type Ran, run, Scratch } from "./run.js"

let scratch: Scratch

beforeEach(() => {
  scratch = new Scratch()
})
afterEach(() => scratch[Symbol.dispose]())

const sluice = (...args: string[]): Promise<Ran> => run(args, { env: { SLUICE_DATA_DIR: scratch.file("data") } })

async function init(): Promise<void> {
  expect((await sluice("init", "--config", scratch.file("sluice.toml"))).code).toBe(0)
}

describe("on a data folder", () => {
  test("init makes the folder and a configuration that serve takes, and overwrites none", async () => {
    await init()
    expect(existsSync(scratch.file("data/sluice.db"))).toBe(true)
    expect(readFileSync(scratch.file("sluice.toml"), "utf8")).toContain("[limits.default]")
    expect(await sluice("init", "--config", scratch.file("sluice.toml"))).toMatchObject({
      code: 2,
      err: expect.stringMatching(/it is there already, .* sluice serve --config ".*" makes a folder/),
    })
  })

  test("init leaves the limits of a data folder that is there as they are", async () => {
    await init()
    await sluice("limit", "add", "default", "7/day")
    const config = scratch.file("second.toml")
    expect(await sluice("init", "--config", config)).toMatchObject({ code: 2 })
    expect(existsSync(config)).toBe(false)
    expect(JSON.parse((await sluice("limit", "list", "--json")).out)[0]).toMatchObject({
      policy: { rules: [{ limit: 7 }] },
    })
  })

  test("init in a folder without its sluice.db names repair, as serve would refuse the folder too", async () => {
    await init()
    rmSync(scratch.file("data/sluice.db"))
    const before = readdirSync(scratch.file("data"))
    expect(await sluice("init", "--config", scratch.file("second.toml"))).toMatchObject({
      code: 2,
      err: expect.stringMatching(
        /damaged.*sluice\.db: it is missing, and sluice\.end is there.* sluice repair --data-dir ".*"/,
      ),
    })
    expect(readdirSync(scratch.file("data"))).toEqual(before)
  })

  test("init tells what to run next as it was run itself", async () => {
    for (const [env, program] of [
      [{}, "sluice"],
      [{ npm_command: "exec" }, "npx sluice"],
    ] as const) {
      const folder = scratch.file(program)
      const { out } = await run(["init", "--data-dir", folder, "--config", `${folder}.toml`], { env })
      expect(out).toContain(`. Next: ${program} serve --config ${folder}.toml --data-dir ${folder}\n`)
    }
  })

  test("init tells machines where it wrote", async () => {
    const config = scratch.file("sluice.toml")
    const { out } = await sluice("init", "--json", "--config", config)
    expect(JSON.parse(out)).toEqual({ dataDir: scratch.file("data"), config, keptConfig: false })
  })

  test("init on a full disk leaves no configuration, names the file, and can be run again", async () => {
    const config = scratch.file("sluice.toml")
    vi.spyOn(fs, "writeFileSync").mockImplementation(() => {
      throw Object.assign(new Error("ENOSPC: no space left on device, write"), { code: "ENOSPC" })
    })
    syncBuiltinESMExports()
    try {
      const { code, err } = await sluice("init", "--config", config)
      expect({ code, err }).toEqual({
        code: 1,
        err: `error: Cannot write --config "${config}": ENOSPC: no space left on device, write.\n`,
      })
    } finally {
      vi.restoreAllMocks()
      syncBuiltinESMExports()
    }
    expect(readdirSync(scratch.path)).toEqual([])
    await init()
    expect(readFileSync(config, "utf8")).toContain("[limits.default]")
  })

  test.each([
    ["EROFS", 2, "its file system is read-only"],
    ["ENOSPC", 1, "ENOSPC: it cannot be opened"],
  ])("init that may not make a configuration names it: %s", async (code, exitCode, reason) => {
    const config = scratch.file("sluice.toml")
    vi.spyOn(fs, "openSync").mockImplementationOnce(() => {
      throw Object.assign(new Error(`${code}: it cannot be opened`), { code })
    })
    syncBuiltinESMExports()
    try {
      const err = `error: Cannot write --config "${config}": ${reason}.\n`
      expect(await sluice("init", "--config", config)).toMatchObject({ code: exitCode, err })
    } finally {
      vi.restoreAllMocks()
      syncBuiltinESMExports()
    }
    expect(readdirSync(scratch.path)).toEqual([])
  })

  test.skipIf(process.platform === "win32")("init makes a configuration that nobody else may write", async () => {
    const before = process.umask(0)
    try {
      await init()
    } finally {
      process.umask(before)
    }
    expect(statSync(scratch.file("sluice.toml")).mode & 0o777).toBe(0o644)
  })

  test("check is 0 when allowed and 3 when denied", async () => {
    await init()
    expect((await sluice("limit", "add", "api", "1/day")).out).toBe("api is 1/day\n")
    expect(await sluice("check", "a", "--limit", "api")).toMatchObject({
      code: 0,
      out: expect.stringMatching(/^allowed/),
    })
    expect(await sluice("check", "a", "-l", "api")).toMatchObject({ code: 3, out: expect.stringMatching(/^denied/) })
    const { code, out } = await sluice("limit", "check", "a", "-l", "api", "--json")
    expect({ code, json: JSON.parse(out) }).toMatchObject({ code: 3, json: { allowed: false, policy: "api" } })
  })

  test("what is left is told against the burst, which may be more than the limit", async () => {
    await init()
    expect((await sluice("limit", "add", "api", "5/minute burst 20")).out).toBe("api is 5/minute burst 20\n")
    await sluice("limit", "add", "--key", "own", "5/minute burst 30 as mine; 100/hour")
    expect((await sluice("check", "a", "-l", "api")).out).toContain("a  19 of 20 left under api")
    expect((await sluice("explain", "a", "-l", "api")).out).toContain("api: 19 of 20 left")
    expect((await sluice("check", "own")).out).toContain("own  29 of 30 left under mine")
    expect((await sluice("check", "b")).out).toContain("b  99 of 100 left under default")
    const together = await sluice("limit", "check-all", "c=2@api", "own=3")
    expect(together.out).toMatch(/c {2}18 of 20 left under api.*\n.*own {2}26 of 30 left under mine/)
  })

  test("limit list tells the rate and the burst of every rule", async () => {
    await sluice("init", "--config", scratch.file("sluice.toml"))
    await sluice("limit", "add", "several", "5/minute; 2/second burst 20")
    expect((await sluice("limit", "list")).out).toMatch(/^several +5\/1m and 2\/1s +gcra +5 and 20 +-$/m)
  })

  test("a long key and a long limit are both cut where the terminal is narrow", async () => {
    await init()
    const long = "x".repeat(512)
    await sluice("limit", "add", "--key", long, "1/hour")
    await sluice("check", long)
    await sluice("check", long)
    const narrow = { env: { SLUICE_DATA_DIR: scratch.file("data") }, columns: 80 }
    for (const command of [
      ["limit", "top"],
      ["limit", "list"],
      ["limit", "history", long],
    ]) {
      const { out } = await run(command, narrow)
      expect(out).toContain("x…")
      expect({ command, widest: Math.max(...out.split("\n").map((line) => line.length)) }).toEqual({
        command,
        widest: 80,
      })
    }
    // What cannot be cut is shown whole, and the others no narrower than can be read.
    const { out } = await run(["limit", "top"], { ...narrow, columns: 30 })
    expect(out).toContain(`${"x".repeat(11)}…  ${"x".repeat(11)}…  `)
  })

  test("check tells a blocked key as such", async () => {
    await init()
    await sluice("limit", "block", "a", "10m")
    expect((await sluice("check", "a")).out).toMatch(
      /^denied {2}a {2}blocked, 100 of 100 left under default, try again/,
    )
    expect(JSON.parse((await sluice("check", "a", "--json")).out)).toMatchObject({
      policy: "default",
      reason: "blocked",
    })
  })

  test("check calls the only rule of a key's own limit so, where nobody named it", async () => {
    await init()
    await sluice("limit", "add", "--key", "own", "3/minute")
    expect((await sluice("check", "own")).out).toContain("2 of 3 left under its own limit,")
    expect((await sluice("check", "a", "--limit", "own")).out).toContain("2 of 3 left under own,")
    expect(JSON.parse((await sluice("check", "own", "--json")).out)).toMatchObject({ policy: "default" })
    await sluice("limit", "add", "--key", "several", "3/second; 20/hour")
    expect((await sluice("check", "several")).out).toContain("2 of 3 left under 3-per-1s,")
  })

  test("limit add tells the policy as people write it, and as JSON what cannot be said so", async () => {
    await init()
    const blocking = '{"limit":5,"period":"1m","block":"15m"}'
    expect((await sluice("limit", "add", "a", "10/1s; 1000/60m")).out).toBe("a is 10/second; 1000/hour\n")
    expect((await sluice("limit", "add", "b", '{"limit":5,"period":60000,"block":900000}')).out).toBe(
      `b is ${blocking}\n`,
    )
    expect((await sluice("limit", "add", "b", blocking, "--json")).out).toContain('"name":"b"')
  })

  test("limit check-all charges all or none", async () => {
    await init()
    await sluice("limit", "add", "api", "3/day")
    await sluice("limit", "add", "--key", "own", "1/day")
    expect((await sluice("limit", "check-all", "a=2@api", "own")).code).toBe(0)
    const denied = await sluice("limit", "check-all", "a@api", "own")
    expect(denied).toMatchObject({
      code: 3,
      out: expect.stringMatching(/^allowed {2}a .*\ndenied {2}own .*\nNothing was charged/),
    })
    expect(JSON.parse((await sluice("limit", "status", "a", "-l", "api", "--json")).out).remaining).toBe(1)
  })

  test("limit check-all takes all behind the last @ for the limit, also a name with an =", async () => {
    await init()
    await sluice("limit", "add", "a=b", "3/day")
    expect((await sluice("limit", "check-all", "k@a=b", "x@y=2@a=b")).out).toMatch(
      /^allowed {2}k {2}2 of 3 left under a=b,.*\nallowed {2}x@y {2}1 of 3 left under a=b,/,
    )
  })

  test("limit status tells the limit as check does, and each rule as explain does", async () => {
    await init()
    await sluice("limit", "add", "api", "3/day; 5/week")
    await sluice("limit", "add", "--key", "own", "2/day")
    const status = async (...args: string[]) => (await sluice("limit", "status", ...args)).out
    await sluice("check", "own")
    const own = await status("own")
    expect(own).toMatch(/^limit +its own limit$/m)
    expect(own).toMatch(/^rules\n {2}its own limit: 1 of 2 left, full in /m)
    const ofDefault = await status("x")
    expect(ofDefault).toMatch(/^limit +default$/m)
    expect(ofDefault).toMatch(/^rules\n {2}default: 100 of 100 left, full now$/m)
    const several = "rules\n  api-3-per-1d: 3 of 3 left, full now\n  api-5-per-1w: 5 of 5 left, full now\n"
    expect(await status("x", "-l", "api")).toContain(several)
    expect((await sluice("explain", "x", "-l", "api")).out).toContain(several)
    expect(JSON.parse(await status("own", "--json"))).toMatchObject({
      key: "own",
      limit: "own",
      policy: "default",
      rules: [{ remaining: 1 }],
      stats: { totalAllowed: 1 },
    })
  })

  test("explain tells a wait in the same units in each of its lines, and machines in ms", async () => {
    await init()
    await sluice("limit", "add", "api", "1/day")
    await sluice("check", "a", "-l", "api")
    const told = (await sluice("explain", "a", "-l", "api")).out
    expect(told).toMatch(/it admits it in (1d|\d+h[ \dm]*)\.\n/)
    expect(JSON.parse((await sluice("explain", "a", "-l", "api", "--json")).out).because).toMatch(/in \d+ ms\.$/)
  })

  test("status, list, history, top, explain, reset, block, unblock and remove", async () => {
    await init()
    await sluice("limit", "add", "api", "1/day")
    for (let times = 0; times < 3; times++) await sluice("check", "a", "-l", "api")
    expect((await sluice("limit", "status", "a", "-l", "api")).out).toMatch(/denied +2 \(2 units\)/)
    expect((await sluice("limit", "list")).out).toMatch(/^LIMIT.*\napi +1\/1d +gcra/)
    expect((await sluice("limit", "history", "a", "-l", "api")).out).toMatch(/deny +1 +\d/)
    expect(JSON.parse((await sluice("limit", "top", "--json")).out)).toMatchObject([
      { key: "a", stats: { totalDenied: 2 } },
    ])
    expect((await sluice("explain", "a", "-l", "api")).out).toContain("would be denied")
    const { recent } = JSON.parse((await sluice("explain", "a", "-l", "api", "--json")).out)
    expect(recent).toEqual(JSON.parse((await sluice("limit", "history", "a", "-l", "api", "--json")).out))
    expect((await sluice("limit", "reset", "a", "-l", "api")).out).toBe("a is full again\n")
    expect((await sluice("limit", "block", "a", "1h", "-l", "api")).code).toBe(0)
    expect(JSON.parse((await sluice("check", "a", "-l", "api", "--json")).out).reason).toBe("blocked")
    expect((await sluice("limit", "unblock", "a", "-l", "api")).out).toBe("a is not blocked any more\n")
    expect((await sluice("limit", "remove", "api")).code).toBe(0)
    expect((await sluice("limit", "remove", "api")).code).toBe(2)
  })

  test("log verify, compact, tail and export, and doctor", async () => {
    await init()
    await sluice("limit", "add", "api", "1/day")
    await sluice("check", '=HYPERLINK("x")', "-l", "api")
    expect(await sluice("log", "verify")).toMatchObject({ code: 0, out: expect.stringContaining("The log is sound") })
    expect((await sluice("log", "tail", "-n", "2")).out).toMatch(/admit .* under api {2}1 unit\n/)
    const err = expect.stringContaining("one process at a time has it, allowed is --follow on a server")
    expect(await sluice("log", "tail", "--follow")).toMatchObject({ code: 2, out: "", err })
    const lines = (await sluice("log", "export")).out
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line))
    expect(lines.map(({ event }) => event)).toEqual(expect.arrayContaining(["define", "admit"]))
    const tail = (await sluice("log", "tail", "-n", "9", "--json")).out
    expect(
      tail
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line)),
    ).toEqual(lines)
    expect(lines.at(-1)).toEqual({
      sequence: expect.any(Number),
      index: expect.any(Number),
      at: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      event: "admit",
      limit: "api",
      key: '=HYPERLINK("x")',
      units: 1,
      count: 1,
    })
    const { sequence: _, index: __, ...event } = lines.at(-1)
    const history = await sluice("limit", "history", '=HYPERLINK("x")', "-l", "api", "--json")
    expect(JSON.parse(history.out)[0]).toEqual(event)
    // A spreadsheet must not take a key for a formula.
    const csv = (await sluice("log", "export", "--format", "csv")).out
    expect(csv).toMatch(/^at,event,limit,key,units,count,sequence,index,id,policy\r\n/)
    expect(csv).toMatch(/,api,"'=HYPERLINK\(""x""\)",1,1,\d+,\d+,,\r\n/)
    expect((await sluice("doctor")).out).toContain("All is well.")
    // Two definitions of init, one of its own, one admission.
    expect((await sluice("log", "compact")).out).toMatch(
      /^4 records folded into a snapshot: the log had \d+ bytes and has \d[\d,]*\nIt did not shrink: .* for each key its name .* statistics, .* history\.\n.*--keep-stats, --no-names and --history-segments decide .*\n$/,
    )
    expect((await sluice("log", "compact")).out).toMatch(/^0 records folded into a snapshot: .*\n$/)
    expect((await sluice("log", "verify")).code).toBe(0)
  })

  test("log export as CSV holds no cell that a spreadsheet takes for a formula", async () => {
    await init()
    const signs = [..."=+-@＝＋－＠", "\t=", "\r\n="]
    for (const sign of signs) expect((await sluice("check", "--", `${sign}1`)).code).toBe(0)
    const rows = (await sluice("log", "export", "--format", "csv")).out
      .split("\r\n")
      .filter((row) => /,admit,/.test(row))
    expect(rows.map((row) => row.split(",")[3])).toEqual(
      [..."=+-@＝＋－＠"].map((sign) => `"'${sign}1"`).concat("\\u{9}=1", "\\u{d}\\u{a}=1"),
    )
  })

  test("clear makes every key full, when told to", async () => {
    await init()
    await sluice("limit", "add", "api", "1/day")
    await sluice("check", "a", "-l", "api")
    await sluice("check", "b", "-l", "api")
    expect((await sluice("clear")).code).toBe(2)
    expect((await sluice("clear", "--yes", "--json")).out).toBe('{"reset":2}\n')
    expect((await sluice("check", "a", "-l", "api")).code).toBe(0)
  })

  test("a folder that is none is told, and not made", async () => {
    expect(await sluice("check", "a")).toMatchObject({ code: 2, err: expect.stringContaining("is no data folder") })
    expect(existsSync(scratch.file("data"))).toBe(false)
  })

  test("an empty sluice.db alone is no data folder to those who look, who leave it, and init makes one of it", async () => {
    mkdirSync(scratch.file("data"))
    writeFileSync(scratch.file("data/sluice.db"), "")
    for (const command of [["doctor"], ["log", "verify"], ["limit", "list"], ["repair"], ["check", "a"]]) {
      expect(await sluice(...command)).toMatchObject({ code: 2, err: expect.stringContaining("is no data folder") })
    }
    expect(readdirSync(scratch.file("data"))).toEqual(["sluice.db"])
    expect(readFileSync(scratch.file("data/sluice.db"), "utf8")).toBe("")
    await init()
    expect((await sluice("doctor")).code).toBe(0)
  })

  test("an empty sluice.db beside an empty sluice.end, as a copy to a full disk leaves them, is a fault", async () => {
    mkdirSync(scratch.file("data"))
    for (const name of ["sluice.db", "sluice.end"]) writeFileSync(scratch.file(`data/${name}`), "")
    for (const command of [["doctor"], ["log", "verify"], ["limit", "list"]]) {
      expect(await sluice(...command)).toMatchObject({ code: 1, err: expect.stringContaining("it is empty") })
    }
    expect(await sluice("repair")).toMatchObject({ code: 1, out: expect.stringContaining("the file: it is empty") })
    expect(readFileSync(scratch.file("data/sluice.db"), "utf8")).toBe("")
  })

  test("what could steer a terminal is spelled out", async () => {
    await init()
    await sluice("limit", "add", "default", "5/day")
    const key = "a\u001b[2J\u0007\u202e\u061c\u2060b"
    for (const args of [
      ["check", key],
      ["limit", "status", key],
      ["limit", "top", "--by", "allowed"],
      ["log", "tail"],
    ]) {
      const { out } = await sluice(...args)
      expect(out).toContain("a\\u{1b}[2J\\u{7}\\u{202e}\\u{61c}\\u{2060}b")
      // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there
      expect(out).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u202e]/)
    }
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there
    expect((await sluice("limit", "history", key, "--json")).out).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u202e]/)
  })

  test("a receipt that check printed is refunded and settled, as argument or by standard input", async () => {
    await init()
    await sluice("limit", "add", "api", "10/day")
    const left = async () => JSON.parse((await sluice("check", "a", "-l", "api", "--peek", "--json")).out).remaining
    const check = async () => (await sluice("check", "a", "-l", "api", "-c", "4", "--json")).out
    const told = await check()
    expect(await sluice("limit", "refund", told, "3")).toMatchObject({
      code: 0,
      out: expect.stringContaining("a has 3"),
    })
    expect(await left()).toBe(9)
    // It settles once.
    await sluice("limit", "refund", told)
    expect(await left()).toBe(9)
    const env = { SLUICE_DATA_DIR: scratch.file("data") }
    const second = await check()
    expect((await run(["limit", "settle", "-", "1", "--json"], { env, read: async () => second })).out).toBe(
      '{"key":"a","policy":"api","cost":1}\n',
    )
    expect(await left()).toBe(8)
    const { receipt } = JSON.parse(await check())
    await sluice("limit", "refund", JSON.stringify(receipt))
    expect(await left()).toBe(8)
    expect((await sluice("limit", "charge", "a", "20", "-l", "api")).out).toBe("a is charged 20 units\n")
    expect(await left()).toBe(0)
    expect(await sluice("check", "a", "-l", "api", "--peek")).toMatchObject({ code: 3 })
  })

  test("each receipt of several decisions is refunded and told by itself", async () => {
    await init()
    await sluice("limit", "add", "api", "10/day")
    await sluice("limit", "add", "org", "10/day")
    const left = async (limit: string) =>
      JSON.parse((await sluice("check", "a", "-l", limit, "--peek", "--json")).out).remaining
    const told = (await sluice("limit", "check-all", "a=2@api", "a=5@org", "--json")).out
    // More than one of them can give back: then none does.
    const err = expect.stringContaining('UNITS is "3", allowed is a whole number from 0 to 2')
    expect(await sluice("limit", "refund", told, "3")).toEqual({ code: 2, out: "", err })
    expect([await left("api"), await left("org")]).toEqual([8, 5])
    expect((await sluice("limit", "refund", told)).out).toBe(
      "a has 2 units back under api, unless its receipt was settled before\n" +
        "a has 5 units back under org, unless its receipt was settled before\n",
    )
    expect([await left("api"), await left("org")]).toEqual([10, 10])
    const { decisions: limits } = JSON.parse((await sluice("limit", "check-all", "a=2@api", "b=5@org", "--json")).out)
    // As a group of a server tells it.
    const group = JSON.stringify({ allowed: true, limits })
    expect((await sluice("limit", "settle", group, "1", "--json")).out).toBe(
      '{"key":"a","policy":"api","cost":1}\n{"key":"b","policy":"org","cost":1}\n',
    )
  })

  test("check-all under an id is charged once", async () => {
    await init()
    await sluice("limit", "add", "api", "10/day")
    for (let times = 0; times < 2; times++) {
      expect((await sluice("limit", "check-all", "a=2@api", "b@api", "--id", "call-1")).code).toBe(0)
    }
    expect((await sluice("check", "a", "-l", "api", "--peek")).out).toContain("8 of 10 left")
  })

  test("spaces that nobody would see in a key are spelled out, and others are not", async () => {
    await init()
    const key = " a  b c\u00a0"
    const shown = "\\u{20}a\\u{20}\\u{20}b c\\u{a0}"
    for (const args of [
      ["check", key],
      ["explain", key],
      ["limit", "status", key],
      ["limit", "top", "--by", "allowed"],
      ["log", "tail"],
      ["limit", "reset", key],
      ["limit", "block", key, "5s"],
      ["limit", "add", key, "1/day"],
      ["limit", "list"],
    ]) {
      expect({ args, out: (await sluice(...args)).out }).toEqual({ args, out: expect.stringContaining(shown) })
    }
    expect(JSON.parse((await sluice("limit", "status", key, "--json")).out).key).toBe(key)
  })

  test("doctor counts one key as one", async () => {
    await init()
    await sluice("check", "a")
    expect((await sluice("doctor")).out).toContain("1 key, sync always")
  })
})

describe("the command line", () => {
  test.each([
    [["chek"], 'did you mean "check"?'],
    [["limit"], "sluice limit COMMAND [ARGUMENTS]"],
    [["limit", "ad"], 'did you mean "limit add"?'],
    [["check", "a", "--csot", "1"], 'did you mean "--cost"?'],
    [["check"], "it got 0 arguments, allowed is KEY"],
    [["check", "a", "b"], "it got 2 arguments"],
    [["limit", "top", "--by", "most"], "allowed is one of denied, allowed"],
    [["completion", "csh"], "allowed is one of bash, zsh, fish"],
    [["serve", "--bind", "0.0.0.0"], "without a token"],
    [["serve", "--bind", "a:b:c"], "--bind is"],
    [["serve", "--port", "65536"], "allowed is a whole number from 0 to 65535"],
    [["serve", "--flush-every-ms", "5"], "with --sync always"],
    [["check", "a", "--server", "http://127.0.0.1:1", "--data-dir", "x"], "either --server or --data-dir"],
  ])("%j is refused with code 2", async (args, message) => {
    const { code, err, out } = await run(args)
    expect({ code, err, out }).toEqual({ code: 2, err: expect.stringContaining(message), out: "" })
  })

  test("tells its commands, and of each its options and examples", async () => {
    const { out } = await run(["--help"])
    for (const { name } of COMMANDS) {
      expect(out).toContain(`  ${name} `)
      const help = await run([...name.split(" "), "--help"])
      expect(help.code).toBe(0)
      expect(help.out).toMatch(/Examples\n {2}.*sluice /)
    }
  })

  test("has colours on a terminal alone, and not under NO_COLOR", async () => {
    const colour = "\u001b["
    expect((await run(["--help"])).out).not.toContain(colour)
    expect((await run(["--help"], { isTty: true })).out).toContain(colour)
    expect((await run(["--help"], { isTty: true, env: { NO_COLOR: "1" } })).out).not.toContain(colour)
    expect((await run(["--help"], { isTty: true, env: { TERM: "dumb" } })).out).not.toContain(colour)
    expect((await run(["check", "--help", "--no-color"], { isTty: true })).out).not.toContain(colour)
    const forced = { env: { FORCE_COLOR: "1", NO_COLOR: "1" } }
    expect((await run(["--help"], forced)).out).toContain(colour)
    expect((await run(["check", "--help", "--no-color"], forced)).out).not.toContain(colour)
  })

  test("errors are JSON where machines read", async () => {
    const { err } = await run(["check", "a", "--json", "--server", "ftp://x"])
    expect(JSON.parse(err)).toEqual({
      error: expect.stringContaining("allowed is an http or https URL"),
      code: "OUT_OF_RANGE",
    })
  })

  test.each(["bash", "zsh", "fish"])("completes in %s", async (shell) => {
    const { out } = await run(["completion", shell])
    for (const word of ["check-all", "explain", "data-dir"]) expect(out).toContain(word)
  })
})
