import { afterEach, beforeEach, describe, expect, test, vi } from "vitest"
import {
  acquire,
  type Decision,
  Permit,
  RateLimiter,
  type SettlingChecker,
  TimeoutExceeded,
  WaitingLine,
} from "../../src/index.js"
import { makeDecision } from "../make-decision.js"
import { remote, settled, watch } from "./watch.js"

beforeEach(() => vi.useFakeTimers({ now: 1_700_000_000_000 }))
afterEach(() => vi.useRealTimers())

describe("acquire() over a limiter that answers by promise", () => {
  test("asks anew where quota came back while it was asking, and only once for each", async () => {
    const counts = new RateLimiter("1/hour")
    let answer = (_: Decision) => {}
    let asked = 0
    const limiter: SettlingChecker = {
      check(key, options) {
        asked += 1
        const decision = counts.check(key, options)
        return asked === 2 ? new Promise((resolve) => (answer = () => resolve(decision))) : Promise.resolve(decision)
      },
      refund: async (receipt, units) => counts.refund(receipt, units),
    }
    const charged = await acquire(limiter, "a")
    const wait = watch(acquire(limiter, "a"))
    await charged.refund()
    answer(counts.peek("a"))
    await settled()
    expect([wait.atMs, wait.error, asked]).toEqual([0, null, 3])
  })

  test("asks for the first of a key only, and again when its wait is over", async () => {
    const limiter = remote(new RateLimiter("10/second burst 1"))
    const waits = [0, 1, 2].map(() => watch(acquire(limiter, "a")))
    await vi.advanceTimersByTimeAsync(1_000)
    expect(waits.map(({ atMs }) => atMs)).toEqual([10, 120, 230])
    expect(limiter.calls).toBe(5)
  })

  test("looks before it charges, once it knows that the limit holds requests", async () => {
    const counts = new RateLimiter("10/second leaky_bucket")
    const told: string[] = []
    const limiter: SettlingChecker = {
      check: async (key, options) => {
        told.push("check")
        return counts.check(key, options)
      },
      peek: async (key, options) => {
        told.push("peek")
        return counts.peek(key, options)
      },
      refund: async (receipt, units) => {
        told.push("refund")
        counts.refund(receipt, units)
      },
    }
    const late = () => acquire(limiter, "a", { timeout: 50 }).catch(({ retryAfterMs }) => retryAfterMs)
    await acquire(limiter, "a", { timeout: 50 })
    expect([await late(), await late(), await late()]).toEqual([100, 100, 100])
    expect(told).toEqual(["check", "check", "refund", "peek", "peek"])
    await vi.advanceTimersByTimeAsync(50)
    await Promise.all([acquire(limiter, "a", { timeout: 50 }), vi.advanceTimersByTimeAsync(50)])
    expect(told.slice(5)).toEqual(["peek", "check"])
    expect(counts.peek("a").remaining).toBe(9)
  })

  test("asks by checkWithin how long at most a request may be held, where it may be told", async () => {
    const counts = new RateLimiter("10/second leaky_bucket", { stats: true })
    const limiter: SettlingChecker = {
      check: async (key, options) => counts.check(key, options),
      checkWithin: vi.fn(async (key: string, cost: number, maxDelayMs: number) => {
        const seen = counts.peek(key, { cost })
        return seen.delayMs > maxDelayMs ? seen : counts.check(key, { cost })
      }),
      refund: async (receipt) => counts.refund(receipt),
    }
    await acquire(limiter, "a", { cost: 2 })
    expect(limiter.checkWithin).not.toHaveBeenCalled()
    await expect(acquire(limiter, "a", { timeout: 199 })).rejects.toBeInstanceOf(TimeoutExceeded)
    expect(limiter.checkWithin).toHaveBeenCalledWith("a", 1, 199)
    expect(counts.stats("a").totalAllowed).toBe(1)
  })

  test("gives back what was charged for a call that was aborted meanwhile", async () => {
    const counts = new RateLimiter("3/hour")
    const controller = new AbortController()
    const limiter = remote(counts)
    const aborted = watch(acquire(limiter, "a", { signal: controller.signal }))
    const next = watch(acquire(limiter, "a"))
    await vi.advanceTimersByTimeAsync(5)
    controller.abort()
    await settled()
    expect(aborted).toMatchObject({ atMs: 5, error: { name: "AbortError" } })
    await vi.advanceTimersByTimeAsync(100)
    expect(next).toMatchObject({ error: null, atMs: 20 })
    expect(counts.peek("a").remaining).toBe(2)
  })

  test.each([
    [{}, { cost: 1 }],
    [{ cost: 10 }, {}],
  ])("asks for the next of %j and %j when the first gives up, since it may cost less", async (first, next) => {
    const counts = new RateLimiter("10/second")
    counts.check("a", { cost: 8 })
    const usual = "cost" in first ? 1 : 10
    const limiter: SettlingChecker = {
      check: (key, { cost = usual, ...options } = {}) => counts.check(key, { cost, ...options }),
      refund: (receipt) => counts.refund(receipt),
    }
    const controller = new AbortController()
    const waits = watch(acquire(limiter, "a", { ...first, signal: controller.signal }))
    const seen = watch(acquire(limiter, "a", next))
    await settled()
    expect([waits.atMs, seen.atMs]).toEqual([null, null])
    controller.abort()
    await settled()
    expect([waits.error, seen.atMs]).toMatchObject([{ name: "AbortError" }, 0])
  })

  test("fails with the limiter's error, and those behind go on", async () => {
    let fails = true
    const counts = new RateLimiter("3/hour")
    const limiter: SettlingChecker = {
      async check(key, options): Promise<Decision> {
        if (!fails) return counts.check(key, options)
        fails = false
        throw new Error("out of reach")
      },
      refund: (receipt) => counts.refund(receipt),
    }
    const [first, second] = [watch(acquire(limiter, "a")), watch(acquire(limiter, "a"))]
    await settled()
    expect(first.error).toMatchObject({ message: "out of reach" })
    expect(second.value).toBeInstanceOf(Permit)
  })

  test.each([
    ["undefined", undefined],
    ["null by promise", Promise.resolve(null)],
    ["a text by promise", Promise.resolve("ok")],
    ["a denial without a wait", makeDecision({ allowed: false, retryAfterMs: undefined as never })],
    ["a denial whose wait is null", makeDecision({ allowed: false, retryAfterMs: null as never })],
    ["a denial whose wait is a text", makeDecision({ allowed: false, retryAfterMs: "" as never })],
    ["a denial whose wait is a list", makeDecision({ allowed: false, retryAfterMs: [] as never })],
    ["an admission whose delay is no number", makeDecision({ delayMs: Number.NaN })],
    ["an admission whose delay is null", makeDecision({ delayMs: null as never })],
    [
      "an admission with a delay whose rules are no list, by promise",
      Promise.resolve(makeDecision({ delayMs: 50, rules: {} as never })),
    ],
  ])("fails where the answer is %s, and those behind go on", async (_what, answer) => {
    const counts = new RateLimiter("3/hour")
    const answers = [answer]
    const limiter: SettlingChecker = {
      check: (key, options) => (answers.length > 0 ? (answers.pop() as never) : counts.check(key, options)),
      refund: (receipt) => counts.refund(receipt),
    }
    const [first, second] = [watch(acquire(limiter, "a")), watch(acquire(limiter, "a"))]
    await settled()
    expect(first.error).toMatchObject({
      name: "RangeError",
      message: expect.stringMatching(/^Cannot wait: the limiter's answer is .*, allowed is the decision of a check\.$/),
    })
    expect(second.value).toBeInstanceOf(Permit)
    expect(vi.getTimerCount()).toBe(0)
  })

  test.each([
    [
      "at once",
      {
        get rules(): never {
          throw new TypeError("no rules")
        },
      },
      0,
    ],
    ["once it was held", { limits: {} as never }, 50],
  ])("fails where nothing can be made of an answer, %s, and those behind go on", async (_when, told, atMs) => {
    const answer = Object.defineProperties(makeDecision({ delayMs: 50 }), Object.getOwnPropertyDescriptors(told))
    const counts = new RateLimiter("3/hour")
    const answers: Decision[] = [answer]
    const limiter: SettlingChecker = {
      check: async (key, options) => answers.pop() ?? counts.check(key, options),
      refund: (receipt) => counts.refund(receipt),
    }
    const [first, second] = [watch(acquire(limiter, "a")), watch(acquire(limiter, "a"))]
    await vi.advanceTimersByTimeAsync(100)
    expect(first).toMatchObject({ atMs, error: { name: "TypeError" } })
    expect(second.value).toBeInstanceOf(Permit)
    expect(vi.getTimerCount()).toBe(0)
  })

  test("admits by the rules that it can read: one that is null holds nobody", async () => {
    const answer = makeDecision({ delayMs: 50, rules: [null as never] })
    const limiter: SettlingChecker = { check: async () => answer, refund: () => {} }
    const seen = watch(acquire(limiter, "a"))
    await vi.advanceTimersByTimeAsync(100)
    expect(seen).toMatchObject({ atMs: 50, error: null })
  })

  test("keeps who waits in line where it is denied again while newcomers are being asked for", async () => {
    const limiter = new RateLimiter("1/second")
    for (const key of ["a", "b"]) limiter.check(key)
    const line = new WaitingLine(remote(limiter, 50), { maxWaiting: 1 })
    const waiting = watch(line.acquire("a", { timeout: "10s" }))
    await vi.advanceTimersByTimeAsync(1_000)
    // It is taken beside the line, just before the one in it asks again.
    limiter.check("a")
    await vi.advanceTimersByTimeAsync(30)
    const newcomer = watch(line.acquire("b", { timeout: 0 }))
    await vi.advanceTimersByTimeAsync(10_000)
    expect(newcomer.value).toBeInstanceOf(Permit)
    expect(waiting).toMatchObject({ error: null })
    expect(waiting.value).toBeInstanceOf(Permit)
  })

  test("keeps who is to be held in line while newcomers are being asked for", async () => {
    const limiter = new RateLimiter("1/second leaky_bucket burst 5")
    const line = new WaitingLine(remote(limiter, 50), { maxWaiting: 2 })
    const first = watch(line.acquire("a"))
    await vi.advanceTimersByTimeAsync(200)
    const held = [watch(line.acquire("a", { timeout: "10s" })), watch(line.acquire("a", { timeout: "10s" }))]
    const newcomer = watch(line.acquire("b", { timeout: 0 }))
    await vi.advanceTimersByTimeAsync(10_000)
    for (const { value } of [first, ...held, newcomer]) expect(value).toBeInstanceOf(Permit)
  })

  test("lets the answer decide, not the deadline that passes meanwhile", async () => {
    const permit = acquire(remote(new RateLimiter("1/hour"), 50), "a", { timeout: 0 })
    const seen = watch(permit)
    await vi.advanceTimersByTimeAsync(50)
    expect(seen.value).toBeInstanceOf(Permit)
  })
})
