import { evictDurableObject, runInDurableObject } from "cloudflare:test"
import { env } from "cloudflare:workers"
import { describe, expect, test } from "vitest"
import { CostError, KeyError, PolicyError, StoreCorrupt, StoreUnavailable } from "../../src/types/errors.js"
import { EdgeLimiter, type EdgeLimiterOptions, rateLimit } from "../../worker/sluice-worker.js"
import { errorOf } from "./error-of.js"
import { canonical, clockedLimiter, freshName, subjectTextOf } from "./objects.js"

describe("errors of LimiterObject", () => {
  const subject = { key: "a", policy: canonical("10/minute") }
  const text = subjectTextOf("10/minute")

  test("cross RPC as CostError with the maximum", async () => {
    const { object } = clockedLimiter("10/minute")
    const error = await errorOf(object().decide("a", text, 11))
    expect(error).toBeInstanceOf(CostError)
    expect(error).toMatchObject({ code: "COST_ABOVE_CAPACITY", key: "a", cost: 11, maximum: 10 })
    expect(error!.message).toBe('Cannot check key "a": cost 11 exceeds the capacity 10.')
  })

  test("cross RPC as KeyError", async () => {
    const { object } = clockedLimiter("10/minute")
    const error = await errorOf(object().decide("", text, 1))
    expect(error).toBeInstanceOf(KeyError)
    expect(error).toMatchObject({ code: "KEY_INVALID" })
  })

  test("cross RPC as PolicyError with the field, the value and what is allowed", async () => {
    const { object } = clockedLimiter("10/minute")
    const error = await errorOf(object().decide("a", JSON.stringify({ policy: "0/minute" }), 1))
    expect(error).toBeInstanceOf(PolicyError)
    expect(error).toMatchObject({ code: "POLICY_INVALID", field: "limit", value: 0 })
    expect((error as PolicyError).allowed).toContain("2147483648")
  })

  test("cross RPC as RangeError", async () => {
    const { object } = clockedLimiter("10/minute")
    expect(await errorOf(object().decide("a", text, 0.5))).toBeInstanceOf(RangeError)
    expect(await errorOf(object().charge(subject, -1))).toBeInstanceOf(RangeError)
  })

  test("cross RPC as StoreCorrupt with the row", async () => {
    const { limiter, object } = clockedLimiter("10/minute")
    await limiter.check("a")
    await runInDurableObject(object(), (_object, { storage }) => {
      storage.sql.exec("UPDATE sluice_log SET body = x'00' WHERE id = 0")
    })
    await evictDurableObject(object())
    const error = await limiter.check("a").catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(StoreCorrupt)
    expect(error).toMatchObject({ code: "STORE_CORRUPT", row: "the meta row", failure: "it has 1 bytes" })
  })

  test("that are nobody's are StoreUnavailable with their cause", async () => {
    const { limiter, object } = clockedLimiter("10/day")
    await limiter.check("a")
    await runInDurableObject(object(), (_object, state) => {
      state.storage.sql.exec = () => {
        state.abort("gone")
        throw new Error("abort() returned")
      }
    })
    const error = await limiter.check("a").catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(StoreUnavailable)
    expect((error as Error).cause).toMatchObject({ message: expect.stringContaining("gone") })
    expect(await limiter.check("a")).toMatchObject({ allowed: true, remaining: 8 })
  })

  test("of a commit that fails are StoreUnavailable to all who share it, and what is durable goes on", async () => {
    const { limiter, object } = clockedLimiter("10/day")
    await limiter.check("a")
    await runInDurableObject(object(), (_object, { storage }) => {
      const { exec } = storage.sql
      storage.sql.exec = () => {
        storage.sql.exec = exec
        throw new Error("database or disk is full")
      }
    })
    const outcomes = await Promise.allSettled(Array.from({ length: 5 }, () => limiter.check("a")))
    const failed = outcomes.filter(({ status }) => status === "rejected")
    expect(failed.length).toBeGreaterThan(0)
    for (const { reason } of failed as PromiseRejectedResult[]) expect(reason).toBeInstanceOf(StoreUnavailable)
    const admitted = outcomes.length - failed.length
    expect(await limiter.check("a")).toMatchObject({ allowed: true, remaining: 10 - 1 - admitted - 1 })
    expect(await object().verify()).toMatchObject({ replayEqualsLive: true })
  })
})

