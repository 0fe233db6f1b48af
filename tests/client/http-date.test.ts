import { describe, expect, test } from "vitest"
import { parseHttpDate } from "../../src/client/http-date.js"

const NOW_MS = Date.UTC(2026, 4, 1)

describe("parseHttpDate()", () => {
  test.each([
    ["Sun, 06 Nov 1994 08:49:37 GMT", Date.UTC(1994, 10, 6, 8, 49, 37)],
    ["Sunday, 06-Nov-94 08:49:37 GMT", Date.UTC(1994, 10, 6, 8, 49, 37)],
    ["Sun Nov  6 08:49:37 1994", Date.UTC(1994, 10, 6, 8, 49, 37)],
    ["Wed Nov 16 08:49:37 1994", Date.UTC(1994, 10, 16, 8, 49, 37)],
    ["Friday, 01-May-26 00:00:05 GMT", NOW_MS + 5_000],
    ["Friday, 01-May-76 00:00:00 GMT", Date.UTC(2076, 4, 1)],
    ["Saturday, 01-May-76 00:00:01 GMT", Date.UTC(1976, 4, 1, 0, 0, 1)],
    ["Thursday, 31-Dec-76 23:59:59 GMT", Date.UTC(1976, 11, 31, 23, 59, 59)],
    ["Tue, 30 Jun 2026 23:59:60 GMT", Date.UTC(2026, 6, 1)],
    ["Sunday, 01-May-77 00:00:00 GMT", Date.UTC(1977, 4, 1)],
    ["Saturday, 01-Jan-00 00:00:00 GMT", Date.UTC(2000, 0, 1)],
  ])("reads each of the forms, as of 2026: %s", (text, atMs) => {
    expect(parseHttpDate(text, NOW_MS)).toBe(atMs)
  })

  test.each([
    "",
    "0",
    "-5",
    "1.5",
    "3, 3",
    "2026-05-01T00:00:05Z",
    "Fri, 01 May 2026 00:00:05",
    "Fri, 01 May 2026 00:00:05 +0200",
    "Fri, 01 May 2026 99:00:05 GMT",
    "Fri, 01 May 2026 00:00:5: GMT",
    "Fri, 01 May 2026 0:0:5:37 GMT",
    "Fri, 01 May 2026 12345678 GMT",
    "Fri May  1 0:0:5:37 2026",
    "Fri, 01 May 2026 00:00:61 GMT",
    "Fri, 01 Mai 2026 00:00:05 GMT",
  ])("takes nothing else for a date: %j", (text) => {
    expect(parseHttpDate(text, NOW_MS)).toBeNaN()
  })
})
