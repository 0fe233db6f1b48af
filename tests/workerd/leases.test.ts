import { createExecutionContext, evictDurableObject, runInDurableObject, waitOnExecutionContext } from "cloudflare:test"
import { env } from "cloudflare:workers"
import { describe, expect, test, vi } from "vitest"
import { DenialCache } from "../../src/edge/denial-cache.js"
import { header, rateLimit as limitHandler } from "../../src/http/index.js"
import { parsePolicy } from "../../src/policy/parse-policy.js"
import { CostError, StoreUnavailable } from "../../src/types/errors.js"
import { EdgeLimiter, type EdgeLimiterOptions, rateLimit } from "../../worker/sluice-worker.js"
import { errorOf } from "./error-of.js"
import { faultyBinding } from "./faulty-binding.js"
import { clockedLimiter, freshName, realLimiter, rowsOf } from "./objects.js"

/** The namespace as another isolate has it, where nothing is known of what this one drew. */
function elsewhereBinding(): Cloudflare.Env["LIMITER"] {
  const { LIMITER } = env
  return { getByName: LIMITER.getByName.bind(LIMITER) } as unknown as typeof LIMITER
}

const times = <T>(count: number, make: () => T): T[] => Array.from({ length: count }, make)

describe("EdgeLimiter with leases", () => {
  test("answers a hot key with a small share of the calls, each admission charged", async () => {
    const { limiter, object } = realLimiter("100000/day fixed_window", { lease: { units: 500, ttl: "20s" } })
    let admitted = 0
    for (let round = 0; round < 100; round++) {
      const decisions = await Promise.all(times(50, () => limiter.check("a")))
      admitted += decisions.filter(({ allowed }) => allowed).length
    }
    expect(admitted).toBe(5_000)
    expect(limiter.calls).toBeLessThan(500)
    const { remaining } = await limiter.status("a")
    expect(100_000 - remaining).toBeGreaterThanOrEqual(5_000)
    expect(100_000 - remaining).toBeLessThanOrEqual(5_000 + 1_000)
    expect((await object().report()).calls).toBe(limiter.calls - 1)
  })

  test("are refused of a leaky_bucket, and not drawn where a function chooses one: its requests stay spaced", async () => {
    const policy = { limit: 1, period: "1s", algorithm: "leaky_bucket", burst: 9, name: freshName() } as const
    const refused = 'lease is "auto", allowed is none with a leaky_bucket'
    for (const input of [policy, ["5/second", policy]] as const) {
      expect(() => new EdgeLimiter(env.LIMITER, input, { lease: "auto" })).toThrow(refused)
      expect(() => rateLimit(() => new Response(), { policy: input, lease: "auto" })).toThrow(refused)
    }
    const delays: number[] = []
    const limited = rateLimit<Cloudflare.Env>(() => new Response(), {
      policy: () => policy,
      key: () => "a",
      lease: { units: 9, ttl: "20s" },
      onDecision: ({ delayMs }) => void delays.push(delayMs),
    })
    const sinceMs = Date.now()
    for (let asked = 0; asked < 4; asked++) {
      await limited(new Request("http://localhost/"), env, createExecutionContext())
    }
    const tookMs = Date.now() - sinceMs
    for (const [index, delayMs] of delays.entries()) {
      expect(delayMs).toBeLessThanOrEqual(index * 1_000)
      expect(delayMs).toBeGreaterThanOrEqual(index * 1_000 - tookMs)
    }
    expect(delays).toHaveLength(4)
  })

  test("are not granted where a leaky_bucket took the place of the policy that draws: its requests stay spaced", async () => {
    const { clock, limiter: older, name } = clockedLimiter("60/minute", { lease: { units: 20, ttl: "20s" } })
    await older.check("a", { cost: 60 })
    clock.advance(60_000)
    const leaky = { limit: 60, period: "1m", algorithm: "leaky_bucket" } as const
    const newer = new EdgeLimiter(env.CLOCKED_LIMITER, leaky, { name, denialCache: false })
    const delays = [(await newer.check("a")).delayMs]
    for (let asked = 0; asked < 3; asked++) {
      delays.push(...(await Promise.all(times(4, () => older.check("a")))).map(({ delayMs }) => delayMs))
      delays.push((await newer.check("a")).delayMs)
    }
    expect(delays.toSorted((one, other) => one - other)).toEqual(delays.map((_, index) => index * 1_000))
  })

  test("a receipt of a lease that was too old stays so where the limit gets a longer policy", async () => {
    const { clock, limiter, name } = clockedLimiter("30/minute", { lease: { units: 4, ttl: "20s" } })
    for (let check = 0; check < 3; check++) await limiter.check("a")
    const receipt = (await limiter.check("a")).receipt!
    clock.advance(64 * 60_000)
    const longer = new EdgeLimiter(env.CLOCKED_LIMITER, "100/hour", { name, denialCache: false })
    await longer.settle(receipt, 5)
    expect((await longer.status("a")).remaining).toBe(100)
  })

  test("names draws apart from the calls that callers name", async () => {
    const { limiter, object } = clockedLimiter("1000/day", { lease: { units: 10, ttl: "20s" } })
    for (let check = 0; check < 50; check++) await limiter.check("a")
    const log = (await rowsOf(object()))!.map(({ body }) => new TextDecoder().decode(body)).join("")
    expect(log).toContain("\tlease-")
    expect(log).not.toMatch(/[^\t]lease-/)
  })

  describe("of one isolate", () => {
    const lease = { units: 100, ttl: "20s" }

    test("spends what others of the same limit drew, one made for each request too", async () => {
      const name = freshName()
      const make = () => new EdgeLimiter(env.LIMITER, "1000/day fixed_window", { name, lease, denialCache: false })
      let calls = 0
      for (let check = 0; check < 20; check++) {
        const limiter = make()
        expect((await limiter.check("a")).allowed).toBe(true)
        calls += limiter.calls
      }
      expect(calls).toBeLessThanOrEqual(3)
      const { remaining } = await make().status("a")
      expect(1_000 - remaining).toBeGreaterThanOrEqual(20)
      // As much as three draws bring at most.
      expect(1_000 - remaining).toBeLessThanOrEqual(3 * 101)
    })

    /** Makes limiters of limits that are alike in all but their number. */
    function makerOf(given: EdgeLimiterOptions) {
      const [name, binding] = [freshName(), elsewhereBinding()]
      return (limit: number) => {
        const options = { ...given, name: `${name} ${limit}`, denialCache: false } as const
        return new EdgeLimiter(binding, "1000/day fixed_window", options)
      }
    }

    test("finds what others drew of the 32 limits of which a limiter was made last", async () => {
      const make = makerOf({ lease })
      await make(0).check("a")
      const calls: number[] = []
      for (const others of [31, 32]) {
        for (let limit = 1; limit <= others; limit++) make(limit)
        const limiter = make(0)
        await limiter.check("a")
        calls.push(limiter.calls)
      }
      expect(calls).toEqual([0, 1])
    })

    test("gives back what was drawn of a limit that had to make room", async () => {
      const work: Promise<unknown>[] = []
      const background = (promise: Promise<unknown>) => void work.push(promise)
      const make = makerOf({ lease: { units: 100, ttl: 50 }, background })
      await make(0).check("a")
      for (let limit = 1; limit <= 32; limit++) make(limit)
      await Promise.all(work)
      expect(await make(0).status("a")).toMatchObject({ remaining: 999 })
    })

    test("settles and ends what others of the same limit drew", async () => {
      const name = freshName()
      const make = () => new EdgeLimiter(env.LIMITER, "1000/day fixed_window", { name, lease, denialCache: false })
      const { receipt } = await make().check("a")
      await make().check("a")
      await make().refund(receipt!)
      await make().block("a", "1h")
      expect(await make().check("a")).toMatchObject({ allowed: false, reason: "blocked" })
      await make().reset("a")
      expect(await make().status("a")).toMatchObject({ remaining: 1_000, blockedForMs: 0 })
    })

    test.each<[string, (options: EdgeLimiterOptions) => EdgeLimiter]>([
      ["name", (options) => new EdgeLimiter(env.LIMITER, "1000/day", { ...options, name: `${options.name}, another` })],
      ["policy", (options) => new EdgeLimiter(env.LIMITER, "2000/day", options)],
      ["tenant", (options) => new EdgeLimiter(env.LIMITER, "1000/day", { ...options, tenant: "acme" })],
      ["shards", (options) => new EdgeLimiter(env.LIMITER, "1000/day", { ...options, shards: 2 })],
      ["owner", (options) => new EdgeLimiter(env.LIMITER, "1000/day", { ...options, owner: "acme" })],
      ["owner function", (options) => new EdgeLimiter(env.LIMITER, "1000/day", { ...options, owner: () => "globex" })],
      ["sync", (options) => new EdgeLimiter(env.LIMITER, "1000/day", { ...options, sync: "batch" })],
      ["lease", (options) => new EdgeLimiter(env.LIMITER, "1000/day", { ...options, lease: { ...lease, units: 99 } })],
      ["binding", (options) => new EdgeLimiter(elsewhereBinding(), "1000/day", options)],
    ])("draws for itself under another %s", async (_, make) => {
      const options = { name: freshName(), lease, denialCache: false } as const
      await new EdgeLimiter(env.LIMITER, "1000/day", options).check("a")
      const same = new EdgeLimiter(env.LIMITER, "1000/day", options)
      const other = make(options)
      await same.check("a")
      await other.check("a")
      expect([same.calls, other.calls > 0]).toEqual([0, true])
    })

    test("draws for itself under shards of another number, and owners of other texts", async () => {
      const calls: number[] = []
      const name = freshName()
      const placed = [{ shards: 2 }, { shards: 3 }, { owner: "acme" }, { owner: "globex" }]
      for (const options of [...placed, ...placed]) {
        const limiter = new EdgeLimiter(env.LIMITER, "1000/day", { name, lease, denialCache: false, ...options })
        await limiter.check("a")
        await limiter.check("a")
        calls.push(limiter.calls)
      }
      expect(calls.map((each) => each > 0)).toEqual([true, true, true, true, false, false, false, false])
    })
  })

  test("several isolates never admit more together than the limit, and leave little unused", async () => {
    const name = freshName()
    const isolates = times(
      4,
      () =>
        new EdgeLimiter(elsewhereBinding(), "1000/day", {
          ...{ name, denialCache: false, lease: { units: 64, ttl: "20s" } },
        }),
    )
    let admitted = 0
    for (let round = 0; round < 60; round++) {
      const checks = isolates.flatMap((isolate) => times(10, () => isolate.check("a")))
      admitted += (await Promise.all(checks)).filter(({ allowed }) => allowed).length
    }
    expect(admitted).toBeLessThanOrEqual(1_000)
    expect(admitted).toBeGreaterThanOrEqual(1_000 - 4 * 2 * 64)
  })

  test("every admission has a receipt of its own, and refund() gives it back", async () => {
    const { limiter } = realLimiter("1000/day fixed_window", { lease: { units: 100, ttl: "20s" } })
    const decisions = []
    for (let check = 0; check < 30; check++) decisions.push(await limiter.check("a"))
    expect(new Set(decisions.map(({ receipt }) => receipt!.id)).size).toBe(30)
    const { calls } = limiter
    await limiter.refund(decisions.at(-1)!.receipt!)
    expect(limiter.calls).toBe(calls)
  })

  test("settle() of units from a lease charges what is more once, here and elsewhere", async () => {
    const name = freshName()
    const limiterOf = (lease?: { units: number; ttl: string }) => {
      const options = { name, denialCache: false, ...(lease && { lease }) } as const
      return new EdgeLimiter(elsewhereBinding(), "1000/day fixed_window", options)
    }
    const lease = { units: 100, ttl: "20s" }
    const [limiter, elsewhere, plain] = [limiterOf(lease), limiterOf(lease), limiterOf()] as const
    const first = (await limiter.check("a")).receipt!
    const { receipt } = await limiter.check("a", { cost: 2 })
    const { remaining } = await plain.status("a")
    for (const each of [limiter, limiter, elsewhere, plain]) await each.settle(receipt!, 7)
    for (const each of [limiter, elsewhere, plain]) await each.refund(receipt!)
    expect(await plain.status("a")).toMatchObject({ remaining: remaining - 5 })
    await limiter.refund(first)
    await limiter.settle(first, 9)
    expect(await plain.status("a")).toMatchObject({ remaining: remaining - 5 })
    await expect(limiter.settle({ ...receipt!, id: `x${receipt!.id}` }, 7)).rejects.toThrow(RangeError)
  })

  test("units that were drawn before a reset elsewhere are given back no more, and settle() charges nothing for them", async () => {
    const name = freshName()
    const limiterOf = (lease?: { units: number; ttl: string }) =>
      new EdgeLimiter(env.LIMITER, "1000/day fixed_window", { name, denialCache: false, ...(lease && { lease }) })
    const [leased, plain] = [limiterOf({ units: 100, ttl: "20s" }), limiterOf()] as const
    for (let check = 0; check < 30; check++) await leased.check("a")
    const { receipt } = await leased.check("a")
    await plain.reset("a")
    await plain.check("a", { cost: 900 })
    await leased.settle(receipt!, 11)
    expect(await plain.status("a")).toMatchObject({ remaining: 100 })
    // Ends the leases, and gives back what is left of them.
    await leased.block("a", "1h")
    await vi.waitFor(async () => expect(leased.calls).toBeGreaterThan(3))
    expect(await plain.status("a")).toMatchObject({ remaining: 100 })
  })

  test("a receipt of units from a lease whose further charge is refused stays open", async () => {
    const { limiter, object } = realLimiter("1000/day fixed_window", { lease: { units: 100, ttl: "20s" } })
    await limiter.check("a")
    const { receipt } = await limiter.check("a", { cost: 2 })
    const { remaining } = await limiter.status("a")
    const subject = { key: "a", policy: parsePolicy("1000/day fixed_window").canonical }
    await runInDurableObject(object(), (instance) =>
      expect(instance.settle(subject, { ...receipt!, key: "" }, -5)).rejects.toThrow("a key is not empty"),
    )
    await expect(object().settle(subject, receipt!, -5)).resolves.toBe(true)
    expect(await limiter.status("a")).toMatchObject({ remaining: remaining - 5 })
  })

  test("refund() of a unit from a lease gives nothing back elsewhere: the draw's own receipt does", async () => {
    const { limiter, object } = realLimiter("1000/day fixed_window", { lease: { units: 100, ttl: "20s" } })
    const { receipt } = await limiter.check("a")
    const { remaining } = await limiter.status("a")
    const [name] = (await object().name)!.split("\n")
    await new EdgeLimiter(env.LIMITER, "1000/day fixed_window", { name: name! }).refund(receipt!)
    expect(await limiter.status("a")).toMatchObject({ remaining })
  })

  test.each(["lost-call", "lost-answer", "overloaded"] as const)(
    "a settle() that meets %s can be repeated",
    async (fault) => {
      const name = freshName()
      let faults = 0
      const network = faultyBinding(env.LIMITER, (verb) =>
        verb === "settle" && faults++ < (fault === "overloaded" ? 1 : 2) ? fault : "none",
      )
      const options = { name, lease: { units: 100, ttl: "20s" }, denialCache: false } as const
      const limiter = new EdgeLimiter(network.binding, "1000/day fixed_window", options)
      const { receipt } = await limiter.check("a")
      const { remaining } = await limiter.status("a")
      await limiter.settle(receipt!, 11).catch(() => undefined)
      await limiter.settle(receipt!, 11)
      await limiter.settle(receipt!, 11)
      expect(await limiter.status("a")).toMatchObject({ remaining: remaining - 10 })
    },
  )

  test("a check that waited and costs more than the one that was denied is told a wait that is enough for it", async () => {
    const { limiter, clock, name } = clockedLimiter("60/minute", { lease: { units: 40, ttl: "20s" } })
    const plain = new EdgeLimiter(env.CLOCKED_LIMITER, "60/minute", { name, denialCache: false })
    await plain.check("a", { cost: 60 })
    const decisions = await Promise.all([1, 1, 5, 10].map((cost) => limiter.check("a", { cost })))
    expect(limiter.calls).toBe(1)
    expect(decisions.map(({ allowed, cost }) => [allowed, cost])).toEqual([1, 1, 5, 10].map((cost) => [false, cost]))
    for (const { cost, retryAfterMs } of decisions) {
      const { retryAfterMs: exactMs } = await plain.peek("a", { cost })
      expect(retryAfterMs).toBeGreaterThanOrEqual(exactMs)
      expect(retryAfterMs).toBeLessThanOrEqual(exactMs + 1)
    }
    clock.advance(decisions[3]!.retryAfterMs)
    expect(await plain.check("a", { cost: 10 })).toMatchObject({ allowed: true })
  })

  test("a draw whose answer was lost is told again, and charges once", async () => {
    const name = freshName()
    const network = faultyBinding(env.LIMITER, (_verb, call) => (call === 1 ? "lost-answer" : "none"))
    const options = { name, lease: { units: 100, ttl: "20s" } } as const
    const limiter = new EdgeLimiter(network.binding, "1000/day fixed_window", options)
    expect(await limiter.check("a")).toMatchObject({ allowed: true })
    expect(await new EdgeLimiter(env.LIMITER, "1000/day fixed_window", { name }).status("a")).toMatchObject({
      remaining: 1_000 - 17,
    })
  })

  test.each([
    ["block", { allowed: false, reason: "blocked" }],
    ["reset", { allowed: true }],
    ["charge", { allowed: false, reason: "limit" }],
  ] as const)("a draw that a %s overtakes leases nothing", async (verb, expected) => {
    const { limiter } = realLimiter("1000/day fixed_window", { lease: { units: 100, ttl: "20s" } })
    const drawing = limiter.check("a")
    const argument = { block: "1h", charge: 2_000, reset: undefined }[verb]
    const changing = limiter[verb]("a", argument as never)
    expect(await drawing).toMatchObject({ allowed: true })
    await changing
    const { calls } = limiter
    const later = await limiter.check("a")
    expect(limiter.calls).toBe(calls + 1)
    expect(later).toMatchObject(expected)
  })

  test("block() ends the lease of a draw that came before it on the way", async () => {
    const network = faultyBinding(env.LIMITER, (verb) => (verb === "block" ? "late-call" : "none"))
    const options = { name: freshName(), denialCache: false, lease: { units: 100, ttl: "20s" } } as const
    const limiter = new EdgeLimiter(network.binding, "1000/day fixed_window", options)
    const blocking = limiter.block("a", "1h")
    expect(await limiter.check("a")).toMatchObject({ allowed: true })
    network.answer()
    await blocking
    expect(await limiter.check("a")).toMatchObject({ allowed: false, reason: "blocked" })
  })

  test("charge() ends the leases: a key in debt is denied at once", async () => {
    const { limiter } = realLimiter("1000/day fixed_window", { lease: { units: 100, ttl: "20s" } })
    await limiter.check("a")
    await limiter.charge("a", 2_000)
    expect(await limiter.check("a")).toMatchObject({ allowed: false, reason: "limit" })
  })

  test.each([
    ["block", "1h", 999],
    ["charge", 3, 996],
  ] as const)("%s() gives back the units that were here", async (verb, argument, remaining) => {
    const work: Promise<unknown>[] = []
    const background = (promise: Promise<unknown>) => void work.push(promise)
    const { limiter } = realLimiter("1000/day fixed_window", { background, lease: { units: 100, ttl: "20s" } })
    await limiter.check("a")
    work.length = 0 // Not what waits for the lease to be idle.
    await limiter[verb]("a", argument as never)
    await Promise.all(work)
    await limiter.unblock("a")
    expect(await limiter.status("a")).toMatchObject({ remaining })
  })

  test.each(["always", "ahead", "batch"] as const)("gives units back after an eviction under %s", async (sync) => {
    const work: Promise<unknown>[] = []
    const background = (promise: Promise<unknown>) => void work.push(promise)
    const lease = { units: 100, ttl: "20s" }
    const { limiter, object } = realLimiter("1000/day fixed_window", { background, lease, sync })
    await limiter.check("a")
    work.length = 0 // Not what waits for the lease to be idle.
    // A look commits what is left.
    await object().verify()
    await evictDurableObject(object())
    const { remaining } = await limiter.status("a")
    await limiter.block("a", "1h")
    await Promise.all(work)
    await limiter.unblock("a")
    expect(await limiter.status("a")).toMatchObject({ remaining: remaining + 16 })
  })

  test("asks the object itself about what costs more than a quarter of a lease, so that it can be settled late", async () => {
    const { limiter, object } = realLimiter("1000/day fixed_window", { lease: { units: 100, ttl: "20s" } })
    const { receipt } = await limiter.check("a", { cost: 26 })
    expect(await limiter.status("a")).toMatchObject({ remaining: 974 })
    const late = new EdgeLimiter(env.LIMITER, "1000/day fixed_window", { name: (await object().name)!.split("\n")[0]! })
    await late.refund(receipt!)
    expect(await limiter.status("a")).toMatchObject({ remaining: 1_000 })
  })

  test("tells each check whose cost can never pass so, while the object decides under a smaller policy", async () => {
    const name = freshName()
    const lease = { units: 1_000, ttl: "20s" } as const
    const [older, newer] = ["100/hour", "10/hour"].map((policy) => {
      return new EdgeLimiter(env.LIMITER, policy, { name, denialCache: false, ...(policy === "100/hour" && { lease }) })
    }) as [EdgeLimiter, EdgeLimiter]
    await older.check("a", { id: "a check by the object" })
    await newer.check("a")
    const errors = await Promise.all(times(3, () => errorOf(older.check("a", { cost: 20 }))))
    expect(errors).toMatchObject(times(3, () => ({ constructor: CostError, cost: 20, maximum: 10 })))
  })

  test("draws nothing while a reset is under way, so that no units are lost", async () => {
    const network = faultyBinding(env.LIMITER, (verb) => (verb === "reset" ? "late-answer" : "none"))
    const limiter = new EdgeLimiter(network.binding, "1000/day fixed_window", {
      name: freshName(),
      denialCache: false,
      lease: { units: 100, ttl: "20s" },
    })
    await limiter.check("a")
    const reset = limiter.reset("a")
    await vi.waitFor(async () => expect(await limiter.status("a")).toMatchObject({ remaining: 1_000 }))
    expect(await limiter.check("a")).toMatchObject({ allowed: true })
    network.answer()
    await reset
    expect(await limiter.status("a")).toMatchObject({ remaining: 999 })
    await limiter.check("a")
    expect(await limiter.status("a")).toMatchObject({ remaining: 999 - 17 })
  })

  test.each([1, -1])("draws again 30 s away from the begin of a reset that never ended: %s", async (way) => {
    const network = faultyBinding(env.LIMITER, (verb) => (verb === "reset" ? "late-answer" : "none"))
    const options = { name: freshName(), denialCache: false, lease: { units: 100, ttl: "20s" } } as const
    const limiter = new EdgeLimiter(network.binding, "1000/week fixed_window", options)
    vi.useFakeTimers({ toFake: ["Date"] })
    try {
      const reset = limiter.reset("a")
      vi.setSystemTime(Date.now() + 30_000 * way)
      await limiter.check("a")
      expect(await limiter.status("a")).toMatchObject({ remaining: 999 })
      vi.setSystemTime(Date.now() + way)
      await limiter.check("a")
      expect(await limiter.status("a")).toMatchObject({ remaining: 999 - 17 })
      network.answer()
      await reset
    } finally {
      vi.useRealTimers()
    }
  })

  test("gives back what an idle key left, in the background", async () => {
    const name = freshName()
    const work: Promise<unknown>[] = []
    const background = (promise: Promise<unknown>) => void work.push(promise)
    const options = { name, background, lease: { units: 100, ttl: 50 } }
    const limiter = new EdgeLimiter(env.LIMITER, "1000/day fixed_window", options)
    await limiter.check("a")
    expect(await limiter.status("a")).toMatchObject({ remaining: 1_000 - 17 })
    expect(work).toHaveLength(1)
    await Promise.all(work)
    expect(await limiter.status("a")).toMatchObject({ remaining: 999 })
  })

  test("gives back later what a draw that failed was to give back", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "Date"] })
    try {
      const work: Promise<unknown>[] = []
      const network = faultyBinding(env.LIMITER, (verb) => (verb === "draw" && draws++ > 0 ? "hanging" : "none"))
      let draws = 0
      const limiter = new EdgeLimiter(network.binding, "1000/day fixed_window", {
        name: freshName(),
        denialCache: false,
        background: (promise) => void work.push(promise),
        timeoutMs: 100,
        lease: { units: 100, ttl: 1_000 },
      })
      await limiter.check("a")
      // When it is idle, but before it is given back for that.
      await vi.advanceTimersByTimeAsync(760)
      const failed = errorOf(limiter.check("a", { cost: 20 }))
      await vi.advanceTimersByTimeAsync(100)
      expect(await failed).toBeInstanceOf(StoreUnavailable)
      expect(await limiter.status("a")).toMatchObject({ remaining: 1_000 - 17 })
      await vi.advanceTimersByTimeAsync(800)
      await Promise.all(work)
      expect(await limiter.status("a")).toMatchObject({ remaining: 999 })
    } finally {
      vi.useRealTimers()
    }
  })

  test.each(["checkAll()", "a check with an id"])("goes on spending what it drew when %s is denied", async (asks) => {
    const { limiter, object } = realLimiter("1000/day fixed_window", {
      lease: { units: 16, ttl: "20s" },
      denialCache: new DenialCache(),
    })
    await limiter.check("a")
    const { remaining } = await limiter.peek("a")
    const ask = async (cost: number) =>
      asks === "checkAll()"
        ? limiter.checkAll([{ key: "a", cost }])
        : limiter.check("a", { cost, id: crypto.randomUUID() })
    expect(await ask(remaining)).toMatchObject({ allowed: true })
    expect(await ask(1)).toMatchObject({ allowed: false })
    const { calls } = await object().report()
    const decisions = []
    for (let check = 0; check < 40; check++) decisions.push(await limiter.check("a"))
    const left = 1_000 - 1 - remaining
    expect(left).toBeGreaterThan(1)
    expect(decisions.map(({ reason }) => reason)).toEqual([
      ...times(left, () => "ok"),
      ...times(40 - left, () => "cached"),
    ])
    // Nothing is drawn where the denial is known, and the denials count as told from memory alone.
    expect((await object().report()).calls).toBe(calls)
    expect(limiter.denialCache!.hits).toBe(40 - left)
  })

  test("spends nothing of a key that a denial blocks", async () => {
    const policy = { limit: 1_000, period: "1d", algorithm: "fixed_window", block: "1h" } as const
    const { limiter } = realLimiter(policy, { lease: { units: 16, ttl: "20s" }, denialCache: new DenialCache() })
    await limiter.check("a")
    await limiter.checkAll([{ key: "a", cost: (await limiter.peek("a")).remaining }])
    expect(await limiter.checkAll([{ key: "a" }])).toMatchObject({ allowed: false })
    expect(await limiter.check("a")).toMatchObject({ allowed: false, reason: "cached" })
  })

  test("the middleware leases too, and lets the rest go back after the answer", async () => {
    const policy = "1000/day fixed_window as leased"
    const limited = rateLimit<Cloudflare.Env>(() => new Response("ok"), {
      policy,
      key: () => "the client",
      lease: { units: 100, ttl: 50 },
    })
    for (let asked = 0; asked < 3; asked++) {
      const context = createExecutionContext()
      const response = await limited(new Request("http://localhost/"), env, context)
      expect(response.headers.get("RateLimit")).toMatch(/^"leased";r=99[789];/)
      await waitOnExecutionContext(context)
    }
  })

  test("two limits of a request over one limiter with a lease are decided together", async () => {
    const { limiter } = realLimiter("1/day", { lease: { units: 10, ttl: "2s" } })
    const limits = ["user", "org"].map((name) => ({ policy: "1/day", key: header(name) }))
    const limited = limitHandler(() => new Response(), { limits, limiter: () => limiter, failMode: "closed" })
    const statuses: number[] = []
    for (const [user, org] of [
      ["ann", "acme"],
      ["ann", "other"],
      ["bob", "other"],
    ] as const) {
      statuses.push((await limited(new Request("http://localhost/", { headers: { user, org } }))).status)
    }
    expect(statuses).toEqual([200, 429, 200])
  })

  test('"auto" leases only what is busy', async () => {
    const { limiter } = realLimiter("100000/day fixed_window", { lease: "auto" })
    for (let check = 0; check < 20; check++) await limiter.check("a")
    expect(limiter.calls).toBe(20)
    const decisions = await Promise.all(times(400, () => limiter.check("a")))
    expect(decisions.every(({ allowed }) => allowed)).toBe(true)
    const { calls } = limiter
    for (let check = 0; check < 200; check++) await limiter.check("a")
    expect(limiter.calls - calls).toBeLessThan(60)
  })

  test('"auto" goes on leasing what stays busy, although fewer calls come by then', async () => {
    const { limiter } = realLimiter("1000000/week fixed_window", { lease: "auto" })
    const callsOfASecond = async () => {
      const { calls } = limiter
      for (let check = 0; check < 500; check++) {
        await limiter.check("a")
        vi.advanceTimersByTime(2)
      }
      return limiter.calls - calls
    }
    vi.useFakeTimers({ toFake: ["Date"] })
    try {
      expect(await callsOfASecond()).toBeGreaterThanOrEqual(100)
      for (let second = 2; second <= 4; second++) expect(await callsOfASecond(), `second ${second}`).toBeLessThan(60)
    } finally {
      vi.useRealTimers()
    }
  })
})
