import { execFileSync, spawnSync } from "node:child_process"
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { ALGORITHMS } from "sluice"
import { describe, expect, test } from "vitest"
import { compare } from "../../examples/compare-algorithms/compare.ts"
import { drawSvg, drawText } from "../../examples/compare-algorithms/draw.ts"
import { busiest, madeUpBursts, readAccessLog } from "../../examples/compare-algorithms/traffic.ts"

const root = join(import.meta.dirname, "..", "..")
const program = join(root, "examples", "compare-algorithms", "index.ts")
/** A real log, where there is one: it is no part of the project. */
const { SLUICE_ACCESS_LOG: LOG = join(root, "..", "shared", "data", "access.log") } = process.env

const line = (address: string, time: string) => `${address} - - [${time}] "GET / HTTP/1.1" 200 1 "-" "-"`

describe("examples/compare-algorithms", () => {
  const limit = { limit: 20, periodMs: 60_000 }
  const arrivals = madeUpBursts()
  const outcomes = compare(arrivals, limit)
  const of = (algorithm: string) => outcomes.find((each) => each.algorithm === algorithm)!

  test("shows what tells the algorithms apart", () => {
    expect(outcomes.map(({ algorithm }) => algorithm)).toEqual([...ALGORITHMS])
    // Those with an arrival time admit the same calls; a log never more than the limit in any period, a fixed window
    // more.
    expect(of("token_bucket").admitted).toEqual(of("gcra").admitted)
    expect(of("leaky_bucket").admitted).toEqual(of("gcra").admitted)
    expect(of("sliding_window_log").mostInAPeriod).toBe(20)
    expect(of("fixed_window").mostInAPeriod).toBeGreaterThan(30)
    expect(of("gcra").mostInAPeriod).toBeLessThanOrEqual(40)
  })

  test("drawText() draws a row for each, as wide as asked", () => {
    const lines = drawText({ title: "T", arrivals, outcomes, limit }, 60).split("\n")
    expect(lines).toHaveLength(10)
    expect(lines.find((each) => each.startsWith("sliding_window_log"))).toMatch(/^.{79} +40 +20$/u)
  })

  test("drawSvg() draws a line for each request, and escapes its title", () => {
    const svg = drawSvg({ title: "<script>", arrivals, outcomes, limit })
    expect(svg).toMatch(/^<svg xmlns="http:\/\/www.w3.org\/2000\/svg" viewBox="0 0 1100 334"/)
    expect(svg.match(/M[\d.]+ \d+v-\d+/g)).toHaveLength(arrivals.length * ALGORITHMS.length)
    expect(svg).not.toContain("<script>")
  })

  test("readAccessLog() reads times with their zones and spreads a second's requests over it", () => {
    const text = [
      line("192.0.2.2", "17/May/2015:12:05:04 +0200"),
      line("192.0.2.1", "17/May/2015:10:05:03 +0000"),
      line("192.0.2.1", "17/May/2015:10:05:03 +0000"),
      "",
    ].join("\n")
    const secondMs = Date.UTC(2015, 4, 17, 10, 5, 3)
    expect(readAccessLog(text)).toEqual([
      { atMs: secondMs, key: "192.0.2.1" },
      { atMs: secondMs + 500, key: "192.0.2.1" },
      { atMs: secondMs + 1_000, key: "192.0.2.2" },
    ])
    expect(busiest(readAccessLog(text))).toBe("192.0.2.1")
    expect(() => readAccessLog("hello")).toThrow("Cannot read line 1")
  })

  test("the program draws made-up bursts", () => {
    const folder = mkdtempSync(join(tmpdir(), "sluice-compare-"))
    try {
      const svg = join(folder, "out.svg")
      const text = execFileSync(process.execPath, [program, "--svg", svg], { encoding: "utf8" })
      expect(text).toContain("Made-up bursts: 20 per 60 s and client")
      expect(readFileSync(svg, "utf8")).toContain("</svg>")
    } finally {
      rmSync(folder, { recursive: true })
    }
  })

  test("the program tells in a line what is wrong with what it was given", () => {
    const folder = mkdtempSync(join(tmpdir(), "sluice-compare-"))
    try {
      const wrong = join(folder, "wrong.log")
      writeFileSync(wrong, `${line("192.0.2.1", "17/May/2015:10:05:03 +0000")}\nhel\u001blo\n`)
      const empty = join(folder, "empty.log")
      writeFileSync(empty, "\n")
      for (const [args, message] of [
        [["--log", wrong], 'Cannot read line 2 of the access log: "hel\\u001blo".'],
        [["--log", empty], "Cannot compare: the access log has no request."],
        [["--log", join(folder, "none.log")], "ENOENT: no such file or directory"],
        [["--limit", "many"], "Cannot make a policy: limit is NaN"],
        [["--limits", "5"], "Unknown option '--limits'"],
      ] as const) {
        const { status, stdout, stderr } = spawnSync(process.execPath, [program, ...args], { encoding: "utf8" })
        expect({ status, stdout, stderr }).toEqual({ status: 2, stdout: "", stderr: expect.stringContaining(message) })
        expect(stderr.trimEnd()).not.toContain("\n")
      }
    } finally {
      rmSync(folder, { recursive: true })
    }
  })

  const missing = existsSync(LOG) ? "" : ` (skipped: there is no ${LOG}; SLUICE_ACCESS_LOG names another)`
  test.skipIf(missing !== "")(`the program draws a real access log${missing}`, () => {
    const text = execFileSync(process.execPath, [program, "--log", LOG, "--limit", "10"], { encoding: "utf8" })
    const total = readAccessLog(readFileSync(LOG, "utf8")).length
    const rows = [...text.matchAll(/^ {2}(\w+) +(\d+) admitted, (\d+) denied, peak (\d+)$/gm)]
    expect(rows.map(([, algorithm]) => algorithm)).toEqual([...ALGORITHMS])
    for (const [, , admitted, denied] of rows) expect(Number(admitted) + Number(denied)).toBe(total)
    expect(Number(rows.at(-1)![4])).toBeLessThanOrEqual(10)
  })
})
