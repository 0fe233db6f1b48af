import { describe, expect, expectTypeOf, test } from "vitest"
import { configPolicies, fromConfig, limitsByConfig, parseConfig } from "../../src/config/index.js"
import { type AllDecision, type Checker, checkAll, type Decision, ManualClock, RateLimiter } from "../../src/index.js"
import { MemoryLimits, oneLimit } from "../../src/limiter/index.js"
import { makeDecision } from "../make-decision.js"

const make = (policy: string) => new RateLimiter(policy, { clock: new ManualClock(0), stats: true })

/** The same limiter by promise, which notes what it was asked. */
function remote(limiter: RateLimiter, calls: string[] = []): Checker {
  const call = async <T>(name: string, run: () => T) => {
    calls.push(name)
    return run()
  }
  return {
    check: (key, options) => call("check", () => limiter.check(key, options)),
    refund: (receipt, units) => call("refund", () => limiter.refund(receipt, units)),
  }
}

describe("RateLimiter.checkAll()", () => {
  test("charges all keys or none, and tells the first that denied", () => {
    const limiter = make("2/minute as p")
    limiter.check("b", { cost: 2 })
    const denied = limiter.checkAll([{ key: "a", cost: 2 }, { key: "b" }])
    expect(denied).toMatchObject({ allowed: false, deniedKey: "b", deniedPolicy: "p" })
    expect(denied.decisions.map(({ allowed, receipt }) => [allowed, receipt])).toEqual([
      [true, undefined],
      [false, undefined],
    ])
    expect(limiter.peek("a").remaining).toBe(2)
    const admitted = limiter.checkAll([{ key: "a", cost: 2 }, { key: "c" }])
    expect(admitted).toMatchObject({ allowed: true, deniedKey: null, deniedPolicy: null })
    expect(admitted.decisions.every(({ receipt }) => receipt)).toBe(true)
    expect(limiter.allowAll([{ key: "a" }, { key: "d" }])).toBe(false)
    expect(limiter.allowAll([{ key: "d" }])).toBe(true)
  })

  test("refuses no items, a key twice, another limit and bad costs, and changes nothing", () => {
    const limiter = make("2/minute")
    expect(() => limiter.checkAll([])).toThrow(RangeError)
    expect(() => limiter.checkAll([{ key: "a" }, { key: "a" }])).toThrow('key "a" comes twice')
    expect(() => limiter.checkAll([{ key: "a", limit: "api" }])).toThrow('Cannot find the limit "api"')
    expect(() => limiter.checkAll([{ key: "a" }, { key: "b", cost: 3 }])).toThrow("exceeds the capacity 2")
    expect(limiter.peek("a").remaining).toBe(2)
  })

  test("gives back what it charged where there is no room for a later key", () => {
    const limiter = new RateLimiter("2/minute", { clock: new ManualClock(0), maxKeys: 1, onFull: "deny-new" })
    const all = limiter.checkAll([{ key: "a" }, { key: "b" }, { key: "c" }])
    expect(all).toMatchObject({ allowed: false, deniedKey: "b" })
    expect(all.decisions).toHaveLength(3)
    expect(all.decisions.every(({ receipt }) => receipt === undefined)).toBe(true)
    expect(limiter.peek("a").remaining).toBe(2)
  })

  test("keeps what was admitted under an id before where there is no room for a later key", () => {
    const limiter = new RateLimiter("5/minute", { clock: new ManualClock(0), maxKeys: 2, onFull: "deny-new" })
    limiter.check("a", { cost: 2, id: "x" })
    const all = limiter.checkAll([{ key: "a", cost: 2, id: "x" }, { key: "b", id: "x" }, { key: "c" }])
    expect(all).toMatchObject({ allowed: false, deniedKey: "c" })
    expect(all.decisions.every(({ receipt }) => receipt === undefined)).toBe(true)
    expect([limiter.peek("a").remaining, limiter.peek("b").remaining]).toEqual([3, 5])
  })

  test.each(["5/minute; 9/hour", { limit: 5, period: "1m", algorithm: "leaky_bucket" }] as const)(
    "where there is no room for a later key, tells of the others what peek() does: %j",
    (policy) => {
      const limiter = new RateLimiter(policy, { clock: new ManualClock(0), maxKeys: 2, onFull: "deny-new" })
      limiter.check("a", { cost: 2 })
      const { decisions } = limiter.checkAll([{ key: "a" }, { key: "b", cost: 3 }, { key: "c" }])
      expect(decisions.map(({ allowed }) => allowed)).toEqual([true, true, false])
      expect(decisions.slice(0, 2)).toEqual([limiter.peek("a"), limiter.peek("b", { cost: 3 })])
    },
  )
})

