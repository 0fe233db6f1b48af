import { evictDurableObject } from "cloudflare:test"
import { env } from "cloudflare:workers"
import { describe, expect, test } from "vitest"
import { PolicyError } from "../../src/types/errors.js"
import { EdgeLimiter } from "../../worker/sluice-worker.js"
import { errorOf } from "./error-of.js"
import { clockedLimiter, rowsOf } from "./objects.js"

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
      expect(await errorOf(object().check({ key: "a", policy }, 1))).toBeInstanceOf(PolicyError)
      expect(await rowsOf(object())).toBeNull()
    }
  })

  test("that is none changes nothing of an object that has one", async () => {
    const { limiter, object } = clockedLimiter("10/minute")
    await limiter.check("a")
    const rows = await rowsOf(object())
    for (const policy of NOT_POLICIES) {
      expect(await errorOf(object().check({ key: "a", policy }, 1))).toBeInstanceOf(PolicyError)
    }
    expect(await rowsOf(object())).toEqual(rows)
    expect(await limiter.check("a")).toMatchObject({ allowed: true, remaining: 8 })
  })
})
