import { parseItem } from "structured-headers"
import { describe, expect, test } from "vitest"
import { MAX_SF_INTEGER, sfBytes, sfInteger, sfString } from "../../src/http/structured-field.js"

describe("sfInteger()", () => {
  test.each([
    [0, 0],
    [1.2, 2],
    [-5, 0],
    [2 ** 31, 2 ** 31],
    [Number.MAX_SAFE_INTEGER, MAX_SF_INTEGER],
    [Number.POSITIVE_INFINITY, MAX_SF_INTEGER],
  ])("writes %s as %s", (value, written) => {
    expect(parseItem(sfInteger(value))[0]).toBe(written)
  })

  test("refuses NaN", () => {
    expect(() => sfInteger(Number.NaN)).toThrow(RangeError)
    expect(() => sfInteger(undefined as unknown as number)).toThrow("the value is undefined")
  })
})

describe("sfString()", () => {
  test.each(["default", "", 'say "hi"', "back\\slash", '\\"', "a;b,c=d"])("carries %j through a parser", (text) => {
    expect(parseItem(sfString(text))[0]).toBe(text)
  })

  test.each(["é", "a\nb", "a\r\nSet-Cookie: x", "\u007f", "\0"])("refuses %j", (text) => {
    expect(() => sfString(text)).toThrow(RangeError)
  })
})

describe("sfBytes()", () => {
  test("carries every byte through a parser", () => {
    const bytes = Uint8Array.from({ length: 256 }, (_, byte) => byte)
    expect(new Uint8Array(parseItem(sfBytes(bytes))[0] as ArrayBuffer)).toEqual(bytes)
  })
})
