import { env } from "cloudflare:workers"
import { describe, expect, test } from "vitest"
import { rateLimit } from "../../src/http/index.js"
import type { PolicyInput } from "../../src/policy/policy.js"
import { CostError } from "../../src/types/errors.js"
import { checkAcross, DenialCache, EdgeLimiter } from "../../worker/sluice-worker.js"
import { faultyBinding } from "./faulty-binding.js"
import { clockedLimiter, freshName, realLimiter } from "./objects.js"

const times = <T>(count: number, make: () => T): T[] => Array.from({ length: count }, make)

/** A limiter and a cache under one clock. */
function cachedLimiter(policy: PolicyInput) {
  const made = clockedLimiter(policy)
  const cacheOf = () => new DenialCache({ clock: made.clock })
  const denialCache = cacheOf()
  const limiter = new EdgeLimiter(env.CLOCKED_LIMITER, policy, { name: made.name, denialCache })
  const elsewhere = new EdgeLimiter(env.CLOCKED_LIMITER, policy, { name: made.name, denialCache: cacheOf() })
  return { ...made, limiter, elsewhere, denialCache }
}

/**
 * A limiter whose object decides under a policy that superseded its own, as during a rollout, and has no quota left.
 */
async function supersededLimiter(older: string, newer: string) {
  const made = cachedLimiter(older)
  const inForce = new EdgeLimiter(env.CLOCKED_LIMITER, newer, { name: made.name, denialCache: false })
  await made.limiter.check("a")
  while (await inForce.allow("a")) made.clock.advance(1)
  return { ...made, inForce }
}

