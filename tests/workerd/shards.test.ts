import {
  createExecutionContext,
  evictDurableObject,
  runDurableObjectAlarm,
  waitOnExecutionContext,
} from "cloudflare:test"
import { env } from "cloudflare:workers"
import { describe, expect, test } from "vitest"
import { ManualClock } from "../../src/types/clock.js"
import { shardObjectName, shardOf } from "../../worker/object-name.js"
import { EdgeLimiter, type EdgeLimiterOptions, rateLimit } from "../../worker/sluice-worker.js"
import { setClock } from "./clocked-limiter-object.js"
import { freshName, rowsOf, START_MS } from "./objects.js"

const SHARDS = 8
const HOUR_MS = 3_600_000

function sharded(policy: string, shards = SHARDS) {
  const name = freshName()
  const clock = new ManualClock(START_MS)
  setClock(name, clock)
  const limiter = new EdgeLimiter(env.CLOCKED_LIMITER, policy, { name, shards, denialCache: false })
  const objects = Array.from({ length: shards }, (_, shard) => shardObjectName(name, shard, shards))
  return { clock, limiter, objects: () => objects.map((object) => env.CLOCKED_LIMITER.getByName(object)) }
}

const keys = (count: number) => Array.from({ length: count }, (_, index) => `user:${index}`)

describe("shardOf()", () => {
  test("spreads keys evenly, and always in the same way", () => {
    const counts = Array.from({ length: SHARDS }, () => 0)
    for (const key of keys(80_000)) counts[shardOf(key, SHARDS)]! += 1
    expect(Math.min(...counts)).toBeGreaterThan(9_600)
    expect(Math.max(...counts)).toBeLessThan(10_400)
    expect(keys(8).map((key) => shardOf(key, SHARDS))).toMatchInlineSnapshot(`
      [
        3,
        7,
        6,
        3,
        2,
        4,
        2,
        4,
      ]
    `)
  })
})

