import { describe, expect, test } from "vitest"
import { Core } from "../../src/engine/core.js"
import { type DumpHead, writeDump } from "../../src/engine/dump.js"
import { DumpError, ManualClock, RateLimiter, type RateLimiterOptions } from "../../src/index.js"
import type { PolicyInput } from "../../src/policy/policy.js"
import { START_MS } from "../start-ms.js"
import { Random, SEED } from "./random.js"

const POLICIES: Readonly<Record<string, PolicyInput>> = {
  gcra: "7/minute burst 3",
  fixed_window: "4/minute fixed_window",
  sliding_window: "5/minute sliding_window",
  sliding_window_log: "6/minute sliding_window_log",
  "several rules with a block": [
    { limit: 3, period: "1m", block: "2m" },
    { limit: 9, period: "10m", algorithm: "sliding_window_log" },
  ],
  "two rules": "10/minute; 100/hour",
}

function pair(
  policy: PolicyInput,
  options: RateLimiterOptions = {},
): { clock: ManualClock; from: RateLimiter; to: RateLimiter } {
  const clock = new ManualClock(START_MS)
  return {
    clock,
    from: new RateLimiter(policy, { clock, ...options }),
    to: new RateLimiter(policy, { clock, ...options }),
  }
}

/** What a limiter says to a number of random checks. */
function answers(limiter: RateLimiter, clock: ManualClock, keys: number, seed: number): string {
  const random = new Random(seed)
  const startMs = clock.now()
  const said = []
  for (let i = 0; i < 2_000; i++) {
    if (random.below(10) === 0) clock.advance(random.below(4_000))
    const { allowed, remaining, retryAfterMs, resetAfterMs, reason } = limiter.check(`key ${random.below(keys)}`, {
      cost: 1 + random.below(3),
    })
    said.push([allowed, remaining, retryAfterMs, resetAfterMs, reason].join())
  }
  clock.set(startMs)
  return said.join("\n")
}

function failureOf(work: () => void): string {
  try {
    work()
  } catch (error) {
    if (error instanceof DumpError) return error.failure
    throw error
  }
  return "none"
}