describe("the denial cache of EdgeLimiter", () => {
  test("answers a flood of denials with less than 1 % of the calls", async () => {
    const name = freshName()
    const limiter = new EdgeLimiter(env.LIMITER, "5/day", { name })
    for (let check = 0; check < 5; check++) await limiter.check("a")
    const before = limiter.calls
    await limiter.check("a")
    const flood = await Promise.all(times(2_000, () => limiter.check("a")))
    expect(flood.every(({ allowed, reason }) => !allowed && reason === "cached")).toBe(true)
    expect(limiter.calls - before).toBe(1)
    expect(await env.LIMITER.getByName(`${name}\na`).report()).toMatchObject({ denied: 1 })
  })

  test("is one for all limiters of a namespace, and keeps their names apart", async () => {
    const name = freshName()
    const [one, other] = [
      new EdgeLimiter(env.LIMITER, "1/day", { name }),
      new EdgeLimiter(env.LIMITER, "1/day", { name }),
    ]
    await one.check("a")
    expect(await one.check("a")).toMatchObject({ reason: "limit" })
    expect(await other.check("a")).toMatchObject({ reason: "cached" })
    expect(await new EdgeLimiter(env.LIMITER, "1/day", { name: freshName() }).allow("a")).toBe(true)
    expect(await new EdgeLimiter(env.LIMITER, "1/day", { name, tenant: "b" }).allow("a")).toBe(true)
    expect(await new EdgeLimiter(env.LIMITER, "1/day", { name, shards: 2 }).allow("a")).toBe(true)
    expect(await new EdgeLimiter(env.LIMITER, "1/day", { name, owner: freshName() }).allow("a")).toBe(true)
  })

  test.each([
    { one: ["\nL", "M", "k"], other: ["", "L", "M\nk"] },
    { one: ["", "xM", "kz"], other: ["x", "Mk", "z"] },
    { one: ["", "M", "xk"], other: ["", "Mx", "k"] },
  ] as const)("keeps owners, limits and keys apart whose texts make the same one together: %j", async (texts) => {
    const owner = freshName()
    const [one, other] = [texts.one, texts.other].map(([end, name]) => {
      return new EdgeLimiter(env.LIMITER, "1/day", { name, owner: `${owner}${end}` })
    }) as [EdgeLimiter, EdgeLimiter]
    await one.check(texts.one[2])
    expect(await one.allow(texts.one[2])).toBe(false)
    expect(await other.allow(texts.other[2])).toBe(true)
  })

  test("ends with the retry time: waiting it admits", async () => {
    const { clock, limiter } = cachedLimiter("12/minute")
    await limiter.check("a", { cost: 12 })
    await limiter.check("a")
    clock.advance(4_999)
    expect(await limiter.check("a")).toMatchObject({ allowed: false, reason: "cached", retryAfterMs: 1 })
    clock.advance(1)
    expect(await limiter.check("a")).toMatchObject({ allowed: true, reason: "ok" })
  })

  test("is dropped by reset(), unblock(), refund() and settle() here", async () => {
    const { limiter } = cachedLimiter("2/day fixed_window")
    const { receipt } = await limiter.check("a", { cost: 2 })
    expect(await limiter.allow("a")).toBe(false)
    await limiter.refund(receipt!, 1)
    const second = await limiter.check("a")
    expect(second).toMatchObject({ allowed: true })
    expect(await limiter.allow("a")).toBe(false)
    await limiter.settle(second.receipt!, 0)
    expect(await limiter.allow("a")).toBe(true)
    expect(await limiter.allow("a")).toBe(false)
    await limiter.reset("a")
    expect(await limiter.allow("a")).toBe(true)
    await limiter.block("a", "1h")
    expect(await limiter.check("a")).toMatchObject({ reason: "blocked" })
    expect(await limiter.check("a")).toMatchObject({ reason: "cached" })
    await limiter.unblock("a")
    expect(await limiter.allow("a")).toBe(true)
  })

  test("is dropped by reset() also where a check is denied while it is on its way", async () => {
    const network = faultyBinding(env.LIMITER, (verb) => (verb === "reset" ? "late-call" : "none"))
    const limiter = new EdgeLimiter(network.binding, "1/day", { name: freshName(), denialCache: new DenialCache() })
    await limiter.check("a")
    const reset = limiter.reset("a")
    expect(await limiter.allow("a")).toBe(false)
    network.answer()
    await reset
    expect(await limiter.allow("a")).toBe(true)
  })

  test("is dropped by refund() of what was spent from a lease", async () => {
    const policy = "5/day fixed_window"
    const { name, denialCache } = cachedLimiter(policy)
    const lease = { units: 100, ttl: "20s" } as const
    const limiter = new EdgeLimiter(env.CLOCKED_LIMITER, policy, { name, denialCache, lease })
    const admitted = (await Promise.all(times(8, () => limiter.check("a")))).filter(({ allowed }) => allowed)
    expect(admitted).toHaveLength(5)
    expect(await limiter.check("a")).toMatchObject({ allowed: false, reason: "cached" })
    await limiter.refund(admitted.at(-1)!.receipt!)
    expect(await limiter.allow("a")).toBe(true)
    expect(await limiter.allow("a")).toBe(false)
  })

  test("is dropped by charge() here, so that the wait that is told is enough", async () => {
    const { clock, limiter } = cachedLimiter("1/second")
    await limiter.check("a")
    expect(await limiter.check("a")).toMatchObject({ allowed: false, retryAfterMs: 1_000 })
    await limiter.charge("a", 60)
    expect(await limiter.check("a")).toMatchObject({ allowed: false, reason: "limit", retryAfterMs: 61_000 })
    clock.advance(1)
    expect(await limiter.check("a")).toMatchObject({ reason: "cached", retryAfterMs: 60_999 })
  })

  test("a reset elsewhere is seen after 10 seconds", async () => {
    const { clock, limiter, elsewhere } = cachedLimiter("1/day")
    await limiter.check("a")
    expect(await limiter.allow("a")).toBe(false)
    await elsewhere.reset("a")
    clock.advance(9_999)
    expect(await limiter.check("a")).toMatchObject({ allowed: false, reason: "cached" })
    clock.advance(1)
    expect(await limiter.allow("a")).toBe(true)
  })

  test("another policy under the same name is asked", async () => {
    const { limiter, name, denialCache } = cachedLimiter("1/day")
    await limiter.check("a")
    expect(await limiter.allow("a")).toBe(false)
    const larger = new EdgeLimiter(env.CLOCKED_LIMITER, "2/day", { name, denialCache })
    expect(await larger.allow("a")).toBe(true)
  })

  describe.each([
    ["2/minute", "2/minute; 5/hour"],
    ["2/minute; 5/hour", "4/hour sliding_window"],
    ["2/minute", "4/hour sliding_window"],
  ])("of %s, while the object decides under %s,", (older, newer) => {
    test("answers a check with a wait that is enough", async () => {
      const { clock, limiter, inForce } = await supersededLimiter(older, newer)
      const first = await limiter.check("a")
      expect(first).toEqual(await inForce.peek("a"))
      clock.advance(1)
      expect(await limiter.check("a")).toEqual({ ...(await inForce.peek("a")), reason: "cached" })
      const { retryAfterMs } = await inForce.peek("a", { cost: 2 })
      const second = await limiter.check("a", { cost: 2 })
      expect(second).toMatchObject({ allowed: false, reason: "cached", cost: 2 })
      expect(second.retryAfterMs).toBeGreaterThanOrEqual(retryAfterMs)
    })

    test("answers checkAcross() so", async () => {
      const { limiter, inForce } = await supersededLimiter(older, newer)
      const across = async (cost: number) => (await checkAcross([{ limiter, key: "a", cost }])).decisions[0]!
      expect(await across(1)).toEqual(await inForce.peek("a"))
      const { retryAfterMs } = await inForce.peek("a", { cost: 2 })
      const second = await across(2)
      expect(second).toMatchObject({ allowed: false, reason: "cached", cost: 2 })
      expect(second.retryAfterMs).toBeGreaterThanOrEqual(retryAfterMs)
    })

    test("answers those so who waited for a draw, and who come after it", async () => {
      const { name, denialCache, inForce } = await supersededLimiter(older, newer)
      const lease = { units: 40, ttl: "20s" } as const
      const limiter = new EdgeLimiter(env.CLOCKED_LIMITER, older, { name, denialCache, lease })
      const together = await Promise.all([1, 2].map((cost) => limiter.check("a", { cost })))
      expect(together[0]).toEqual(await inForce.peek("a"))
      const { retryAfterMs } = await inForce.peek("a", { cost: 2 })
      for (const told of [together[1]!, await limiter.check("a", { cost: 2 })]) {
        expect(told).toMatchObject({ allowed: false, cost: 2 })
        expect(told.retryAfterMs).toBeGreaterThanOrEqual(retryAfterMs)
      }
      expect(limiter.calls).toBe(1)
    })
  })

  test("has no answer to a cost that the policy in force cannot admit", async () => {
    const { limiter } = await supersededLimiter("10/minute", "2/hour")
    expect(await limiter.check("a")).toMatchObject({ reason: "limit", limit: 2 })
    expect(await limiter.check("a", { cost: 2 })).toMatchObject({ reason: "cached" })
    await expect(limiter.check("a", { cost: 3 })).rejects.toThrow(CostError)
  })

  test("tells a greater cost how long it waits since a smaller one was charged", async () => {
    const { clock, limiter } = cachedLimiter("10/minute")
    for (const cost of [8, 5, 2]) await limiter.check("a", { cost })
    expect(await limiter.check("a", { cost: 5 })).toEqual(await limiter.peek("a", { cost: 5 }))
    clock.advance(12_000)
    await limiter.checkAll([{ key: "a" }])
    expect(await limiter.check("a", { cost: 5 })).toEqual(await limiter.peek("a", { cost: 5 }))
  })

  describe("under a policy with a block", () => {
    const policy = { limit: 1, period: "10s", algorithm: "fixed_window", block: "2s" } as const

    test("leaves no denial out that begins one", async () => {
      const { clock, limiter } = cachedLimiter(policy)
      const { clock: otherClock, limiter: asking } = clockedLimiter(policy)
      for (const waitMs of [0, 1, 8_999, 1_000, 999, 1]) {
        clock.advance(waitMs)
        otherClock.advance(waitMs)
        const told = await limiter.check("a")
        const { allowed, retryAfterMs } = await asking.check("a")
        expect(told).toMatchObject({ allowed, retryAfterMs })
      }
    })

    test("asks once for each block and isolate, whoever began it", async () => {
      const { clock, limiter, elsewhere, object } = cachedLimiter({ ...policy, period: "1h" })
      await limiter.check("a")
      for (let elapsedMs = 0; elapsedMs < 10_000; elapsedMs += 100) {
        for (const isolate of [limiter, elsewhere]) {
          for (let check = 0; check < 10; check++) expect(await isolate.allow("a")).toBe(false)
        }
        clock.advance(100)
      }
      expect([limiter.calls - 1, elsewhere.calls]).toEqual([5, 5])
      expect(await object().report()).toMatchObject({ admitted: 1, denied: 10 })
    })

    test("asks when a block ends that another isolate began, also in a rollout to that policy", async () => {
      const older = cachedLimiter("1/hour fixed_window")
      const inForce = new EdgeLimiter(
        env.CLOCKED_LIMITER,
        { ...policy, period: "1h" },
        { name: older.name, denialCache: false },
      )
      await older.limiter.check("a")
      expect(await inForce.check("a")).toMatchObject({ allowed: false, reason: "limit" })
      older.clock.advance(500)
      expect(await older.limiter.check("a")).toMatchObject({ reason: "blocked" })
      older.clock.advance(1_499)
      expect(await older.limiter.check("a")).toMatchObject({ reason: "cached" })
      older.clock.advance(1)
      expect(await older.limiter.check("a")).toMatchObject({ reason: "limit" })
    })

    /** What the fields of denials say of what is left, of one limit asked by itself or with another. */
    async function toldLeft(
      { limiter, clock }: ReturnType<typeof cachedLimiter>,
      asked: "alone" | "with another",
    ): Promise<(string | null)[][]> {
      const beside = cachedLimiter("9/minute as beside").limiter
      const own = { policy: limiter.policy, key: () => "a", cost: 2 }
      const limited = rateLimit(() => new Response(), {
        ...(asked === "alone" ? own : { limits: [own, { policy: beside.policy, key: () => "a" }] }),
        limiter: ({ name }) => (name === "beside" ? beside : limiter),
        headers: ["draft-11", "legacy"],
        onDecision: ({ reason }) => void reasons.push(reason),
        clock,
      })
      const reasons: string[] = []
      const told: (string | null)[][] = []
      for (let request = 0; request < 3; request++) {
        const { headers } = await limited(new Request("http://localhost/"))
        const [first] = headers.get("RateLimit")!.split(", ")
        told.push([reasons[request]!, first!, headers.get("X-RateLimit-Remaining")])
        clock.advance(1_000)
      }
      return told
    }

    test.each(["alone", "with another"] as const)("tells of nothing left while it lasts, asked %s", async (asked) => {
      const made = cachedLimiter({ limit: 3, period: "1s", block: "1m", name: "burst" })
      await made.limiter.check("a", { cost: 2 })
      expect(await toldLeft(made, asked)).toEqual([
        ["limit", '"burst";r=0;t=60', "0"],
        ["cached", '"burst";r=0;t=59', "0"],
        ["cached", '"burst";r=0;t=58', "0"],
      ])
    })

    test.each(["alone", "with another"] as const)(
      "tells of nothing left while an operator blocks, under a policy without a block too, asked %s",
      async (asked) => {
        const made = cachedLimiter("9/minute as api")
        await made.limiter.block("a", "10m")
        expect(await toldLeft(made, asked)).toEqual([
          ["blocked", '"api";r=0;t=600', "0"],
          ["cached", '"api";r=0;t=599', "0"],
          ["cached", '"api";r=0;t=598', "0"],
        ])
      },
    )

    test("is not told what a draw could not bring, but asks, so that a block begins", async () => {
      const ten = { ...policy, limit: 10 }
      const { limiter: plain, name } = clockedLimiter(ten)
      const lease = { units: 40, ttl: "20s" } as const
      const limiter = new EdgeLimiter(env.CLOCKED_LIMITER, ten, { name, denialCache: false, lease })
      const decisions = await Promise.all(times(20, () => limiter.check("a")))
      expect(decisions.filter(({ allowed }) => allowed)).toHaveLength(10)
      expect(await plain.status("a")).toMatchObject({ blockedForMs: 2_000 })
    })
  })

  test("an id is told again what it was told, whatever was denied since", async () => {
    const { limiter } = cachedLimiter("1/day")
    const first = await limiter.check("a", { id: "one" })
    expect(await limiter.allow("a")).toBe(false)
    expect(await limiter.check("a", { id: "one" })).toMatchObject({ allowed: true, receipt: first.receipt })
  })

  describe("of several limits, of which one would hold a request for too long", () => {
    const pace = { limit: 60, period: "1m", algorithm: "leaky_bucket", burst: 5, name: "pace" } as const

    /** Asks for both limits; what is told of the wait, and the policies that deny. */
    function limitedBy(other: PolicyInput) {
      const [paced, beside] = [cachedLimiter(pace), cachedLimiter(other)]
      const limited = rateLimit(() => new Response(), {
        limits: [pace, other].map((policy) => ({ policy, key: () => "a" })),
        limiter: ({ name }) => (name === "pace" ? paced : beside).limiter,
        delay: { maxMs: 100 },
        clock: paced.clock,
      })
      const ask = async () => {
        const response = await limited(new Request("http://localhost/"))
        if (response.status === 200) return null
        const { retry_after_ms, "violated-policies": policies } = (await response.json()) as Record<string, unknown>
        return { retry_after_ms, policies }
      }
      const advance = (ms: number) => [paced, beside].map(({ clock }) => clock.advance(ms))
      const calls = () => paced.limiter.calls + beside.limiter.calls
      return { ask, advance, calls, paced, beside }
    }

    test("asks for another that may deny for longer", async () => {
      const daily = "2/day fixed_window as daily"
      const { ask, advance, calls } = limitedBy(daily)
      expect(await ask()).toBeNull()
      const before = calls()
      // One is left there, so nobody need ask.
      expect(await ask()).toEqual({ retry_after_ms: 900, policies: ["pace"] })
      expect(calls()).toBe(before)
      advance(1_000)
      expect(await ask()).toBeNull()
      const full = { retry_after_ms: 7_199_000, policies: ["pace", "daily"] }
      expect(await ask()).toEqual(full)
      const known = calls()
      expect(await ask()).toEqual(full)
      expect(calls()).toBe(known)
    })

    test("asks for one with a block each time that it denies too, and begins none", async () => {
      const login = { limit: 1, period: "1h", algorithm: "fixed_window", block: "1h", name: "login" } as const
      const { ask, paced, beside } = limitedBy(login)
      expect(await ask()).toBeNull()
      for (let asked = 0; asked < 3; asked++) {
        expect(await ask()).toEqual({ retry_after_ms: 3_600_000, policies: ["pace", "login"] })
      }
      expect(await beside.limiter.status("a")).toMatchObject({ blockedForMs: 0 })
      expect([paced.denialCache.hits, beside.denialCache.hits]).toEqual([0, 0])
    })
  })

  test("false asks the object each time", async () => {
    const { limiter } = realLimiter("1/day")
    await limiter.check("a")
    for (let check = 0; check < 3; check++) expect(await limiter.check("a")).toMatchObject({ reason: "limit" })
  })
})
