import { describe, expect, test } from "vitest"
import { SluiceStore } from "../../src/adapters/express-rate-limit.js"
import { rateLimit } from "../../src/http/index.js"
import { checkAll } from "../../src/limiter/check-all.js"
import { MemoryLimits, oneLimit } from "../../src/limiter/index.js"
import { ManualClock } from "../../src/types/clock.js"
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
