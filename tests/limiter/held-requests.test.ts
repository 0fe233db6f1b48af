import { afterEach, beforeEach, describe, expect, test, vi } from "vitest"
import { createApi } from "../../src/api/create-api.js"
import { SluiceClient } from "../../src/client/index.js"
import {
  type AcquireOptions,
  acquire,
  type Permit,
  QueueFull,
  RateLimiter,
  type SettlingChecker,
} from "../../src/index.js"
import { Alarms } from "../../src/limiter/alarms.js"
import { HeldRequests } from "../../src/limiter/held-requests.js"
import { MemoryLimits } from "../../src/limiter/memory-limits.js"
import { remote, settled, watch } from "./watch.js"

beforeEach(() => vi.useFakeTimers({ now: 1_700_000_000_000 }))
afterEach(() => vi.useRealTimers())

const POLICY = "10/second leaky_bucket"

/** Limiters of a leaky bucket, here, by promise and behind a server. */
const LIMITERS: Record<string, () => SettlingChecker> = {
  RateLimiter: () => new RateLimiter(POLICY),
  "MemoryLimits.of()": () => new MemoryLimits({ limits: { mail: POLICY } }).of("mail"),
  "a limiter by promise": () => remote(new RateLimiter(POLICY), 0),
  SluiceClient: () => {
    const api = createApi({ limits: new MemoryLimits({ limits: { default: POLICY } }), token: "a-token-for-the-tests" })
    return new SluiceClient("http://limits.test", {
      token: "a-token-for-the-tests",
      fetch: (url, init) => api.fetch(new Request(url, init)),
    })
  },
}

/** Who asks for the key "a", and when they leave, by name in the order in which they leave. */
function makeGate(limiter: SettlingChecker) {
  const startMs = Date.now()
  const left: [name: string, atMs: number][] = []
  const enter = async (name: string, options: AcquireOptions = {}): Promise<Permit> => {
    const permit = await acquire(limiter, "a", options)
    left.push([name, Date.now() - startMs])
    return permit
  }
  return { left, enter }
}

/** Moves on by a time in steps, so that each promise is answered in its millisecond. */
async function pass(ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed++) await vi.advanceTimersByTimeAsync(1)
}

/** That no two leave closer together than 100 ms for each unit of the first; a ms is for what rounds and asks. */
function expectSpaced(left: readonly [name: string, atMs: number][], costs: Record<string, number>): void {
  for (const [index, [name, atMs]] of left.entries()) {
    const next = left[index + 1]
    if (next !== undefined) expect(next[1] - atMs).toBeGreaterThanOrEqual(100 * costs[name]! - 1)
  }
}

describe.each(Object.keys(LIMITERS))("acquire() of a leaky bucket of %s", (name) => {
  test.each([
    ["refund()", (permit: Permit) => permit.refund(4)],
    ["settle()", (permit: Permit) => permit.settle(1)],
  ])(
    "lets who comes after a %s leave after those who are held already, at the constant rate",
    async (_how, giveBack) => {
      const { left, enter } = makeGate(LIMITERS[name]!())
      const first = enter("A", { cost: 5 })
      await pass(2)
      const waits = [enter("B")]
      await pass(3)
      await Promise.all([giveBack(await first), pass(1)])
      for (const who of ["C", "D", "E"]) waits.push(enter(who))
      await pass(1_000)
      await Promise.all(waits)
      expect(left.map(([who]) => who)).toEqual(["A", "B", "C", "D", "E"])
      expectSpaced(left.slice(1), { B: 1, C: 1, D: 1, E: 1 })
      expect(left[4]![1]).toBeLessThan(820)
    },
  )

  test("has those who are held move up into the turn of one that is aborted, and who comes then follow them", async () => {
    const { left, enter } = makeGate(LIMITERS[name]!())
    await Promise.all([enter("A"), pass(2)])
    const controller = new AbortController()
    const waits = [enter("B")]
    const aborted = watch(enter("C", { cost: 5, signal: controller.signal }))
    waits.push(enter("D"), enter("E"))
    await pass(50)
    controller.abort()
    await pass(2)
    expect(aborted.error).toMatchObject({ name: "AbortError" })
    waits.push(enter("F"))
    await pass(1_000)
    await Promise.all(waits)
    expect(left.map(([who]) => who)).toEqual(["A", "B", "D", "E", "F"])
    expectSpaced(left, { A: 1, B: 1, D: 1, E: 1 })
    expect(left[3]![1]).toBeLessThan(310)
    // Of the 500 ms of the aborted one, 50 were over when it was given back.
    expect(left[4]![1]).toBeLessThan(460)
  })
})

