import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { type Drawn, type DrawRequest, unitsToCharge } from "../../src/edge/lease-draw.js"
import { LeasePool } from "../../src/edge/lease-pool.js"
import { isLeaseReceipt } from "../../src/edge/lease-receipt.js"
import { ManualClock, RateLimiter } from "../../src/index.js"
import { copyDecision } from "../../src/limiter/copy-decision.js"
import type { Decision } from "../../src/types/decision.js"
import { CostError, StoreUnavailable } from "../../src/types/errors.js"
import { assertProperty } from "../property/assert-property.js"
import { PROPERTY_RUNS, PROPERTY_TIMEOUT_MS } from "../property/budget.js"

const TTL_MS = 2_000

/** An owner of keys that is asked by isolates, each with a pool of its own, all under one clock. */
class World {
  readonly clock = new ManualClock(1_000_000_000)
  readonly owner: RateLimiter
  readonly pools: LeasePool[]
  calls = 0

  constructor(policy: string, isolates: number, { units = 100, ifBusy = false } = {}) {
    this.owner = new RateLimiter(policy, { clock: this.clock })
    this.pools = Array.from({ length: isolates }, () => new LeasePool({ units, ttlMs: TTL_MS, ifBusy }))
  }

  check(isolate: number, cost = 1, { isLost = false, isBusy = true } = {}): Decision | null {
    const pool = this.pools[isolate]!
    const nowMs = this.clock.now()
    const { told, request } = pool.turn("a", cost, nowMs, this.owner.policy, "answered")
    if (request === null) return told ?? this.owner.check("a", { cost })
    this.calls += 1
    const answer = this.answer(request, isBusy)
    if (isLost) {
      pool.fail(request, new StoreUnavailable("lost"))
      return told
    }
    const decision = pool.end("a", request, answer, nowMs)
    return told ?? decision
  }

  answer(request: DrawRequest, isBusy: boolean): Drawn {
    for (const { receipt, units } of request.giveBack) this.owner.refund(receipt, units)
    const { remaining } = this.owner.peek("a", { cost: 0 })
    return {
      decision: copyDecision(this.owner.check("a", { cost: unitsToCharge(request, remaining, isBusy) })),
      denial: null,
    }
  }
}

