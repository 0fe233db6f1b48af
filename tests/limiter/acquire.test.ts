import { afterEach, beforeEach, describe, expect, test, vi } from "vitest"
import { createApi } from "../../src/api/create-api.js"
import { SluiceClient } from "../../src/client/index.js"
import { fromConfig, limitsByConfig } from "../../src/config/index.js"
import {
  acquire,
  LimitNotFound,
  type NamedLimits,
  QueueFull,
  RateLimitExceeded,
  type Receipt,
  TimeoutExceeded,
  WaitingLine,
} from "../../src/index.js"
import { MemoryLimits } from "../../src/limiter/memory-limits.js"
import { oneLimit } from "../../src/limiter/one-limit.js"
import type { SettlingChecker } from "../../src/limiter/permit.js"

beforeEach(() => vi.useFakeTimers({ now: 1_700_000_000_000 }))
afterEach(() => vi.useRealTimers())

const make = () => new MemoryLimits({ limits: { default: "1/hour", mail: "1/second", post: "1/minute" } })

/** Several named limits, here and behind a server. */
const LIMITS: Record<string, () => NamedLimits> = {
  MemoryLimits: make,
  SluiceClient: () => {
    const api = createApi({ limits: make(), token: "a-token-for-the-tests" })
    return new SluiceClient("http://limits.test", {
      token: "a-token-for-the-tests",
      fetch: (url, init) => api.fetch(new Request(url, init)),
    })
  },
}

describe.each(Object.keys(LIMITS))("acquire() of %s", (name) => {
  test("waits for the limit that is named, and charges no other", async () => {
    const limits = LIMITS[name]!()
    await limits.check("a")
    const first = await acquire(limits, "a", { limit: "mail", timeout: 0 })
    expect(first.decision).toMatchObject({ allowed: true, limit: 1, remaining: 0 })
    const second = acquire(limits, "a", { limit: "mail", timeout: "2s" })
    await vi.advanceTimersByTimeAsync(1_100)
    await expect(second).resolves.toMatchObject({ key: "a" })
    expect(await limits.peek("a", { limit: "post" })).toMatchObject({ remaining: 1 })
  })

  test("lets nobody wait for the same key under another limit, or for a key that only reads the same", async () => {
    const limits = LIMITS[name]!()
    await limits.check("a", { limit: "post" })
    const slow = acquire(limits, "a", { limit: "post" }).catch(() => {})
    await expect(acquire(limits, "a", { limit: "mail", timeout: 0 })).resolves.toMatchObject({ key: "a" })
    await expect(acquire(limits, "a", { timeout: 0 })).resolves.toMatchObject({ key: "a" })
    await expect(acquire(limits, '["a","post"]', { timeout: 0 })).resolves.toMatchObject({ key: '["a","post"]' })
    await vi.advanceTimersByTimeAsync(61_000)
    await slow
  })

  test("tells of a limit that there is not, and asks the default one where none is named", async () => {
    const limits = LIMITS[name]!()
    await expect(acquire(limits, "a", { limit: "fax" })).rejects.toBeInstanceOf(LimitNotFound)
    await acquire(limits, "a")
    await expect(acquire(limits, "a", { timeout: "1m" })).rejects.toBeInstanceOf(TimeoutExceeded)
  })
})

test("acquire() of MemoryLimits charges nothing for what a leaky bucket would hold too long", async () => {
  const limits = new MemoryLimits({ limits: { mail: "10/second leaky_bucket" }, stats: true, names: 1, history: 9 })
  await acquire(limits, "a", { limit: "mail", cost: 5 })
  const before = limits.history("a", { limit: "mail" })
  for (const limiter of [limits, limits.of("mail")]) {
    const late = acquire(limiter as MemoryLimits, "a", { timeout: 499, ...(limiter === limits && { limit: "mail" }) })
    await expect(late).rejects.toMatchObject({ name: "TimeoutExceeded", retryAfterMs: 500 })
  }
  expect(limits.history("a", { limit: "mail" })).toEqual(before)
  expect(limits.stats("a", { limit: "mail" })).toMatchObject({ totalAllowed: 1, totalAllowedCost: 5 })
})

