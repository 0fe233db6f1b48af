import { describe, expect, test } from "vitest"
import { cutText } from "../../src/cli/plain-text.js"
import { textWidth } from "../../src/cli/text-width.js"

describe("textWidth()", () => {
  test.each([
    ["", 0],
    ["user:42", 7],
    ["é", 1],
    // The accent is a character of its own.
    ["e\u0301", 1],
    ["ключ", 4],
    ["用户", 4],
    ["カギ", 4],
    // Half as wide.
    ["ｶｷﾞ", 3],
    ["키", 2],
    // The same, of three letters.
    ["\u110f\u1175", 2],
    ["ＡＢ", 4],
    ["𠀋", 2],
    ["🔑", 2],
    ["★…█", 3],
    ["①", 1],
    ["🇨🇭", 2],
  ])("is what a terminal takes for %j", (text, width) => {
    expect(textWidth(text)).toBe(width)
  })
})

describe("cutText()", () => {
  test.each([
    ["用户標識", 8, "用户標識"],
    ["用户標識", 7, "用户標…"],
    ["用户標識", 6, "用户…"],
    ["a用户", 4, "a用…"],
    ["e\u0301e\u0301e\u0301", 3, "e\u0301e\u0301e\u0301"],
    ["e\u0301e\u0301e\u0301", 2, "e\u0301…"],
    ["abc", 1, "…"],
  ])("cuts %j to %i columns", (text, width, cut) => {
    expect(cutText(text, width)).toBe(cut)
    expect(textWidth(cut)).toBeLessThanOrEqual(width)
  })
})
