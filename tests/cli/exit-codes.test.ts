import fs, { writeFileSync } from "node:fs"
import { syncBuiltinESMExports } from "node:module"
import { Server } from "node:net"
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest"
import { COMMANDS } from "../../src/cli/commands/index.node.js"
import { type Ran, run, Scratch } from "./run.js"

let scratch: Scratch

const sluice = (...args: string[]): Promise<Ran> => run(args, { env: { SLUICE_DATA_DIR: scratch.file("data") } })

beforeAll(async () => {
  scratch = new Scratch()
  expect((await sluice("init", "--config", scratch.file("sluice.toml"))).code).toBe(0)
  expect((await sluice("limit", "add", "api", "2/day")).code).toBe(0)
  writeFileSync(scratch.file("broken.toml"), "limits = = 1")
  writeFileSync(scratch.file("latin1.toml"), Buffer.from('[limits."\xff"]\npolicy = "1/day"', "latin1"))
  writeFileSync(scratch.file("long.toml"), "#".repeat(2 ** 24 + 1))
  writeFileSync(scratch.file("wrong.toml"), '[limits.a]\npolicy = "1/fortnight"')
})
afterAll(() => scratch[Symbol.dispose]())

const LONG = "x".repeat(513)
const RECEIPT = '{"id":"1.1","key":"a","policy":"api","cost":5,"chargedAtMs":0}'
const NO_LIMIT = 'Cannot find the limit "nope": sluice limit list tells those configured.'

