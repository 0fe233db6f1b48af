import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { DenialCache, type DenialCacheOptions } from "../../src/edge/denial-cache.js"
import { noteTerms } from "../../src/edge/denial-terms.js"
import { ManualClock, type PolicyInput, parsePolicy, RateLimiter } from "../../src/index.js"
import { copyDecision } from "../../src/limiter/copy-decision.js"
import type { Rule } from "../../src/policy/policy.js"
import type { Decision, RuleDecision } from "../../src/types/decision.js"
import { policies, rules } from "../oracle/arbitraries.js"
import { assertProperty, propertyOf } from "../property/assert-property.js"

/** How a key comes to be denied, and what is asked then, costs and times as shares of the most that they can be. */
const denials = fc.record({
  policy: policies(rules, { minRules: 1, maxRules: 4 }),
  startMs: fc.integer({ min: 1_700_000_000_000, max: 1_800_000_000_000 }),
  used: fc.array(fc.record({ verb: fc.constantFrom("check", "charge"), share: share(), waitShare: share() } as const), {
    minLength: 1,
    maxLength: 6,
  }),
  cost: share(),
  more: fc.array(fc.record({ cost: share(), elapsed: share() }), { minLength: 1, maxLength: 6 }),
})

function share(): fc.Arbitrary<number> {
  return fc.oneof(fc.constantFrom(0, 0.5, 1), fc.double({ min: 0, max: 1, noNaN: true }))
}

/**
 * By how much the wait of a rule that is told for a greater cost may be too long; nobody knows for a sliding window.
 */
function slackMs({ algorithm, limit, periodMs, refill }: Rule, { remaining }: RuleDecision): number {
  if (algorithm === "fixed_window") return 0
  if (algorithm.startsWith("sliding_window")) return Number.POSITIVE_INFINITY
  if (refill !== null) return remaining > 0 ? 0 : refill.everyMs
  return periodMs % limit === 0 ? 0 : 1
}

/** A limiter far away, in front of which a cache stands, both under one clock. */
function cached(input: PolicyInput, options: DenialCacheOptions = {}) {
  const policy = parsePolicy(input)
  const clock = new ManualClock(1_000_000_000)
  const limiter = new RateLimiter(policy, { clock })
  const cache = new DenialCache({ clock, ...options })
  let calls = 0
  function check(key: string, cost = 1): Decision {
    const known = cache.find(key, policy, cost)
    if (known) return known
    const ticket = cache.ticket()
    calls += 1
    const decision = copyDecision(limiter.check(key, { cost }))
    cache.note(key, policy, decision, ticket)
    return decision
  }
  return { policy, clock, limiter, cache, check, calls: () => calls }
}

