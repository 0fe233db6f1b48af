import { afterAll, describe, expect, expectTypeOf, test } from "vitest"
import { createApi } from "../../src/api/create-api.js"
import { SluiceClient } from "../../src/client/index.js"
import { fromConfig, limitsByConfig } from "../../src/config/index.js"
import { openLimiter } from "../../src/embedded/index.node.js"
import type { RequestDecision } from "../../src/http/index.js"
import {
  acquire,
  checkAll,
  copyDecision,
  type Decision,
  ManualClock,
  RateLimiter,
  type Receipt,
  TimeoutExceeded,
} from "../../src/index.js"
import { MemoryLimits, oneLimit } from "../../src/limiter/index.js"
import { LeakyBucket, TokenBucket } from "../../src/limiter/single/index.js"
import { removeFolders, temporaryFolder } from "../embedded/temporary-folder.js"
import { messageOf } from "./message-of.js"

afterAll(removeFolders)

const clock = new ManualClock(0)
const limits = { default: "10/minute; 99/hour" }
const CONFIG = `
  allow = { keys = ["friend"] }
  deny = { keys = ["eve"] }
  limits.default = { policy = "10/minute", cost = 2 }
  limits.org = { policy = "20/minute" }
  groups.both = { limits = ["default", "org"] }
  groups.one = { limits = ["org"] }`
const one = new RateLimiter("10/minute; 99/hour", { clock })
const memory = new MemoryLimits({ limits, clock })
const configured = fromConfig(CONFIG, { clock })
const byConfig = limitsByConfig(configured.limits, configured.config, clock)
const embedded = await openLimiter({ path: temporaryFolder(), limits, clock })
afterAll(() => embedded.close())
const api = createApi({ limits: new MemoryLimits({ limits, clock }), token: "a-token-for-the-tests", clock })
const client = new SluiceClient("http://limits.test", {
  token: "a-token-for-the-tests",
  fetch: (url, init) => api.fetch(new Request(url, init)),
})

/** Whoever decides, each of one key that is admitted and of one that is denied. */
const DECIDERS: readonly (readonly [string, (cost: number) => unknown])[] = [
  ["RateLimiter", (cost) => one.check("a", { cost })],
  ["RateLimiter.peek()", (cost) => one.peek("b", { cost })],
  ["RateLimiter.checkAll()", (cost) => one.checkAll([{ key: "c" }, { key: "d", cost }])],
  ["RateLimiter, told again", (cost) => one.check("e", { cost, id: `x${cost}` })],
  ["acquire()", async (cost) => (await acquire(one, "f", { cost, timeout: 0 })).decision],
  ["MemoryLimits", (cost) => memory.check("a", { cost })],
  ["MemoryLimits.checkAll()", (cost) => memory.checkAll([{ key: "c" }, { key: "d", cost }])],
  ["MemoryLimits.of()", (cost) => memory.of("default").check("e", { cost })],
  ["oneLimit()", (cost) => oneLimit(embedded, "default").check("f", { cost })],
  ["openLimiter()", (cost) => embedded.check("a", { cost })],
  ["openLimiter(), peek()", (cost) => embedded.peek("b", { cost })],
  ["openLimiter(), checkAll()", (cost) => embedded.checkAll([{ key: "c" }, { key: "d", cost }])],
  ["openLimiter(), of()", (cost) => embedded.of("default").check("e", { cost })],
  ["SluiceClient", (cost) => client.check("a", { cost })],
  ["SluiceClient.checkAll()", (cost) => client.checkAll([{ key: "c" }, { key: "d", cost }])],
  ["fromConfig()", (cost) => configured.check("a", { cost })],
  ["fromConfig(), a group", (cost) => configured.check("b", { limit: "both", cost })],
  ["fromConfig(), peek() of a group", (cost) => configured.peek("b", { limit: "both", cost })],
  ["fromConfig(), a group of one", (cost) => configured.check("c", { limit: "one", cost })],
  ["fromConfig(), of() a group", (cost) => configured.of("both").check("d", { cost })],
  ["fromConfig(), allowed by a list", () => configured.check("friend")],
  ["fromConfig(), denied by a list", () => configured.check("eve", { limit: "both" })],
  ["limitsByConfig(), a group", (cost) => byConfig.check("e", { limit: "both", cost })],
  [
    "the function checkAll()",
    (cost) =>
      checkAll([
        { limiter: one, key: "g" },
        { limiter: configured.of("both"), key: "g", cost },
      ]),
  ],
  ["TokenBucket", (cost) => new TokenBucket({ rate: 1, capacity: 10, clock }).check(cost)],
]