/** Bad input to each command, and what the error says. `FILE` is a folder for files. */
const BAD_INPUT: readonly (readonly [args: string, message: string])[] = [
  ["init --data-dir FILE/broken.toml --config FILE/new.toml", "it is a file, allowed is a folder"],
  ["init --data-dir FILE/new --config FILE/none/new.toml", "there is no such file or folder"],
  ["init --config FILE/new.toml", "it is a data folder already"],
  ["serve --config FILE/none.toml", "Cannot read --config"],
  ["serve --config FILE/broken.toml", "line 1, column 10"],
  ["serve --config FILE/wrong.toml", 'limits.a.policy.period is "fortnight"'],
  ["serve --config FILE/latin1.toml", "it is no UTF-8"],
  ["serve --config FILE/long.toml", "it is longer than 16777216 bytes"],
  ["serve --token-file FILE", "it is a folder"],
  ["serve --token-file FILE/none", "Cannot read --token-file"],
  ["serve --token-file FILE/none --token a-token-for-the-tests", "either --token or --token-file"],
  [
    "serve --sync ahead --flush-every-records 5",
    "--flush-every-records is given, allowed is that only with --sync batch",
  ],
  ["serve --sync=", '--sync is "", allowed is one of always, ahead, batch'],
  ["serve --port 0 --token short", "the token has 5 characters"],
  ["serve --compact-bytes 1", '--compact-bytes is "1", allowed is a whole number from 4096 to 2147483648'],
  ["serve --port 0 --log-file FILE/none/log", "Cannot write --log-file"],
  ["serve --port 0 --data-dir FILE/broken.toml", "it is a file, allowed is a folder"],
  ["serve --port 0 --bind 192.0.2.1 --token a-token-for-the-tests", '--bind is "192.0.2.1"'],
  ["check EMPTY", 'Cannot use key "": a key is not empty.'],
  ["check LONG -l api", "it is longer than 512 bytes"],
  ["check a\uFFFD -l api", 'an argument is "a\uFFFD", allowed is UTF-8 without U+FFFD'],
  ["check a -l api\uFFFD", 'an argument is "api\uFFFD", allowed is UTF-8 without U+FFFD'],
  ["check a --limit=api\uFFFD", 'an argument is "--limit=api\uFFFD", allowed is UTF-8'],
  ["limit check-all a b\uFFFD=1@api", 'an argument is "b\uFFFD=1@api", allowed is UTF-8'],
  ["check a -l nope", NO_LIMIT],
  ["check a -l api --cost 3", "cost 3 exceeds the capacity 2"],
  ["check a -l api --cost many", '--cost is "many"'],
  ["check a -l api --id LONG", "allowed is 1 to 64 printable ASCII characters"],
  ["check a -l api --cost -5", '--cost is "-5", allowed is a whole number from 0 to 2147483648'],
  ["check a -l api --cost", "--cost has no value, allowed is --cost N."],
  ["check a --cost -l api", '--cost has no value before "-l", allowed is --cost N, or --cost=-l.'],
  ["check a -l", "-l has no value, allowed is -l NAME."],
  ["check a --costs 5", '"--costs" is no option (did you mean "--cost"?)'],
  ["check a --json=yes", '--json is "yes", allowed is --json alone.'],
  ["check a --__proto__ 5", '"--__proto__" is no option'],
  ["check a --token a-token-for-the-tests", "--token is given, allowed is that only with --server"],
  ["check a --lock-timeout 5", '--lock-timeout is "5", allowed is a text with its unit, such as "5ms" or "5s"'],
  [
    "check a --server http://127.0.0.1:1 --lock-timeout 5s",
    "--lock-timeout is given, allowed is that only with a data",
  ],
  ["check a --timeout 5s", "--timeout is given, allowed is that only with --server"],
  ["check a --server http://127.0.0.1:1 --timeout 0s", '--timeout is "0s", allowed is a whole number of ms'],
  ["check a --data-dir FILE/none", "it is no data folder"],
  ["check a --server nowhere", 'url is "nowhere", allowed is an http or https URL'],
  ["check a -s localhost:18435", 'url is "localhost:18435", allowed is an http or https URL'],
  ["check a -s me:secret@localhost", 'url is "no URL", allowed is'],
  ["check a --hlp", '"--hlp" is no option (did you mean "--help"?)'],
  ["limit add x 5/minute\u00a0burst", 'burst is "", allowed is a whole number'],
  ["check a --server http://me:secret@nowhere", "without credentials"],
  ["check a --server http://127.0.0.1:1 --token a\u00e9", "token has other characters"],
  ["explain EMPTY", "a key is not empty"],
  ["explain a -l nope", NO_LIMIT],
  ["explain a -l api --cost 3", "exceeds the capacity"],
  ["monitor", "allowed is --server URL or SLUICE_SERVER"],
  ["monitor --data-dir nowhere", "allowed is a server, --server URL"],
  ["monitor --server nowhere", 'url is "nowhere"'],
  ["monitor --interval 1 --server http://127.0.0.1:1", "from 50 to 3600000"],
  ["limit add api 2/fortnight", 'period is "fortnight"'],
  ["limit add EMPTY 1/day", "a key is not empty"],
  ["limit add LONG 1/day", "it is longer than 512 bytes"],
  ["limit list --server nowhere", 'url is "nowhere"'],
  ["limit check a -l nope", NO_LIMIT],
  ["limit check-all EMPTY", "a key is not empty"],
  ["limit check-all a@nope", NO_LIMIT],
  ["limit check-all a@", 'the limit of "a" is "", allowed is a name, as in KEY=COST@LIMIT'],
  ["limit check-all a=1@", 'the limit of "a" is "", allowed is a name'],
  ["limit check-all @api", "a key is not empty"],
  ["limit check-all =1@api", "a key is not empty"],
  ["limit check-all b@x a@api=2", 'Cannot find the limit "x"'],
  [
    "limit check-all b@api a@api=2",
    'Cannot find the limit "api=2": a cost stands before the limit, as in KEY=COST@LIMIT.',
  ],
  ["limit check-all a@api a@api", "twice"],
  ["limit check-all a=3@api", "exceeds the capacity"],
  ["limit check-all a=99999999999@api", 'the cost of "a" is "99999999999", allowed is a whole number from 0'],
  ["limit check-all a=-1@api", 'the cost of "a" is "-1", allowed is a whole number from 0'],
  ["limit check-all b a=1.5", 'the cost of "a" is "1.5", allowed is a whole number from 0'],
  ["limit status EMPTY -l api", "a key is not empty"],
  ["limit status a -l nope", NO_LIMIT],
  ["limit refund x", 'RECEIPT is "x", allowed is what check --json printed'],
  ["limit refund -", 'RECEIPT is "", allowed is what check --json printed'],
  ["limit refund null", "Cannot refund: receipt is null"],
  [`limit refund ${RECEIPT} x`, 'UNITS is "x", allowed is a whole number'],
  [`limit refund ${RECEIPT} 6`, 'UNITS is "6", allowed is a whole number from 0 to 5'],
  [`limit refund {"id":"1.1","cost":5}`, "Cannot refund: receipt.key is undefined"],
  ['limit refund {"allowed":true,"limits":[null]}', "Cannot refund: receipt is null"],
  ['limit refund {"allowed":true,"limits":5,"receipt":"x"}', "Cannot refund: receipt is "],
  ['limit refund {"allowed":false}', "Cannot refund: the decision has no receipt"],
  ['limit settle {"allowed":false,"decisions":[{"allowed":false}]} 1', "Cannot settle: the decision has no receipt"],
  ["limit settle {} 1", "Cannot settle: receipt"],
  ["limit charge a x", 'UNITS is "x", allowed is a whole number'],
  ["limit charge a 1 -l nope", NO_LIMIT],
  ["limit reset EMPTY -l api", "a key is not empty"],
  ["limit reset a -l nope", NO_LIMIT],
  [
    "limit block a 30 -l api",
    'Cannot block: duration is "30", allowed is a text with its unit, such as "30ms" or "30s".',
  ],
  ["limit block a 0s -l api", 'duration is "0s", allowed is a whole number of ms'],
  ["limit block EMPTY 30s -l api", 'Cannot use key "": a key is not empty.'],
  ["limit block a 30s -l nope", NO_LIMIT],
  ["limit unblock EMPTY -l api", 'Cannot use key "": a key is not empty.'],
  ["limit unblock LONG -l api", "it is longer than 512 bytes"],
  ["limit unblock a -l nope", NO_LIMIT],
  ["limit remove nope", NO_LIMIT],
  ["limit history EMPTY -l api", "a key is not empty"],
  ["limit history a -l nope", NO_LIMIT],
  ["limit history a -l api -n 0", "--count is"],
  ["limit top -l nope", NO_LIMIT],
  ["limit top --by most", "allowed is one of denied, allowed"],
  ["log tail -n x", "--count is"],
  ["log tail --server nowhere", 'url is "nowhere"'],
  ["log verify --data-dir FILE/none", "it is no data folder"],
  ["log compact --data-dir FILE/none", "it is no data folder"],
  ["log compact --history-segments 10001", '--history-segments is "10001", allowed is a whole number from 0 to 10000'],
  ["log compact --keep-stats 30", '--keep-stats is "30", allowed is a text with its unit'],
  [
    "log compact --server http://127.0.0.1:1 --keep-stats 1d",
    "--keep-stats is given, allowed is that only with a data folder",
  ],
  [
    "log compact --server http://127.0.0.1:1 --no-names",
    "--no-names is given, allowed is that only with a data folder",
  ],
  ["log export --format xml", "allowed is one of jsonl, csv"],
  [
    "log export --server http://127.0.0.1:1",
    '"--server" is no option here: a server tells no log as a whole, and on Workers each key has its own, allowed is a data folder',
  ],
  ["repair --yes --data-dir FILE/none", "it is no data folder"],
  ["repair --server http://127.0.0.1:1", '"--server" is no option'],
  ["doctor --data-dir FILE/none", "it is no data folder"],
  ["doctor --server nowhere", 'url is "nowhere"'],
  ["clear", "allowed is with --yes"],
  ["clear --yes -l nope", NO_LIMIT],
  ["simulate --policy 2/fortnight", 'period is "fortnight"'],
  ["simulate --duration 3", 'Cannot simulate: duration is "3"'],
  ["simulate --lease 5 --ttl 30", 'lease.ttl is "30"'],
  ["simulate --keys 0", "keys is 0"],
  ["simulate --locations 100000000", '--locations is "100000000", allowed is a whole number from 1 to 1000'],
  ["simulate --locations 1000 --isolates 101", "isolates in all is 101000, allowed is 1 to 100000"],
  ["simulate --ttl 2s", "--ttl is given, allowed is that only with --lease"],
  ["simulate --auto", "--auto is given, allowed is that only with --lease"],
  ["simulate --skew 1e1", '--skew is "1e1", allowed is a number from 0 to 10'],
  ["completion csh", "allowed is one of bash, zsh, fish"],
]

