import { describe, expect, test, vi } from "vitest"
import { createApi } from "../../src/api/create-api.js"
import { SluiceClient } from "../../src/client/index.js"
import { header, type LimitOptions, namedLimiters, type RateLimitOptions, rateLimit } from "../../src/http/index.js"
import { MemoryLimits } from "../../src/limiter/memory-limits.js"
import { RateLimiter } from "../../src/limiter/rate-limiter.js"
import { ManualClock } from "../../src/types/clock.js"
import type { Decision } from "../../src/types/decision.js"
import { CostError } from "../../src/types/errors.js"
import type { AllDecision, CheckItem } from "../../src/types/limiter.js"
import { decisionOf, denialOf, FakeLimiter, RECEIPT } from "./fake-limiter.js"
import { deferred, ok, requestOf, settled } from "./requests.js"

const limits: LimitOptions<[]>[] = [
  { policy: "2/minute", key: header("X-User"), name: "user" },
  { policy: "3/minute", key: header("X-Org"), name: "organisation" },
]
const by = (user: string, org = "acme") => requestOf({ "X-User": user, "X-Org": org })

describe("rateLimit() with several limits in memory", () => {
  test("admits what all admit, and charges none for what one denies", async () => {
    const limited = rateLimit(ok, { limits, clock: new ManualClock(0) })
    expect((await limited(by("ann"))).status).toBe(200)
    expect((await limited(by("ann"))).status).toBe(200)
    // Ann's own limit denies; the organisation keeps its third.
    expect((await limited(by("ann"))).status).toBe(429)
    expect((await limited(by("bob"))).status).toBe(200)
    // The organisation denies; Bob keeps his second.
    expect((await limited(by("bob"))).status).toBe(429)
    expect((await limited(by("bob", "other"))).status).toBe(200)
    expect((await limited(by("bob", "other"))).status).toBe(429)
  })

  test("tells of all limits in the fields and the problem", async () => {
    const limited = rateLimit(ok, { limits, clock: new ManualClock(0), headers: ["draft-11", "legacy"] })
    const first = await limited(by("ann"))
    expect(first.headers.get("ratelimit-policy")).toBe('"user";q=2;w=60, "organisation";q=3;w=60')
    expect(first.headers.get("ratelimit")).toBe('"user";r=1;t=30, "organisation";r=2;t=20')
    expect(first.headers.get("x-ratelimit-limit")).toBe("2")
    await limited(by("ann"))
    const denied = await limited(by("ann"))
    // The organisation would admit: it names no longer wait than Retry-After.
    expect(denied.headers.get("ratelimit")).toBe('"user";r=0;t=30, "organisation";r=1;t=30')
    expect(denied.headers.get("retry-after")).toBe("30")
    expect(await denied.json()).toMatchObject({ "violated-policies": ["user"], limit: 2, retry_after_ms: 30_000 })
  })

  describe("tells limits apart whose functions chose policies of one name", () => {
    const free = () => "3/minute as free"
    const twoRules = () => "9/second as fast; 3/minute as free"
    const cases: [string, LimitOptions<[]>[], string[]][] = [
      [
        "of two tiers",
        [
          { name: "ip", policy: free },
          { name: "account", policy: free },
        ],
        ["ip-free", "account-free"],
      ],
      ["without names", [{ policy: free }, { policy: free }], ["default-free", "default-2-free"]],
      [
        "and leaves the name of a known one",
        [{ name: "account", policy: free }, { policy: "3/minute as free" }, { policy: "5/minute as account" }],
        ["account-free", "free", "account"],
      ],
      [
        "of several rules",
        [
          { name: "ip", policy: twoRules },
          { name: "account", policy: free },
        ],
        ["fast", "ip-free", "account-free"],
      ],
      [
        "called as another one, or as what would tell them apart",
        [
          { name: "ip", policy: () => "3/minute" },
          { name: "b", policy: () => "5/minute as ip" },
          { policy: "3/minute as b-ip" },
        ],
        ["ip", "b-ip-2", "b-ip"],
      ],
      [
        "of which one is called as another without a name",
        [{ name: "default-2", policy: () => "3/minute" }, { policy: () => "3/minute" }],
        ["default-2", "default-2-default-2"],
      ],
      [
        "called as a rule that stays",
        [{ policy: "3/minute as b" }, { name: "b", policy: () => "3/minute" }],
        ["b", "b-b"],
      ],
      [
        "and leaves a name to the limit that is called so and has it",
        [
          { name: "default-2", policy: free },
          { policy: () => "3/minute" },
          { name: "c", policy: () => "5/minute as default-2" },
        ],
        ["free", "default-2", "c-default-2"],
      ],
      [
        "but not others",
        [
          { name: "ip", policy: free },
          { name: "account", policy: () => "3/minute as pro" },
        ],
        ["free", "pro"],
      ],
    ]
    const namesIn = (field: string | null) => [...field!.matchAll(/"(.*?)";/g)].map(([, name]) => name)

    test.each(cases)("%s", async (_, limits, names) => {
      const told: Decision[] = []
      const limited = rateLimit(ok, {
        limits: limits.map((limit, index) => ({ ...limit, key: () => `key ${index}` })),
        clock: new ManualClock(0),
        headers: ["draft-11", "legacy"],
        onDecision: (decision) => void told.push(decision),
      })
      for (let asked = 0; asked < 3; asked++) {
        const { headers } = await limited(requestOf())
        expect(namesIn(headers.get("RateLimit"))).toEqual(names)
        expect(namesIn(headers.get("RateLimit-Policy"))).toEqual(names)
        expect(headers.get("X-RateLimit-Remaining")).toBe(String(2 - asked))
      }
      const denied = await limited(requestOf())
      expect(denied.status).toBe(429)
      expect(namesIn(denied.headers.get("RateLimit"))).toEqual(names)
      const problem = (await denied.json()) as { detail: string; "violated-policies": string[] }
      expect(names).toEqual(expect.arrayContaining(problem["violated-policies"]))
      const [first] = told as [Decision & { limits: Decision[] }]
      expect(first.rules!.map(({ policy }) => policy)).toEqual(names)
      expect(names).toEqual(expect.arrayContaining(first.limits.map(({ policy }) => policy)))
      expect(first.limits.every(({ receipt }) => receipt !== undefined)).toBe(true)
      expect(names).toContain(told.at(-1)!.policy)
      expect(problem.detail).toContain(`"${told.at(-1)!.policy}"`)
    })

    test("where nobody could be asked, too", async () => {
      const limited = rateLimit(ok, {
        limits: [
          { name: "ip", policy: free },
          { name: "account", policy: twoRules },
        ],
        limiter: () => new FakeLimiter(() => Promise.reject(new Error("out of reach"))),
        onError() {},
      })
      const { headers } = await limited(requestOf())
      expect(headers.get("RateLimit-Policy")).toBe('"ip-free";q=3;w=60, "fast";q=9;w=1, "account-free";q=3;w=60')
    })

    test("and counts both where they are counted without each other", async () => {
      const store = new MemoryLimits()
      const asked = (limits: LimitOptions<[]>[]) =>
        rateLimit(ok, { limits, limiter: namedLimiters(store) })(requestOf())
      await asked([
        { name: "ip", policy: free, key: () => "ip" },
        { name: "account", policy: free, key: () => "ann" },
      ])
      await asked([{ name: "ip", policy: free, key: () => "ip" }])
      expect(store.peek("ip", { limit: "3/minute as free" }).remaining).toBe(1)
      expect(store.peek("ann", { limit: "3/minute as free" }).remaining).toBe(2)
    })
  })

  test("names all rules that deny, and waits for the last of them", async () => {
    const limited = rateLimit(ok, {
      limits: [{ policy: "1/minute" }, { policy: "1/hour" }, { policy: "9/second; 1/second as one" }],
      clock: new ManualClock(0),
    })
    await limited(requestOf())
    const denied = await limited(requestOf())
    expect(await denied.json()).toMatchObject({ "violated-policies": ["default", "default-2", "one"] })
    expect(denied.headers.get("retry-after")).toBe("3600")
  })

  test("tells rules apart that have the same rate", async () => {
    const policy = "2/second; 5/minute"
    const limited = rateLimit(ok, {
      limits: [
        { policy, key: header("X-User"), name: "user" },
        { policy: () => policy, key: header("X-Org") },
      ],
      clock: new ManualClock(0),
    })
    const { headers } = await limited(by("ann"))
    expect(headers.get("ratelimit")!.match(/"[^"]+"/g)).toEqual([
      '"user-2-per-1s"',
      '"user-5-per-1m"',
      '"default-2-2-per-1s"',
      '"default-2-5-per-1m"',
    ])
  })

  test("hands the hooks one decision with those of all limits", async () => {
    const onDecision = vi.fn()
    const limited = rateLimit(ok, { limits, clock: new ManualClock(0), onDecision })
    await limited(by("ann"))
    const [decision] = onDecision.mock.calls[0]!
    expect(decision).toMatchObject({ allowed: true, key: "header:x-user=ann", policy: "user", remaining: 1 })
    expect(decision.limits.map(({ key }: { key: string }) => key)).toEqual(["header:x-user=ann", "header:x-org=acme"])
    expect(decision.rules.map(({ policy }: { policy: string }) => policy)).toEqual(["user", "organisation"])
  })

  test("gives the charges of all back, and shows each key only as a hash of its own", async () => {
    const statuses = [500, 500, 500, 200]
    const limited = rateLimit(() => new Response(null, { status: statuses.shift()! }), {
      limits,
      skipFailedRequests: true,
      partitionSecret: "sixteen bytes at least",
      clock: new ManualClock(0),
    })
    for (const expected of [500, 500, 500, 200]) {
      const response = await limited(by("ann"))
      expect(response.status).toBe(expected)
      const keys = [...response.headers.get("ratelimit")!.matchAll(/pk=(:[^:]+:)/g)].map(([, pk]) => pk)
      expect(new Set(keys).size).toBe(2)
    }
  })

  test("charges each its own cost, by tier too", async () => {
    const limited = rateLimit(ok, {
      limits: [
        { policy: "10/minute", cost: 4, key: () => "a" },
        { policy: (request) => (request.headers.has("x-paid") ? "100/minute" : "10/minute"), cost: () => 5 },
      ],
      clock: new ManualClock(0),
    })
    const response = await limited(requestOf({ "x-paid": "1" }))
    expect(response.headers.get("ratelimit")).toBe('"default";r=6;t=24, "default-2";r=95;t=3')
    const free = await limited(requestOf())
    expect(free.headers.get("ratelimit")).toBe('"default";r=2;t=48, "default-2";r=5;t=30')
    expect((await limited(requestOf())).status).toBe(429)
  })

  test("answers 400 where one of the costs can never pass, and charges none", async () => {
    const cost = (request: Request) => Number(request.headers.get("x-cost"))
    const limited = rateLimit(ok, {
      limits: [{ policy: "10/minute" }, { policy: "3/minute", cost }],
      clock: new ManualClock(0),
    })
    const refused = await limited(requestOf({ "x-cost": "4" }))
    expect(refused.status).toBe(400)
    expect(await refused.json()).toMatchObject({ cost: 4, maximum: 3 })
    expect((await limited(requestOf({ "x-cost": "3" }))).headers.get("ratelimit")).toContain('"default";r=9')
  })

  test("starts the block of the limit that denies, and of no other", async () => {
    const clock = new ManualClock(0)
    const blocking = { limit: 1, period: "1s", block: "1m" }
    const limited = rateLimit(ok, {
      limits: [
        { policy: { ...blocking, name: "user" }, key: header("X-User") },
        { policy: { ...blocking, limit: 9, name: "organisation" }, key: header("X-Org") },
      ],
      clock,
    })
    await limited(by("ann"))
    expect((await limited(by("ann"))).status).toBe(429)
    clock.advance(30_000)
    expect((await limited(by("ann"))).headers.get("retry-after")).toBe("30")
    expect((await limited(by("bob"))).status).toBe(200)
  })

  test("denies and charges none where quota comes back between the look and the question", async () => {
    let nowMs = 0
    const later = { now: () => nowMs++ }
    const [user, org] = [
      new RateLimiter("5/minute", { clock: new ManualClock(0) }),
      new RateLimiter("1/second", { clock: later }),
    ]
    org.check("o")
    nowMs = 999
    const limited = rateLimit(ok, {
      limits: [
        { policy: "5/minute as user", key: () => "u" },
        { policy: "1/second as org", key: () => "o" },
      ],
      limiter: ({ name }) => (name === "user" ? user : org),
    })
    expect((await limited(requestOf())).status).toBe(429)
    await settled()
    expect([user.status("u").remaining, org.status("o").remaining]).toEqual([5, 1])
  })

  test("admits exactly the smaller limit of requests that come at once", async () => {
    const limited = rateLimit(ok, { limits, clock: new ManualClock(0) })
    const responses = await Promise.all(Array.from({ length: 50 }, (_, index) => limited(by(`user${index}`))))
    expect(responses.filter(({ status }) => status === 200)).toHaveLength(3)
  })
})

