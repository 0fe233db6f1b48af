import { expect, test } from "vitest"
import { RecentTexts } from "../../src/api/recent-texts.js"

test("RecentTexts forgets the one first that was not added for longest", () => {
  const recent = new RecentTexts(2)
  for (const text of ["a", "b", "a", "c"]) recent.add(text)
  expect(["a", "b", "c"].filter((text) => recent.has(text))).toEqual(["a", "c"])
})