/** What was decided at a cost that is admitted, and at one that is denied: by `acquire`, a wait that is refused. */
async function decided(decide: (cost: number) => unknown): Promise<RequestDecision[]> {
  const told: RequestDecision[] = []
  for (const cost of [3, 10]) {
    const answer = await Promise.resolve()
      .then(() => decide(cost))
      .catch((error: unknown) => error)
    if (answer instanceof TimeoutExceeded) continue
    told.push(...((answer as { decisions?: Decision[] }).decisions ?? [answer as Decision]))
  }
  return told
}

describe("copyDecision()", () => {
  test.each(DECIDERS)(
    "%s: is plain data that structuredClone() takes whole, and is what JSON tells",
    async (_, ask) => {
      const decisions = await decided(ask)
      expect(decisions.length).toBeGreaterThan(0)
      for (const decision of decisions) {
        const copy = structuredClone(copyDecision(decision))
        const { receipt } = decision
        expect(copy.receipt).toEqual(receipt)
        expect(copy.limits?.map((each) => each.receipt)).toEqual(decision.limits?.map((each) => each.receipt))
        expect(copy).toEqual(JSON.parse(JSON.stringify(decision)))
      }
    },
  )

  test("the receipt of a copy settles", () => {
    const copy = structuredClone(copyDecision(memory.check("copied", { cost: 4 })))
    memory.refund(copy.receipt!)
    expect(memory.peek("copied").remaining).toBe(10)
  })

  test("the receipts of a copied group settle", () => {
    const copy = structuredClone(copyDecision(configured.check("copied", { limit: "both" }) as RequestDecision))
    expect(copy.receipt).toBeUndefined()
    for (const { receipt } of copy.limits!) configured.refund(receipt!)
    expect(configured.peek("copied", { limit: "both", cost: 0 }).remaining).toBe(10)
  })

  test("refuses what is no decision, as without an await", async () => {
    const text = "RangeError: Cannot copy a decision: decision is a promise, allowed is the decision of a check."
    expect(await messageOf(() => copyDecision(embedded.check("a") as never))).toBe(text)
    expect(await messageOf(() => copyDecision(null as never))).toBe(text.replace("a promise", "null"))
  })

  test("is of the type that it was given", () => {
    expectTypeOf(copyDecision(one.peek("a"))).toEqualTypeOf<Decision>()
    expectTypeOf(copyDecision<RequestDecision>).returns.toEqualTypeOf<RequestDecision>()
  })
})

test("the type of every decision tells that there may be no receipt", () => {
  type MayHaveNone = Receipt | undefined
  expectTypeOf(one.check).returns.toEqualTypeOf<Decision>()
  expectTypeOf(one.peek).returns.toEqualTypeOf<Decision>()
  expectTypeOf(new LeakyBucket({ rate: 1, clock }).check).returns.toEqualTypeOf<Decision>()
  expectTypeOf(new LeakyBucket({ rate: 1, clock }).peek).returns.toEqualTypeOf<Decision>()
  expectTypeOf(memory.check).returns.toEqualTypeOf<Decision>()
  expectTypeOf(memory.of("default").check).returns.toEqualTypeOf<Decision>()
  expectTypeOf(embedded.check).returns.resolves.toEqualTypeOf<Decision>()
  expectTypeOf(client.check).returns.resolves.toEqualTypeOf<Decision>()
  expectTypeOf(configured.check).returns.toEqualTypeOf<Decision>()
  expectTypeOf(one.check("typed").receipt).toEqualTypeOf<MayHaveNone>()
  // @ts-expect-error: a denial has none
  expect(() => one.check("typed", { cost: 10 }).receipt.id).toThrow(TypeError)
})