describe("LeasePool", () => {
  test("answers most checks of a hot key without a call, and draws more as more are spent", () => {
    const world = new World("1000000/second", 1, { units: 1_000 })
    for (let check = 0; check < 10_000; check++) expect(world.check(0)).toMatchObject({ allowed: true, reason: "ok" })
    expect(world.calls).toBeLessThan(40)
  })

  test("admits exactly the limit from one isolate, and then tells the owner's denial", () => {
    const world = new World("500/day", 1)
    let admitted = 0
    while (world.check(0)!.allowed) admitted += 1
    expect(admitted).toBe(500)
    expect(world.check(0)).toMatchObject({ allowed: false, reason: "limit", retryAfterMs: 172_800 })
  })

  test("turn() tells no check of a denial whose waits the core cut off", () => {
    const clock = new ManualClock(1_000_000_000)
    const refill = { amount: 1, every: "3650d" }
    const rule = { limit: 1, period: "3650d", algorithm: "token_bucket", burst: 100, refill } as const
    const owner = new RateLimiter(rule, { clock })
    for (let charges = 0; charges < 3; charges++) owner.charge("a", 100)
    const pool = new LeasePool({ units: 400, ttlMs: TTL_MS, ifBusy: false })
    const denial = copyDecision(owner.check("a"))
    const { told, request } = pool.turn("a", 45, clock.now(), owner.policy, denial)
    expect({ told, asked: request?.cost }).toEqual({ told: null, asked: 45 })
  })

  test("turn() tells a check the denial that it waited for, of its cost or a smaller one, where there is nothing to spend", () => {
    const { owner, pools, clock } = new World("5/day fixed_window", 1)
    const pool = pools[0]!
    owner.check("a", { cost: 5 })
    const denial = copyDecision(owner.check("a", { cost: 2 }))
    const turn = (cost: number) => pool.turn("a", cost, clock.now(), owner.policy, denial)
    expect(turn(2)).toEqual({ told: denial, request: null })
    expect(turn(3)).toEqual({ told: { ...denial, cost: 3 }, request: null })
    expect(pool.knows("a")).toBe(false)
    const { told, request } = turn(1)
    expect([told, request]).toMatchObject([null, { cost: 1 }])
    owner.reset("a")
    pool.end("a", request!, { decision: copyDecision(owner.check("a", { cost: 4 })), denial: null }, clock.now())
    expect(turn(2).told).toMatchObject({ allowed: true, cost: 2 })
    expect(turn(2)).toEqual({ told: denial, request: null })
  })

  test("spends nothing that is older than its time to live, and gives it back with the next draw", () => {
    const world = new World("100/day fixed_window", 1)
    world.check(0)
    const { remaining } = world.owner.status("a")
    expect(remaining).toBe(100 - 17)
    world.clock.advance(TTL_MS - 1)
    expect(world.pools[0]!.leftOf("a", world.clock.now())).toBe(16)
    world.clock.advance(1)
    expect(world.pools[0]!.leftOf("a", world.clock.now())).toBe(0)
    expect(world.pools[0]!.begin("a", 1, world.clock.now())).toMatchObject({ giveBack: [{ units: 16 }] })
  })

  test("an idle lease is given back before it ends, once", () => {
    const world = new World("100/day fixed_window", 1)
    world.check(0)
    world.clock.advance(TTL_MS * 0.74)
    expect(world.pools[0]!.idle("a", world.clock.now())).toEqual([])
    world.clock.advance(TTL_MS * 0.01)
    const [unused] = world.pools[0]!.idle("a", world.clock.now())
    expect(unused).toMatchObject({ units: 16 })
    world.owner.refund(unused!.receipt, unused!.units)
    expect(world.owner.status("a")).toMatchObject({ remaining: 99 })
    expect(world.pools[0]!.revoke("a")).toEqual([])
  })

  test.each(["60/minute", "60/minute; 600/hour"])(
    "tells resetAfterMs as it is when units are spent, not when they were drawn: %s",
    (policy) => {
      const world = new World(policy, 1)
      world.check(0)
      for (const elapsedMs of [0, 700, 800]) {
        world.clock.advance(elapsedMs)
        const [spent, there] = [world.check(0)!, world.owner.peek("a", { cost: 0 })]
        const resetsOf = ({ rules, resetAfterMs }: Decision) => rules?.map((rule) => rule.resetAfterMs) ?? resetAfterMs
        expect(resetsOf(spent)).toEqual(resetsOf(there))
      }
      expect(world.calls).toBe(1)
    },
  )

  test("does not take units of a fixed window into the next", () => {
    const world = new World("100/second fixed_window", 1)
    world.clock.set(1_000_000_900)
    world.check(0)
    world.clock.advance(99)
    expect(world.pools[0]!.leftOf("a", world.clock.now())).toBe(16)
    world.clock.advance(1)
    expect(world.pools[0]!.leftOf("a", world.clock.now())).toBe(0)
  })

  test("settle() puts spent units back while the lease lasts, each receipt once", () => {
    const world = new World("100/day fixed_window", 1)
    const { receipt: first } = world.check(0)!
    const { receipt } = world.check(0, 3)!
    const pool = world.pools[0]!
    expect(pool.leftOf("a", world.clock.now())).toBe(13)
    expect(isLeaseReceipt(receipt!)).toBe(true)
    pool.settle({ ...receipt!, id: `${receipt!.id}9` }, 3, world.clock.now())
    expect(pool.leftOf("a", world.clock.now())).toBe(13)
    for (let settled = 0; settled < 2; settled++) {
      expect(pool.settle(receipt!, 3, world.clock.now())).toBe("done")
      expect(pool.leftOf("a", world.clock.now())).toBe(16)
    }
    expect(pool.settle(receipt!, -3, world.clock.now())).toBe("done")
    // All that was drawn is back then.
    expect(pool.settle(first!, 1, world.clock.now())).toBe("done")
    expect(pool.leftOf("a", world.clock.now())).toBe(17)
  })

  test("settle() puts no more back than was drawn, and knows a receipt written otherwise", () => {
    const world = new World("100/day fixed_window", 1)
    const pool = world.pools[0]!
    const nowMs = world.clock.now()
    world.check(0)
    const spent = Array.from({ length: 3 }, () => world.check(0)!.receipt!)
    expect(pool.leftOf("a", nowMs)).toBe(13)
    pool.settle({ ...spent[0]!, cost: 1_000 }, 1_000, nowMs)
    pool.settle({ ...spent[1]!, cost: 5 }, 5, nowMs)
    expect(pool.leftOf("a", nowMs)).toBe(13)
    pool.settle(spent[2]!, 1, nowMs)
    for (const mark of ["/0", "/+", "/ "]) {
      pool.settle({ ...spent[2]!, id: spent[2]!.id.replace("/", mark) }, 1, nowMs)
      pool.settle({ ...spent[2]!, id: `${spent[2]!.id}${mark}` }, 1, nowMs)
    }
    expect(pool.leftOf("a", nowMs)).toBe(14)
  })

  test("settle() asks for a charge once, unless that failed, and nothing is given back after it", () => {
    const world = new World("100/day fixed_window", 1)
    world.check(0)
    const { receipt } = world.check(0, 3)!
    const pool = world.pools[0]!
    expect(pool.settle(receipt!, -2, world.clock.now())).toBe("charge")
    expect(pool.settle(receipt!, -2, world.clock.now())).toBe("done")
    pool.reopen(receipt!)
    expect(pool.settle(receipt!, -2, world.clock.now())).toBe("charge")
    expect(pool.settle(receipt!, 3, world.clock.now())).toBe("done")
    expect(pool.leftOf("a", world.clock.now())).toBe(13)
  })

  test("settle() puts units back into a lease of which nothing was left, also after another was drawn", () => {
    const world = new World("1000/day fixed_window", 1)
    const pool = world.pools[0]!
    const { receipt } = world.check(0)!
    while (world.calls < 4) world.check(0)
    const left = pool.leftOf("a", world.clock.now())
    pool.settle({ ...receipt!, id: receipt!.id.replace(/1$/, "5") }, 1, world.clock.now())
    expect(pool.leftOf("a", world.clock.now())).toBe(left + 1)
    world.clock.advance(TTL_MS)
    pool.settle({ ...receipt!, id: receipt!.id.replace(/1$/, "6") }, 1, world.clock.now())
    expect(pool.leftOf("a", world.clock.now())).toBe(0)
  })

  test("draws nothing ahead of a key that is not busy, where so told", () => {
    const world = new World("100/day fixed_window", 1, { ifBusy: true })
    for (let check = 1; check <= 10; check++) {
      world.check(0, 1, { isBusy: false })
      expect(world.owner.status("a").remaining).toBe(100 - check)
    }
    expect(world.calls).toBe(10)
    world.check(0)
    expect(world.owner.status("a").remaining).toBeLessThan(89)
  })

  test.each([
    ["asks for itself", "was not drawn for", [], 0, false],
    ["waits", "was leased", [true], 2 * TTL_MS - 1, true],
    ["asks for itself", "was leased long ago", [true], 2 * TTL_MS, false],
    ["asks for itself", "is not busy any more", [true, false], 1, false],
  ])("of busy keys alone: %s while a draw is under way for a key that %s", (_does, _key, draws, afterMs, waits) => {
    const world = new World("100/day fixed_window", 1, { ifBusy: true })
    for (const isBusy of draws) {
      // What was drawn before has expired.
      world.clock.advance(TTL_MS)
      world.check(0, 1, { isBusy })
    }
    world.clock.advance(afterMs)
    const begin = () => world.pools[0]!.begin("a", 1, world.clock.now())
    expect(begin()).not.toBeNull()
    expect(begin() === null).toBe(waits)
  })

  test("asks again where a draw was lost, and not while one is under way", () => {
    const world = new World("100/day", 1)
    world.check(0)
    const pool = world.pools[0]!
    world.clock.advance(TTL_MS)
    expect(pool.begin("a", 1, world.clock.now())).not.toBeNull()
    expect(pool.begin("a", 1, world.clock.now())).toBeNull()
    world.clock.advance(1_000)
    expect(pool.begin("a", 1, world.clock.now())).not.toBeNull()
    world.clock.advance(1_999)
    expect(pool.begin("a", 1, world.clock.now())).toBeNull()
    world.clock.advance(1)
    expect(pool.begin("a", 1, world.clock.now())).not.toBeNull()
  })

  test("waits for a draw no longer than at first once one was answered", () => {
    const world = new World("100/day fixed_window", 1)
    const pool = world.pools[0]!
    const begin = () => pool.begin("a", 1, world.clock.now())
    for (const lostAfterMs of [1_000, 2_000]) {
      expect(begin()).not.toBeNull()
      world.clock.advance(lostAfterMs)
    }
    const answered = begin()!
    pool.end("a", answered, world.answer(answered, true), world.clock.now())
    expect(begin()).not.toBeNull()
    world.clock.advance(999)
    expect(begin()).toBeNull()
    world.clock.advance(1)
    expect(begin()).not.toBeNull()
  })

  test.each(["revoke", "forget"] as const)("%s() ends the lease that a draw under way brings", (verb) => {
    const world = new World("100/day fixed_window", 1)
    const pool = world.pools[0]!
    const nowMs = world.clock.now()
    const request = pool.begin("a", 1, nowMs)!
    const drawn = world.answer(request, true)
    pool[verb]("a")
    expect(pool.end("a", request, drawn, nowMs)).toMatchObject({ allowed: true, cost: 1 })
    expect(pool.leftOf("a", nowMs)).toBe(0)
    expect(pool.spend("a", 1, nowMs)).toBeNull()
    // What was drawn before the quota was made full is not to be put on top of it.
    expect(pool.hasUnused("a", nowMs)).toBe(verb === "revoke")
    expect(pool.idle("a", nowMs).map(({ units }) => units)).toEqual(verb === "revoke" ? [16] : [])
    world.check(0)
    expect(pool.leftOf("a", nowMs)).toBeGreaterThan(0)
  })

  test("what a draw was to give back is kept where it failed", () => {
    const world = new World("100/day fixed_window", 1)
    world.check(0)
    const pool = world.pools[0]!
    world.clock.advance(TTL_MS)
    const lost = pool.begin("a", 1, world.clock.now())!
    expect(lost.giveBack).toMatchObject([{ units: 16 }])
    pool.fail(lost, new StoreUnavailable("lost"))
    expect(pool.hasUnused("a", world.clock.now())).toBe(true)
    const next = pool.begin("a", 1, world.clock.now())!
    expect(next.giveBack).toEqual(lost.giveBack)
    pool.fail(next, new StoreUnavailable("lost"))
    expect(pool.idle("a", world.clock.now())).toEqual(lost.giveBack)
    expect(pool.idle("a", world.clock.now())).toEqual([])
  })

  test("tells those who wait for a draw that was refused for its cost what holds for theirs", () => {
    const pool = new LeasePool({ units: 100, ttlMs: TTL_MS, ifBusy: false })
    const told: unknown[] = []
    const request = pool.begin("a", 20, 0)!
    for (const cost of [25, 10]) pool.wait("a", cost, (waited) => told.push(waited))
    pool.fail(request, new CostError("a", 20, 10))
    expect(told).toEqual(["answered", new CostError("a", 25, 10)])
    expect(pool.begin("a", 10, 0)).toMatchObject({ cost: 10, demand: 0 })
  })

  test("of more than 1,000 keys the one not asked about for longest that waits for no draw goes, and its units are given back", () => {
    const world = new World("100/day fixed_window", 1)
    const pool = world.pools[0]!
    const nowMs = world.clock.now()
    const draw = (key: string) => {
      const request = pool.begin(key, 1, nowMs)!
      const decision = copyDecision(world.owner.check(key, { cost: 17 }))
      pool.end(key, request, { decision, denial: null }, nowMs)
    }
    const waiting = pool.begin("draws", 1, nowMs)!
    for (let key = 1; key < 1_000; key++) draw(`${key}`)
    pool.begin("1", 0, nowMs)
    expect(pool.takeEvicted()).toEqual([])
    draw("new")
    expect(pool.takeEvicted()).toMatchObject([{ receipt: { key: "2" }, units: 16 }])
    expect(pool.takeEvicted()).toEqual([])
    expect(pool.leftOf("1", nowMs)).toBe(16)
    pool.end(
      "draws",
      waiting,
      { decision: copyDecision(world.owner.check("draws", { cost: 17 })), denial: null },
      nowMs,
    )
    expect(pool.leftOf("draws", nowMs)).toBe(16)
  })

  test("keeps no more keys than some, also while draws for all of them are under way", () => {
    const pool = new LeasePool({ units: 100, ttlMs: TTL_MS, ifBusy: false })
    const draws = Array.from({ length: 1_000 }, (_, n) => pool.begin(`key ${n}`, 1, 0))
    expect(draws).not.toContain(null)
    expect(pool.begin("one more", 1, 0)).toBeNull()
    expect(pool.knows("one more")).toBe(false)
    // Those that wait for their draws are known still, and one that does not makes room, once it is looked at.
    expect(draws.map((_, n) => pool.knows(`key ${n}`))).not.toContain(false)
    pool.fail(draws[500]!, new StoreUnavailable("lost"))
    const tried = Array.from({ length: 200 }, () => pool.begin("one more", 1, 0))
    expect(tried.filter((draw) => draw !== null)).toHaveLength(1)
    expect(pool.knows("key 500")).toBe(false)
    // A draw of which nothing was heard for long holds no room.
    expect(pool.begin("another", 1, 1_000)).not.toBeNull()
  })

  test.each([
    [100, 25],
    [16, 4],
    [3, 1],
    [1, 1],
  ])("of leases of %d units at most %d are spent at once", (units, most) => {
    const pool = new LeasePool({ units, ttlMs: TTL_MS, ifBusy: false })
    expect([0, 1, most, most + 1].map((cost) => pool.takes(cost))).toEqual([false, true, true, false])
  })

  const step = fc.record({
    isolate: fc.nat(2),
    cost: fc.integer({ min: 1, max: 4 }),
    advanceMs: fc.oneof(fc.constant(0), fc.nat(300), fc.nat(5_000)),
    isLost: fc.boolean(),
    refunds: fc.boolean(),
  })

  test.each([
    { policy: "20/second burst 60", limit: 20, burst: 60 },
    { policy: "30/second token_bucket", limit: 30, burst: 30 },
  ])(
    "$policy: never admits more in all than the policy, nor in any span more than it does in the span and a lease before",
    async ({ policy, limit, burst }) => {
      const property = fc.asyncProperty(fc.array(step, { maxLength: 200 }), async (steps) => {
        const world = new World(policy, 3, { units: 40 })
        const startMs = world.clock.now()
        const admitted: { readonly atMs: number; readonly cost: number }[] = []
        for (const { isolate, cost, advanceMs, isLost, refunds } of steps) {
          world.clock.advance(advanceMs)
          const decision = world.check(isolate, cost, { isLost: isLost && cost === 4 })
          if (!decision?.allowed) continue
          const [pool, nowMs] = [world.pools[isolate]!, world.clock.now()]
          const left = pool.leftOf("a", nowMs)
          if (refunds && isLeaseReceipt(decision.receipt!)) pool.settle(decision.receipt!, cost, nowMs)
          if (pool.leftOf("a", nowMs) > left) continue
          admitted.push({ atMs: world.clock.now(), cost })
        }
        const unitsIn = (spanMs: number) => burst + Math.floor((spanMs * limit) / 1_000)
        let total = 0
        for (const { atMs, cost } of admitted) {
          total += cost
          expect(total).toBeLessThanOrEqual(unitsIn(atMs - startMs))
        }
        for (let first = 0; first < admitted.length; first++) {
          let sum = 0
          for (let last = first; last < admitted.length; last++) {
            sum += admitted[last]!.cost
            expect(sum).toBeLessThanOrEqual(unitsIn(admitted[last]!.atMs - admitted[first]!.atMs + TTL_MS))
          }
        }
      })
      await assertProperty(property, PROPERTY_RUNS)
    },
    PROPERTY_TIMEOUT_MS,
  )
})