describe("RateLimiter.acquire() of a leaky bucket", () => {
  test("holds the permit of a leaky bucket until the request may leave", async () => {
    const limiter = new RateLimiter("10/second leaky_bucket")
    const waits = [0, 1, 2].map(() => watch(limiter.acquire("a")))
    await vi.advanceTimersByTimeAsync(1_000)
    expect(waits.map(({ atMs }) => atMs)).toEqual([0, 100, 200])
  })

  test("holds no more requests of a leaky bucket than may wait, over all keys", async () => {
    const limiter = new RateLimiter("10/second leaky_bucket", { maxWaiting: 2 })
    const first = ["a", "b", "c", "d"].map((key) => watch(limiter.acquire(key)))
    const held = ["a", "b", "c", "d"].map((key) => watch(limiter.acquire(key)))
    await settled()
    expect(first.map(({ atMs }) => atMs)).toEqual([0, 0, 0, 0])
    expect(held.map(({ error }) => (error as Error | undefined)?.name)).toEqual([
      undefined,
      undefined,
      "QueueFull",
      "QueueFull",
    ])
    expect(limiter.peek("c").remaining).toBe(9)
  })

  test("charges nothing for a request of a leaky bucket that would be held too long, or beside too many", async () => {
    const limiter = new RateLimiter("10/second leaky_bucket", { maxWaiting: 1, stats: true })
    await limiter.acquire("a", { cost: 5 })
    await expect(limiter.acquire("a", { timeout: 499 })).rejects.toMatchObject({
      name: "TimeoutExceeded",
      retryAfterMs: 500,
    })
    const held = watch(limiter.acquire("a", { timeout: 500 }))
    await expect(limiter.acquire("a")).rejects.toBeInstanceOf(QueueFull)
    expect(limiter.stats("a")).toMatchObject({ totalAllowed: 2, totalAllowedCost: 6 })
    await vi.advanceTimersByTimeAsync(500)
    expect(held).toMatchObject({ atMs: 500, error: null })
  })

  test("tells the shrinking hold of a leaky bucket where a clock that had jumped was set back", async () => {
    let aheadMs = 86_400_000
    const limiter = new RateLimiter("10/second leaky_bucket", { clock: { now: () => Date.now() + aheadMs } })
    limiter.check("a", { cost: 9 })
    aheadMs = 0
    const holdMs = () => limiter.acquire("a", { timeout: 0 }).then(String, ({ retryAfterMs }) => retryAfterMs)
    expect(await holdMs()).toBe(900)
    await vi.advanceTimersByTimeAsync(300)
    expect(await holdMs()).toBe(600)
  })

  test("gives the charge of a held request back where its wait ends", async () => {
    const limiter = new RateLimiter("10/second leaky_bucket")
    await limiter.acquire("a", { cost: 5 })
    const controller = new AbortController()
    const aborted = watch(limiter.acquire("a", { signal: controller.signal }))
    await expect(limiter.acquire("a", { timeout: 100 })).rejects.toMatchObject({
      name: "TimeoutExceeded",
      retryAfterMs: 600,
    })
    expect(limiter.peek("a").remaining).toBe(4)
    controller.abort()
    await settled()
    expect(aborted.error).toMatchObject({ name: "AbortError" })
    expect(limiter.peek("a").remaining).toBe(5)
  })
})

