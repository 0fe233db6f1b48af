import { evictDurableObject, runDurableObjectAlarm } from "cloudflare:test"
import { env } from "cloudflare:workers"
import { describe, expect, test } from "vitest"
import { parsePolicy } from "../../src/policy/parse-policy.js"
import { ManualClock } from "../../src/types/clock.js"
import { EdgeLimits } from "../../worker/api/edge-limits.js"
import { LimitDirectory } from "../../worker/api/limit-directory.js"
import { KEY_SHARDS, LIMIT_SHARDS, Registry } from "../../worker/api/registry.js"
import { Reporter } from "../../worker/api/reporter.js"
import { keyObjectName, ownerObjectName, shardObjectName, shardOf } from "../../worker/object-name.js"
import { EdgeLimiter, type EdgeLimiterOptions } from "../../worker/sluice-worker.js"
import { withClass } from "../../worker/with-class.js"
import { setClock } from "./clocked-limiter-object.js"
import { errorOf } from "./error-of.js"
import { clockedLimiter, freshName, NOTHING_STORED, rowsOf, START_MS, stored, subjectTextOf } from "./objects.js"

const HOUR_MS = 3_600_000

/** Every question of a limiter under `10/minute`, about a key of which nothing is used. */
async function askAll(limiter: EdgeLimiter): Promise<void> {
  expect(await limiter.status("a")).toMatchObject({ remaining: 10, resetAfterMs: 0, blockedForMs: 0 })
  expect(await limiter.peek("a")).toMatchObject({ allowed: true, remaining: 10 })
  expect(await limiter.peek("a", { cost: 10, id: "x" })).toMatchObject({ allowed: true, remaining: 10 })
  expect(await limiter.check("a", { cost: 0 })).toMatchObject({ allowed: true, remaining: 10 })
  expect(await limiter.check("a", { cost: 0, id: "x" })).toMatchObject({ allowed: true, remaining: 10 })
  await limiter.stats("a")
}

const PLACES: Record<string, { options: EdgeLimiterOptions; objectOf: (name: string) => string }> = {
  "of its own": { options: {}, objectOf: (name) => keyObjectName(name, "a") },
  "under ahead": { options: { sync: "ahead" }, objectOf: (name) => keyObjectName(name, "a") },
  "of a shard": { options: { shards: 1 }, objectOf: (name) => shardObjectName(name, 0, 1) },
  "of an owner": { options: { owner: "questions" }, objectOf: () => ownerObjectName("questions") },
}

