import { describe, expect, test, vi } from "vitest"
import { percentDecoded } from "../../../src/http/keys/percent-decoded.js"

describe("percentDecoded()", () => {
  test.each([
    ["caf%C3%A9", "caf\u00e9"],
    ["%41%2fb+c", "A/b+c"],
    ["%", "%"],
    ["100%", "100%"],
    ["%4", "%4"],
    ["%zz%41", "%zz%41"],
    ["%ff", "%ff"],
    ["%C3", "%C3"],
    ["", ""],
  ])("of %j is %j", (text, decoded) => {
    expect(percentDecoded(text)).toBe(decoded)
  })

  test("throws no error, not even within, where a percent sign has no two digits after it", () => {
    const decode = vi.spyOn(globalThis, "decodeURIComponent")
    for (const text of ["%", "%a", "%41%", "%zz"]) percentDecoded(text)
    expect(decode).not.toHaveBeenCalled()
    decode.mockRestore()
  })
})
