import { createHash, getRandomValues } from "node:crypto"
import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { GrowingHash } from "../../src/ledger/growing-hash.js"

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex")
const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex")
const ascii = (text: string) => new TextEncoder().encode(text)

describe("GrowingHash", () => {
  // FIPS 180-4's own examples.
  test.each([
    ["", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"],
    ["abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"],
    [
      "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
      "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
    ],
    ["a".repeat(1_000_000), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"],
  ])("hashes a text as the standard does", (text, expected) => {
    const bytes = ascii(text)
    expect(hex(new GrowingHash().of(bytes, bytes.length))).toBe(expected)
    expect(hex(new GrowingHash().of(bytes, 0))).toBe(expected)
  })

  test("hashes every length up to three blocks", () => {
    const bytes = getRandomValues(new Uint8Array(3 * 64 + 1))
    for (let length = 0; length <= bytes.length; length++) {
      const some = bytes.subarray(0, length)
      expect(hex(new GrowingHash().of(some, length)), `${length} bytes`).toBe(sha256(some))
    }
  })

  const grows = fc.array(fc.tuple(fc.nat(700), fc.nat(60)), { minLength: 1, maxLength: 20 })

  test.each([
    ["by itself", {}],
    ["with a platform's own hash", { sha256Now: (bytes: Uint8Array) => createHash("sha256").update(bytes).digest() }],
  ])("hashes bytes that grow, with an end that is another each time, %s", (_, platform) => {
    fc.assert(
      fc.property(grows, (steps) => {
        const hash = new GrowingHash(platform)
        const bytes = new Uint8Array(20 * 700 + 60)
        let length = 0
        for (const [more, end] of steps) {
          getRandomValues(bytes.subarray(length, length + more + end))
          length += more
          const row = bytes.subarray(0, length + end)
          expect(hex(hash.of(row, length))).toBe(sha256(row))
        }
      }),
    )
  })

  test("asks the platform only where much is new", () => {
    let asked = 0
    const hash = new GrowingHash({
      sha256Now: (bytes) => {
        asked += 1
        return createHash("sha256").update(bytes).digest()
      },
    })
    hash.of(new Uint8Array(500), 500)
    hash.of(new Uint8Array(900), 900)
    expect(asked).toBe(0)
    hash.of(new Uint8Array(3_000), 3_000)
    expect(asked).toBe(1)
  })
})