describe("DenialCache", () => {
  test("answers a denial until its retry time, and not a millisecond longer", () => {
    const { clock, check, cache, calls } = cached("1/second")
    check("a")
    const first = check("a")
    expect(first).toMatchObject({ allowed: false, reason: "limit", retryAfterMs: 1_000 })
    clock.advance(999)
    expect(check("a")).toEqual({ ...first, reason: "cached", retryAfterMs: 1, resetAfterMs: 1 })
    expect({ calls: calls(), hits: cache.hits }).toEqual({ calls: 2, hits: 1 })
    clock.advance(1)
    expect(check("a")).toMatchObject({ allowed: true, reason: "ok" })
  })

  test("tells a wait that is long enough where the way to the limiter and back takes time", () => {
    const { clock, limiter, cache, policy } = cached("1/second")
    limiter.check("a")
    const ticket = cache.ticket()
    clock.advance(150)
    const denial = copyDecision(limiter.check("a"))
    expect(denial.retryAfterMs).toBe(850)
    clock.advance(150)
    cache.note("a", policy, denial, ticket)
    clock.advance(100)
    const told = cache.find("a", policy, 1)!
    expect(told).toMatchObject({ reason: "cached", retryAfterMs: 750, resetAfterMs: 750 })
    // Whoever waits as told is admitted, however short the way is then.
    clock.advance(told.retryAfterMs)
    expect(cache.find("a", policy, 1)).toBeNull()
    expect(limiter.check("a")).toMatchObject({ allowed: true })
  })

  test("forgets a hold with the key, after maxAgeMs, and where the key was changed while it was asked", () => {
    const { clock, check, cache, policy, limiter } = cached("1/minute leaky_bucket burst 9", {
      maxAgeMs: 50,
      maxKeys: 2,
    })
    for (const key of ["a", "b", "c"]) check(key)
    expect(["a", "b", "c"].map((key) => cache.holds.find(key, policy, 1, 10) !== null)).toEqual([false, true, true])
    cache.forget("b")
    expect(cache.holds.find("b", policy, 1, 10)).toBeNull()
    clock.advance(50)
    expect(cache.holds.find("c", policy, 1, 10)).toBeNull()
    const ticket = cache.ticket()
    cache.forget("d")
    cache.note("d", policy, copyDecision(limiter.check("d")), ticket)
    expect(cache.holds.find("d", policy, 1, 10)).toBeNull()
  })

  test("forgets a hold where the key is denied: it may be blocked for longer", () => {
    const leaky = { limit: 1, period: "1s", algorithm: "leaky_bucket", burst: 4, block: "1h" } as const
    const { clock, check, cache, policy } = cached(leaky)
    check("a", 2)
    expect(check("a", 4)).toMatchObject({ allowed: false, retryAfterMs: 3_600_000 })
    clock.advance(100)
    expect(cache.find("a", policy, 1)).toBeNull()
    expect(cache.holds.find("a", policy, 1, 1_000)).toBeNull()
  })

  test("answers a cost that is as great or greater, never a smaller one", () => {
    const { check, calls } = cached("10/minute")
    check("a", 7)
    expect(check("a", 5)).toMatchObject({ allowed: false, reason: "limit" })
    expect(check("a", 6)).toMatchObject({ allowed: false, reason: "cached", cost: 6 })
    expect(check("a", 3)).toMatchObject({ allowed: true, reason: "ok" })
    expect(calls()).toBe(3)
  })

  test("isOverLimit() tells what find() would, counts nothing, and leaves blocks out", () => {
    const { cache, check, policy, clock } = cached("10/minute")
    check("a", 7)
    check("a", 5)
    expect([4, 5, 6].map((cost) => cache.isOverLimit("a", policy, cost))).toEqual([false, true, true])
    expect([cache.isOverLimit("b", policy, 5), cache.hits]).toEqual([false, 0])
    clock.advance(60_000)
    expect(cache.isOverLimit("a", policy, 5)).toBe(false)
    const denial = { ...check("a", 10), allowed: false, cost: 1, retryAfterMs: 1_000 } as const
    cache.note("blocked", policy, { ...denial, reason: "blocked" }, cache.ticket())
    const begins: Decision = { ...denial, reason: "limit" }
    noteTerms(begins, { blockedForMs: 1_000 })
    cache.note("begins", policy, begins, cache.ticket())
    for (const name of ["blocked", "begins"]) {
      expect([cache.isOverLimit(name, policy, 1), cache.find(name, policy, 1)?.reason]).toEqual([false, "cached"])
    }
  })

  test("forgets how long a greater cost waits when a smaller one is charged", () => {
    const { check, limiter, calls } = cached("10/minute")
    check("a", 8)
    check("a", 5)
    check("a", 2)
    expect(check("a", 5)).toEqual({ ...limiter.peek("a", { cost: 5 }) })
    expect(check("a", 5)).toMatchObject({ reason: "cached", remaining: 0 })
    expect(calls()).toBe(4)
  })

  test("leaves a cost to the limiter which the policy that decided there cannot admit", () => {
    const { limiter, cache, policy } = cached("1/minute")
    limiter.check("a")
    const denial = copyDecision(limiter.check("a"))
    noteTerms(denial, { isForeign: true, maximumCost: 3 })
    cache.note("a", policy, denial, cache.ticket())
    expect(cache.find("a", policy, 3)).toMatchObject({ reason: "cached" })
    expect(cache.find("a", policy, 4)).toBeNull()
  })

  test("a denial of a greater cost does not take the place of that of a smaller one", () => {
    const { check, cache, calls, policy } = cached("10/minute")
    check("a", 10)
    const smaller = check("a", 2)
    cache.note("a", policy, { ...smaller, cost: 9, retryAfterMs: 6_000 }, cache.ticket())
    expect(check("a", 2)).toMatchObject({ reason: "cached" })
    expect(calls()).toBe(2)
  })

  test("a denial of a greater cost takes that place where it lasts longer", () => {
    const { clock, check, cache, policy } = cached("10/minute")
    check("a", 10)
    const smaller = check("a", 1)
    cache.note("a", policy, { ...smaller, cost: 5, retryAfterMs: 9_000 }, cache.ticket())
    clock.advance(smaller.retryAfterMs)
    expect(cache.find("a", policy, 5)).toMatchObject({ allowed: false, reason: "cached" })
  })

  test.each([
    "10/minute",
    "10/minute burst 30",
    "7/second leaky_bucket",
    "10/minute fixed_window",
    "10/minute sliding_window",
    "10/minute sliding_window_log",
    "10/minute; 100/hour fixed_window",
  ])("tells a greater cost of %s a wait that is enough", (policyText) => {
    const { clock, limiter, check } = cached(policyText)
    const most = limiter.policy.rules[0].capacity
    clock.advance(1_234)
    limiter.check("a", { cost: most })
    clock.advance(89)
    check("a", 2)
    for (let cost = 3; cost <= most; cost++) {
      const { reason, retryAfterMs, rules = [] } = check("a", cost)
      const isAsked = policyText.endsWith("sliding_window") && cost < 7
      expect(reason).toBe(isAsked ? "limit" : "cached")
      const exact = limiter.peek("a", { cost }).retryAfterMs
      expect(retryAfterMs).toBeGreaterThanOrEqual(exact)
      if (limiter.policy.rules[0].algorithm === "gcra" && rules.length === 0) {
        expect(retryAfterMs).toBeLessThanOrEqual(exact + 2)
      }
    }
  })

  test.each(["100/day sliding_window", "100/day sliding_window_log", "100/day sliding_window; 50/hour"])(
    "asks how long a greater cost of %s waits, and remembers it",
    (policyText) => {
      const { clock, limiter, check, calls } = cached(policyText)
      for (let hour = 0; hour < 50; hour++) {
        check("a", 2)
        clock.advance(3_600_000)
      }
      while (check("a", 5).allowed) clock.advance(1)
      const least = limiter.peek("a", { cost: 5 })
      const greater = check("a", 6)
      expect(greater).toEqual(limiter.peek("a", { cost: 6 }))
      expect(greater.retryAfterMs).toBeLessThan(greater.resetAfterMs / 4)
      const before = calls()
      clock.advance(1_000)
      for (const [cost, denial] of [
        [6, greater],
        [5, least],
      ] as const) {
        expect(check("a", cost)).toMatchObject({ reason: "cached", retryAfterMs: denial.retryAfterMs - 1_000 })
      }
      expect(calls()).toBe(before)
    },
  )

  test("asks about four greater costs of a denial at most, and tells others the time until the window is full", () => {
    const { limiter, check, calls } = cached("1000/day sliding_window")
    check("a", 1_000)
    check("a", 1)
    const before = calls()
    for (let cost = 2; cost <= 1_000; cost++) {
      const { retryAfterMs, resetAfterMs } = check("a", cost)
      if (cost <= 5) expect(retryAfterMs).toBe(limiter.peek("a", { cost }).retryAfterMs)
      else expect(retryAfterMs).toBe(resetAfterMs)
    }
    expect(calls()).toBe(before + 4)
  })

  describe("of a sliding window", () => {
    /** A key that used 2 units of 100 in each hour, so that units come back one after the other. */
    function usedEvenly() {
      const made = cached("100/day sliding_window")
      for (let hour = 0; hour < 49; hour++) {
        made.limiter.check("a", { cost: 2 })
        made.clock.advance(3_600_000)
      }
      while (made.limiter.check("a", { cost: 2 }).allowed) made.clock.advance(1)
      return made
    }

    test("asks about a greater cost however many ask for it before the first is answered", () => {
      const { limiter, cache, check, policy } = usedEvenly()
      check("a", 3)
      const asked = Array.from({ length: 6 }, () => cache.find("a", policy, 4))
      expect(asked).toEqual([null, null, null, null, null, null])
      for (const cost of [4, 5, 6, 7]) expect(check("a", cost)).toEqual({ ...limiter.peek("a", { cost }) })
      expect(check("a", 4)).toMatchObject({ reason: "cached" })
      expect(check("a", 8).retryAfterMs).toBe(check("a", 8).resetAfterMs)
    })

    test("still knows how long greater costs wait when a smaller one is denied", () => {
      const { limiter, check, calls } = usedEvenly()
      const costs = [7, 6, 5, 4, 3]
      for (const cost of costs) check("a", cost)
      const before = calls()
      for (const cost of costs) {
        expect(check("a", cost)).toMatchObject({
          ...{ reason: "cached", retryAfterMs: limiter.peek("a", { cost }).retryAfterMs },
        })
      }
      expect(calls()).toBe(before)
      expect(check("a", 8).retryAfterMs).toBe(check("a", 8).resetAfterMs)
    })
  })

  test("of several rules tells a greater cost to wait for those that have too little left, and names that which binds", () => {
    const { check, limiter } = cached("10/10s; 1000/day sliding_window")
    check("a", 10)
    check("a")
    const told = check("a", 2)
    expect(told).toEqual({ ...limiter.peek("a", { cost: 2 }), reason: "cached" })
    expect(told).toMatchObject({ policy: "10-per-10s", retryAfterMs: 2_000, rules: [{}, { retryAfterMs: 0 }] })
  })

  test("names the rule that binds for a greater cost, where another one denied the smaller", () => {
    const { check, limiter } = cached("10/10s; 20/day fixed_window")
    check("a", 10)
    check("a", 1)
    check("a", 8)
    const told = check("a", 10)
    expect(told).toEqual({ ...limiter.peek("a", { cost: 10 }), reason: "cached" })
  })

  test("under any policy tells any greater cost a wait that is enough, and of every rule but sliding windows the least", async () => {
    let found = 0
    const property = propertyOf(denials, ({ policy: input, startMs, used, cost, more }) => {
      const policy = parsePolicy(input as PolicyInput)
      const most = Math.min(...policy.rules.map(({ capacity }) => capacity))
      const clock = new ManualClock(startMs)
      const limiter = new RateLimiter(policy, { clock })
      const cache = new DenialCache({ clock, maxAgeMs: 2 ** 31 })
      const costOf = (least: number, part: number) => least + Math.floor((most - least) * part)
      for (const { verb, share: part, waitShare } of used) {
        if (verb === "charge") limiter.charge("a", costOf(1, part))
        else limiter.check("a", { cost: costOf(1, part) })
        clock.advance(Math.floor(Math.min(...policy.rules.map(({ periodMs }) => periodMs)) * waitShare * 0.4))
      }
      const ticket = cache.ticket()
      const denial = copyDecision(limiter.check("a", { cost: costOf(1, cost) }))
      if (denial.allowed) return
      if (policy.blockMs > 0) noteTerms(denial, { blockedForMs: limiter.status("a").blockedForMs })
      cache.note("a", policy, denial, ticket)
      for (const { cost: part, elapsed } of more) {
        clock.set(ticket.askedAtMs + Math.floor(Math.min(denial.retryAfterMs, 2 ** 31) * elapsed))
        const told = cache.find("a", policy, costOf(denial.cost, part))
        if (told === null) continue
        found += 1
        const { rules: toldRules = [told], ...whole } = told
        const now = limiter.peek("a", { cost: told.cost })
        const slacks = policy.rules.map((rule, index) =>
          slackMs(rule, (denial.rules ?? [denial])[index] as RuleDecision),
        )
        for (const [index, { retryAfterMs }] of toldRules.entries()) {
          const exactMs = (now.rules ?? [now])[index]!.retryAfterMs
          expect(retryAfterMs).toBeGreaterThanOrEqual(exactMs)
          expect(retryAfterMs).toBeLessThanOrEqual(exactMs + slacks[index]!)
        }
        expect(whole.retryAfterMs).toBeGreaterThanOrEqual(now.retryAfterMs)
        const isExact = slacks.every((slack) => slack === 0)
        if (isExact) expect(whole.retryAfterMs).toBe(Math.max(1, now.retryAfterMs))
        if (toldRules.length === 1) continue
        const binding = toldRules.find(({ policy: name }) => name === whole.policy) as RuleDecision
        expect(binding.retryAfterMs).toBe(Math.max(...toldRules.map(({ retryAfterMs }) => retryAfterMs)))
        const { policy: _, periodMs: __, retryAfterMs: ___, ...numbers } = binding
        expect(whole).toMatchObject(numbers)
        if (isExact && binding.retryAfterMs > 0) expect(whole.policy).toBe(now.policy)
      }
    })
    await assertProperty(property, 3_000)
    expect(found).toBeGreaterThan(1_000)
  })

  test("remembers no denial of a bucket so deep in debt that the core cuts its waits off", () => {
    const refill = { amount: 1, every: "3650d" }
    const rule = { limit: 1, period: "3650d", algorithm: "token_bucket", burst: 100 } as const
    const { check, cache, clock, limiter, policy, calls } = cached({ ...rule, refill })
    for (let charges = 0; charges < 3; charges++) limiter.charge("a", 100)
    check("a", 1)
    clock.advance(1_000)
    expect([cache.find("a", policy, 1), cache.find("a", policy, 45)]).toEqual([null, null])
    expect(check("a", 45).retryAfterMs).toBe(2 ** 46)
    expect(check("a", 1).retryAfterMs).toBe(201 * policy.rules[0].periodMs - 1_000)
    expect(calls()).toBe(3)
    // That of a bucket that refills evenly ends there too, so it is known to get shorter.
    const evenly = cached(rule)
    for (let charges = 0; charges < 3; charges++) evenly.limiter.charge("a", 100)
    evenly.check("a", 1)
    evenly.clock.advance(1_000)
    expect(evenly.check("a", 45).retryAfterMs).toBe(evenly.limiter.peek("a", { cost: 45 }).retryAfterMs)
  })

  test("keeps keys and policies apart", () => {
    const { check, cache } = cached("1/day")
    check("a")
    check("a")
    expect(check("b")).toMatchObject({ allowed: true })
    expect(cache.find("a", parsePolicy("2/day"), 1)).toBeNull()
  })

  test.each([
    ["2/minute", "2/minute; 5/hour"],
    ["2/minute", "4/hour sliding_window"],
    ["2/minute; 5/hour", "4/hour"],
  ])("of %s tells a wait that is enough where %s denied", (sentText, decidingText) => {
    const sent = parsePolicy(sentText)
    const { cache, clock, limiter } = cached(decidingText)
    const most = Math.min(...limiter.policy.rules.map(({ capacity }) => capacity))
    limiter.check("a", { cost: most })
    clock.advance(89)
    const denial = copyDecision(limiter.check("a"))
    noteTerms(denial, { isForeign: true })
    cache.note("a", sent, denial, cache.ticket())
    clock.advance(89)
    expect(cache.find("a", sent, 1)).toEqual({ ...limiter.peek("a"), reason: "cached" })
    for (let cost = 2; cost <= most; cost++) {
      const told = cache.find("a", sent, cost)
      expect(told).toMatchObject({ allowed: false, cost })
      expect(told!.retryAfterMs).toBeGreaterThanOrEqual(limiter.peek("a", { cost }).retryAfterMs)
    }
  })

  test("does not throw where nobody said that a policy with more rules denied", () => {
    const { cache, limiter } = cached("2/minute; 5/hour")
    limiter.check("a", { cost: 2 })
    cache.note("a", parsePolicy("2/minute"), copyDecision(limiter.check("a")), cache.ticket())
    expect(cache.find("a", parsePolicy("2/minute"), 2)).toMatchObject({ allowed: false, retryAfterMs: 60_000 })
  })

  test("remembers no denial whose block is over: it has nothing to answer", () => {
    const { cache, limiter, policy } = cached("1/minute")
    limiter.check("a")
    const denial = copyDecision(limiter.check("a"))
    noteTerms(denial, { blockedForMs: 0 })
    cache.note("a", policy, denial, cache.ticket())
    expect(cache.size).toBe(0)
  })

  test("answers no longer than a block lasts", () => {
    const { cache, clock, limiter, policy } = cached("1/minute")
    limiter.check("a")
    const denial = copyDecision(limiter.check("a"))
    noteTerms(denial, { blockedForMs: 2_000 })
    cache.note("a", policy, denial, cache.ticket())
    clock.advance(1_999)
    expect(cache.find("a", policy, 1)).toMatchObject({ allowed: false, retryAfterMs: 58_001 })
    clock.advance(1)
    expect(cache.find("a", policy, 1)).toBeNull()
  })

  test("forget() drops a key, and what a question under way is told of it", () => {
    const { check, cache, limiter, policy } = cached("1/day")
    check("a")
    const ticket = cache.ticket()
    const denial = copyDecision(limiter.check("a"))
    limiter.reset("a")
    cache.forget("a")
    cache.note("a", policy, denial, ticket)
    expect(check("a")).toMatchObject({ allowed: true })
  })

  test("remembers no longer than maxAgeMs, so that a change made elsewhere is seen", () => {
    const { check, clock, limiter } = cached("1/day", { maxAgeMs: 500 })
    check("a")
    check("a")
    limiter.reset("a")
    clock.advance(499)
    expect(check("a")).toMatchObject({ allowed: false, reason: "cached" })
    clock.advance(1)
    expect(check("a")).toMatchObject({ allowed: true })
  })

  test("trusts no clock that was set back", () => {
    const { check, clock } = cached("1/day")
    check("a")
    check("a")
    clock.advance(-1)
    expect(check("a")).toMatchObject({ allowed: false, reason: "limit" })
  })

  test("holds at most maxKeys, and forgets what was denied first", () => {
    const { check, cache, calls } = cached("1/day", { maxKeys: 3 })
    for (const key of ["a", "b", "c", "d"]) {
      check(key)
      check(key)
    }
    expect(cache.size).toBe(3)
    const before = calls()
    for (const key of ["b", "c", "d"]) expect(check(key)).toMatchObject({ reason: "cached" })
    expect(calls()).toBe(before)
    expect(check("a")).toMatchObject({ reason: "limit" })
  })

  test("refuses options out of range and misspelt ones, naming them", () => {
    for (const maxKeys of [0, 1.5, Number.NaN, 2 ** 24 + 1]) {
      expect(() => new DenialCache({ maxKeys })).toThrow(/maxKeys .* allowed is a whole number from 1 to 16777216/)
    }
    expect(() => new DenialCache({ maxAgeMs: 0 })).toThrow(RangeError)
    const misspelt = { maxKey: 5 } as never
    expect(() => new DenialCache(misspelt)).toThrow(
      'Cannot make a denial cache: option is "maxKey", allowed is maxKeys,',
    )
  })
})