describe("RateLimiter.acquire() of a leaky bucket whose quota comes back while some are held", () => {
  /** A limiter whose quota says 200 ms to who comes next, while one is held for 500 ms whose turn then takes 100. */
  async function makeBehind() {
    const limiter = new RateLimiter(POLICY, { stats: true, maxWaiting: 3 })
    const permit = await limiter.acquire("a", { cost: 5 })
    const held = watch(limiter.acquire("a"))
    permit.refund(4)
    expect(limiter.peek("a").delayMs).toBe(200)
    return { limiter, held }
  }

  test("refuses and charges nothing where that is held beyond the timeout, and tells the wait that does", async () => {
    const { limiter, held } = await makeBehind()
    const asked = vi.spyOn(limiter, "peek")
    const late = watch(limiter.acquire("a", { timeout: 599 }))
    await settled()
    expect(late).toMatchObject({ atMs: 0, error: { name: "TimeoutExceeded", timeoutMs: 599, retryAfterMs: 600 } })
    expect(asked).not.toHaveBeenCalled()
    expect(limiter.stats("a")).toMatchObject({ totalAllowed: 2, totalAllowedCost: 6 })
    const inTime = watch(limiter.acquire("a", { timeout: 600 }))
    await vi.advanceTimersByTimeAsync(600)
    expect([held.atMs, inTime.atMs]).toEqual([500, 600])
  })

  test("lets nobody pass one who may leave and whose timer is late", async () => {
    const now = performance.now.bind(performance)
    let workedMs = 0
    vi.spyOn(performance, "now").mockImplementation(() => now() + workedMs)
    const limiter = new RateLimiter(POLICY, { clock: { now: () => Date.now() + workedMs } })
    await limiter.acquire("a")
    const left: string[] = []
    const waits = [limiter.acquire("a").then(() => left.push("held"))]
    workedMs = 500
    waits.push(limiter.acquire("a", { timeout: 0 }).then(() => left.push("next")))
    await vi.advanceTimersByTimeAsync(100)
    await Promise.all(waits)
    expect(left).toEqual(["held", "next"])
    vi.restoreAllMocks()
  })

  test("keeps nobody from `maxWaiting`", async () => {
    const { limiter } = await makeBehind()
    const waits = [watch(limiter.acquire("a")), watch(limiter.acquire("a"))]
    await expect(limiter.acquire("a", { timeout: "1h" })).rejects.toBeInstanceOf(QueueFull)
    await vi.advanceTimersByTimeAsync(700)
    expect(waits.map(({ atMs }) => atMs)).toEqual([600, 700])
    expect(limiter.stats("a").totalAllowed).toBe(4)
  })

  test("holds those who need not be held by the bucket behind those who are", async () => {
    const { limiter } = await makeBehind()
    limiter.reset("a")
    const waits = [1, 2].map(() => watch(limiter.acquire("a")))
    const other = watch(limiter.acquire("b"))
    await vi.advanceTimersByTimeAsync(700)
    expect([other.atMs, ...waits.map(({ atMs }) => atMs)]).toEqual([0, 600, 700])
  })

  test("goes by the bucket alone where nobody is held any more", async () => {
    const { limiter, held } = await makeBehind()
    await vi.advanceTimersByTimeAsync(500)
    expect(held.atMs).toBe(500)
    expect(watch(limiter.acquire("a", { timeout: 0 })).error).toBeNull()
    await settled()
    expect(vi.getTimerCount()).toBe(0)
  })

  test("leaves the turn of the last one to who comes next where that is aborted", async () => {
    const { limiter, held } = await makeBehind()
    const controller = new AbortController()
    const aborted = watch(limiter.acquire("a", { cost: 3, signal: controller.signal }))
    controller.abort()
    const next = watch(limiter.acquire("a"))
    await vi.advanceTimersByTimeAsync(1_000)
    expect([held.atMs, next.atMs, aborted.error]).toMatchObject([500, 600, { name: "AbortError" }])
  })

  test("takes the turn of one between others that is aborted for over: a timeout that ends with the others' does", async () => {
    const limiter = new RateLimiter(POLICY)
    await limiter.acquire("a", { cost: 2 })
    const controller = new AbortController()
    const waits = [watch(limiter.acquire("a"))]
    const aborted = limiter.acquire("a", { cost: 4, signal: controller.signal })
    waits.push(watch(limiter.acquire("a")))
    controller.abort()
    await expect(aborted).rejects.toMatchObject({ name: "AbortError" })
    const late = limiter.acquire("a", { timeout: 399 })
    await expect(late).rejects.toMatchObject({ name: "TimeoutExceeded", retryAfterMs: 400 })
    waits.push(watch(limiter.acquire("a", { timeout: 400 })))
    await vi.advanceTimersByTimeAsync(1_000)
    expect(waits.map(({ atMs }) => atMs)).toEqual([200, 300, 400])
  })

  test("forgets all who are held when all are aborted", async () => {
    const limiter = new RateLimiter(POLICY)
    await limiter.acquire("a")
    const controllers = [1, 2, 3].map(() => new AbortController())
    const waits = controllers.map(({ signal }) => watch(limiter.acquire("a", { signal })))
    for (const place of [1, 0, 2]) controllers[place]!.abort()
    await settled()
    expect(waits.every(({ error }) => error !== null)).toBe(true)
    expect(vi.getTimerCount()).toBe(0)
    const next = watch(limiter.acquire("a"))
    await vi.advanceTimersByTimeAsync(100)
    expect(next.atMs).toBe(100)
  })

  test("keeps order and rate whatever is asked, given back and aborted", async () => {
    let seed = 20_261
    const random = () => {
      seed = (seed * 48_271) % 0x7fff_ffff
      return seed / 0x7fff_ffff
    }
    const limiter = new RateLimiter(POLICY)
    const startMs = Date.now()
    const left: { number: number; cost: number; atMs: number; wasHeld: boolean; chargedAtMs: number }[] = []
    let asked = 0
    for (let step = 0; step < 9_000; step++) {
      if (random() < 0.05) {
        const number = asked++
        const cost = 1 + Math.floor(random() * 5)
        const askedAtMs = Date.now() - startMs
        const controller = new AbortController()
        const timeout = Math.floor(random() * 2_000)
        const wait = limiter.acquire("a", { cost, timeout, signal: controller.signal })
        if (random() < 0.2) setTimeout(() => controller.abort(), random() * 500)
        wait.then(
          (permit) => {
            const atMs = Date.now() - startMs
            const chargedAtMs = permit.decision.receipt!.chargedAtMs - startMs
            left.push({ number, cost, atMs, wasHeld: atMs > askedAtMs, chargedAtMs })
            expect(atMs - askedAtMs).toBeLessThanOrEqual(timeout)
            if (random() < 0.5) setTimeout(() => permit.settle(1), random() * 50)
          },
          ({ name }) => expect(name).toMatch(/^(AbortError|TimeoutExceeded)$/),
        )
      }
      await vi.advanceTimersByTimeAsync(10)
    }
    await vi.advanceTimersByTimeAsync(10_000)
    expect(left.length).toBeGreaterThan(100)
    expect(left.map(({ number }) => number)).toEqual(left.map(({ number }) => number).sort((a, b) => a - b))
    for (const [index, { atMs, cost, wasHeld }] of left.entries()) {
      const next = left[index + 1]
      // The next was admitted while this one was held.
      if (wasHeld && next !== undefined && next.chargedAtMs < atMs)
        expect(next.atMs - atMs).toBeGreaterThanOrEqual(100 * cost)
    }
    expect(vi.getTimerCount()).toBe(0)
  })
})

