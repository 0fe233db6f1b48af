import { afterEach, beforeEach, describe, expect, test, vi } from "vitest"
import { createApi } from "../../src/api/create-api.js"
import { SluiceClient } from "../../src/client/index.js"
import { type LimitsToAsk, limitMessages, namedLimiters, rateLimit } from "../../src/http/index.js"
import { MemoryLimits } from "../../src/limiter/memory-limits.js"
import { RateLimiter } from "../../src/limiter/rate-limiter.js"
import { parsePolicy } from "../../src/policy/parse-policy.js"
import type { PolicyInput } from "../../src/policy/policy.js"
import { ManualClock } from "../../src/types/clock.js"
import type { CheckItem } from "../../src/types/limiter.js"
import { deferred, ok, requestOf } from "./requests.js"

/** Named limits as small as the interface allows, over limiters in memory. */
function limitsInMemory() {
  const clock = new ManualClock(0)
  const limiters = new Map<string, RateLimiter>()
  const of = (name: string | undefined) => {
    const limiter = limiters.get(name!)
    if (!limiter) throw new Error(`no limit ${name}`)
    return limiter
  }
  const limits = {
    define: vi.fn(async (name: string, policy: PolicyInput) => {
      const known = limiters.get(name)
      if (known) known.setPolicy(policy)
      else limiters.set(name, new RateLimiter(policy, { clock }))
      return { name, policy: parsePolicy(policy) }
    }),
    check: (key, { cost = 1, limit } = {}) => of(limit).check(key, { cost }),
    checkAll: vi.fn((items: readonly CheckItem[]) => {
      const looked = items.map(({ key, cost = 1, limit }) => of(limit).peek(key, { cost }))
      const denied = looked.find(({ allowed }) => !allowed)
      const decisions = denied ? looked : items.map(({ key, cost = 1, limit }) => of(limit).check(key, { cost }))
      const [deniedKey, deniedPolicy] = [denied?.key ?? null, denied?.policy ?? null]
      return { allowed: !denied, deniedKey, deniedPolicy, decisions }
    }),
    refund: (receipt) => {
      for (const limiter of limiters.values()) if (limiter.policy.name === receipt.policy) limiter.refund(receipt)
    },
    charge: (key, units, { limit } = {}) => of(limit).charge(key, units),
  } satisfies LimitsToAsk
  return { limits, of }
}

test("namedLimiters() define a policy once under its name, and count there", async () => {
  const { limits, of } = limitsInMemory()
  const limited = rateLimit(ok, { policy: "2/minute as api", limiter: namedLimiters(limits), penalty: () => 1 })
  expect((await limited(requestOf())).status).toBe(200)
  await vi.waitFor(() => expect(of("api").peek("unidentified").remaining).toBe(0))
  expect((await limited(requestOf())).status).toBe(429)
  expect(limits.define).toHaveBeenCalledOnce()
})

test("namedLimiters() decide on several limits in one call, and define an unnamed one under what it says", async () => {
  const { limits } = limitsInMemory()
  const limited = rateLimit(ok, {
    limits: [{ policy: "5/minute" }, { policy: "1/minute as other" }],
    limiter: namedLimiters(limits),
  })
  const responses = await Promise.all(Array.from({ length: 9 }, () => limited(requestOf())))
  expect(responses.filter(({ status }) => status === 200)).toHaveLength(1)
  expect(limits.checkAll).toHaveBeenCalledTimes(9)
  expect(limits.define.mock.calls.map(([name]) => name)).toEqual(["5/minute", "other"])
})

test("namedLimiters() try again to define what could not be defined", async () => {
  const { limits } = limitsInMemory()
  limits.define.mockRejectedValueOnce(new Error("locked"))
  const onError = vi.fn()
  const limited = rateLimit(ok, {
    policy: "1/minute as api",
    limiter: namedLimiters(limits),
    failMode: "closed",
    onError,
  })
  const statuses: number[] = []
  for (let asked = 0; asked < 3; asked++) statuses.push((await limited(requestOf())).status)
  expect(statuses).toEqual([503, 200, 429])
  expect(onError).toHaveBeenCalledOnce()
})

