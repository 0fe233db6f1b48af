import { evictDurableObject } from "cloudflare:test"
import { env } from "cloudflare:workers"
import { describe, expect, test } from "vitest"
import { PolicyError } from "../../src/types/errors.js"
import { VERSION, type VersionedOptions } from "../../worker/key-places.js"
import { EdgeLimiter } from "../../worker/sluice-worker.js"
import { errorOf } from "./error-of.js"
import type { LimiterObject } from "./main.js"
import { canonical, clockedLimiter, rowsOf, subjectTextOf } from "./objects.js"

const NOT_POLICIES = ["", "10/fortnight", "0/minute", "[]", '[{"limit":1}]', '{"limit":1.0,"period":1}', "[[[["]

describe("the policy of LimiterObject", () => {
  test("changes in place under one name, and what was used stays used", async () => {
    const { clock, limiter, name, object } = clockedLimiter("10/day fixed_window")
    await limiter.check("a", { cost: 6 })
    const larger = new EdgeLimiter(env.CLOCKED_LIMITER, "20/day sliding_window as larger", { name, denialCache: false })
    expect(await larger.check("a")).toMatchObject({ policy: "larger", limit: 20, remaining: 13 })
    await evictDurableObject(object())
    expect(await larger.status("a")).toMatchObject({ policy: "larger", remaining: 13 })
    const smaller = new EdgeLimiter(env.CLOCKED_LIMITER, "5/day", { name, denialCache: false })
    expect(await smaller.check("a")).toMatchObject({ allowed: false, limit: 5, remaining: 0 })
    clock.advance(24 * 3_600_000)
    expect(await smaller.check("a", { cost: 5 })).toMatchObject({ allowed: true, remaining: 0 })
    expect(await object().verify()).toMatchObject({ replayEqualsLive: true })
  })

  test("is heard of with a key's next call: until then time passes under the old one", async () => {
    const { clock, limiter, name } = clockedLimiter("10/20s")
    await limiter.check("a", { cost: 10 })
    const tighter = new EdgeLimiter(env.CLOCKED_LIMITER, "10/1h", { name, denialCache: false })
    clock.advance(12_000)
    expect(await tighter.check("a", { cost: 0 })).toMatchObject({ remaining: 6 })
    await tighter.check("a", { cost: 6 })
    clock.advance(12_000)
    expect(await tighter.check("a", { cost: 0 })).toMatchObject({ remaining: 0 })
  })

  test("outlasts the object that heard of it, whatever the call that brought it was told", async () => {
    const policy = "10/1h"
    const calls: Record<string, (tighter: EdgeLimiter, object: DurableObjectStub<LimiterObject>) => unknown> = {
      denial: (tighter) => tighter.check("a", { cost: 7 }),
      "denial of a group": (tighter) => tighter.checkAll([{ key: "a", cost: 7 }]),
      "unblock without a block": (tighter) => tighter.unblock("a"),
      CostError: (_tighter, object) => errorOf(Promise.resolve(object.decide("a", subjectTextOf(policy), 11))),
    }
    for (const [what, call] of Object.entries(calls)) {
      for (const sync of ["always", "ahead", "batch"] as const) {
        const { clock, limiter, name, object } = clockedLimiter("20/20s", { sync })
        await limiter.check("a", { cost: 20 })
        const tighter = new EdgeLimiter(env.CLOCKED_LIMITER, policy, { name, sync, denialCache: false })
        await call(tighter, object())
        await evictDurableObject(object())
        clock.advance(12_000)
        expect(await tighter.status("a"), `${what}, ${sync}`).toMatchObject({ remaining: 0 })
        expect(await object().verify(), `${what}, ${sync}`).toMatchObject({ replayEqualsLive: true })
      }
    }
  })

  test("that is in force makes no denial write a row", async () => {
    const { limiter, name, object } = clockedLimiter("20/1h")
    await limiter.check("a", { cost: 20 })
    const tighter = new EdgeLimiter(env.CLOCKED_LIMITER, "10/1h", { name, denialCache: false })
    await tighter.check("a")
    const { rowsWritten } = await object().report()
    for (let denied = 0; denied < 20; denied++) await tighter.check("a")
    expect((await object().report()).rowsWritten).toBe(rowsWritten)
  })

  test("is one of two used side by side: the newer one decides, however they alternate", async () => {
    const { limiter, name } = clockedLimiter("100/hour")
    const other = new EdgeLimiter(env.CLOCKED_LIMITER, "10/hour", { name, denialCache: false })
    let admitted = 0
    for (let call = 0; call < 400; call++) {
      const decision = await (call % 4 === 3 ? other : limiter).check("a")
      if (decision.allowed) admitted += 1
      expect(decision.limit, `call ${call}`).toBe(call < 3 ? 100 : 10)
    }
    expect(admitted).toBe(10)
  })

  test("is never changed by a question", async () => {
    const { limiter, name } = clockedLimiter("100/hour")
    const other = new EdgeLimiter(env.CLOCKED_LIMITER, "10/hour", { name, denialCache: false })
    // A question that comes first does not make its policy the older one.
    expect(await other.status("a")).toMatchObject({ rules: [{ limit: 10 }] })
    let admitted = 0
    for (let call = 0; call < 400; call++) {
      if (call % 50 === 49) {
        // As a check would find it: what was used is capped at the smaller capacity, for this answer alone.
        const remaining = Math.max(0, 10 - call)
        expect(await other.status("a")).toMatchObject({ remaining, rules: [{ limit: 10 }] })
        expect(await other.peek("a")).toMatchObject({ limit: 10, allowed: remaining > 0 })
        expect(await other.check("a", { cost: 0 })).toMatchObject({ limit: 10 })
        expect(await other.stats("a")).toMatchObject({ totalAllowed: Math.min(call, 100) })
        expect(await limiter.status("a")).toMatchObject({ rules: [{ limit: 100 }] })
      }
      if ((await limiter.check("a")).allowed) admitted += 1
    }
    expect(admitted).toBe(100)
    expect(await other.check("a")).toMatchObject({ allowed: false, limit: 10 })
    expect(await limiter.check("a")).toMatchObject({ allowed: false, limit: 10 })
    expect(await limiter.status("a")).toMatchObject({ rules: [{ limit: 10 }] })
  })

  test("that was superseded decides again when the one in force was not sent for 60 s", async () => {
    const { clock, limiter, name, object } = clockedLimiter("100/hour fixed_window")
    const other = new EdgeLimiter(env.CLOCKED_LIMITER, "10/hour fixed_window", { name, denialCache: false })
    await limiter.check("a")
    await other.check("a")
    clock.advance(59_999)
    expect(await limiter.check("a")).toMatchObject({ limit: 10 })
    await other.check("a")
    clock.advance(59_999)
    expect(await limiter.check("a")).toMatchObject({ limit: 10 })
    clock.advance(1)
    expect(await limiter.check("a")).toMatchObject({ limit: 100, remaining: 94 })
    expect(await other.check("a")).toMatchObject({ limit: 100 })
    // A clock that is set back holds nothing up for longer.
    clock.advance(-30_000)
    expect(await other.check("a")).toMatchObject({ limit: 100 })
    clock.advance(60_000)
    expect(await other.check("a")).toMatchObject({ limit: 10 })
    expect(await object().verify()).toMatchObject({ replayEqualsLive: true })
  })

  test("decides at once where it has the latest version, though it was superseded", async () => {
    const { limiter, name, object } = clockedLimiter("100/hour fixed_window")
    const [first, second, third] = [10, 1_000, 10].map((limit, index) => {
      const policy = `${limit}/hour fixed_window`
      const options: VersionedOptions = { name, denialCache: false, [VERSION]: index + 1 }
      return new EdgeLimiter(env.CLOCKED_LIMITER, policy, options)
    }) as [EdgeLimiter, EdgeLimiter, EdgeLimiter]
    await first.check("a")
    expect(await second.check("a")).toMatchObject({ limit: 1_000, remaining: 998 })
    expect(await first.peek("a")).toMatchObject({ limit: 1_000 })
    expect(await third.peek("a")).toMatchObject({ limit: 10, remaining: 8 })
    expect(await third.check("a")).toMatchObject({ limit: 10, remaining: 7 })
    // An isolate that has not heard of it yet turns nothing back.
    expect(await second.check("a")).toMatchObject({ limit: 10, remaining: 6 })
    expect((await second.checkAll([{ key: "a" }])).decisions[0]).toMatchObject({ limit: 10, remaining: 5 })
    // One that was equal before it was changed twice brings the version alone.
    await evictDurableObject(object())
    await first.check("a")
    await third.check("a")
    expect(await second.check("a")).toMatchObject({ limit: 10 })
    // An object that was unloaded knows no version, so an older one turns it back until the latest comes again.
    await evictDurableObject(object())
    expect(await second.check("a")).toMatchObject({ limit: 1_000 })
    expect(await third.check("a")).toMatchObject({ limit: 10 })
    expect(await second.check("a")).toMatchObject({ limit: 10 })
    // Where one of two has no version, the one that was not seen yet decides.
    expect(await limiter.check("a")).toMatchObject({ limit: 100 })
    expect(await third.check("a")).toMatchObject({ limit: 100 })
  })

  test("is one for each of the checks decided together, and of a draw", async () => {
    const { limiter, name, object } = clockedLimiter("100/hour")
    const older = { key: "a", policy: limiter.policy.canonical }
    const newer = { key: "a", policy: canonical("10/hour") }
    await object().checkAll([{ subject: older, cost: 3 }], "1")
    await object().checkAll([{ subject: newer, cost: 1 }], "2")
    const { decisions } = await object().checkAll([{ subject: older, cost: 1 }], "3")
    expect(decisions[0]).toMatchObject({ limit: 10, remaining: 5 })
    const drawn = await object().draw(older, {
      cost: 1,
      demand: 0,
      units: 0,
      ifBusy: false,
      giveBack: [],
      id: "4",
    })
    expect(drawn.decision).toMatchObject({ limit: 10 })
    expect(await new EdgeLimiter(env.CLOCKED_LIMITER, "100/hour", { name }).status("a")).toMatchObject({
      rules: [{ limit: 10 }],
    })
  })

  test("is stored by its canonical form, and the same one in other words stores nothing", async () => {
    const { limiter, name, object } = clockedLimiter("10/minute")
    await limiter.check("a")
    const rows = await rowsOf(object())
    expect(new TextDecoder().decode(rows!.at(-1)!.body)).toContain(limiter.policy.canonical)
    const words = new EdgeLimiter(env.CLOCKED_LIMITER, { limit: 10, period: "60s", algorithm: "gcra" }, { name })
    await words.peek("a")
    await object().peek({ key: "a", policy: "10 / 1 minute" }, 1)
    await words.check("a", { cost: 0 })
    expect(await rowsOf(object())).toEqual(rows)
    await words.check("a")
    expect(new TextDecoder().decode((await rowsOf(object()))!.at(-1)!.body).match(/"limit"/g)).toHaveLength(1)
  })

  test("that is none is refused, and nothing is stored", async () => {
    for (const policy of NOT_POLICIES) {
      const { object } = clockedLimiter("10/minute")
      expect(await errorOf(object().decide("a", JSON.stringify({ policy }), 1))).toBeInstanceOf(PolicyError)
      expect(await rowsOf(object())).toBeNull()
    }
  })

  test("that is none changes nothing of an object that has one", async () => {
    const { limiter, object } = clockedLimiter("10/minute")
    await limiter.check("a")
    const rows = await rowsOf(object())
    for (const policy of NOT_POLICIES) {
      expect(await errorOf(object().decide("a", JSON.stringify({ policy }), 1))).toBeInstanceOf(PolicyError)
    }
    expect(await rowsOf(object())).toEqual(rows)
    expect(await limiter.check("a")).toMatchObject({ allowed: true, remaining: 8 })
  })
})
