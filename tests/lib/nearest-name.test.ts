import { describe, expect, test } from "vitest"
import { nearestName, nearestNameHint } from "../../src/lib/nearest-name.js"

const FIELDS = ["limit", "period", "algorithm", "burst", "refill", "anchor", "offset", "block", "name"]

describe("nearestName()", () => {
  test.each([
    ["bursts", "burst"],
    ["brust", "burst"],
    ["urst", "burst"],
    ["birst", "burst"],
    ["LIMIT", "limit"],
    ["algoritm", "algorithm"],
    ["algo-rithms", "algorithm"],
    ["preiod", "period"],
    ["nam", "name"],
    ["offsett", "offset"],
  ])("takes %j for %j", (name, known) => {
    expect(nearestName(name, FIELDS)).toBe(known)
  })

  test.each(["", "rate", "per", "window", "constructor", "__proto__", "al", "Name it", "🙂"])(
    "finds nothing near %j",
    (name) => {
      expect(nearestName(name, FIELDS)).toBeNull()
    },
  )

  test("prefers fewer edits, then the first known", () => {
    expect(nearestName("abcdef", ["abcxyf", "abcdxf"])).toBe("abcdxf")
    expect(nearestName("abcdef", ["abcdxf", "abcxef"])).toBe("abcdxf")
  })

  test("takes nothing for a name of one character", () => {
    expect(nearestName("y", ["ms", "s", "m", "h"])).toBeNull()
    expect(nearestName("sm", ["ms", "s", "m", "h"])).toBe("ms")
  })

  test("allows an edit for each four characters of the known name, and at most three", () => {
    expect(nearestName("abcdefghixxx", ["abcdefghijkl"])).toBe("abcdefghijkl")
    expect(nearestName("abcdefghxxxx", ["abcdefghijkl"])).toBeNull()
    expect(nearestName("abcxx", ["abcde"])).toBeNull()
  })

  test("knows nothing where nothing is known", () => {
    expect(nearestName("limit", [])).toBeNull()
  })
})

describe("nearestNameHint()", () => {
  test("asks for the nearest name, or says nothing", () => {
    expect(nearestNameHint("bursts", FIELDS)).toBe(' (did you mean "burst"?)')
    expect(nearestNameHint("window", FIELDS)).toBe("")
  })
})