test("namedLimiters() limit requests whose limits come to the same key of the same limit", async () => {
  const onError = vi.fn()
  const policy = () => "4/minute as pro"
  const limited = rateLimit(ok, {
    // Without a key, both count by the one that such requests share.
    limits: [
      { name: "user", policy, key: () => undefined },
      { name: "organisation", policy, key: () => undefined },
    ],
    limiter: namedLimiters(new MemoryLimits({ clock: new ManualClock(0) })),
    onError,
  })
  const statuses: number[] = []
  for (let asked = 0; asked < 4; asked++) statuses.push((await limited(requestOf())).status)
  expect(statuses).toEqual([200, 200, 429, 429])
  expect(onError).not.toHaveBeenCalled()
})

test("namedLimiters() keep policies of one name apart that a function chooses, each under what it says", async () => {
  const limits = new MemoryLimits({ clock: new ManualClock(0) })
  const limited = rateLimit(ok, {
    policy: (request) => (request.headers.has("pro") ? "10/hour as api" : "2/hour as api"),
    key: (request) => request.headers.get("user"),
    limiter: namedLimiters(limits),
  })
  const admitted = { ann: 0, eve: 0 }
  for (let asked = 0; asked < 20; asked++) {
    if ((await limited(requestOf({ user: "ann", pro: "yes" }))).status === 200) admitted.ann += 1
    if ((await limited(requestOf({ user: "eve" }))).status === 200) admitted.eve += 1
  }
  expect(admitted).toEqual({ ann: 10, eve: 2 })
  expect(limits.limits().map(({ name }) => name)).toEqual(["10/hour as api", "2/hour as api"])
})

test.each([
  ["one limit", { policy: "2/minute as api" }],
  ["several limits", { limits: [{ policy: "2/minute as api" }, { policy: "9/minute as other" }] }],
])("namedLimiters() define a limit again that somebody removed: %s", async (_, options) => {
  const limits = new MemoryLimits({ clock: new ManualClock(0) })
  const onError = vi.fn()
  const limited = rateLimit(ok, { ...options, limiter: namedLimiters(limits), onError })
  const statuses = async () => {
    const responses = await Promise.all([1, 2, 3].map(() => limited(requestOf())))
    return responses.map(({ status }) => status).sort()
  }
  expect(await statuses()).toEqual([200, 200, 429])
  limits.remove("api")
  expect(await statuses()).toEqual([200, 200, 429])
  expect(onError).not.toHaveBeenCalled()
})

test("namedLimiters() count a policy whose text is longer than a name may be, and others that begin as it does", async () => {
  const rules = (last: number) =>
    Array.from(
      { length: 8 },
      (_, index) => `${index === 7 ? last : 9}/${index + 1}m as ${"n".repeat(60)}${index}`,
    ).join(";")
  const limited = rateLimit(ok, {
    policy: (request) => rules(Number(request.headers.get("most"))),
    key: () => "k",
    limiter: namedLimiters(new MemoryLimits({ clock: new ManualClock(0) })),
    failMode: "closed",
  })
  const statuses: number[] = []
  for (const most of ["1", "2", "1", "2", "2"]) statuses.push((await limited(requestOf({ most }))).status)
  expect(statuses).toEqual([200, 200, 429, 200, 429])
})

test.each([undefined, new RateLimiter("1/minute"), () => new MemoryLimits()])(
  "namedLimiters() refuse what has no named limits: %s",
  (limits) => {
    const text = /^Cannot rate limit: limits is .*, allowed is an object with define\(\), check\(\), checkAll\(\)/
    expect(() => namedLimiters(limits as never)).toThrow(text)
    expect(() => namedLimiters(limits as never)).toThrow(RangeError)
  },
)

