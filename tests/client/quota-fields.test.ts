import { describe, expect, test } from "vitest"
import { readQuotaFields } from "../../src/client/quota-fields.js"
import { rateLimitFields } from "../../src/http/index.js"
import { ManualClock, parsePolicy, RateLimiter } from "../../src/index.js"

const NOW_MS = 1_700_000_000_000
const read = (fields: Record<string, string>) => readQuotaFields(new Headers(fields), NOW_MS)

describe("readQuotaFields()", () => {
  test.each(["draft-11", "draft-7", "draft-6", "legacy"] as const)(
    "reads what rateLimitFields() writes in %s",
    (headers) => {
      const policy = parsePolicy("5/minute")
      const decision = new RateLimiter(policy, { clock: new ManualClock(NOW_MS) }).check("a", { cost: 2 })
      for (const legacyReset of ["epoch", "delta"] as const) {
        const { quotas } = read(rateLimitFields(policy, decision, NOW_MS, { headers, legacyReset }))
        expect(quotas).toMatchObject([{ remaining: 3, resetAfterMs: 24_000, limit: 5 }])
      }
    },
  )

  test("reads several quotas of draft-11, each with its own limit and partition", () => {
    const fields = {
      "RateLimit-Policy": '"a, b";q=10;w=1;pk=:YQ==:, "c\\"";q=20',
      RateLimit: '"a, b";r=3;t=1;pk=:YQ==:,"c\\"" ; r=0; t=9',
    }
    expect(read(fields).quotas).toEqual([
      { name: "a, b:YQ==:", remaining: 3, resetAfterMs: 1_000, limit: 10 },
      { name: 'c\\"', remaining: 0, resetAfterMs: 9_000, limit: 20 },
    ])
  })

  test("tells quotas of one name apart, each with its own limit, as of limiters that follow each other", () => {
    const fields = {
      "RateLimit-Policy": '"default";q=9;w=60, "default";q=2;w=60',
      RateLimit: '"default";r=0;t=60, "default";r=1;t=30',
    }
    expect(read(fields).quotas).toEqual([
      { name: "default", remaining: 0, resetAfterMs: 60_000, limit: 9 },
      { name: "default\n2", remaining: 1, resetAfterMs: 30_000, limit: 2 },
    ])
  })

  test("gives a field up at once that is a list up to its last character", () => {
    // Were there two ways to read each value, this would take 2^28 steps.
    const field = `"a"${";a=:x:".repeat(28)}"`
    expect(readQuotaFields(new Headers({ RateLimit: field, "RateLimit-Policy": field }), 0).quotas).toEqual([])
  })

  test("takes the newest of several styles", () => {
    const fields = { RateLimit: '"a";r=3;t=1', "X-RateLimit-Remaining": "9", "X-RateLimit-Reset": "9" }
    expect(read(fields).quotas).toMatchObject([{ name: "a", remaining: 3 }])
  })

  test.each([
    {},
    { RateLimit: "a;r=3" },
    { RateLimit: '"a";r=-3;t=1' },
    { RateLimit: '"a";r=3.5;t=1' },
    { RateLimit: '"a";r=3;t=1, "b' },
    { RateLimit: '"a" "b";r=1' },
    { RateLimit: "limit=3, remaining=x, reset=1" },
    { RateLimit: "limit=3, remaining=1" },
    { "X-RateLimit-Remaining": "3" },
    { "X-RateLimit-Remaining": "1e3", "X-RateLimit-Reset": "3" },
    { RateLimit: `"${"\\".repeat(5_000)}` },
    { RateLimit: `"a"${";x".repeat(5_000)}!` },
  ])("passes over what it cannot read: %j", (fields) => {
    expect(read(fields as Record<string, string>).quotas).toEqual([])
  })

  test.each([
    ["7", 7_000],
    ["0", 0],
    [new Date(NOW_MS + 5_000).toUTCString(), 5_000],
    [new Date(NOW_MS - 5_000).toUTCString(), 0],
    ["soon", null],
    ["", null],
    // A lenient parser takes each of these for a date.
    ["-1", null],
    ["-5", null],
    ["1.5", null],
    ["3, 3", null],
    ["1,5", null],
    ["5 s", null],
    [new Date(NOW_MS + 5_000).toISOString(), null],
  ])("reads Retry-After: %s", (value, expected) => {
    expect(read({ "Retry-After": value }).retryAfterMs).toBe(expected)
  })
})