describe("a question to LimiterObject", () => {
  test.each(Object.entries(PLACES))("writes no row and leaves nothing stored: an object %s", async (_, place) => {
    const name = freshName()
    for (const part of [name, "questions"]) setClock(part, new ManualClock(START_MS))
    const limiter = new EdgeLimiter(env.CLOCKED_LIMITER, "10/minute", { ...place.options, name, denialCache: false })
    const object = () => env.CLOCKED_LIMITER.getByName(place.objectOf(name))
    for (const round of ["new", "evicted"]) {
      await askAll(limiter)
      expect(await limiter.stats("a"), round).toMatchObject({ totalAllowed: 0, totalDenied: 0, lastAllowedAt: null })
      expect(await limiter.verify("a"), round).toMatchObject({ rows: 0, replayEqualsLive: true })
      expect(await object().report(), round).toMatchObject({ rowsWritten: 0, commits: 0, admitted: 2 })
      expect(await stored(object()), round).toEqual(NOTHING_STORED)
      await evictDurableObject(object())
    }
  })

  test("about another limit of an owner defines none", async () => {
    setClock("asked", new ManualClock(START_MS))
    const [used, asked] = ["10/minute", "10/minute"].map(
      (policy) =>
        new EdgeLimiter(env.CLOCKED_LIMITER, policy, { name: freshName(), owner: "asked", denialCache: false }),
    )
    const object = env.CLOCKED_LIMITER.getByName(ownerObjectName("asked"))
    await used!.check("a")
    const { records } = await object.verify()
    const { rowsWritten } = await object.report()
    await askAll(asked!)
    expect(await object.report()).toMatchObject({ rowsWritten })
    expect(await object.verify()).toMatchObject({ records })
    expect(await asked!.check("a", { cost: 10 })).toMatchObject({ allowed: true, remaining: 0 })
  })

  test("about a key whose quota is full again writes no row, and postpones no wipe", async () => {
    const { clock, limiter, object } = clockedLimiter("10/minute")
    await limiter.check("a")
    clock.advance(6_000)
    const before = { rows: await rowsOf(object()), report: await object().report(), stored: await stored(object()) }
    for (let minutes = 0; minutes <= 60; minutes += 10) {
      await askAll(limiter)
      if (minutes < 60) clock.advance(HOUR_MS / 6)
    }
    expect(await rowsOf(object())).toEqual(before.rows)
    expect(await object().report()).toMatchObject({ rowsWritten: before.report.rowsWritten })
    expect(await stored(object())).toEqual(before.stored)
    await evictDurableObject(object())
    await askAll(limiter)
    expect(await object().report()).toMatchObject({ rowsWritten: 0 })
    expect(await runDurableObjectAlarm(object())).toBe(true)
    expect(await stored(object())).toEqual(NOTHING_STORED)
    // The object lives on in memory, and has forgotten what it was.
    await askAll(limiter)
    expect(await limiter.verify("a")).toMatchObject({ rows: 0 })
    expect(await stored(object())).toEqual(NOTHING_STORED)
    expect(await limiter.check("a", { cost: 4 })).toMatchObject({ allowed: true, remaining: 6 })
    expect(await limiter.status("a")).toMatchObject({ remaining: 6 })
  })

  test("that comes with the first checks finds one of their states", async () => {
    const { limiter, object } = clockedLimiter("10/minute")
    const [first, status, second] = await Promise.all([limiter.check("a"), limiter.status("a"), limiter.check("a")])
    expect([first.remaining, second.remaining]).toEqual([9, 8])
    expect([8, 9, 10]).toContain(status.remaining)
    expect(await object().verify()).toMatchObject({ replayEqualsLive: true })
  })
})

const ABOVE = { code: "COST_ABOVE_CAPACITY", cost: 11, maximum: 10 }
const FOREIGN = { id: "other-1", key: "a", policy: "default", cost: 1, chargedAtMs: START_MS }

/** What changes nothing of a key that was never used, under `10/minute`, and what comes of it. */
const IDLE: Record<string, readonly [call: (limiter: EdgeLimiter) => Promise<unknown>, outcome: unknown]> = {
  "a reset": [(limiter) => limiter.reset("a"), false],
  "the end of a block": [(limiter) => limiter.unblock("a"), false],
  "a refund of another limiter's receipt": [(limiter) => errorOf(limiter.refund(FOREIGN)), { name: "RangeError" }],
  "a check above the capacity": [(limiter) => errorOf(limiter.check("a", { cost: 11, id: "x" })), ABOVE],
  "a group above the capacity": [(limiter) => errorOf(limiter.checkAll([{ key: "a", cost: 11, id: "x" }])), ABOVE],
}

