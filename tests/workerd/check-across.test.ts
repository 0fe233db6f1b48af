import { evictDurableObject } from "cloudflare:test"
import { env } from "cloudflare:workers"
import { describe, expect, test } from "vitest"
import { ManualClock } from "../../src/types/clock.js"
import { CostError, LimitNotFound, StoreUnavailable } from "../../src/types/errors.js"
import { decideAcross } from "../../worker/check-across.js"
import { checkAcross, DenialCache, EdgeLimiter, type EdgeLimiterOptions } from "../../worker/sluice-worker.js"
import { setClock } from "./clocked-limiter-object.js"
import { errorOf } from "./error-of.js"
import { type Fault, faultyBinding } from "./faulty-binding.js"
import { clockedLimiter, freshName, START_MS } from "./objects.js"

/** Limits whose keys live in one object, under a clock that stands. */
function owned(...policies: string[]) {
  const owner = freshName()
  setClock(owner, new ManualClock(START_MS))
  const network = faultyBinding(env.CLOCKED_LIMITER, () => "none")
  const limiters = policies.map(
    (policy, index) => new EdgeLimiter(network.binding, policy, { name: `limit ${index}`, owner, denialCache: false }),
  )
  return { limiters, network, object: () => env.CLOCKED_LIMITER.getByName(`\nowner\n${owner}`) }
}

describe("EdgeLimiter.checkAll()", () => {
  test("charges all where all are admitted, and gives each its receipt", async () => {
    const { limiter } = clockedLimiter("5/day")
    const { allowed, deniedKey, deniedPolicy, decisions } = await limiter.checkAll([
      { key: "a", cost: 2 },
      { key: "b" },
    ])
    expect({ allowed, deniedKey, deniedPolicy }).toEqual({ allowed: true, deniedKey: null, deniedPolicy: null })
    expect(decisions.map(({ key, remaining }) => [key, remaining])).toEqual([
      ["a", 3],
      ["b", 4],
    ])
    await limiter.refund(decisions[0]!.receipt!)
    expect(await limiter.status("a")).toMatchObject({ remaining: 5 })
  })

  test("charges nothing where one is denied, whichever it is", async () => {
    const { limiter } = clockedLimiter("5/day fixed_window")
    for (const order of [
      ["a", "b"],
      ["b", "a"],
    ]) {
      await limiter.reset("a")
      await limiter.reset("b")
      await limiter.check("b", { cost: 4 })
      const { allowed, deniedKey, decisions } = await limiter.checkAll(order.map((key) => ({ key, cost: 2 })))
      expect({ allowed, deniedKey }).toEqual({ allowed: false, deniedKey: "b" })
      expect(decisions.map(({ key }) => key)).toEqual(order)
      expect(decisions.some(({ receipt }) => receipt)).toBe(false)
      expect(await limiter.status("a")).toMatchObject({ remaining: 5 })
      expect(await limiter.status("b")).toMatchObject({ remaining: 1 })
    }
  })

  test("refuses no items, one key twice, a foreign limit and a cost that can never pass, before any call", async () => {
    const { limiter } = clockedLimiter("5/day as five")
    expect(await errorOf(limiter.checkAll([]))).toBeInstanceOf(RangeError)
    expect(await errorOf(limiter.checkAll([{ key: "a" }, { key: "a" }]))).toBeInstanceOf(RangeError)
    expect(await errorOf(limiter.checkAll([{ key: "a" }, { key: "b", cost: 6 }]))).toBeInstanceOf(CostError)
    for (const [items, told] of [
      [null, "items is null, allowed is a list"],
      [[{ limiter: 5, key: "a" }], "items[0].limiter is 5, allowed is an EdgeLimiter"],
      [[{ limiter, key: "a", costs: 5 }], 'option is "items[0].costs", allowed is limiter, key, cost'],
    ] as const) {
      await expect(checkAcross(items as never)).rejects.toThrow(`Cannot check all: ${told}`)
    }
    await expect(limiter.checkAll([{ key: "a", limit: "six" }])).rejects.toBeInstanceOf(LimitNotFound)
    expect(limiter.calls).toBe(0)
    expect(await limiter.checkAll([{ key: "a", limit: "five" }])).toMatchObject({ allowed: true })
  })
})

