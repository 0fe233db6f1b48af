import { describe, expect, test } from "vitest"
import { SluiceStore } from "../../src/adapters/express-rate-limit.js"
import { rateLimit } from "../../src/http/index.js"
import { checkAll } from "../../src/limiter/check-all.js"
import { MemoryLimits, oneLimit } from "../../src/limiter/index.js"
import type { Limiter } from "../../src/limiter/limiter.js"
import { ManualClock } from "../../src/types/clock.js"
import { LimitNotFound } from "../../src/types/errors.js"
import { ok, requestOf, settled } from "../http/requests.js"

const makeLimits = () =>
  new MemoryLimits({ limits: { user: "2/minute", organisation: "10/minute" }, clock: new ManualClock(0) })

describe("oneLimit()", () => {
  test("charges and resets the limit that it is", () => {
    const limits = makeLimits()
    const user = oneLimit(limits, "user")
    user.charge("ada", 2)
    expect(user.check("ada").allowed).toBe(false)
    expect(limits.check("ada", { limit: "organisation" }).allowed).toBe(true)
    expect(user.reset("ada")).toBe(true)
    expect(user.check("ada").allowed).toBe(true)
  })

  test("has the other verbs of a limiter too, each under the limit that it is", () => {
    const limits = new MemoryLimits({ limits: { user: "2/minute" }, clock: new ManualClock(0), stats: true })
    const user = oneLimit(limits, "user")
    expect(user.checkAll([{ key: "ada" }, { key: "bob", limit: "user" }]).allowed).toBe(true)
    expect(() => user.checkAll([{ key: "ada", limit: "organisation" }])).toThrow(LimitNotFound)
    expect(user.allow("ada")).toBe(true)
    user.block("ada", "1m")
    expect(user.status("ada")).toMatchObject({ remaining: 0, blockedForMs: 60_000 })
    expect(user.unblock("ada")).toBe(true)
    expect(user.stats("ada").totalAllowed).toBe(2)
  })

  test("of limits in memory is decided at once by checkAll()", () => {
    const limits = makeLimits()
    const items = [
      { limiter: oneLimit(limits, "user"), key: "ada", cost: 2 },
      { limiter: oneLimit(limits, "organisation"), key: "acme" },
    ]
    expect(checkAll(items).allowed).toBe(true)
    expect(checkAll(items)).toMatchObject({ allowed: false, deniedKey: "ada" })
    expect(limits.peek("acme", { limit: "organisation" }).remaining).toBe(9)
  })

  test("takes the penalties of middleware", async () => {
    const limits = makeLimits()
    const user = oneLimit(limits, "user")
    const options = { policy: "2/minute", key: () => "ada", limiter: () => user, penalty: () => 1 } as const
    await rateLimit(ok, options)(requestOf())
    await settled()
    expect(limits.peek("ada", { limit: "user" }).remaining).toBe(0)
  })

  test("is the limiter of a store", async () => {
    const store = new SluiceStore({ limiter: oneLimit(makeLimits(), "user") })
    store.init({ windowMs: 60_000, limit: 2 })
    const hits: number[] = []
    for (let asked = 0; asked < 3; asked++) hits.push((await store.increment("ada")).totalHits)
    expect(hits).toEqual([1, 2, 3])
    await store.resetKey("ada")
    expect((await store.increment("ada")).totalHits).toBe(1)
  })
})

describe("MemoryLimits.of()", () => {
  test("is one of the limits as a limiter, with the policy that is in force", () => {
    const limits = makeLimits()
    const user: Limiter = limits.of("user")
    limits.of("user").check("ada", { cost: 2 })
    expect(oneLimit(limits, "user").peek("ada").allowed).toBe(false)
    limits.define("user", "5/minute")
    expect(user.policy).toBe(limits.limit("user")!.policy)
    limits.remove("user")
    expect(() => user.policy).toThrow(LimitNotFound)
    expect(() => limits.of("none")).toThrow('Cannot find the limit "none"')
  })
})
