import { expect, test } from "vitest"
import { fnv1a } from "../../src/lib/fnv1a.js"

// The 32-bit test vectors of draft-eastlake-fnv.
test.each([
  ["", 0x811c9dc5],
  ["a", 0xe40c292c],
  ["foobar", 0xbf9cf968],
])("fnv1a(%j) is as the function's authors say", (text, hash) => {
  expect(fnv1a(text) >>> 0).toBe(hash)
})

test("fnv1a() takes what counts from a unit on, and another begin gives another hash", () => {
  expect(fnv1a("xyfoobar", undefined, 2)).toBe(fnv1a("foobar"))
  expect(fnv1a("foobar", 1)).not.toBe(fnv1a("foobar"))
})