describe("checkAcross()", () => {
  test("gives back every item that has an id, however many of them one object keeps", async () => {
    const { limiters } = owned("3/hour")
    const { limiter: full } = clockedLimiter("1/hour")
    await full.charge("s", 1)
    const keys = Array.from({ length: 300 }, (_, index) => `key ${index}`)
    const items = keys.map((key) => ({ limiter: limiters[0]!, key, id: "call" }))
    expect(await checkAcross([{ limiter: full, key: "s" }, ...items])).toMatchObject({ allowed: false })
    const left = await Promise.all(keys.map(async (key) => (await limiters[0]!.status(key)).remaining))
    expect(left.filter((remaining) => remaining < 3)).toEqual([])
  })

  test("with an id of the call is told again, and charges each item once", async () => {
    const [one, two] = [clockedLimiter("5/day"), clockedLimiter("5/day")]
    const items = [
      { limiter: one.limiter, key: "a", cost: 2 },
      { limiter: two.limiter, key: "a", id: "own" },
    ]
    const [first, again] = [await checkAcross(items, { id: "x" }), await checkAcross(items, { id: "x" })]
    expect(again.decisions.map(({ receipt }) => receipt)).toEqual(first.decisions.map(({ receipt }) => receipt))
    expect(again.decisions.map(({ remaining }) => remaining)).toEqual([3, 4])
    expect((await two.limiter.check("a", { id: "own" })).receipt).toEqual(first.decisions[1]!.receipt)
    await expect(checkAcross(items, { ids: "x" } as object)).rejects.toThrow('option is "ids", allowed is id')
  })

  test("takes one round trip where all are admitted: every object is asked once", async () => {
    const made = ["5/day as one", "5/day as two", "5/day as three"].map((policy) => clockedLimiter(policy))
    const items = made.map(({ limiter }) => ({ limiter, key: "a" }))
    expect(await checkAcross(items)).toMatchObject({ allowed: true })
    expect(made.map(({ limiter }) => limiter.calls)).toEqual([1, 1, 1])
  })

  test("decides limits of one owner in one call and one commit, several limits of one key among them", async () => {
    const { limiters, network, object } = owned("5/day as one", "3/day as two")
    const [one, two] = limiters as [EdgeLimiter, EdgeLimiter]
    const items = [
      { limiter: one, key: "a" },
      { limiter: two, key: "a", cost: 2 },
      { limiter: one, key: "b" },
    ]
    const { allowed, decisions } = await checkAcross(items)
    expect(allowed).toBe(true)
    expect(decisions.map(({ policy, key, remaining }) => [policy, key, remaining])).toEqual([
      ["one", "a", 4],
      ["two", "a", 1],
      ["one", "b", 4],
    ])
    expect(network.calls).toBe(1)
    expect(await object().report()).toMatchObject({ admitted: 3, commits: 1, calls: 1 })
    expect(await checkAcross(items)).toMatchObject({ allowed: false, deniedPolicy: "two", deniedKey: "a" })
    expect(network.calls).toBe(2)
    await evictDurableObject(object())
    expect(await one.status("a")).toMatchObject({ remaining: 4 })
    expect(await two.status("a")).toMatchObject({ remaining: 1 })
    expect(await object().verify()).toMatchObject({ replayEqualsLive: true })
  })

  test("tells a call that is repeated to an object again as its keys stand by then, with its receipts, charged once", async () => {
    const { limiters, object } = owned("10/day as one", "8/day as two")
    const [one, two] = limiters as [EdgeLimiter, EdgeLimiter]
    const checks = [one, two].map(({ policy }, index) => {
      return { subject: { key: "a", policy: policy.canonical, limit: `limit ${index}` }, cost: 3 }
    })
    const first = await object().checkAll(checks, "call")
    await one.charge("a", 5)
    await two.block("a", "1h")
    const again = await object().checkAll(checks, "call")
    expect(again).toMatchObject({ allowed: true, deniedKey: null, deniedPolicy: null })
    expect(again.decisions).toMatchObject([
      { allowed: true, reason: "ok", cost: 3, remaining: 2, retryAfterMs: 0 },
      { allowed: true, reason: "ok", cost: 3, remaining: 5, retryAfterMs: 0 },
    ])
    expect(again.decisions.map(({ receipt }) => receipt)).toEqual(first.decisions.map(({ receipt }) => receipt))
    expect(await two.status("a")).toMatchObject({ remaining: 5 })
    // Another call is another charge, and denied.
    expect(await object().checkAll(checks, "another")).toMatchObject({ allowed: false, deniedPolicy: "one" })
  })

  test("gives the right limit of an owner back where another object denies", async () => {
    const { limiters } = owned("5/day as one", "3/day as two")
    const { limiter: full } = clockedLimiter("1/day as full")
    await full.check("a")
    const items = [...limiters, full].map((limiter) => ({ limiter, key: "a" }))
    expect(await checkAcross(items)).toMatchObject({ allowed: false, deniedPolicy: "full" })
    expect(await limiters[0]!.status("a")).toMatchObject({ remaining: 5 })
    expect(await limiters[1]!.status("a")).toMatchObject({ remaining: 3 })
  })

  test("tells no receipt beside a denial that is known, also where both were admitted before", async () => {
    const { clock, name } = clockedLimiter("5/day fixed_window")
    const denialCache = new DenialCache({ clock })
    const limiter = new EdgeLimiter(env.CLOCKED_LIMITER, "5/day fixed_window", { name, denialCache })
    const items = [{ key: "a" }, { key: "b" }]
    expect(await limiter.checkAll(items)).toMatchObject({ allowed: true })
    await limiter.check("a", { cost: 4 })
    expect(await limiter.check("a")).toMatchObject({ allowed: false })
    const { allowed, decisions } = await limiter.checkAll(items)
    expect(allowed).toBe(false)
    expect(decisions.map(({ receipt }) => receipt)).toEqual([undefined, undefined])
  })

  test("asks no object where it is known that one denies, until that is over", async () => {
    const made = ["12/minute as one", "50/day; 100/day as two", "5/day as three"].map((policy) =>
      clockedLimiter(policy),
    )
    const denialCache = new DenialCache({ clock: made[0]!.clock })
    const limiters = made.map(({ name, limiter: { policy } }) => {
      return new EdgeLimiter(env.CLOCKED_LIMITER, policy, { name, denialCache })
    })
    const [one, two, three] = limiters as [EdgeLimiter, EdgeLimiter, EdgeLimiter]
    const items = limiters.map((limiter) => ({ limiter, key: "a", cost: 2 }))
    await one.check("a", { cost: 12 })
    await two.check("a", { cost: 20 })
    const callsOf = () => limiters.map(({ calls }) => calls)
    const first = await checkAcross(items)
    expect(first.decisions.map(({ allowed, reason }) => [allowed, reason])).toEqual([
      [false, "limit"],
      [true, "ok"],
      [true, "ok"],
    ])
    const before = callsOf()
    const second = await checkAcross(items)
    expect(callsOf()).toEqual(before)
    expect(second).toMatchObject({ allowed: false, deniedKey: "a", deniedPolicy: "one" })
    expect(second.decisions[0]).toEqual({ ...first.decisions[0], reason: "cached" })
    expect(second.decisions.slice(1)).toEqual(first.decisions.slice(1))
    // Of another key nobody knows, nor of another cost.
    const others = [items[0]!, { limiter: two, key: "b" }, { limiter: three, key: "a", cost: 3 }]
    const third = await checkAcross(others)
    expect(callsOf()).toEqual([before[0], before[1]! + 1, before[2]! + 1])
    expect(third.decisions.slice(1)).toEqual([await two.peek("b"), await three.peek("a", { cost: 3 })])
    const known = callsOf()
    expect(await checkAcross(others)).toEqual(third)
    expect(callsOf()).toEqual(known)
    // A denial of 2 says nothing of 1.
    made[0]!.clock.advance(5_000)
    expect(await checkAcross(items.map((item) => ({ ...item, cost: 1 })))).toMatchObject({ allowed: true })
    for (const { clock } of made) clock.advance(second.decisions[0]!.retryAfterMs)
    expect(await checkAcross(items)).toMatchObject({ allowed: true })
  })

  describe("beside a denial that is known", () => {
    /**
     * A limit with a key that is known to be denied, and what another one is made of whose keys nobody asked for
     * lately.
     */
    async function deniedBeside() {
      const [{ limiter: full, name, clock }, { limiter: sound, name: otherName }] = [
        clockedLimiter("1/day as full"),
        clockedLimiter("10/minute as other"),
      ]
      setClock(otherName, clock)
      const denialCache = new DenialCache({ clock })
      const denied = new EdgeLimiter(env.CLOCKED_LIMITER, full.policy, { name, denialCache })
      await denied.check("a")
      await denied.check("a")
      return { denied, sound, otherName, clock, denialCache }
    }

    async function knownDenial() {
      const { denied, sound, otherName, clock, denialCache } = await deniedBeside()
      const other = new EdgeLimiter(env.CLOCKED_LIMITER, sound.policy, { name: otherName, denialCache })
      const ask = (...items: { readonly key: string; readonly cost?: number; readonly id?: string }[]) =>
        checkAcross([{ limiter: denied, key: "a" }, ...items.map((item) => ({ limiter: other, ...item }))])
      return { ask, other, sound, clock }
    }

    test("tells the others as they are, and charges them nothing", async () => {
      const { ask, sound } = await knownDenial()
      await sound.check("used up", { cost: 10 })
      await sound.check("some left", { cost: 3 })
      await sound.block("blocked", "1h")
      const asked = [{ key: "used up" }, { key: "some left" }, { key: "blocked" }, { key: "unused" }]
      const { allowed, deniedPolicy, decisions } = await ask(...asked)
      expect({ allowed, deniedPolicy }).toEqual({ allowed: false, deniedPolicy: "full" })
      const expected = await Promise.all(asked.map(({ key }) => sound.peek(key)))
      expect(expected.map((each) => [each.reason, each.remaining])).toEqual([
        ["limit", 0],
        ["ok", 7],
        ["blocked", 10],
        ["ok", 10],
      ])
      expect(decisions.slice(1)).toEqual(expected)
    })

    test("tells a cost of 0 what is left", async () => {
      const { ask, sound } = await knownDenial()
      await sound.check("b", { cost: 10 })
      const { decisions } = await ask({ key: "b", cost: 0 })
      expect(decisions[1]).toEqual(await sound.peek("b", { cost: 0 }))
      expect(decisions[1]).toMatchObject({ allowed: true, remaining: 0 })
    })

    test("tells an admission under an id again, also where the key is known to have nothing left", async () => {
      const { ask, other } = await knownDenial()
      const { receipt } = await other.check("b", { cost: 10, id: "x" })
      expect(receipt).toBeDefined()
      expect((await ask({ key: "b", cost: 10 })).decisions[1]).toMatchObject({ allowed: false })
      const { decisions } = await ask({ key: "b", cost: 10, id: "x" })
      expect(decisions[1]).toMatchObject({ allowed: true, remaining: 0 })
      expect(decisions[1]!.receipt).toBeUndefined()
      // That says nothing of a check without the id.
      expect((await ask({ key: "b", cost: 10 })).decisions[1]).toMatchObject({ allowed: false })
    })

    test("looks once for a flood, whether it finds an admission or a denial, until that may pass", async () => {
      const { ask, other, sound, clock } = await knownDenial()
      await sound.check("used up", { cost: 10 })
      const items = [{ key: "used up" }, { key: "unused" }]
      const first = await ask(...items)
      const before = other.calls
      for (let asked = 0; asked < 300; asked++) expect((await ask(...items)).decisions[1]).toEqual(first.decisions[1])
      expect(other.calls).toBe(before)
      clock.advance(2_000)
      expect((await ask({ key: "used up" })).decisions[1]).toMatchObject({ allowed: false, retryAfterMs: 4_000 })
      expect(other.calls).toBe(before)
      clock.advance(4_000)
      expect((await ask({ key: "used up" })).decisions[1]).toMatchObject({ allowed: true, remaining: 1 })
      expect(other.calls).toBe(before + 1)
    })

    test("looks at all keys of one object in one call", async () => {
      const { limiters, network } = owned("5/day as one", "3/day as two")
      const { limiter: full, name, clock } = clockedLimiter("1/day as full")
      const denied = new EdgeLimiter(env.CLOCKED_LIMITER, full.policy, {
        name,
        denialCache: new DenialCache({ clock }),
      })
      await denied.check("a")
      await denied.check("a")
      await limiters[1]!.check("b", { cost: 3 })
      const before = network.calls
      const { decisions } = await checkAcross([
        { limiter: denied, key: "a" },
        { limiter: limiters[0]!, key: "a" },
        { limiter: limiters[1]!, key: "a", cost: 3 },
        { limiter: limiters[1]!, key: "b" },
      ])
      expect(network.calls).toBe(before + 1)
      expect(decisions.map(({ allowed, remaining }) => [allowed, remaining])).toEqual([
        [false, 0],
        [true, 5],
        [true, 3],
        [false, 0],
      ])
    })

    describe("with objects whose calls meet a fault", () => {
      /** The calls of the other limit are counted, and meet the fault while there is one. */
      async function besideFaulty() {
        const { denied, sound, otherName, clock, denialCache } = await deniedBeside()
        const fault: { now: Fault } = { now: "none" }
        const network = faultyBinding(env.CLOCKED_LIMITER, () => fault.now)
        const made = (cache: DenialCache | false) =>
          new EdgeLimiter(network.binding, sound.policy, { name: otherName, denialCache: cache })
        const ask = async (items: readonly { readonly key: string; readonly id?: string }[], other: EdgeLimiter) => {
          const asked = items.map((item) => ({ limiter: other, ...item }))
          return (await checkAcross([{ limiter: denied, key: "a" }, ...asked])).decisions.slice(1)
        }
        return { ask, sound, clock, fault, network, other: made(denialCache), uncached: made(false) }
      }

      test("looks at a key that does not answer once, tells that nothing is known of it, and asks seconds later", async () => {
        const { ask, other, sound, clock, fault, network } = await besideFaulty()
        const unknown = { policy: "other", allowed: true, reason: "fail-open", remaining: 0 }
        fault.now = "lost-call"
        for (let asked = 0; asked < 20; asked++) expect(await ask([{ key: "b" }], other)).toMatchObject([unknown])
        expect(network.calls).toBe(1)
        fault.now = "none"
        clock.advance(4_999)
        expect(await ask([{ key: "b" }], other)).toMatchObject([unknown])
        clock.advance(1)
        expect(await ask([{ key: "b" }], other)).toEqual([await sound.peek("b")])
        expect(network.calls).toBe(2)
      })

      test("waits half a second for an object that hangs, and not again for seconds", async () => {
        const { ask, other, fault, network } = await besideFaulty()
        fault.now = "hanging"
        const startedMs = performance.now()
        for (let asked = 0; asked < 20; asked++) {
          expect(await ask([{ key: "b" }], other)).toMatchObject([{ allowed: true, reason: "fail-open" }])
        }
        expect(performance.now() - startedMs).toBeLessThan(3_000)
        expect(network.calls).toBe(1)
      })

      test.each(["ever new keys", "ids", "a limiter that remembers nothing", "many items"])(
        "looks at 16 objects in ten seconds, for a flood with %s too",
        async (flood) => {
          const { ask, other, uncached, clock, network } = await besideFaulty()
          const itemsOf = (request: number) => {
            if (flood === "many items") return Array.from({ length: 20 }, (_, at) => ({ key: `key ${request}.${at}` }))
            return [flood === "ids" ? { key: "b", id: `id ${request % 2}` } : { key: `key ${request}` }]
          }
          const asked = (request: number) =>
            ask(itemsOf(request), flood === "a limiter that remembers nothing" ? uncached : other)
          const told: string[] = []
          for (let request = 0; request < 30; request++) {
            for (const { reason } of await asked(request)) told.push(reason)
          }
          expect(network.calls).toBe(16)
          expect(told.slice(0, 16)).toEqual(Array(16).fill("ok"))
          expect(new Set(told.slice(16))).toEqual(new Set(["fail-open"]))
          clock.advance(10_000)
          // The denial is over by then, and known again by the first of these.
          await asked(31)
          expect((await asked(32))[0]).toMatchObject({ reason: "ok" })
        },
      )
    })

    test("tells a greater cost of a sliding window the same however often it is asked for", async () => {
      const [{ limiter: slide, name, clock }, { limiter: full, name: fullName }] = [
        clockedLimiter("100/day sliding_window as slide"),
        clockedLimiter("1/day as full"),
      ]
      setClock(fullName, clock)
      const denialCache = new DenialCache({ clock })
      const one = new EdgeLimiter(env.CLOCKED_LIMITER, slide.policy, { name, denialCache })
      const two = new EdgeLimiter(env.CLOCKED_LIMITER, full.policy, { name: fullName, denialCache })
      for (let hour = 0; hour < 49; hour++) {
        await slide.check("a", { cost: 2 })
        clock.advance(3_600_000)
      }
      while ((await one.check("a", { cost: 5 })).allowed);
      await two.check("a")
      await two.check("a")
      const ask = () =>
        decideAcross(
          [
            { limiter: one, key: "a", cost: 6 },
            { limiter: two, key: "a" },
          ],
          { looksBeside: false },
        )
      const first = await ask()
      expect(first.all).toMatchObject({ deniedPolicy: "full", decisions: [{ reason: "fail-open" }, {}] })
      for (let asked = 0; asked < 6; asked++) expect(await ask()).toEqual(first)
    })
  })

  test("tells what was given back beside a denial as it is then", async () => {
    const [{ limiter: one }, { limiter: two }] = [clockedLimiter("60/minute as one"), clockedLimiter("1/day as two")]
    await one.check("a", { cost: 10 })
    await two.check("a")
    const { decisions } = await checkAcross([one, two].map((limiter) => ({ limiter, key: "a", cost: 1 })))
    expect(decisions[0]).toEqual(await one.peek("a"))
    expect(decisions[0]).toMatchObject({ remaining: 50, resetAfterMs: 10_000 })
  })

  test("a denial for a charge that is given back is not remembered", async () => {
    const { limiter, name } = clockedLimiter("5/day as one")
    const { limiter: full } = clockedLimiter("1/day as full")
    await full.check("a")
    const denialCache = new DenialCache()
    const one = new EdgeLimiter(env.CLOCKED_LIMITER, limiter.policy, { name, denialCache })
    const together = checkAcross([
      { limiter: one, key: "a", cost: 5 },
      { limiter: full, key: "a" },
    ])
    await Promise.all([together, one.check("a")])
    expect(await together).toMatchObject({ allowed: false })
    expect(await one.check("a")).toMatchObject({ allowed: true })
  })

  describe("with limits that have a block", () => {
    const blocking = { limit: 1, period: "1d", block: "1d" } as const

    test("blocks nobody for a charge that is given back, whatever the order of the limits", async () => {
      for (const blockingComesFirst of [true, false]) {
        const [full, other] = [clockedLimiter("1/day as full"), clockedLimiter({ ...blocking, name: "other" })]
        await full.limiter.check("a")
        const items = [full, other].map(({ limiter }) => ({ limiter, key: "a" }))
        const together = checkAcross(blockingComesFirst ? items.reverse() : items)
        const alone = other.limiter.check("a")
        expect(await together).toMatchObject({ allowed: false })
        expect(await alone).toMatchObject({ allowed: true, reason: "ok" })
        expect(await other.limiter.status("a")).toMatchObject({ remaining: 0, blockedForMs: 0 })
      }
    })

    test("charges them one after the other: the ones behind the one that denies stay as they are, and are told so", async () => {
      const made = ["first", "full", "last"].map((name) => clockedLimiter({ ...blocking, limit: 5, name }))
      const items = made.map(({ limiter }) => ({ limiter, key: "a", cost: 2 }))
      await made[1]!.limiter.check("a", { cost: 4 })
      await made[2]!.limiter.check("a", { cost: 1 })
      const { allowed, deniedPolicy, decisions } = await checkAcross(items)
      expect({ allowed, deniedPolicy }).toEqual({ allowed: false, deniedPolicy: "full" })
      expect(decisions.map(({ policy, remaining, receipt }) => [policy, remaining, receipt])).toEqual([
        ["first", 5, undefined],
        ["full", 1, undefined],
        ["last", 4, undefined],
      ])
      expect(await made[2]!.object().report()).toMatchObject({ admitted: 1, denied: 0 })
      const states = await Promise.all(made.map(({ limiter }) => limiter.status("a")))
      expect(states.map(({ remaining, blockedForMs }) => [remaining, blockedForMs > 0])).toEqual([
        [5, false],
        [1, true],
        [4, false],
      ])
      await made[1]!.limiter.reset("a")
      expect(await checkAcross(items)).toMatchObject({ allowed: true })
    })

    test("is denied also where what was not asked does not answer", async () => {
      const { limiter: full } = clockedLimiter("1/day as full")
      await full.check("a")
      const { binding } = faultyBinding(env.LIMITER, () => "lost-call")
      const cut = new EdgeLimiter(binding, { ...blocking, name: "cut" }, { name: freshName() })
      const { allowed, decisions } = await checkAcross([full, cut].map((limiter) => ({ limiter, key: "a" })))
      expect(allowed).toBe(false)
      expect(decisions[1]).toMatchObject({ policy: "cut", allowed: true, reason: "fail-open", remaining: 0 })
    })
  })

  test("gives back what an object charged when nobody waited for it any more", async () => {
    const name = freshName()
    setClock(name, new ManualClock(START_MS))
    const work: Promise<unknown>[] = []
    const network = faultyBinding(env.CLOCKED_LIMITER, (verb) => (verb === "checkAll" ? "late-answer" : "none"))
    const limiter = new EdgeLimiter(network.binding, "5/day", {
      name,
      denialCache: false,
      timeoutMs: 500,
      background: (promise) => void work.push(promise),
    })
    expect(await errorOf(limiter.checkAll([{ key: "a", cost: 2 }]))).toBeInstanceOf(StoreUnavailable)
    const sound = new EdgeLimiter(env.CLOCKED_LIMITER, "5/day", { name, denialCache: false })
    expect(await sound.status("a")).toMatchObject({ remaining: 3 })
    network.answer()
    await Promise.all(work)
    expect(await sound.status("a")).toMatchObject({ remaining: 5 })
  })

  test.each(["lost-answer", "duplicate", "late", "evicted", "lost-call"] as const)(
    "charges once where every first call meets: %s",
    async (fault) => {
      const owner = freshName()
      setClock(owner, new ManualClock(START_MS))
      const network = faultyBinding(env.CLOCKED_LIMITER, (_verb, call) => (call === 1 ? fault : "none"))
      const one = new EdgeLimiter(network.binding, "5/day as one", { owner, name: "one" })
      const two = new EdgeLimiter(network.binding, "5/day as two", { owner, name: "two" })
      const items = [one, two].map((limiter) => ({ limiter, key: "a", cost: 3 }))
      expect(await checkAcross(items)).toMatchObject({ allowed: true })
      await network.settled()
      expect(await one.status("a")).toMatchObject({ remaining: 2 })
      expect(await two.status("a")).toMatchObject({ remaining: 2 })
    },
  )

  test("gives back what was charged where an object does not answer, and throws", async () => {
    const { limiter } = clockedLimiter("5/day as sound")
    const { binding } = faultyBinding(env.LIMITER, () => "lost-call")
    const cut = new EdgeLimiter(binding, "5/day as cut", { name: freshName() })
    const call = checkAcross([
      { limiter, key: "a" },
      { limiter: cut, key: "a" },
    ])
    expect(await errorOf(call)).toBeInstanceOf(StoreUnavailable)
    expect(await limiter.status("a")).toMatchObject({ remaining: 5 })
  })
})

