import { describe, expect, test } from "vitest"
import { acquire, ManualClock, Permit, RateLimiter, type SettlingChecker } from "../../src/index.js"

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

  test("without a charge has nothing to give back", () => {
    const limiter = make()
    const permit = new Permit(limiter, limiter.check("a", { cost: 0 }))
    permit.use(5)
    permit.settle()
    expect(left(limiter)).toBe(100)
  })
})