describe("rateLimit() with several limits elsewhere", () => {
  const twoLimits = [{ policy: "10/minute as one" }, { policy: "10/minute as two" }]
  const limitersOf =
    (...limiters: FakeLimiter[]): NonNullable<RateLimitOptions["limiter"]> =>
    ({ name }) =>
      limiters[name === "one" ? 0 : 1]!

  test("charges side by side, and gives back what was charged in vain", async () => {
    const [one, two] = [
      new FakeLimiter(async () => decisionOf({ receipt: RECEIPT })),
      new FakeLimiter(async () => denialOf()),
    ]
    const response = await rateLimit(ok, { limits: twoLimits, limiter: limitersOf(one, two) })(requestOf())
    expect(response.status).toBe(429)
    // What the first limit tells is what there is once its charge is given back.
    expect(response.headers.get("ratelimit")).toBe('"default";r=10;t=5, "default";r=0;t=5')
    await settled()
    expect([one.refunds, two.refunds]).toEqual([[RECEIPT], []])
  })

  describe("of which some have a block", () => {
    const block = { limit: 9, period: "1m", block: "1h" } as const
    const withBlocks = [
      { policy: { ...block, name: "org" } },
      { policy: { ...block, name: "team" } },
      { policy: "10/minute as one" },
      { policy: "10/minute as two" },
    ]

    /** Limiters of the policies, and what they are asked, in order. */
    function limitersTelling(answers: Readonly<Record<string, () => Promise<Decision>>>) {
      const asked: string[] = []
      const limiterOf = ({ name }: { readonly name: string }) => ({
        check() {
          asked.push(name)
          return answers[name]!()
        },
        peek() {
          asked.push(`peek ${name}`)
          return decisionOf({ policy: name, remaining: 3, receipt: RECEIPT })
        },
        refund() {
          asked.push(`refund ${name}`)
        },
      })
      return { asked, limiterOf }
    }
    const admits = async () => decisionOf({ receipt: RECEIPT })
    const denies = async () => denialOf()

    test("charges those last and one after the other, when all others admitted", async () => {
      const first = deferred<Decision>()
      const { asked, limiterOf } = limitersTelling({ one: () => first.promise, two: admits, org: admits, team: admits })
      const work = rateLimit(ok, { limits: withBlocks, limiter: (policy) => limiterOf(policy) })(requestOf())
      await settled()
      expect(asked).toEqual(["one", "two"])
      first.resolve(await admits())
      expect((await work).status).toBe(200)
      expect(asked).toEqual(["one", "two", "org", "team"])
    })

    test.each([
      {
        answers: { one: denies, two: admits },
        asks: ["one", "two", "peek org", "peek team", "refund two"],
        left: ["3", "3", "0", "10"],
      },
      {
        answers: { one: admits, two: admits, org: denies },
        asks: ["one", "two", "org", "peek team", "refund one", "refund two"],
        left: ["0", "3", "10", "10"],
      },
    ])("charges nobody more after a denial, and looks at them: $asks", async ({ answers, asks, left }) => {
      const { asked, limiterOf } = limitersTelling(answers)
      const limited = rateLimit(ok, { limits: withBlocks, limiter: (policy) => limiterOf(policy) })
      const response = await limited(requestOf())
      await settled()
      expect(response.status).toBe(429)
      expect(asked).toEqual(asks)
      expect([...response.headers.get("ratelimit")!.matchAll(/r=(\d+)/g)].map(([, r]) => r)).toEqual(left)
    })

    test("tells of one that it cannot look at that nothing is known", async () => {
      const [one, two] = [new FakeLimiter(denies), new FakeLimiter(admits)]
      const limits = [{ policy: "10/minute as one" }, { policy: { ...block, name: "two" } }]
      const response = await rateLimit(ok, { limits, limiter: limitersOf(one, two) })(requestOf())
      expect(response.headers.get("ratelimit")).toBe('"default";r=0;t=5')
      expect([response.status, two.checks]).toEqual([429, []])
    })

    test("tells a denial when the time is over, although one that it looks at did not answer", async () => {
      vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] })
      const late = deferred<Decision>()
      const limiter = () => ({ check: () => late.promise, peek: () => deferred<Decision>().promise, refund() {} })
      const limits = [{ policy: "10/minute as one" }, { policy: { ...block, name: "two" } }]
      const work = rateLimit(ok, { limits, limiter, timeoutMs: 500 })(requestOf())
      await vi.advanceTimersByTimeAsync(400)
      late.resolve(denialOf())
      await vi.advanceTimersByTimeAsync(100)
      const isOpen = vi.getTimerCount() > 0
      await vi.advanceTimersByTimeAsync(500)
      const { status, headers } = await work
      vi.useRealTimers()
      expect([isOpen, status]).toEqual([false, 429])
      expect(headers.get("ratelimit")).toBe('"default";r=0;t=5')
    })

    test("charges nobody more, and looks at nobody, when the time for an answer is over", async () => {
      const late = deferred<Decision>()
      const peek = vi.fn(admits)
      const [one, two] = [new FakeLimiter(() => late.promise), Object.assign(new FakeLimiter(admits), { peek })]
      const limits = [{ policy: "10/minute as one" }, { policy: { ...block, name: "two" } }]
      const options = { limits, limiter: limitersOf(one, two), timeoutMs: 10, failMode: "closed" } as const
      expect((await rateLimit(ok, options)(requestOf())).status).toBe(503)
      late.resolve(await admits())
      await settled()
      expect([one.refunds, two.checks]).toEqual([[RECEIPT], []])
      expect(peek).not.toHaveBeenCalled()
    })
  })

  test("gives it back in shadow mode too", async () => {
    const [one, two] = [
      new FakeLimiter(async () => decisionOf({ receipt: RECEIPT })),
      new FakeLimiter(async () => denialOf()),
    ]
    const limited = rateLimit(ok, { limits: twoLimits, limiter: limitersOf(one, two), shadow: true })
    expect((await limited(requestOf())).status).toBe(200)
    await settled()
    expect(one.refunds).toEqual([RECEIPT])
  })

  test.each([
    ["open", 200, []],
    ["closed", 503, [RECEIPT]],
  ] as const)(
    "when one fails, does as failMode %s says with what the other charged",
    async (failMode, status, back) => {
      const late = deferred<ReturnType<typeof decisionOf>>()
      const one = new FakeLimiter(() => late.promise)
      const two = new FakeLimiter(() => {
        throw new Error("gone")
      })
      const limited = rateLimit(ok, { limits: twoLimits, limiter: limitersOf(one, two), failMode })
      const response = await limited(requestOf())
      expect(response.status).toBe(status)
      expect(response.headers.get("ratelimit-policy")).toBe('"one";q=10;w=60, "two";q=10;w=60')
      late.resolve(decisionOf({ receipt: RECEIPT }))
      await settled()
      expect(one.refunds).toEqual(back)
    },
  )

  test.each([
    [false, 400],
    [true, 200],
  ])(
    "gives back what the others charged, now or late, where one says that the cost can never pass; shadow is %s",
    async (shadow, status) => {
      const late = deferred<ReturnType<typeof decisionOf>>()
      const one = new FakeLimiter(() => late.promise)
      const two = new FakeLimiter(() => Promise.reject(new CostError("k", 5, 2)))
      const limited = rateLimit(ok, {
        limits: twoLimits,
        limiter: limitersOf(one, two),
        shadow,
        skipFailedRequests: true,
      })
      expect((await limited(requestOf())).status).toBe(status)
      late.resolve(decisionOf({ receipt: RECEIPT }))
      await settled()
      expect(one.refunds).toEqual([RECEIPT])
    },
  )

  test("limits in this process when local, by all of them", async () => {
    const broken = new FakeLimiter(() => Promise.reject(new Error("gone")))
    const limited = rateLimit(ok, {
      limits: [{ policy: "1/minute as one", key: () => "a" }, { policy: "5/minute as two" }],
      limiter: () => broken,
      failMode: "local",
      clock: new ManualClock(0),
    })
    expect((await limited(requestOf())).headers.get("ratelimit")).toBe('"one";r=0;t=60, "two";r=4;t=12')
    expect((await limited(requestOf())).status).toBe(429)
  })

  test("refuses when local and the policy of one of them cannot be had, and asks nobody", async () => {
    const [limiter, local] = [new FakeLimiter(() => decisionOf()), new FakeLimiter(() => decisionOf())]
    const failing = () => {
      throw new Error("gone")
    }
    const onDecision = vi.fn()
    const limited = rateLimit(ok, {
      limits: [
        { policy: "10/minute", name: "a" },
        { policy: failing, name: "b" },
      ],
      limiter: () => limiter,
      failMode: "local",
      localLimiter: () => local,
      onDecision,
      onError() {},
    })
    const response = await limited(requestOf())
    expect(response.status).toBe(503)
    expect(await response.json()).toMatchObject({ reason: "fail-closed" })
    expect(onDecision.mock.calls[0]?.[0]).toMatchObject({ allowed: false, reason: "fail-closed" })
    expect([limiter.checks, local.checks]).toEqual([[], []])
  })

  test("tells in the older styles the policy of the limit that binds, as it decided", async () => {
    const rules = (policy: string, limit: number, periodMs: number) => [
      { ...denialOf({ policy, limit }), policy, limit, periodMs },
      { ...denialOf({ policy, limit }), policy: `${policy}-2`, limit: limit * 9, periodMs: periodMs * 10 },
    ]
    const one = new FakeLimiter(() => decisionOf({ policy: "one", rules: rules("one", 50, 1_000) }))
    const two = new FakeLimiter(() => denialOf({ policy: "two", rules: rules("two", 70, 2_000) }))
    const limiter = limitersOf(one, two)
    const { headers } = await rateLimit(ok, { limits: twoLimits, limiter, headers: "draft-6" })(requestOf())
    expect(headers.get("ratelimit-policy")).toBe("70;w=2, 630;w=20")
  })

  test("asks a group once for all, and one limiter for several keys", async () => {
    const asked: (readonly CheckItem[])[] = []
    const group = {
      async checkAll(items: readonly CheckItem[]): Promise<AllDecision> {
        asked.push(items)
        const decisions = [denialOf({ policy: "one" }), decisionOf({ policy: "two" })]
        return { allowed: false, deniedKey: "k", deniedPolicy: "one", decisions }
      },
    }
    const check = vi.fn()
    const limiter: RateLimitOptions["limiter"] = ({ name }) => ({ check, refund: () => {}, group, limitName: name })
    const response = await rateLimit(ok, { limits: twoLimits, limiter })(requestOf())
    expect(response.status).toBe(429)
    expect(response.headers.get("ratelimit")).toBe('"one";r=0;t=5, "two";r=9;t=5')
    expect(asked).toEqual([
      [
        { key: "unidentified", cost: 1, limit: "one" },
        { key: "unidentified", cost: 1, limit: "two" },
      ],
    ])
    expect(check).not.toHaveBeenCalled()

    const single = { check, refund: () => {}, checkAll: group.checkAll, limitName: "one" }
    const byKey = twoLimits.map((limit, index) => ({ ...limit, key: () => `key ${index}` }))
    await rateLimit(ok, { limits: byKey, limiter: () => single })(requestOf())
    expect(asked[1]).toEqual([
      { key: "key 0", cost: 1 },
      { key: "key 1", cost: 1 },
    ])
    expect(check).not.toHaveBeenCalled()
  })

  test.each(["limiter", "group"])("leaves no rejection unhandled where the checkAll of one %s fails", async (whose) => {
    const unhandled = vi.fn()
    process.on("unhandledRejection", unhandled)
    const [onError, check] = [vi.fn(), vi.fn()]
    const checkAll = () => Promise.reject(new Error("gone"))
    const single = { check, refund: () => {}, ...(whose === "group" ? { group: { checkAll } } : { checkAll }) }
    const byKey = twoLimits.map((limit, index) => ({ ...limit, key: () => `key ${index}` }))
    const limited = rateLimit(ok, { limits: byKey, limiter: () => single, failMode: "open", onError })
    expect((await limited(requestOf())).status).toBe(200)
    await settled()
    process.off("unhandledRejection", unhandled)
    expect(unhandled).not.toHaveBeenCalled()
    expect(onError.mock.calls.map(([error]) => String(error))).toEqual(["Error: gone"])
    expect(check).not.toHaveBeenCalled()
  })

  test("asks one SluiceClient for several keys in one call, and charges none for what one denies", async () => {
    const token = "a-token-for-the-tests"
    const api = createApi({
      limits: new MemoryLimits({ limits: { default: "1/minute" }, clock: new ManualClock(0) }),
      token,
    })
    const called: string[] = []
    const client = new SluiceClient("http://limits.test", {
      token,
      fetch(url, init) {
        called.push(new URL(url).pathname)
        return api.fetch(new Request(url, init))
      },
    })
    const byKey = ["X-User", "X-Org"].map((name) => ({ policy: "1/minute", key: header(name) }))
    const limited = rateLimit(ok, { limits: byKey, limiter: () => client, failMode: "closed" })
    const statuses: number[] = []
    for (const [user, org] of [
      ["ann", "acme"],
      ["ann", "other"],
      ["bob", "other"],
    ] as const) {
      statuses.push((await limited(by(user, org))).status)
    }
    expect(statuses).toEqual([200, 429, 200])
    expect(new Set(called)).toEqual(new Set(["/v1/check-all"]))
  })

  test("asks one limiter for one key as often as it is limited, since no checkAll takes a key twice", async () => {
    const checkAll = vi.fn(() => Promise.reject(new RangeError("comes twice")))
    const check = vi
      .fn()
      .mockResolvedValueOnce(decisionOf({ receipt: RECEIPT }))
      .mockResolvedValueOnce(denialOf())
    const refund = vi.fn()
    const single = { check, refund, checkAll }
    const response = await rateLimit(ok, { limits: twoLimits, limiter: () => single })(requestOf())
    expect(response.status).toBe(429)
    expect(checkAll).not.toHaveBeenCalled()
    await settled()
    expect(refund).toHaveBeenCalledTimes(1)
  })

  test("mixes limiters in memory with others", async () => {
    const memory = new RateLimiter("1/minute as one", { clock: new ManualClock(0) })
    const remote = new FakeLimiter(async () => denialOf())
    const limiter: RateLimitOptions["limiter"] = ({ name }) => (name === "one" ? memory : remote)
    expect((await rateLimit(ok, { limits: twoLimits, limiter })(requestOf())).status).toBe(429)
    await settled()
    expect(memory.peek("unidentified").remaining).toBe(1)
  })
})