/** What is no command, and what is offered in its place. */
const NO_COMMANDS = [
  ["--hlp", '"--hlp" is no command (did you mean "--help"?)'],
  ["chekc a", '"chekc" is no command (did you mean "check"?)'],
  ["limt add a 1/day", '"limt" is no command (did you mean "limit add"?)'],
  ["block a 5s", '"block" is no command (did you mean "limit block"?)'],
  ["limit ad", '"limit ad" is no command (did you mean "limit add"?), allowed are limit add'],
  ["help chekc", '"chekc" is no command (did you mean "check"?)'],
  ["log exprt", "allowed are log tail, log verify, log compact, log export. sluice log --help lists them."],
  ["nothing", '"nothing" is no command. sluice --help lists them.'],
]

describe("exit codes", () => {
  test.each(BAD_INPUT)("2 where the input is bad: %s", async (line, message) => {
    const words: Readonly<Record<string, string>> = { EMPTY: "", LONG }
    const args = line.split(" ").map((word) => words[word] ?? word.replace("FILE", scratch.path))
    const { code, err, out } = await sluice(...args)
    expect({ code, err, out }).toEqual({ code: 2, err: expect.stringContaining(message), out: "" })
  })

  test.each(NO_COMMANDS)("2 where there is no such command: %s", async (line, message) => {
    expect(await sluice(...line.split(" "))).toEqual({ code: 2, err: expect.stringContaining(message), out: "" })
  })

  test.each(["limit", "log"])("%s alone tells its commands, as help where that is asked", async (group) => {
    const told = await sluice(group, "--help")
    const own = COMMANDS.filter(({ name }) => name.startsWith(`${group} `))
    expect(told).toMatchObject({ code: 0, err: "" })
    for (const { name, usage, summary, examples } of own) {
      expect(told.out.split("\n").map((line) => line.replace(/ {2,}/g, "  "))).toContain(
        `  ${name}${usage === "" ? "" : ` ${usage}`}  ${summary}`,
      )
      expect(told.out).toContain(`\n  ${examples[0]}\n`)
    }
    for (const line of [
      ["help", group],
      [group, "help"],
      [group, "-h"],
      [group, "--no-color", "--help"],
    ]) {
      expect(await sluice(...line)).toEqual(told)
    }
    expect(await sluice(group)).toEqual({ code: 2, out: "", err: told.out })
    const { code, out, err } = await sluice(group, "--json")
    expect({ code, out, ...JSON.parse(err) }).toMatchObject({ code: "USAGE", out: "", error: expect.any(String) })
    expect((await sluice(group, "--json")).code).toBe(2)
  })

  test("1 where the clock tells no time, which is no fault of what was typed", async () => {
    vi.useFakeTimers({ toFake: ["Date"], now: -1 })
    try {
      const { code, err } = await sluice("check", "a", "-l", "api", "--json")
      expect(code).toBe(1)
      expect(JSON.parse(err)).toEqual({ code: "FAILED", error: expect.stringContaining("nowMs is -1") })
      expect((await sluice("serve", "--port", "0")).code).toBe(1)
    } finally {
      vi.useRealTimers()
    }
  })

  test("help alone is what --help tells", async () => {
    const told = await sluice("--help")
    expect(told).toMatchObject({ code: 0, err: "" })
    for (const line of [["help"], ["-h"], ["help", "--no-color"]]) expect(await sluice(...line)).toEqual(told)
    expect(await sluice()).toEqual({ code: 2, out: "", err: told.out })
  })

  test("help of a command is what its --help tells", async () => {
    const told = await sluice("help", "limit", "add")
    expect(told).toEqual(await sluice("limit", "add", "--help"))
    expect(told).toEqual(await sluice("limit", "help", "add"))
    expect(told).toMatchObject({ code: 0, out: expect.stringContaining("sluice limit add NAME POLICY") })
  })

  test("log export asks no folder by default where a server is set for all commands", async () => {
    const env = { SLUICE_SERVER: "http://127.0.0.1:1" }
    expect(await run(["log", "export"], { env })).toEqual({
      code: 2,
      out: "",
      err: expect.stringContaining("Cannot ask SLUICE_SERVER: a server tells no log as a whole"),
    })
    const folder = scratch.file("data")
    expect((await run(["log", "export", "--data-dir", folder], { env })).code).toBe(0)
    expect((await run(["log", "export"], { env: { ...env, SLUICE_DATA_DIR: folder } })).code).toBe(0)
  })

  test.each([[[]], [["--yes"]]])("repair %s asks no folder by default where a server is set", async (options) => {
    const env = { SLUICE_SERVER: "http://127.0.0.1:1" }
    expect(await run(["repair", ...options], { env })).toEqual({
      code: 2,
      out: "",
      err: expect.stringContaining("Cannot ask SLUICE_SERVER: a repair is of a folder that nobody has open"),
    })
    expect((await run(["repair", ...options], { env: { ...env, SLUICE_DATA_DIR: scratch.file("data") } })).code).toBe(0)
  })

  test("an empty variable is as good as none", async () => {
    const empty = { SLUICE_SERVER: "", SLUICE_DATA_DIR: "", SLUICE_TOKEN: "" }
    const defaultFolder = { code: 2, err: expect.stringContaining('Cannot open "sluice-data": it is no data folder') }
    expect(await run(["limit", "list"], { env: empty })).toMatchObject(defaultFolder)
    expect(await run(["log", "export"], { env: empty })).toMatchObject(defaultFolder)
    const { err } = await run(["limit", "list"], { env: { ...empty, SLUICE_SERVER: "nowhere" } })
    expect(err).toContain('url is "nowhere"')
  })

  test("every command is among those that were given bad input", () => {
    const tried = BAD_INPUT.map(([line]) => line)
    for (const { name } of COMMANDS) expect(tried.filter((line) => line.startsWith(name))).not.toEqual([])
  })

  test("1 where the input is good and the work fails", async () => {
    // A port of nobody's.
    const err = expect.stringMatching(
      /^error: Cannot reach the store: the server http:\/\/127\.0\.0\.1:1 did not answer: \w.*\.\n$/,
    )
    const typed = ["--server", "http://127.0.0.1:1/base", "--token", "a-token-of-somebody"]
    expect(await sluice("check", "a", ...typed)).toMatchObject({ code: 1, err })
    expect(await sluice("log", "tail", "--follow", ...typed)).toMatchObject({ code: 1, err })
  })

  const refused = (what: string) => Object.assign(new Error(`EACCES: permission denied, ${what}`), { code: "EACCES" })

  test.each(["check a", "init", "repair", "log export"])(
    "2 where this user may not look into the folder: %s",
    async (line) => {
      const path = scratch.file("data")
      vi.spyOn(fs, "readdirSync").mockImplementation(() => {
        throw refused(`scandir '${path}'`)
      })
      syncBuiltinESMExports()
      try {
        const err = `error: Cannot open "${path}": this user may not.\n`
        expect(await sluice(...line.split(" "), "--data-dir", path)).toMatchObject({ code: 2, err })
      } finally {
        vi.restoreAllMocks()
        syncBuiltinESMExports()
      }
    },
  )

  test("2 where this user may not listen at the port of serve", async () => {
    vi.spyOn(Server.prototype, "listen").mockImplementation(function (this: Server) {
      process.nextTick(() => this.emit("error", refused("listen")))
      return this
    })
    try {
      expect(await sluice("serve", "--port", "80")).toMatchObject({
        code: 2,
        err: "error: Cannot serve on 127.0.0.1:80: this user may not; --port names another, from 1024 on as a rule any user may.\n",
      })
    } finally {
      vi.restoreAllMocks()
    }
  })

  test("3 where a check is denied", async () => {
    for (const code of [0, 0, 3]) expect(await sluice("check", "spent", "-l", "api")).toMatchObject({ code })
  })

  test.each([
    ["check EMPTY --json", "KEY_INVALID"],
    ["check a -l nope --json", "LIMIT_NOT_FOUND"],
    ["check a -l api --cost 3 --json", "COST_ABOVE_CAPACITY"],
    ["limit add api 2/fortnight --json", "POLICY_INVALID"],
    ["limit block a 30 -l api --json", "OUT_OF_RANGE"],
    ["check a --cost x --json", "USAGE"],
  ])("a machine reads which input is bad: %s", async (line, code) => {
    const { err } = await sluice(...line.split(" ").map((word) => (word === "EMPTY" ? "" : word)))
    expect(JSON.parse(err)).toEqual({ error: expect.stringMatching(/^Cannot /), code })
  })

  test("a failed init leaves nothing behind", async () => {
    const config = scratch.file("left.toml")
    writeFileSync(scratch.file("a-file"), "")
    expect((await sluice("init", "--data-dir", scratch.file("a-file/data"), "--config", config)).code).not.toBe(0)
    expect((await sluice("init", "--data-dir", scratch.file("other"), "--config", config)).code).toBe(0)
  })
})
