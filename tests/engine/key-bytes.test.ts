import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { MAX_KEY_BYTES } from "../../src/engine/core-exports.js"
import { requireKey, writeKey } from "../../src/engine/key-bytes.js"
import { KeyError } from "../../src/types/errors.js"
import { SEED } from "./random.js"

const encoder = new TextEncoder()

/** Texts of any characters, of lengths around where the ways of writing change. */
const texts = fc
  .tuple(
    fc.oneof(
      fc.string({ unit: "binary", maxLength: 40 }),
      fc.string({ unit: "binary-ascii", maxLength: 40 }),
      fc.string({ unit: "grapheme", maxLength: 40 }),
      // Any UTF-16 code units, lone surrogates too.
      fc.array(fc.nat(0xffff), { maxLength: 30 }).map((units) => String.fromCharCode(...units)),
    ),
    fc.constantFrom(1, 1, 1, 5, 13, 20, 40),
  )
  .map(([text, times]) => text.repeat(times))

describe("writeKey()", () => {
  test("writes the key's UTF-8, or refuses it, for any text", () => {
    const property = fc.property(texts, (text) => {
      const view = new Uint8Array(MAX_KEY_BYTES).fill(0xee)
      const expected = encoder.encode(text)
      if (text === "" || expected.length > MAX_KEY_BYTES || !text.isWellFormed()) {
        expect(() => writeKey(text, view)).toThrow(KeyError)
        expect(() => requireKey(text)).toThrow(KeyError)
        return
      }
      const length = writeKey(text, view)
      expect([...view.subarray(0, length)]).toEqual([...expected])
      requireKey(text)
    })
    fc.assert(property, { numRuns: 20_000, seed: SEED })
  })

  test.each([
    ["an empty text", "", 'Cannot use key "": a key is not empty.'],
    ["513 bytes of ASCII", "x".repeat(513), "it is longer than 512 bytes of UTF-8"],
    ["256 characters of 513 bytes", `${"é".repeat(255)}€`, "it is longer than 512 bytes of UTF-8"],
    ["a lone surrogate in a short text", "a\ud800", "it holds a lone surrogate"],
    ["a lone surrogate at the end of 510 bytes", `${"x".repeat(509)}\udfff`, "it holds a lone surrogate"],
    ["a number", 7, "Cannot use key 7: a key is a string."],
    ["nothing", undefined, "Cannot use key undefined: a key is a string."],
    ["a String object", Object("a"), "a key is a string"],
  ])("refuses %s, and says why", (_, key, message) => {
    const call = () => writeKey(key as string, new Uint8Array(MAX_KEY_BYTES))
    expect(call).toThrow(KeyError)
    expect(call).toThrow(message)
  })

  test("fills 512 bytes to the last, by each way of writing", () => {
    const view = new Uint8Array(MAX_KEY_BYTES)
    expect(writeKey("x".repeat(512), view)).toBe(512)
    expect(view[511]).toBe(0x78)
    expect(writeKey("é".repeat(256), view)).toBe(512)
    expect(view[511]).toBe(0xa9)
    expect(writeKey("🔑".repeat(128), view)).toBe(512)
    expect(view[511]).toBe(0x91)
  })
})
