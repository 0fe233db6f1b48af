import { env } from "cloudflare:workers"
import { describe, expect, test } from "vitest"
import { DenialCache, EdgeLimiter } from "../../worker/sluice-worker.js"
import { clockedLimiter, freshName, realLimiter } from "./objects.js"

const times = <T>(count: number, make: () => T): T[] => Array.from({ length: count }, make)

/** A limiter and a cache under one clock. */
function cachedLimiter(policy: string) {
  const made = clockedLimiter(policy)
  const cacheOf = () => new DenialCache({ clock: made.clock })
  const denialCache = cacheOf()
  const limiter = new EdgeLimiter(env.CLOCKED_LIMITER, policy, { name: made.name, denialCache })
  const elsewhere = new EdgeLimiter(env.CLOCKED_LIMITER, policy, { name: made.name, denialCache: cacheOf() })
  return { ...made, limiter, elsewhere, denialCache }
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

  test("an id is told again what it was told, whatever was denied since", async () => {
    const { limiter } = cachedLimiter("1/day")
    const first = await limiter.check("a", { id: "one" })
    expect(await limiter.allow("a")).toBe(false)
    expect(await limiter.check("a", { id: "one" })).toMatchObject({ allowed: true, receipt: first.receipt })
  })

  test("false asks the object each time", async () => {
    const { limiter } = realLimiter("1/day")
    await limiter.check("a")
    for (let check = 0; check < 3; check++) expect(await limiter.check("a")).toMatchObject({ reason: "limit" })
  })
})
