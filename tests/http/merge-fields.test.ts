import { describe, expect, test } from "vitest"
import { type HeaderStyle, rateLimit } from "../../src/http/index.js"
import { mergeFields } from "../../src/http/merge-fields.js"
import { ManualClock } from "../../src/types/clock.js"
import { requestOf } from "./requests.js"

const merge = (before: Record<string, unknown>, own: Record<string, string>) =>
  mergeFields(own, (name) => new Headers(before as Record<string, string>).get(name))

const legacy = (limit: number, remaining: number, reset: number) => ({
  "X-RateLimit-Limit": `${limit}`,
  "X-RateLimit-Remaining": `${remaining}`,
  "X-RateLimit-Reset": `${reset}`,
})
const draft6 = (limit: number, remaining: number, reset: number) => ({
  "RateLimit-Policy": `${limit};w=60`,
  "RateLimit-Limit": `${limit}`,
  "RateLimit-Remaining": `${remaining}`,
  "RateLimit-Reset": `${reset}`,
})
const draft7 = (limit: number, remaining: number, reset: number) => ({
  "RateLimit-Policy": `${limit};w=60`,
  RateLimit: `limit=${limit}, remaining=${remaining}, reset=${reset}`,
})
const items = (name: string) => ({ "RateLimit-Policy": `"${name}";q=9;w=60`, RateLimit: `"${name}";r=8;t=7` })

describe("mergeFields()", () => {
  test("joins lists of items", () => {
    expect(merge(items("a"), items("b"))).toEqual({
      "RateLimit-Policy": '"a";q=9;w=60, "b";q=9;w=60',
      RateLimit: '"a";r=8;t=7, "b";r=8;t=7',
    })
  })

  describe.each([
    ["legacy", legacy],
    ["draft-6", draft6],
    ["draft-7", draft7],
  ])("in %s", (_style, fields) => {
    test("tells of the limit with the least left, of those with equally much the last to reset", () => {
      const [few, many] = [fields(5, 1, 9), fields(100, 7, 60)]
      expect(merge(few, many)).toEqual(few)
      expect(merge(many, few)).toEqual(few)
      const [soon, late] = [fields(5, 1, 9), fields(100, 1, 10)]
      expect(merge(late, soon)).toEqual(late)
      expect(merge(soon, late)).toEqual(late)
    })

    test("takes no Retry-After for a denial, since a handler may send one", () => {
      const own = fields(3, 2, 60)
      expect(merge({ ...fields(100, 99, 9), "Retry-After": "5" }, own)).toEqual(own)
    })

    test.each(["many", "-1", "0.5", ""])("replaces what it cannot read: %j", (remaining) => {
      const own = fields(5, 3, 9)
      expect(merge(fields(1, remaining as unknown as number, 60), own)).toEqual(own)
    })
  })

  test.each([draft6, draft7])(
    "lets the items of draft-11 stand where a limiter of an older draft wrote as well",
    (old) => {
      const older = old(5, 0, 9)
      expect(merge(older, items("a"))).toEqual(items("a"))
      expect({ ...items("a"), ...merge(items("a"), older) }).toEqual({ ...older, ...items("a") })
    },
  )

  test.each(["RateLimit", "RateLimit-Policy"] as const)(
    "puts no RateLimit or RateLimit-Policy of an older draft beside items of draft-11, of which there is %s alone",
    (name) => {
      const own = { [name]: items("own")[name] }
      expect(merge(own, { ...draft7(5, 3, 9), ...legacy(5, 3, 9) })).toEqual(legacy(5, 3, 9))
      const { "RateLimit-Policy": _, ...numbers } = draft6(5, 3, 9)
      expect(merge(own, draft6(5, 3, 9))).toEqual(numbers)
      expect(merge(own, items("a"))).toMatchObject({ [name]: `${items("own")[name]}, ${items("a")[name]}` })
    },
  )

  test("puts no policy of draft-11 beside the RateLimit of draft-7 where its limiter failed and tells nothing else", () => {
    const { "RateLimit-Policy": policy } = items("a")
    expect(merge(draft7(5, 3, 9), { "RateLimit-Policy": policy })).toEqual({})
    expect(merge(draft7(5, 3, 9), { "RateLimit-Policy": policy, ...legacy(5, 3, 9) })).toEqual(legacy(5, 3, 9))
    expect(merge({ RateLimit: "of something else" }, { "RateLimit-Policy": policy })).toEqual({
      "RateLimit-Policy": policy,
    })
  })

  test("leaves the numbers of a limiter alone where those of the other are not known", () => {
    const { "RateLimit-Policy": guessed } = draft6(9, 0, 0)
    expect(merge(draft6(5, 3, 9), { "RateLimit-Policy": guessed })).toEqual({ "RateLimit-Policy": "5;w=60" })
  })

  test("tells of the inner of two limits around a handler where that one binds more", async () => {
    const clock = new ManualClock(0)
    const options = { key: () => "k", clock, headers: ["legacy"] as HeaderStyle[], legacyReset: "delta" } as const
    const inner = rateLimit(() => new Response("ok"), { policy: "2/minute", ...options })
    const outer = rateLimit(inner, { policy: "100/minute", ...options })
    const told = async () => {
      const { status, headers } = await outer(requestOf())
      return [status, headers.get("x-ratelimit-limit"), headers.get("x-ratelimit-remaining")]
    }
    expect([await told(), await told(), await told()]).toEqual([
      [200, "2", "1"],
      [200, "2", "0"],
      [429, "2", "0"],
    ])
  })
})
