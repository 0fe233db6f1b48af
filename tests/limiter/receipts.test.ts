import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { SluiceClient } from "../../src/client/index.js"
import { type EmbeddedLimiter, openLimiter } from "../../src/embedded/index.node.js"
import { ManualClock, RateLimiter } from "../../src/index.js"
import { MemoryLimits, oneLimit } from "../../src/limiter/index.js"
import { removeFolders, temporaryFolder } from "../embedded/temporary-folder.js"
import { messageOf } from "./message-of.js"

describe("refund() and settle() of what is no receipt", () => {
  const clock = new ManualClock(0)
  const limits = { default: "10/minute" }
  const one = new RateLimiter("10/minute", { clock })
  const memory = new MemoryLimits({ limits, clock })
  const view = oneLimit(memory, "default")
  let calls = 0
  const client = new SluiceClient("http://localhost", {
    fetch: async () => {
      calls += 1
      return new Response("{}")
    },
  })
  let embedded: EmbeddedLimiter

  beforeAll(async () => {
    embedded = await openLimiter({ path: temporaryFolder(), limits, clock })
  })
  afterAll(async () => {
    await embedded.close()
    removeFolders()
  })

  test.each([
    [undefined, "undefined"],
    [null, "null"],
    [5, "5"],
    ["a receipt", '"a receipt"'],
    [[], "[]"],
    [{}, "{}"],
    [{ id: 5, cost: 1 }, '{"id":5,"cost":1}'],
  ])("%j: a RangeError tells the receipt and what is allowed", async (receipt, shown) => {
    for (const limiter of [one, memory, view, embedded, embedded.of("default"), client]) {
      const text = (act: string) =>
        `RangeError: Cannot ${act}: receipt is ${shown}, allowed is the receipt of an admission.`
      expect(await messageOf(() => limiter.refund(receipt as never))).toBe(text("refund"))
      expect(await messageOf(() => limiter.refund(receipt as never, 1))).toBe(text("refund"))
      expect(await messageOf(() => limiter.settle(receipt as never, 1))).toBe(text("settle"))
    }
  })

  test.each([undefined, 0, 1.5, "1", 2 ** 31 + 1])("nor is one whose cost is %j", async (cost) => {
    for (const limiter of [one, memory, view, embedded, embedded.of("default"), client]) {
      const receipt = { id: "x", key: "a", policy: "default", cost, chargedAtMs: 0 } as never
      const text = `receipt.cost is ${JSON.stringify(cost)}, allowed is a whole number from 1 to 2147483648.`
      expect(await messageOf(() => limiter.refund(receipt))).toBe(`RangeError: Cannot refund: ${text}`)
      expect(await messageOf(() => limiter.settle(receipt, 0))).toBe(`RangeError: Cannot settle: ${text}`)
    }
  })

  test("one of elsewhere, or whose other fields cannot be, is refused and stays open", async () => {
    for (const limiter of [one, memory, embedded]) {
      const { receipt } = await limiter.check("a", { cost: 4 })
      expect(await messageOf(() => limiter.refund({ ...receipt!, id: "other" }))).toBe(
        'RangeError: Cannot settle receipt "other": it is not of this limiter.',
      )
      expect(await messageOf(() => limiter.refund({ ...receipt!, key: undefined as never }))).toMatch(/^KeyError: /)
      expect(await messageOf(() => limiter.refund({ ...receipt!, chargedAtMs: "0" as never }))).toMatch(/^RangeError: /)
      expect(await messageOf(() => limiter.refund(receipt!, 5))).toBe(
        "RangeError: Cannot refund: units is 5, allowed is a whole number from 0 to 4.",
      )
      expect((await limiter.peek("a")).remaining).toBe(6)
      await limiter.refund(receipt!)
      expect((await limiter.peek("a")).remaining).toBe(10)
    }
  })

  test("one whose further charge is refused stays open", async () => {
    const clock = new ManualClock(0)
    const options = { clock, maxKeys: 1, onFull: "deny-new" } as const
    for (const limiter of [
      new RateLimiter("1/second", options),
      new MemoryLimits({ limits: { default: "1/second" }, ...options }),
    ]) {
      const { receipt } = limiter.check("a")
      clock.advance(1_500)
      limiter.check("b")
      expect(() => limiter.settle(receipt!, 2)).toThrow(RangeError)
      limiter.reset("b")
      limiter.settle(receipt!, 2)
      expect(limiter.status("a").remaining).toBe(0)
    }
  })

  test("the client refuses before it asks", () => expect(calls).toBe(0))
})

describe("a refund where the clock was set back since the charge", () => {
  const START_MS = 1_000_000
  const POLICY = "10/10s sliding_window_log"

  test("history() of limits in memory and in a folder tells what came back", async () => {
    const clock = new ManualClock(START_MS)
    const limits = { default: POLICY }
    const memory = new MemoryLimits({ limits, clock, names: 9, history: 9 })
    const embedded = await openLimiter({ path: temporaryFolder(), limits, clock })
    for (const limiter of [memory, embedded]) {
      const events = async () => {
        const history = await limiter.history("a")
        return history.map(({ event, units, atMs }) => `${event} ${units} at ${atMs}`).slice(0, -1)
      }
      clock.set(START_MS)
      const { receipt: moved } = await limiter.check("a", { cost: 3 })
      clock.advance(-1)
      const { receipt } = await limiter.check("a", { cost: 2 })
      await limiter.refund(moved!)
      const admitted = [`admit 2 at ${START_MS - 1}`, `admit 3 at ${START_MS}`]
      expect(await events()).toEqual(admitted)
      clock.advance(-1)
      await limiter.refund(receipt!)
      // The last time that the key has seen.
      expect(await events()).toEqual([`refund 2 at ${START_MS - 1}`, ...admitted])
      expect((await limiter.peek("a")).remaining).toBe(7)
    }
    expect(await embedded.verify()).toMatchObject({ replayEqualsLive: true })
    await embedded.close()
    removeFolders()
  })
})