describe("RateLimiter.dump() and restore()", () => {
  for (const [name, policy] of Object.entries(POLICIES)) {
    for (const keys of [1, 4, 5, 40, 3_000]) {
      test(`carry everything over: ${name}, ${keys} keys (SLUICE_ENGINE_SEED=${SEED})`, () => {
        const { clock, from, to } = pair(policy, { stats: true })
        answers(from, clock, keys, SEED)
        from.block("key 0", "5m")
        clock.advance(500)
        to.check("of no matter")
        to.restore(from.dump())
        expect(to.size).toBeLessThanOrEqual(from.size)
        expect(to.peek("of no matter").resetAfterMs).toBe(0)
        expect(answers(to, clock, keys, SEED + 1)).toBe(answers(from, clock, keys, SEED + 1))
        for (let key = 0; key < Math.min(keys, 50); key++) {
          expect(to.stats(`key ${key}`)).toEqual(from.stats(`key ${key}`))
        }
      })
    }
  }

  test("carry over a limiter that was asked nothing", () => {
    const { from, to } = pair("5/minute")
    to.check("a")
    to.restore(from.dump())
    expect(to.size).toBe(0)
  })

  test("keep receipts: open ones settle once, settled ones not again", () => {
    const { from, to } = pair("10/minute")
    const open = from.check("a", { cost: 4 }).receipt!
    const settled = from.check("a", { cost: 4 }).receipt!
    from.refund(settled)
    to.restore(from.dump())
    expect(to.peek("a").remaining).toBe(6)
    to.refund(settled)
    expect(to.peek("a").remaining).toBe(6)
    to.refund(open)
    expect(to.peek("a").remaining).toBe(10)
    expect(to.check("a").receipt!.id).not.toBe(open.id)
  })

  test("keep receipts closed that were too old for the dump, where a longer policy or a clock set back would take them", () => {
    const { clock, from, to } = pair("10/second")
    const { receipt } = from.check("a", { cost: 10 })
    from.refund(receipt!)
    clock.advance(7_200_000)
    to.restore(from.dump())
    clock.set(START_MS)
    to.check("a", { cost: 10 })
    to.refund(receipt!)
    expect(to.peek("a").remaining).toBe(0)
    clock.advance(7_200_000)
    to.setPolicy("10/day burst 10")
    to.check("a", { cost: 10 })
    to.refund(receipt!)
    expect(to.peek("a").remaining).toBe(0)
  })

  test("keep receipts closed of before a reset, those of other keys too, since a dump names no key", () => {
    const { clock, from, to } = pair("10/minute")
    const before = from.check("a", { cost: 4 }).receipt!
    from.check("b", { cost: 4 })
    from.reset("a")
    clock.advance(1)
    const after = from.check("a", { cost: 5 }).receipt!
    to.restore(from.dump())
    to.refund(before)
    expect(to.peek("a").remaining).toBe(5)
    to.refund(after)
    expect(to.peek("a").remaining).toBe(10)
  })

  test("let time go on between them", () => {
    const { clock, from, to } = pair("10/minute")
    from.check("a", { cost: 10 })
    const bytes = from.dump()
    clock.advance(30_000)
    to.restore(bytes)
    expect(to.peek("a").remaining).toBe(5)
  })

  test("refuse a dump in which any byte was changed, and change nothing", () => {
    const { from, to } = pair("5/minute")
    from.check("a")
    to.check("b", { cost: 3 })
    const bytes = from.dump()
    for (let at = 0; at < bytes.length; at++) {
      const changed = bytes.slice()
      changed[at]! ^= 1 << (at % 8)
      if (failureOf(() => to.restore(changed)) === "none") throw new Error(`Byte ${at} was changed and not noticed.`)
    }
    expect(to.peek("b").remaining).toBe(2)
    expect(to.peek("a").remaining).toBe(5)
    to.restore(bytes)
    expect(to.peek("a").remaining).toBe(4)
  })

  test("refuse a dump that was cut or went on, at any length", () => {
    const { from, to } = pair("5/minute")
    from.check("a")
    const bytes = from.dump()
    for (let length = 0; length < bytes.length; length++) {
      expect(failureOf(() => to.restore(bytes.subarray(0, length)))).not.toBe("none")
    }
    const longer = new Uint8Array(bytes.length + 32)
    longer.set(bytes)
    expect(failureOf(() => to.restore(longer))).toContain("bytes")
    expect(to.size).toBe(0)
  })

  test("refuse what is of another limiter, and say what", () => {
    const { from } = pair("5/minute", { maxKeys: 3 })
    for (const key of ["a", "b", "c"]) from.check(key)
    const bytes = from.dump()
    const other = (policy: PolicyInput, options?: RateLimiterOptions) => new RateLimiter(policy, options)
    expect(failureOf(() => other("6/minute").restore(bytes))).toContain("policy")
    expect(failureOf(() => other("5/minute", { stats: true }).restore(bytes))).toContain("stats")
    expect(failureOf(() => other("5/minute", { maxKeys: 2 }).restore(bytes))).toContain("maxKeys")
    expect(failureOf(() => other("5/minute", { maxKeys: 3 }).restore(bytes))).toBe("none")
    const newer = bytes.slice()
    newer[6] = 2
    expect(failureOf(() => other("5/minute").restore(newer))).toBe("its format is 2, this version reads 1")
    expect(failureOf(() => other("5/minute").restore(new Uint8Array(500)))).toBe("it is no dump of sluice")
  })

  test.each([
    { settled: 5 },
    { settled: [[]] },
    { settled: [["a", "b"]] },
    { charges: "x" },
    { charges: -1 },
    { seed: null },
    { closedBeforeMs: null },
    { closedBeforeMs: undefined },
    { closedThrough: undefined },
  ])("refuse a dump with a right checksum whose head says %j, and change nothing", (wrong) => {
    const core = new Core()
    const { to } = pair("5/minute")
    const policy = to.policy.canonical
    const closed = { closedBeforeMs: 0, closedThrough: 0 }
    const head: DumpHead = {
      policy,
      stats: false,
      seed: [1, 2, 3, 4],
      issuerId: "x",
      charges: 1,
      settled: [],
      ...closed,
    }
    // Of no limit: it has no tables.
    const dumpOf = (said: object) => writeDump(core, 0, { ...head, ...said }, [])
    const { receipt } = to.check("a")
    expect(failureOf(() => to.restore(dumpOf(wrong)))).toBe("its head cannot be read")
    expect(to.peek("a").remaining).toBe(4)
    to.refund(receipt!)
    expect(to.peek("a").remaining).toBe(5)
    expect(failureOf(() => to.restore(dumpOf({})))).toBe("none")
  })

  test("forget the ids of calls, which are known by their keys", () => {
    const { from, to } = pair("5/minute")
    for (const limiter of [from, to]) limiter.check("a", { id: "call 1" })
    to.restore(from.dump())
    expect(to.check("a", { id: "call 1" }).remaining).toBe(3)
  })

  test("find a dump that lies within other bytes", () => {
    const { from, to } = pair("5/minute")
    from.check("a")
    const bytes = from.dump()
    const around = new Uint8Array(bytes.length + 10)
    around.set(bytes, 5)
    to.restore(around.subarray(5, 5 + bytes.length))
    expect(to.peek("a").remaining).toBe(4)
  })
})