/** Named limits in this process, and behind a server. */
const STORES: Record<string, (limits: MemoryLimits) => LimitsToAsk> = {
  MemoryLimits: (limits) => limits,
  SluiceClient: (limits) => {
    const api = createApi({ limits, token: "a-token-for-the-tests" })
    return new SluiceClient("http://limits.test", {
      token: "a-token-for-the-tests",
      fetch: (url, init) => api.fetch(new Request(url, init)),
    })
  },
}

describe.each(Object.keys(STORES))("namedLimiters() over %s with redefine: false", (name) => {
  const inMemory = () => new MemoryLimits({ clock: new ManualClock(0), stats: true })
  /** A program that starts. */
  const start = (limits: LimitsToAsk, policy: string) =>
    rateLimit(ok, { policy, key: () => "k", limiter: namedLimiters(limits, { redefine: false }), failMode: "closed" })

  test("free no quota where two versions of a program start in turn", async () => {
    const limits = STORES[name]!(inMemory())
    const statuses: number[] = []
    for (let round = 0; round < 3; round++) {
      for (const policy of ["2/minute as api", "4/minute as api"]) {
        statuses.push((await start(limits, policy)(requestOf())).status)
      }
    }
    expect(statuses).toEqual([200, 200, 429, 429, 429, 429])
  })

  test("leave a policy that is there, and tell it", async () => {
    const memory = inMemory()
    memory.define("api", "1/hour as api")
    const limited = start(STORES[name]!(memory), "30/minute as api")
    const first = await limited(requestOf())
    expect([first.status, first.headers.get("ratelimit-policy")]).toEqual([200, '"api";q=1'])
    expect((await limited(requestOf())).status).toBe(429)
    expect(memory.limit("api")!.policy.rules[0].limit).toBe(1)
  })

  test("decide on a fixed cost by the policy that is there, of requests and of messages", async () => {
    const memory = inMemory()
    memory.define("api", "500/minute")
    const limiter = namedLimiters(STORES[name]!(memory), { redefine: false })
    const options = { policy: "100/minute as api", cost: 200, limiter }
    expect((await rateLimit(ok, { ...options, key: () => "k" })(requestOf())).status).toBe(200)
    expect(await limitMessages(options).check("k", "hello")).toMatchObject({ allowed: true, remaining: 100 })
    const tooLarge = await rateLimit(ok, { ...options, cost: 501, key: () => "k" })(requestOf())
    expect([tooLarge.status, await tooLarge.json()]).toMatchObject([400, { cost: 501, maximum: 500 }])
  })

  test("define a limit that many requests miss at once, and again where it is removed", async () => {
    const memory = inMemory()
    const define = vi.spyOn(memory, "define")
    const limited = start(STORES[name]!(memory), "2/minute as api")
    const statuses = async () => {
      const responses = await Promise.all([1, 2, 3].map(() => limited(requestOf())))
      return responses.map(({ status }) => status).sort()
    }
    expect(await statuses()).toEqual([200, 200, 429])
    expect(define).toHaveBeenCalledOnce()
    memory.remove("api")
    expect(await statuses()).toEqual([200, 200, 429])
  })

  test("define all of several limits that are missing", async () => {
    const memory = inMemory()
    memory.define("there", "1/hour")
    const limited = rateLimit(ok, {
      limits: [{ policy: "5/minute" }, { policy: "5/minute as there" }, { policy: "5/minute as other" }],
      limiter: namedLimiters(STORES[name]!(memory), { redefine: false }),
      penalty: () => 1,
    })
    expect((await limited(requestOf())).status).toBe(200)
    expect((await limited(requestOf())).status).toBe(429)
    expect(memory.limits().map((limit) => [limit.name, limit.policy.rules[0].limit])).toEqual([
      ["5/minute", 5],
      ["other", 5],
      ["there", 1],
    ])
  })
})