describe("HeldRequests.end()", () => {
  /** Those who leave, and at which ms. */
  function makeHeld() {
    const alarms = new Alarms()
    const startMs = alarms.now()
    const left: [who: string, atMs: number][] = []
    const held = new HeldRequests<string>(alarms, (who) => left.push([who, alarms.now() - startMs]))
    const hold = (who: string, leavesAtMs: number, turnMs: number) =>
      held.hold("a", who, { leavesAtMs: startMs + leavesAtMs, turnMs })
    return { left, held, hold, waitMs: () => held.waitMs("a", startMs) }
  }

  test("keeps no more that have ended than there are to leave, whoever is first", () => {
    const { held, hold } = makeHeld()
    const { line } = hold("first", 1_000, 100)
    hold("second", 1_000, 100)
    let most = 0
    for (let turn = 0; turn < 1_000; turn++) {
      held.end(hold("aborted", 1_000, 100))
      most = Math.max(most, line.all.size)
    }
    expect(most).toBeLessThanOrEqual(5)
  })

  test("has those that are left leave when they would, where it forgets those that have ended", async () => {
    const { left, held, hold, waitMs } = makeHeld()
    hold("A", 100, 10)
    // Each begins 40 ms after the turn before it.
    const ended = [150, 200].map((atMs) => hold("aborted", atMs, 10))
    hold("B", 250, 10)
    ended.push(...[300, 350].map((atMs) => hold("aborted", atMs, 10)))
    expect(waitMs()).toBe(360)
    for (const each of ended) held.end(each)
    // Without the turns of those between, and without what was behind B.
    expect(waitMs()).toBe(240)
    hold("C", 0, 10)
    await vi.advanceTimersByTimeAsync(1_000)
    expect(left).toEqual([
      ["A", 100],
      ["B", 230],
      ["C", 240],
    ])
    expect([held.has("a"), vi.getTimerCount()]).toEqual([false, 0])
  })
})