describe("acquire() of several limits where quota comes back before its time", () => {
  /** What gives quota of the key "a" under the limit "mail" back, or lets it pass at once. */
  const GIVES_BACK: Record<string, (limits: MemoryLimits, receipt: Receipt) => void> = {
    "refund()": (limits, receipt) => limits.refund(receipt),
    "settle()": (limits, receipt) => limits.settle(receipt, 0),
    "unblock()": (limits) => limits.unblock("a", { limit: "mail" }),
    "a shorter block()": (limits) => limits.block("a", 1, { limit: "mail" }),
    "reset()": (limits) => limits.reset("a", { limit: "mail" }),
    "define()": (limits) => limits.define("mail", "9/hour"),
    "remove()": (limits) => limits.remove("mail"),
  }

  test.each(Object.keys(GIVES_BACK))("asks at once after %s", async (how) => {
    const limits = new MemoryLimits({ limits: { mail: "2/hour" } })
    const { receipt } = limits.check("a", { limit: "mail" })
    if (how.includes("block")) limits.block("a", "1h", { limit: "mail" })
    else limits.check("a", { limit: "mail" })
    const waits = [
      acquire(limits, "a", { limit: "mail" }),
      new WaitingLine(oneLimit(limits, "mail")).acquire("a", { timeout: "2h" }),
    ]
    const seen = waits.map((wait) => wait.then(() => "admitted", String))
    GIVES_BACK[how]!(limits, receipt!)
    await vi.advanceTimersByTimeAsync(2)
    const first = await Promise.race([...seen, Promise.resolve("waits")])
    expect(first).toMatch(how === "remove()" ? /^LimitNotFound/ : "admitted")
    await vi.advanceTimersByTimeAsync(7_200_000)
    await Promise.all(seen)
  })

  test("asks at once under a configuration too, whose keys have a prefix", async () => {
    const limits = fromConfig(`
      key_prefix = "p:"
      limits.user = { policy = "2/hour" }
      groups.api = { limits = ["user"] }`)
    const permit = await acquire(limits, "a", { limit: "api", cost: 2 })
    const waits = ["api", "user"].map((limit) => acquire(limits, "a", { limit }))
    await permit.refund()
    await vi.advanceTimersByTimeAsync(2)
    await Promise.all(waits)
    const behind = limitsByConfig(limits.limits, limits.config)
    const wait = acquire(behind, "p:a", { limit: "api" })
    await vi.advanceTimersByTimeAsync(2)
    limits.limits.reset("p:a", { limit: "user" })
    await vi.advanceTimersByTimeAsync(2)
    await wait
  })

  test("does not wait for a key on a list of those to deny", async () => {
    const limits = fromConfig(`
      limits.user = { policy = "2/hour", deny = { keys = ["bad"] } }
      groups.api = { limits = ["user"] }
      deny = { keys = ["worse"] }`)
    const asked = vi.spyOn(limits, "check")
    const waits = ["user", "api", "user"].map((limit) => acquire(limits, "worse", { limit, timeout: "1h" }))
    const denied = await Promise.allSettled([...waits, acquire(limits, "bad", { limit: "user" })])
    expect(asked).toHaveBeenCalledTimes(4)
    for (const [index, key] of ["worse", "worse", "worse", "bad"].entries()) {
      const { reason } = denied[index] as PromiseRejectedResult
      expect(reason).toBeInstanceOf(RateLimitExceeded)
      expect(reason).toMatchObject({ key, retryAfterMs: 0, decision: { reason: "blocked" } })
      expect(reason.message).toBe(`Rate limit exceeded for key "${key}": policy "deny" does not admit it.`)
    }
  })

  test("gives back what a group of limits charged for a call that was aborted meanwhile", async () => {
    const limits = fromConfig(`
      limits.user = { policy = "2/hour" }
      limits.org = { policy = "9/hour" }
      groups.api = { limits = ["user", "org"] }`)
    const aborted = new AbortController()
    const wait = acquire(limitsByConfig(limits.limits, limits.config), "a", { limit: "api", signal: aborted.signal })
    aborted.abort()
    await expect(wait).rejects.toMatchObject({ name: "AbortError" })
    await vi.advanceTimersByTimeAsync(2)
    expect(["user", "org"].map((limit) => limits.limits.peek("a", { limit }).remaining)).toEqual([2, 9])
  })
})

/** One of several limits as a limiter by itself, made anew at each call. */
const VIEWS: Record<string, (limits: MemoryLimits, name: string) => SettlingChecker> = {
  "of()": (limits, name) => limits.of(name),
  "oneLimit()": oneLimit,
}

describe.each(Object.keys(VIEWS))("acquire() of what %s makes", (name) => {
  const view = VIEWS[name]!

  test("is first come, first served, also beside those who name the limit", async () => {
    const limits = new MemoryLimits({ limits: { mail: "4/second" } })
    limits.check("a", { limit: "mail", cost: 4 })
    const served: string[] = []
    const waits = [
      acquire(view(limits, "mail"), "a", { cost: 3 }).then(() => served.push("three")),
      acquire(limits, "a", { limit: "mail" }).then(() => served.push("by name")),
      acquire(view(limits, "mail"), "a").then(() => served.push("another")),
    ]
    await vi.advanceTimersByTimeAsync(740)
    expect(served).toEqual([])
    await vi.advanceTimersByTimeAsync(2_000)
    await Promise.all(waits)
    expect(served).toEqual(["three", "by name", "another"])
  })

  test("stands in no line of another limit", async () => {
    const limits = make()
    limits.check("a", { limit: "post" })
    const slow = acquire(view(limits, "post"), "a").catch(() => {})
    await expect(acquire(view(limits, "mail"), "a", { timeout: 0 })).resolves.toMatchObject({ key: "a" })
    await vi.advanceTimersByTimeAsync(61_000)
    await slow
  })

  test("is bound with all who wait for these limits", async () => {
    const limits = new MemoryLimits({ limits: { mail: "1/second" } })
    limits.check("a", { limit: "mail" })
    const end = new AbortController()
    const waits = Array.from({ length: 10_000 }, () => acquire(view(limits, "mail"), "a", { signal: end.signal }))
    const ended = Promise.allSettled(waits)
    await expect(acquire(view(limits, "mail"), "a")).rejects.toBeInstanceOf(QueueFull)
    end.abort()
    await ended
  })

  test("refuses what is no option of one limit", async () => {
    const mail = view(make(), "mail")
    await expect(acquire(mail, "a", { limit: "post" } as object)).rejects.toThrow(
      'option is "limit", allowed is cost, timeout, signal',
    )
    await expect(acquire(mail, "a", null as never)).rejects.toThrow("options is null")
  })
})
