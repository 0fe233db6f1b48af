import { describe, expect, test } from "vitest"
import { benchModule } from "./bench-module.js"

interface Range {
  minimum: number
  maximum: number
  whole: boolean
}

const { readList, readNumber, readOptions, UsageError } = await benchModule<{
  readList(name: string, text: string, allowed: readonly string[]): string[]
  readNumber(name: string, text: string, range: Range): number
  readOptions(args: readonly string[], options: object): Record<string, unknown>
  UsageError: new () => Error
}>("lib/options.mjs")

describe("readNumber()", () => {
  const range = { minimum: 1, maximum: 10, whole: true }

  test("takes both ends of the range", () => {
    expect([readNumber("--rounds", "1", range), readNumber("--rounds", "10", range)]).toEqual([1, 10])
  })

  test.each(["0", "11", "2.5", "", " ", "x", "NaN", "1e9"])("refuses %j, naming option, value and range", (text) => {
    expect(() => readNumber("--rounds", text, range)).toThrow(UsageError)
    expect(() => readNumber("--rounds", text, range)).toThrow(
      `Cannot read --rounds: it is ${JSON.stringify(text)}, allowed is a whole number from 1 to 10.`,
    )
  })

  test("takes fractions where they are allowed", () => {
    expect(readNumber("--seconds", "2.5", { ...range, whole: false })).toBe(2.5)
  })
})

test("readList() takes each member once and refuses unknown ones by name", () => {
  expect(readList("--only", "b, a,b", ["a", "b"])).toEqual(["b", "a"])
  expect(() => readList("--only", "a,c", ["a", "b"])).toThrow('it names "c", allowed are a, b')
})

test("readOptions() refuses an option that does not exist", () => {
  expect(() => readOptions(["--round", "3"], { rounds: { type: "string" } })).toThrow(UsageError)
})