describe("EdgeLimiter with shards", () => {
  test("keeps an id of a caller however many groups come that have none", async () => {
    const { limiter, clock } = sharded("1000000/hour", 1)
    const { receipt } = await limiter.check("a", { id: "x" })
    const items = keys(1_000).map((key) => ({ key }))
    for (let group = 0; group < 66; group++) await limiter.checkAll(items)
    clock.advance(200_000)
    expect((await limiter.check("a", { id: "x" })).receipt).toEqual(receipt)
  })

  test("keeps each key's own exact count, in few objects, through evictions", async () => {
    const { limiter, objects } = sharded("3/day")
    const all = keys(200)
    for (let round = 0; round < 4; round++) {
      const decisions = await Promise.all(all.map((key) => limiter.check(key)))
      expect(decisions.every(({ allowed }) => allowed === round < 3)).toBe(true)
      for (const object of objects()) await evictDurableObject(object)
    }
    for (const object of objects()) expect(await object.verify()).toMatchObject({ replayEqualsLive: true })
  })

  test("shares a commit between keys that are asked together", async () => {
    const { limiter, objects } = sharded("1000/day", 1)
    await limiter.check("first")
    const before = await objects()[0]!.report()
    for (let round = 0; round < 3; round++) await Promise.all(keys(200).map((key) => limiter.check(key)))
    const after = await objects()[0]!.report()
    expect(after.admitted - before.admitted).toBe(600)
    expect(after.rowsWritten - before.rowsWritten).toBeLessThan(120)
  })

  test.each<[string, EdgeLimiterOptions]>([
    ["shards", { shards: 1 }],
    ["owner", { owner: "all" }],
  ])("keeps policies of one name apart that rateLimit chooses by the request, with %s", async (_, options) => {
    const limited = rateLimit<typeof env>(() => new Response("ok"), {
      ...options,
      name: freshName(),
      policy: (request) => (request.headers.has("pro") ? "10/day as api" : "2/day as api"),
      key: (request) => request.headers.get("user"),
    })
    const context = createExecutionContext()
    const isAdmitted = async (headers: Record<string, string>) => {
      const response = await limited(new Request("http://localhost/", { headers }), env, context)
      return Number(response.status === 200)
    }
    const admitted = { ann: 0, eve: 0 }
    for (let asked = 0; asked < 12; asked++) {
      admitted.ann += await isAdmitted({ user: "ann", pro: "yes" })
      admitted.eve += await isAdmitted({ user: "eve" })
    }
    expect(admitted).toEqual({ ann: 10, eve: 2 })
    await waitOnExecutionContext(context)
  })

  test("has every verb, each about its own key", async () => {
    const { limiter } = sharded("5/day fixed_window")
    const { receipt } = await limiter.check("a", { cost: 4 })
    await limiter.check("b", { cost: 5 })
    await limiter.refund(receipt!, 2)
    expect(await limiter.status("a")).toMatchObject({ remaining: 3 })
    await limiter.block("a", "1h")
    expect(await limiter.check("a")).toMatchObject({ reason: "blocked" })
    expect(await limiter.unblock("a")).toBe(true)
    await limiter.charge("a", 1)
    expect(await limiter.stats("a")).toMatchObject({ totalAllowed: 1, totalDenied: 1 })
    expect(await limiter.peek("b")).toMatchObject({ allowed: false })
    expect(await limiter.reset("b")).toBe(true)
    expect(await limiter.checkAll([{ key: "a", cost: 2 }, { key: "b" }, { key: "c" }])).toMatchObject({ allowed: true })
  })

  test("forgets limits of an owner that nobody uses any more, though the object never rests", async () => {
    const owner = freshName()
    const clock = new ManualClock(START_MS)
    setClock(owner, clock)
    const object = () => env.CLOCKED_LIMITER.getByName(`\nowner\n${owner}`)
    const limiterOf = (name: string) =>
      new EdgeLimiter(env.CLOCKED_LIMITER, "100/minute", { owner, name, denialCache: false })
    const { receipt } = await limiterOf("first").check("k")
    for (let quota = 0; quota < 50; quota++) await limiterOf(`quota ${quota}`).check("k")
    const steady = limiterOf("steady")
    const text = async () => {
      const rows = (await rowsOf(object()))!
      return rows.map(({ body }) => new TextDecoder("latin1").decode(body)).join("")
    }
    // The log is compacted a few times: each forgets what the one before kept.
    let hours = 0
    for (; hours < 200 && (await text()).includes("quota"); hours++) {
      await Promise.all(keys(250).map((key) => steady.check(`${key} of hour ${hours}`)))
      clock.advance(HOUR_MS)
    }
    expect(hours).toBeLessThan(100)
    expect(await text()).toContain("steady")
    expect(await object().verify()).toMatchObject({ replayEqualsLive: true })
    await expect(limiterOf("first").refund(receipt!)).rejects.toThrow(RangeError)
    expect(await limiterOf("first").check("k", { cost: 100 })).toMatchObject({ allowed: true, remaining: 0 })
  })

  test("forgets keys that are full again when its log is compacted, and is wiped when all are", async () => {
    const { clock, limiter, objects } = sharded("10/minute", 1)
    const object = () => objects()[0]!
    for (let hour = 0; hour < 12; hour++) {
      const round = keys(300).map((key) => `${key}, whose name is rather long, of hour ${hour}`)
      await Promise.all(round.map((key) => limiter.check(key)))
      clock.advance(2 * HOUR_MS)
    }
    const { coveredSequence, replayEqualsLive } = await object().verify()
    expect(replayEqualsLive).toBe(true)
    expect(coveredSequence).toBeGreaterThan(0)
    const bytes = (await rowsOf(object()))!.reduce((sum, { body }) => sum + body.length, 0)
    expect(bytes).toBeLessThan(120_000)
    expect(await runDurableObjectAlarm(object())).toBe(true)
    expect(await rowsOf(object())).toBeNull()
  }, 30_000)
})