describe("a call of LimiterObject that changes nothing", () => {
  const cases = Object.keys(PLACES).flatMap((place) => Object.keys(IDLE).map((call) => [call, place] as const))

  test.each(cases)("leaves nothing stored: %s in an object %s", async (call, place) => {
    const name = freshName()
    for (const part of [name, "questions"]) setClock(part, new ManualClock(START_MS))
    const { options, objectOf } = PLACES[place]!
    const limiter = new EdgeLimiter(env.CLOCKED_LIMITER, "10/minute", { ...options, name, denialCache: false })
    const [make, outcome] = IDLE[call]!
    const came = await make(limiter)
    if (typeof outcome === "object") expect(came).toMatchObject(outcome!)
    else expect(came).toBe(outcome)
    const object = env.CLOCKED_LIMITER.getByName(objectOf(name))
    expect(await object.report()).toMatchObject({ rowsWritten: 0, commits: 0 })
    expect(await stored(object)).toEqual(NOTHING_STORED)
  })

  test("leaves nothing stored: checks in one call that are all above the capacity", async () => {
    const { object } = clockedLimiter("10/minute")
    const above = { key: "a", cost: 11, id: "x" }
    const told = await object().decideEach(subjectTextOf("10/minute"), [above, { ...above, id: "y" }])
    expect(told.map((each) => withClass(each))).toMatchObject([ABOVE, ABOVE])
    expect(await stored(object())).toEqual(NOTHING_STORED)
    const [refused, admitted] = await object().decideEach(subjectTextOf("10/minute"), [above, { key: "a", cost: 10 }])
    expect(withClass(refused)).toMatchObject(ABOVE)
    expect(admitted).toBeTypeOf("string")
  })

  test.each(Object.keys(IDLE))("defines no limit of an owner: %s", async (call) => {
    const owner = freshName()
    setClock(owner, new ManualClock(START_MS))
    const [used, idle] = ["used", "idle"].map(
      (name) => new EdgeLimiter(env.CLOCKED_LIMITER, "10/minute", { name, owner, denialCache: false }),
    )
    const object = env.CLOCKED_LIMITER.getByName(ownerObjectName(owner))
    await used!.check("a")
    const { records } = await object.verify()
    const { rowsWritten } = await object.report()
    await IDLE[call]![0](idle!)
    expect(await object.report()).toMatchObject({ rowsWritten })
    expect(await object.verify()).toMatchObject({ records })
  })

  test("comes after the calls that were made before it", async () => {
    const { limiter } = clockedLimiter("10/minute")
    const [, isReset, after] = await Promise.all([limiter.check("a"), limiter.reset("a"), limiter.check("a")])
    expect([isReset, after.remaining]).toEqual([true, 9])
    const [, isEnded] = await Promise.all([limiter.block("a", "1m"), limiter.unblock("a")])
    expect(isEnded).toBe(true)
  })
})

describe("a question to EdgeLimits", () => {
  test("about a key that was never used leaves nothing stored, in its object and in the registry", async () => {
    const name = freshName()
    const registry = new Registry(env)
    const limits = new EdgeLimits({
      limiter: env.LIMITER,
      registry,
      directory: new LimitDirectory(registry),
      reporter: new Reporter(registry),
      ofSettings: new Map([[name, parsePolicy("10/minute")]]),
    })
    const choice = { limit: name }
    expect(await limits.status("a", choice)).toMatchObject({ remaining: 10 })
    expect(await limits.peek("a", choice)).toMatchObject({ allowed: true })
    expect(await limits.stats("a", choice)).toMatchObject({ totalAllowed: 0 })
    expect(await limits.explain("a", choice)).toMatchObject({ limit: name })
    expect(await limits.history("a", choice)).toEqual([])
    expect(await limits.list(choice)).toEqual([])
    expect(await limits.top({ by: "denied", limit: name })).toEqual([])
    expect((await limits.limits()).map((limit) => limit.name)).toEqual([name])
    expect(await limits.limit("not configured")).toBeNull()
    const limitShard = env.REGISTRY.getByName(`limits ${shardOf("not configured", LIMIT_SHARDS)}`)
    expect(await stored(env.LIMITER.getByName(keyObjectName(name, "a")))).toEqual(NOTHING_STORED)
    expect(await stored(env.REGISTRY.getByName(`keys ${shardOf("a", KEY_SHARDS)}`))).toEqual(NOTHING_STORED)
    expect(await stored(limitShard)).toEqual(NOTHING_STORED)
  })
})