describe("rateLimit() refuses limits", () => {
  test.each<[string, RateLimitOptions<[]>]>([
    ["neither policy nor limits", {}],
    ["policy and limits", { policy: "1/minute", limits }],
    ["key and limits", { key: () => "a", limits }],
    ["limits is", { limits: [] }],
    ["limits is", { limits: Array.from({ length: 17 }, () => limits[0]!) }],
    ["cost is 3", { limits: [{ policy: "2/minute", cost: 3 }] }],
    ["limits[1].name", { limits: [{ policy: "2/minute" }, { policy: "1/minute", name: "x".repeat(33) }] }],
    ["name is", { policy: "2/minute", name: "é" }],
    ["limits[1].name", { limits: [{ policy: "2/minute as a" }, { policy: "1/minute as a" }] }],
    [
      'limits[1].name is "a", allowed is a name of no other limit.',
      {
        limits: [
          { name: "a", policy: "2/minute; 3/hour" },
          { name: "a", policy: "2/second; 30/day" },
        ],
      },
    ],
    [
      "limits[1].name",
      {
        limits: [
          { name: "a", policy: () => "2/minute" },
          { name: "a", policy: () => "3/minute" },
        ],
      },
    ],
  ])("%s", (message, options) => {
    expect(() => rateLimit(ok, options)).toThrow(RangeError)
    expect(() => rateLimit(ok, options)).toThrow(message)
  })
})
