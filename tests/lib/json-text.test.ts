import { expect, test } from "vitest"
import { jsonText } from "../../src/lib/json-text.js"

test("jsonText() is JSON in ASCII, which reads back as it was", () => {
  const value = { key: "é\u2028\u{1f600}\u007f\u001b", list: [1, null] }
  expect(jsonText(value)).toMatch(/^[\x20-\x7e]*$/)
  expect(JSON.parse(jsonText(value))).toEqual(value)
})