test.each([{ redefine: 0 }, { define: false }])("namedLimiters() refuse the options %j", (options) => {
  expect(() => namedLimiters(new MemoryLimits(), options as never)).toThrow(/^Cannot rate limit: .* allowed is /)
})

test("namedLimiters() remember 8,192 definitions, and make another one again before it is asked", async () => {
  const define = vi.fn(async (name: string, policy: PolicyInput) => ({ name, policy: parsePolicy(policy) }))
  const limits = { ...limitsInMemory().limits, define, check: () => new RateLimiter("1/minute").check("a") }
  const limiterOf = namedLimiters(limits)
  const ask = (count: number) => limiterOf(parsePolicy(`1/minute as l${count}`)).check("a")
  for (let count = 0; count < 8_193; count++) await ask(count)
  await ask(8_192)
  expect(define).toHaveBeenCalledTimes(8_193)
  await ask(0)
  expect(define).toHaveBeenCalledTimes(8_194)
})

describe.each([true, false])("namedLimiters() with redefine: %s", (redefine) => {
  beforeEach(() => void vi.useFakeTimers())
  afterEach(() => void vi.useRealTimers())

  /** The first definition takes until it is told. */
  function start() {
    const limits = new MemoryLimits({ clock: new ManualClock(0) })
    const first = deferred<void>()
    const define = vi.fn(async (name: string, policy: PolicyInput) => {
      if (define.mock.calls.length === 1) await first.promise
      return limits.define(name, policy)
    })
    const asked: LimitsToAsk = {
      define,
      check: (key, options) => limits.check(key, options),
      checkAll: (items) => limits.checkAll(items),
      refund: (receipt) => limits.refund(receipt),
      charge: (key, units, options) => limits.charge(key, units, options),
    }
    const limiterOf = namedLimiters(asked, { redefine })
    const check = (policy = "9/minute as api") => limiterOf(parsePolicy(policy)).check("k")
    return { limits, define, first, check }
  }

  test("define a limit again of whose definition nothing was heard for a second", async () => {
    const { define, check } = start()
    void check()
    await vi.advanceTimersByTimeAsync(400)
    const beside = check()
    await vi.advanceTimersByTimeAsync(599)
    expect(define).toHaveBeenCalledOnce()
    await vi.advanceTimersByTimeAsync(1)
    expect((await beside).remaining).toBe(8)
    expect((await check()).remaining).toBe(7)
    expect(define).toHaveBeenCalledTimes(2)
    expect(vi.getTimerCount()).toBe(0)
  })

  test("take a definition that was slow, and count on where it was made twice", async () => {
    const { define, first, check } = start()
    const maker = check()
    await vi.advanceTimersByTimeAsync(1_000)
    expect((await check()).remaining).toBe(8)
    first.resolve()
    expect((await maker).remaining).toBe(7)
    expect((await check()).remaining).toBe(6)
    expect(define).toHaveBeenCalledTimes(2)
  })

  test("keep a definition that was made though the one before it fails late", async () => {
    const { define, first, check } = start()
    const maker = check()
    await vi.advanceTimersByTimeAsync(1_000)
    expect((await check()).remaining).toBe(8)
    first.reject(new Error("locked"))
    expect((await maker).remaining).toBe(7)
    expect((await check()).remaining).toBe(6)
    expect(define).toHaveBeenCalledTimes(2)
  })

  // Without redefining nothing is put in place of a policy: whichever is defined first stays.
  test.runIf(redefine)("do not define a policy again that another one of its name was put in place of", async () => {
    const { limits, check } = start()
    void check()
    const beside = check()
    await vi.advanceTimersByTimeAsync(500)
    const newer = check("5/minute as api")
    await vi.advanceTimersByTimeAsync(1_500)
    await Promise.all([beside, newer])
    expect(limits.limit("api")!.policy.rules[0].limit).toBe(5)
  })
})
