import { expect, test } from "vitest"
import { RecentTexts } from "../../src/lib/recent-texts.js"

test("RecentTexts remembers the last ones, at most twice as many, and what is added again for longer", () => {
  const recent = new RecentTexts(2)
  const remembered = () => ["a", "b", "c", "d", "e"].filter((text) => recent.has(text)).join("")
  for (const text of ["a", "b", "c"]) expect(recent.add(text)).toBe(false)
  expect(remembered()).toBe("abc")
  expect(recent.add("c")).toBe(true)
  expect(recent.add("a")).toBe(true)
  expect(recent.add("d")).toBe(false)
  expect(remembered()).toBe("acd")
  expect(recent.add("e")).toBe(false)
  expect(remembered()).toBe("acde")
  // Remembered still, though adding it drops the generation that it was of.
  expect(recent.add("c")).toBe(true)
  expect(remembered()).toBe("cde")
})
