import { expect, test } from "vitest"
import { inNameOrder } from "../../src/lib/name-order.js"

test("inNameOrder() sorts as the bytes of the names' UTF-8", () => {
  const names = ["\u{10000}", "\ue000", "ab", "\uffff", "a", "b", "", "\u{1f600}a", "\u{1f600}", "é", "\ud7ff"]
  const bytesOf = (name: string) => Buffer.from(name, "utf8")
  expect(names.toSorted(inNameOrder)).toEqual(names.toSorted((a, b) => Buffer.compare(bytesOf(a), bytesOf(b))))
  expect(inNameOrder("a", "a")).toBe(0)
})