describe("checkAcross() with ids", () => {
  /** One key of two limits, once with an object whose answers to `checkAll` come late, and once without. */
  function late() {
    const made = ["5/day as prompt", "5/day as slow"].map((policy) => clockedLimiter(policy))
    const network = faultyBinding(env.CLOCKED_LIMITER, (verb) => (verb === "checkAll" ? "late-answer" : "none"))
    const work: Promise<unknown>[] = []
    const { limiter, name } = made[1]!
    const options = {
      name,
      denialCache: false,
      timeoutMs: 500,
      background: (each: Promise<unknown>) => void work.push(each),
    }
    const cut = new EdgeLimiter(network.binding, limiter.policy, options as EdgeLimiterOptions)
    const itemsOf = (...limiters: EdgeLimiter[]) =>
      limiters.map((each) => ({ limiter: each, key: "a", cost: 2, id: "x" }))
    return {
      slow: limiter,
      items: itemsOf(made[0]!.limiter, limiter),
      left: () => Promise.all(made.map(async (each) => (await each.limiter.status("a")).remaining)),
      /** The call that nobody waits for any more; `answer` has it give back what it charged. */
      abandoned: () => errorOf(checkAcross(itemsOf(made[0]!.limiter, cut))),
      async answer() {
        network.answer()
        await Promise.all(work)
      },
    }
  }

  test("gives back what an object charged too late, and not what another call was told meanwhile", async () => {
    const [alone, repeated] = [late(), late()]
    for (const each of [alone, repeated]) expect(await each.abandoned()).toBeInstanceOf(StoreUnavailable)
    expect(await checkAcross(repeated.items)).toMatchObject({ allowed: true })
    for (const each of [alone, repeated]) await each.answer()
    expect([await alone.left(), await repeated.left()]).toEqual([
      [5, 5],
      [3, 3],
    ])
  })

  test("does not give back what a check of one limit was told meanwhile", async () => {
    const { slow, abandoned, answer, left } = late()
    await abandoned()
    expect(await slow.check("a", { cost: 2, id: "x" })).toMatchObject({ allowed: true, remaining: 3 })
    await answer()
    expect(await left()).toEqual([5, 3])
  })

  test("gives back what several calls were told once all of them are denied", async () => {
    const [{ limiter: one }, { limiter: full }] = [clockedLimiter("5/day as one"), clockedLimiter("1/day as full")]
    await full.check("a")
    const items = [one, full].map((limiter) => ({ limiter, key: "a", id: "x" }))
    const told = await Promise.all([1, 2, 3].map(() => checkAcross(items)))
    expect(told.map(({ deniedPolicy }) => deniedPolicy)).toEqual(["full", "full", "full"])
    expect(await one.status("a")).toMatchObject({ remaining: 5 })
  })

  test("keeps what was admitted before where the call is repeated and denied", async () => {
    const [{ limiter: one }, { limiter: two }] = [clockedLimiter("5/day as one"), clockedLimiter("5/day as two")]
    const items = [one, two].map((limiter) => ({ limiter, key: "a", cost: 2, id: "x" }))
    const { decisions } = await checkAcross(items)
    await two.refund(decisions[1]!.receipt!)
    await two.check("a", { cost: 5 })
    expect(await checkAcross(items)).toMatchObject({
      ...{ allowed: false, deniedPolicy: "two" },
      decisions: [{ allowed: true, remaining: 3 }, { allowed: false }],
    })
    expect(await one.status("a")).toMatchObject({ remaining: 3 })
  })

  test("tells an admission again while the denial cache knows that its key is denied by now", async () => {
    const { limiter, name } = clockedLimiter("2/day as one")
    const cached = new EdgeLimiter(env.CLOCKED_LIMITER, limiter.policy, { name, denialCache: new DenialCache() })
    const items = [{ key: "a", cost: 2, id: "x" }]
    const first = await cached.checkAll(items)
    expect(await cached.check("a")).toMatchObject({ allowed: false })
    expect((await cached.checkAll(items)).decisions[0]!.receipt).toEqual(first.decisions[0]!.receipt)
    expect(await cached.checkAll([{ key: "a" }])).toMatchObject({ allowed: false, decisions: [{ reason: "cached" }] })
  })
})
