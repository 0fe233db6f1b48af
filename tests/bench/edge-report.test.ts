import { describe, expect, test } from "vitest"
import { benchModule } from "./bench-module.js"

interface Contender {
  name: string
  label: string
}
interface Ratio {
  of: string
  to: string
  workload: string
  connections: number
  median: number
  goal: number | null
}
const { ratios, reportText, summarizeSamples } = await benchModule<{
  ratios(samples: readonly object[]): Ratio[]
  reportText(report: object): string
  summarizeSamples(samples: readonly object[], contenders: readonly Contender[]): object[]
}>("edge/report.mjs")
const { CONTENDERS } = await benchModule<{ CONTENDERS: readonly Contender[] }>("edge/contenders.mjs")
const { rowsBetween } = await benchModule<{
  rowsBetween(before: object, after: object, answered: number): { rowsWritten: number; rowsPerCheck: number }
}>("edge/read-rows-written.mjs")

const cells = [
  ["hot", 1],
  ["hot", 32],
  ["keys", 1],
  ["keys", 32],
] as const

function samplesOf(contender: string, rates: readonly number[], rowsPerCheck: number | null): object[] {
  return rates.flatMap((requestsPerSecond, index) =>
    cells.map(([workload, connections]) => ({
      round: index + 1,
      workload,
      connections,
      contender,
      load: { requestsPerSecond, p50Ms: 1, p99Ms: 2, generatorBusy: 0.95 },
      rows: rowsPerCheck === null ? null : { rowsPerCheck, callsPerCheck: 0.25 },
    })),
  )
}

function textOf(samples: readonly object[], skipped: ReadonlyMap<string, string>): string {
  const summaries = summarizeSamples(samples, CONTENDERS)
  return reportText({ summaries, found: ratios(samples), contenders: CONTENDERS, skipped, facts: ["a fact"] })
}

const others = ["plain", "memory", "insert"].flatMap((name) => samplesOf(name, [100, 200, 400], null))

describe("ratios()", () => {
  test("divides within each round before it takes the median", () => {
    // The medians alone would give 300 / 200.
    const found = ratios([...others, ...samplesOf("sluice", [300, 200, 1200], 0.1)])
    const hot = found.find((ratio) => ratio.to === "insert" && ratio.workload === "hot" && ratio.connections === 32)
    expect(hot).toMatchObject({ of: "sluice", median: 3, minimum: 1, maximum: 3, goal: 2.5 })
  })

  test("compares with nobody where sluice did not run", () => {
    expect(ratios(others)).toEqual([])
  })
})

describe("reportText()", () => {
  test("shows a contender that did not run with its reason, in every table", () => {
    const reason = "skipped: dist/worker/limiter-object.js not built"
    const text = textOf(
      others,
      new Map([
        ["sluice", reason],
        ["sluice-denied", reason],
      ]),
    )
    expect(
      text.match(/\(d\) sluice, always, admitted +skipped: dist\/worker\/limiter-object\.js not built/g),
    ).toHaveLength(4)
    expect(text).toContain("Ratios: none")
  })

  test("says which goals are reached and which are missed, of ratios and of rows", () => {
    const denied = samplesOf("sluice-denied", [50, 100, 200], 0.5)
    const text = textOf([...others, ...samplesOf("sluice", [300, 600, 1200], 0.1), ...denied], new Map())
    expect(text).toContain("reaches 2.5")
    expect(text).toContain("MISSES 0.8")
    expect(text).toContain("0.1000 (most 0.1000, within 0.2)")
    expect(text).toContain("0.5000 (most 0.5000, ABOVE 0)")
    expect(text).toContain("0.2500 (most 0.2500, ABOVE 0.01)")
  })

  test("marks figures that the load generator may have set", () => {
    expect(textOf([...others, ...samplesOf("sluice", [1, 1, 1], 0)], new Map([["sluice-denied", "-"]]))).toContain(
      "95 % !",
    )
  })
})

test("rowsBetween() counts cached denials, which no object saw, as checks", () => {
  const before = { admitted: 1, denied: 0, rowsWritten: 3, commits: 1 }
  const after = { admitted: 1, denied: 2, rowsWritten: 4, commits: 2 }
  expect(rowsBetween(before, after, 100)).toMatchObject({ rowsWritten: 1, rowsPerCheck: 0.01 })
})