describe("checkAll() over several limiters", () => {
  test("of memory, asks all before it charges any", () => {
    const [user, org] = [make("5/minute as user"), make("1/minute as org")]
    const limits = new MemoryLimits({ limits: { default: "3/minute" }, clock: new ManualClock(0) })
    const items = [
      { limiter: user, key: "u" },
      { limiter: org, key: "o" },
      { limiter: limits, key: "u" },
    ]
    const first = checkAll(items)
    expectTypeOf(first).toEqualTypeOf<AllDecision>()
    expect(first).toMatchObject({ allowed: true })
    expect(first.decisions.map(({ remaining }) => remaining)).toEqual([4, 0, 2])
    expect(checkAll(items)).toMatchObject({ allowed: false, deniedKey: "o", deniedPolicy: "org" })
    expect([user.peek("u").remaining, limits.peek("u").remaining]).toEqual([4, 2])
    expect([user.stats("u").totalDenied, org.stats("o").totalDenied]).toEqual([0, 1])
  })

  test("of memory, charges nothing where quota comes back between the look and the question", () => {
    // Whoever denied is asked one millisecond later, and would admit by then.
    let nowMs = 0
    const later = { now: () => nowMs++ }
    const org = new RateLimiter("1/second as org", { clock: later })
    const user = make("5/minute as user")
    org.check("o")
    nowMs = 999
    const denied = checkAll([
      { limiter: user, key: "u" },
      { limiter: org, key: "o" },
    ])
    expect(denied).toMatchObject({
      allowed: false,
      deniedPolicy: "org",
      decisions: [{ allowed: true }, { retryAfterMs: 1 }],
    })
    expect(denied.decisions.every(({ receipt }) => receipt === undefined)).toBe(true)
    expect([user.status("u").remaining, org.status("o").remaining]).toEqual([5, 1])
  })

  test("of memory, gives all back where a later one throws", () => {
    const [first, last] = [make("5/minute"), make("5/minute")]
    const broken = {
      isSynchronous: true as const,
      peek: (key: string) => last.peek(key),
      check: (): Decision => {
        throw new Error("out of order")
      },
      refund: () => {},
    }
    const items = [first, broken].map((limiter) => ({ limiter, key: "a" }))
    expect(() => checkAll(items)).toThrow("out of order")
    expect(first.status("a").remaining).toBe(5)
  })

  test("asks the limits of a configuration before it charges them, at once and as the configuration says", () => {
    const lines: string[] = []
    const limits = fromConfig(
      `deny = { keys = ["eve"] }
       logging = { level = "info", decisions = "all" }
       limits.default = { policy = "9/minute" }
       limits.mail = { policy = "5/minute", cost = 2 }
       limits.org = { policy = "3/minute" }
       groups.both = { limits = ["mail", "org"] }
       tenants.acme.limits.mail = "7/minute"`,
      { clock: new ManualClock(0), log: { info: (line) => lines.push(line), error: () => {} } },
    )
    const items = (key: string) => [
      { limiter: limits, key: "a" },
      { limiter: limits.of("mail", { tenant: "acme" }), key: "a" },
      { limiter: limits.of("both"), key: "a" },
      { limiter: limits.of("org"), key },
    ]
    const left = () => ["mail", "org"].map((limit) => limits.peek("a", { limit }).remaining)
    expect(checkAll(items("eve"))).toMatchObject({ allowed: false, deniedKey: "eve" })
    expect(left()).toEqual([5, 3])
    expect(lines).toEqual([expect.stringContaining('deny key="eve"')])
    const { allowed, decisions } = checkAll(items("b"))
    expect([allowed, ...decisions.map(({ remaining }) => remaining)]).toEqual([true, 8, 5, 3, 2])
    expect(left()).toEqual([3, 2])
    expect(limits.of("both").peek("a", { cost: 3 })).toMatchObject({ allowed: false })
  })

  test("by promise, charges all and refunds where one denies", async () => {
    const counts = [make("5/minute"), make("1/minute as org")] as const
    const calls: string[] = []
    const items = counts.map((limiter, index) => ({ limiter: remote(limiter, calls), key: `k${index}`, cost: 1 }))
    await expect(checkAll(items)).resolves.toMatchObject({ allowed: true })
    expect(calls).toEqual(["check", "check"])
    const denied = await checkAll(items)
    expect(denied).toMatchObject({ allowed: false, deniedKey: "k1", deniedPolicy: "org" })
    expect(denied.decisions.map(({ allowed, receipt }) => [allowed, receipt])).toEqual([
      [true, undefined],
      [false, undefined],
    ])
    expect(calls).toEqual(["check", "check", "check", "check", "refund"])
    expect(counts[0].peek("k0").remaining).toBe(4)
  })

  test("by promise, tells of each rule what is there again after a refund", async () => {
    const [counts, denies] = [make("5/minute; 9/hour"), make("1/minute")]
    denies.check("k")
    const { decisions } = await checkAll([
      { limiter: remote(counts), key: "k", cost: 2 },
      { limiter: remote(denies), key: "k" },
    ])
    expect(decisions[0]).toMatchObject({ remaining: 5, rules: [{ remaining: 5 }, { remaining: 9 }] })
  })

  test("by promise, refunds each limit of a group", async () => {
    const { limits: under, config } = fromConfig(`
      limits.user = { policy = "5/minute" }
      limits.org = { policy = "9/minute" }
      groups.both = { limits = ["user", "org"] }`)
    const group = oneLimit(limitsByConfig(under, config), "both")
    const denies = make("1/minute")
    denies.check("k")
    const denied = await checkAll([
      { limiter: group, key: "a", cost: 2 },
      { limiter: remote(denies), key: "k" },
    ])
    expect(denied.decisions[0]).toMatchObject({
      allowed: true,
      remaining: 5,
      limits: [{ remaining: 5 }, { remaining: 9 }],
    })
    expect(JSON.stringify(denied)).not.toContain("receipt")
    expect(["user", "org"].map((limit) => under.peek("a", { limit }).remaining)).toEqual([5, 9])
  })

  test("by promise, gives all back where one fails, and fails with its error", async () => {
    const counts = make("5/minute")
    const broken: Checker = {
      check: async (): Promise<Decision> => Promise.reject(new Error("out of reach")),
      refund: async () => {},
    }
    const items = [
      { limiter: remote(counts), key: "a" },
      { limiter: broken, key: "b" },
      { limiter: counts, key: "c" },
    ]
    await expect(checkAll(items)).rejects.toThrow("out of reach")
    expect([counts.peek("a").remaining, counts.peek("c").remaining]).toEqual([5, 5])
  })

  test("of both kinds, does not charge the others where those in memory deny", async () => {
    const [near, far] = [make("1/minute as near"), make("5/minute")]
    const calls: string[] = []
    const distant = { ...remote(far, calls), peek: async (key: string) => far.peek(key) }
    const items = [
      { limiter: distant, key: "f" },
      { limiter: near, key: "n" },
    ]
    await expect(checkAll(items)).resolves.toMatchObject({ allowed: true, decisions: [{ key: "f" }, { key: "n" }] })
    await expect(checkAll(items)).resolves.toMatchObject({ allowed: false, deniedPolicy: "near" })
    expect(calls).toEqual(["check"])
    expect(far.peek("f").remaining).toBe(4)
  })

  test("refuses the same key of the same limiter twice, and no items", () => {
    const [one, two] = [make("5/minute"), make("5/minute")]
    expect(() => checkAll([])).toThrow(RangeError)
    const twice = [
      { limiter: one, key: "a" },
      { limiter: one, key: "a" },
    ]
    expect(() => checkAll(twice)).toThrow(RangeError)
    expect(() => checkAll(twice.map((item) => ({ ...item, limiter: remote(one) })))).not.toThrow()
    expect(
      checkAll([
        { limiter: one, key: "a" },
        { limiter: two, key: "a" },
      ]).allowed,
    ).toBe(true)
  })

  test("refuses the same key of the same one of several limits twice, however that was made", () => {
    const limits = new MemoryLimits({ limits: { a: "5/minute", 'a" b': "5/minute" }, clock: new ManualClock(0) })
    for (const [first, second] of [
      [oneLimit(limits, "a"), oneLimit(limits, "a")],
      [limits.of("a"), limits.of("a")],
      [limits.of("a"), oneLimit(limits, "a")],
    ] as const) {
      const twice = [first, second].map((limiter) => ({ limiter, key: "k" }))
      expect(() => checkAll(twice)).toThrow('key "k" comes twice under the same limit')
    }
    expect(limits.peek("k", { limit: "a" }).remaining).toBe(5)
    const apart = [
      { limiter: oneLimit(limits, "a"), key: 'b" k' },
      { limiter: oneLimit(limits, 'a" b'), key: "k" },
      { limiter: oneLimit(limits, "a"), key: "k" },
    ]
    expect(checkAll(apart).allowed).toBe(true)
  })

  test("gives back to each limit of a group what it was charged", async () => {
    const clock = new ManualClock(0)
    const text = `
      limits.few = { policy = "10/minute", cost = 3 }
      limits.many = { policy = "20/minute", cost = 5 }
      groups.both = { limits = ["few", "many"] }`
    const config = parseConfig(text)
    const limits = limitsByConfig(new MemoryLimits({ clock, limits: configPolicies(config) }), config, clock)
    const { decisions } = await checkAll([
      { limiter: limits.of("both"), key: "a" },
      { limiter: { ...remote(make("1/minute")), check: async () => makeDecision({ allowed: false }) }, key: "b" },
    ])
    expect(decisions[0]).toMatchObject({ remaining: 10, rules: [{ remaining: 10 }, { remaining: 20 }] })
    expect((await limits.peek("a", { limit: "both" })).rules).toMatchObject([{ remaining: 10 }, { remaining: 20 }])
  })

  test("names the field where an item has no limiter", () => {
    const items = [{ limiter: make("5/minute"), key: "a" }, { key: "a" }] as never
    const text = "Cannot check all: items[1].limiter is undefined, allowed is an object with check()."
    expect(() => checkAll(items)).toThrow(new RangeError(text))
  })
})
