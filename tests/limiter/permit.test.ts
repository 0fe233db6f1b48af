import { describe, expect, test, vi } from "vitest"
import { createApi } from "../../src/api/create-api.js"
import { SluiceClient } from "../../src/client/index.js"
import { configPolicies, fromConfig, limitsByConfig, parseConfig } from "../../src/config/index.js"
import { acquire, ManualClock, type NamedLimits, Permit, RateLimiter, type SettlingChecker } from "../../src/index.js"
import { MemoryLimits, oneLimit } from "../../src/limiter/index.js"

const make = () => new RateLimiter("100/hour", { clock: new ManualClock(0) })
const left = (limiter: RateLimiter) => limiter.peek("a").remaining

describe("Permit", () => {
  test("keeps its whole charge where nothing was said of its use", async () => {
    const limiter = make()
    {
      using permit = await limiter.acquire("a", { cost: 40 })
      expect(permit).toMatchObject({ key: "a", cost: 40, used: null })
    }
    {
      await using _permit = await limiter.acquire("a", { cost: 10 })
    }
    expect(left(limiter)).toBe(50)
  })

  test("use() settles what was used when the block ends, be it less or more", async () => {
    const limiter = make()
    {
      using permit = await limiter.acquire("a", { cost: 40 })
      permit.use(3)
      permit.use(4)
      expect(permit.used).toBe(7)
    }
    expect(left(limiter)).toBe(93)
    {
      await using permit = await limiter.acquire("a", { cost: 1 })
      permit.use(13)
    }
    expect(left(limiter)).toBe(80)
  })

  test("use() settles what was used where the block throws", async () => {
    const limiter = make()
    const run = async () => {
      using permit = await limiter.acquire("a", { cost: 40 })
      permit.use(0)
      throw new Error("the model hung up")
    }
    await expect(run()).rejects.toThrow("the model hung up")
    expect(left(limiter)).toBe(100)
  })

  test("use() refuses what are no units", async () => {
    using permit = await make().acquire("a")
    for (const units of [-1, 0.5, Number.NaN, 2 ** 31 + 1]) expect(() => permit.use(units)).toThrow(RangeError)
    expect(permit.used).toBeNull()
  })

  test("settle() and refund() end it: afterwards nothing more is settled", async () => {
    const limiter = make()
    {
      using permit = await limiter.acquire("a", { cost: 40 })
      permit.use(5)
      permit.settle(10)
      permit.refund()
      permit.settle(0)
    }
    expect(left(limiter)).toBe(90)
    using permit = await limiter.acquire("a", { cost: 40 })
    permit.refund(30)
    permit.refund()
    expect(left(limiter)).toBe(80)
  })

  test("refund() ends it though units were noted: a limiter that minds no receipts is told once", async () => {
    const counts = make()
    const [refund, settle] = [vi.fn(), vi.fn()]
    {
      using permit = await acquire({ check: (key) => counts.check(key), refund, settle }, "a")
      permit.use(2)
      permit.refund()
    }
    expect(refund).toHaveBeenCalledOnce()
    expect(settle).not.toHaveBeenCalled()
  })

  test("stays open where settling was refused", async () => {
    const limiter = make()
    const permit = await limiter.acquire("a", { cost: 40 })
    expect(() => permit.settle(-1)).toThrow(RangeError)
    expect(() => permit.refund(41)).toThrow(RangeError)
    permit.settle(0)
    expect(left(limiter)).toBe(100)
  })

  test("of a limiter that only refunds, settles for less and refuses more", async () => {
    const counts = make()
    const limiter: SettlingChecker = {
      check: (key, options) => counts.check(key, options),
      refund: (receipt, units) => counts.refund(receipt, units),
    }
    const permit = await acquire(limiter, "a", { cost: 40 })
    expect(() => permit.settle(41)).toThrow(TypeError)
    permit.settle(30)
    expect(left(counts)).toBe(70)
  })

  test("await using hears of a settlement that failed, using does not", async () => {
    const counts = make()
    const limiter: SettlingChecker = {
      check: async (key, options) => counts.check(key, options),
      refund: async () => {},
      settle: async () => {
        throw new Error("out of reach")
      },
    }
    const run = async () => {
      await using permit = await acquire(limiter, "a", { cost: 40 })
      permit.use(1)
    }
    await expect(run()).rejects.toThrow("out of reach")
    {
      using permit = await acquire(limiter, "a", { cost: 40 })
      permit.use(1)
    }
    expect(left(counts)).toBe(20)
  })

  test("of cost 0 is charged what was used, once", async () => {
    const limiter = make()
    const permit = new Permit(limiter, limiter.check("a", { cost: 0 }))
    permit.use(5)
    permit.settle()
    permit.settle(50)
    expect(left(limiter)).toBe(95)
    {
      using waited = await limiter.acquire("a", { cost: 0 })
      waited.use(7)
    }
    {
      using _unused = await limiter.acquire("a", { cost: 0 })
    }
    expect(left(limiter)).toBe(88)
    const limits = new MemoryLimits({ limits: { default: "100/hour", mail: "10/hour" }, clock: new ManualClock(0) })
    ;(await acquire(limits, "a", { cost: 0, limit: "mail" })).settle(3)
    ;(await acquire(oneLimit(limits, "mail"), "a", { cost: 0 })).settle(3)
    expect([limits.peek("a").remaining, limits.peek("a", { limit: "mail" }).remaining]).toEqual([100, 4])
  })

  test("stays open where the limiter cannot be asked, and can be ended again", async () => {
    const counts = make()
    let isOut = true
    const ask = async <T>(verb: () => T) => {
      if (isOut) throw new Error("out of reach")
      return verb()
    }
    const limiter: SettlingChecker = {
      check: (key, options) => counts.check(key, options),
      refund: (receipt, units) => ask(() => counts.refund(receipt, units)),
      settle: (receipt, actualCost) => ask(() => counts.settle(receipt, actualCost)),
      charge: (key, units) => ask(() => counts.charge(key, units)),
    }
    const ends: [cost: number, end: (permit: Permit) => unknown, left: number][] = [
      [40, (permit) => permit.settle(10), 90],
      [40, (permit) => permit.refund(5), 55],
    ]
    for (const [cost, end, remaining] of ends) {
      isOut = true
      const permit = await acquire(limiter, "a", { cost })
      await expect(end(permit)).rejects.toThrow("out of reach")
      isOut = false
      for (let again = 0; again < 2; again++) await end(permit)
      expect(left(counts)).toBe(remaining)
    }
  })

  test("of cost 0 is charged no second time where nobody knows of the first, and who ends it again hears that", async () => {
    const counts = make()
    const charge = vi.fn(async (key: string, units: number) => {
      counts.charge(key, units)
      throw new Error("the answer is lost")
    })
    const permit = await acquire({ check: (...asked) => counts.check(...asked), refund: () => {}, charge }, "a", {
      cost: 0,
    })
    const ends = await Promise.allSettled([permit.settle(3), permit.settle(3)])
    expect(ends.map(({ status }) => status)).toEqual(["rejected", "rejected"])
    await expect(permit.settle(3)).rejects.toThrow("the answer is lost")
    expect(charge).toHaveBeenCalledOnce()
  })

  test("of cost 0 tells where it cannot be charged, and has nothing to give back", async () => {
    const counts = make()
    const limiter: SettlingChecker = {
      check: (key, options) => counts.check(key, options),
      refund: (receipt, units) => counts.refund(receipt, units),
    }
    const permit = await acquire(limiter, "a", { cost: 0 })
    expect(() => permit.settle(1)).toThrow("Cannot settle at cost 1: this limiter refunds only, allowed is up to 0.")
    expect(() => permit.refund(1)).toThrow(RangeError)
    permit.settle(0)
    expect(left(counts)).toBe(100)
  })
})