describe("errors of EdgeLimiter", () => {
  /** A namespace that counts the calls it gets and answers none. */
  const unused = {
    getByName() {
      throw new Error("an object was called")
    },
  } as unknown as typeof env.LIMITER

  test("come before any call where the input says it all", async () => {
    const limiter = new EdgeLimiter(unused, "10/minute burst 3")
    await expect(limiter.check("a", { cost: 4 })).rejects.toBeInstanceOf(CostError)
    await expect(limiter.check("")).rejects.toBeInstanceOf(KeyError)
    await expect(limiter.check("x".repeat(513))).rejects.toBeInstanceOf(KeyError)
    await expect(limiter.check("\ud800")).rejects.toBeInstanceOf(KeyError)
    for (const cost of [-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53, "1" as never, null as never]) {
      await expect(limiter.check("a", { cost })).rejects.toBeInstanceOf(RangeError)
      await expect(limiter.peek("a", { cost })).rejects.toBeInstanceOf(RangeError)
      await expect(limiter.charge("a", cost)).rejects.toBeInstanceOf(RangeError)
    }
    await expect(limiter.block("a", "soon")).rejects.toBeInstanceOf(RangeError)
    const receipt = { id: "x-1", key: "a", policy: "default", cost: 2, chargedAtMs: 0 }
    await expect(limiter.refund(receipt, 3)).rejects.toBeInstanceOf(RangeError)
    await expect(limiter.settle(receipt, -1)).rejects.toBeInstanceOf(RangeError)
  })

  test("come at construction where the policy or the name cannot be", () => {
    expect(() => new EdgeLimiter(unused, "10/fortnight")).toThrow(PolicyError)
    for (const name of ["", "a\nb", "é", 1 as never]) {
      expect(() => new EdgeLimiter(unused, "10/minute", { name })).toThrow(RangeError)
    }
  })

  test.each<[string, unknown]>([
    ["shards", { shards: 0 }],
    ["shards", { shards: "4" }],
    ["owner", { owner: "" }],
    ["owner", { owner: "me", shards: 2 }],
    ["tenant", { tenant: "\ud800" }],
    ["sync", { sync: "never" }],
    ["lease", { lease: "always" }],
    ["lease.units", { lease: { units: 0 } }],
    ['"lease.unit"', { lease: { unit: 5 } }],
    ["denialCache", { denialCache: true }],
    ["timeoutMs", { timeoutMs: 0 }],
    ["background", { background: "waitUntil" }],
    ['did you mean "shards"?', { shard: 4 }],
  ])("come at construction where the option %s cannot be: %j", (field, options) => {
    const make = () => new EdgeLimiter(unused, "10/minute", options as EdgeLimiterOptions)
    expect(make).toThrow(RangeError)
    expect(make).toThrow(field)
    const wrap = () => rateLimit(() => new Response(), { policy: "10/minute", ...(options as object) })
    expect(wrap).toThrow(RangeError)
  })

  test("do not stick: the call after one that failed gets a new stub", async () => {
    const name = freshName()
    let calls = 0
    const flaky = {
      getByName: (objectName: string) => {
        calls += 1
        if (calls === 1) throw new Error("no network")
        return env.LIMITER.getByName(objectName)
      },
    } as unknown as typeof env.LIMITER
    const limiter = new EdgeLimiter(flaky, "10/day", { name })
    await expect(limiter.check("a")).rejects.toBeInstanceOf(StoreUnavailable)
    expect(calls).toBe(1)
    expect(await limiter.check("a")).toMatchObject({ allowed: true, remaining: 9 })
  })
})