const GROUP = `
  key_prefix = "p:"
  limits.user = { policy = "10/day" }
  limits.org = { policy = "100/day" }
  groups.api = { limits = ["user", "org"] }
  groups.one = { limits = ["org"] }
  allow = { keys = ["p:root", "root"] }`

/** Groups of limits, in memory, as a server asks them, and behind one; with what counts. */
const GROUPS = {
  fromConfig() {
    const limits = fromConfig(GROUP, { clock: new ManualClock(0) })
    return { limits, under: limits.limits, key: "a" }
  },
  limitsByConfig() {
    const config = parseConfig(GROUP)
    const under = new MemoryLimits({ limits: configPolicies(config), clock: new ManualClock(0) })
    return { limits: limitsByConfig(under, config), under, key: "p:a" }
  },
  SluiceClient() {
    const { limits: behind, under, key } = GROUPS.limitsByConfig()
    const api = createApi({ limits: behind, token: "a-token-for-the-tests" })
    const limits = new SluiceClient("http://limits.test", {
      token: "a-token-for-the-tests",
      fetch: (url, init) => api.fetch(new Request(url, init)),
    })
    return { limits, under, key }
  },
}

describe.each(Object.keys(GROUPS) as (keyof typeof GROUPS)[])("Permit of a group of %s", (name) => {
  const open = () => {
    const { limits, under, key } = GROUPS[name]()
    return {
      wait: (cost: number, limit = "api") => acquire(limits as NamedLimits, key, { limit, cost }),
      left: () => ["user", "org"].map((limit) => under.peek("p:a", { limit }).remaining),
    }
  }

  test("settles what was used in each of its limits", async () => {
    const { wait, left } = open()
    {
      await using permit = await wait(4)
      expect(left()).toEqual([6, 96])
      permit.use(1)
    }
    expect(left()).toEqual([9, 99])
    const permit = await wait(2)
    await permit.settle(5)
    await permit.settle(0)
    expect(left()).toEqual([4, 94])
    await (await wait(3, "one")).settle(1)
    expect(left()).toEqual([4, 93])
  })

  test("gives back in each of its limits, all or some", async () => {
    const { wait, left } = open()
    await (await wait(4)).refund()
    expect(left()).toEqual([10, 100])
    const permit = await wait(4)
    expect(() => permit.refund(5)).toThrow("units is 5")
    await permit.refund(3)
    expect(left()).toEqual([9, 99])
  })

  test("of cost 0 charges each of its limits", async () => {
    const { wait, left } = open()
    await (await wait(0)).settle(7)
    expect(left()).toEqual([3, 93])
  })
})

test("a permit of a key on a list counts nothing", async () => {
  const limits = fromConfig(GROUP)
  for (const cost of [0, 4]) {
    using permit = await acquire(limits, "root", { limit: "user", cost })
    permit.use(2)
  }
  expect(limits.limits.peek("p:root", { limit: "user" }).remaining).toBe(10)
  expect(() => limits.charge("a", 1, { limit: "usr" })).toThrow('did you mean "user"')
})
