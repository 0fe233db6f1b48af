import { ManualClock } from "../../../src/types/clock.js"
import { has, same, throws } from "../assert.js"
import { type LimiterCase, START_MS } from "../limiter-case.js"

const MAX_TIME_MS = 2 ** 47 - 1

export const clockCases: readonly LimiterCase[] = [
  {
    name: "a clock that is behind a key adds what it lacks to the waits",
    async run(make) {
      const clock = new ManualClock(START_MS + 1_000)
      const limiter = await make("10/second", { clock })
      await limiter.check("a")
      clock.set(START_MS + 950)
      has(await limiter.peek("a"), { allowed: true, remaining: 9, resetAfterMs: 150 }, "the quota 50 ms before")
      has(await limiter.peek("a", { cost: 10 }), { allowed: false, retryAfterMs: 150 }, "everything 50 ms before")
      const decision = await limiter.check("a")
      has(decision, { allowed: true, remaining: 8, resetAfterMs: 250 }, "a check 50 ms before")
      same(decision.receipt!.chargedAtMs, START_MS + 1_000, "the key's time of the charge")
      clock.set(START_MS + 1_199)
      has(await limiter.peek("a", { cost: 10 }), { allowed: false, retryAfterMs: 1 }, "1 ms before it is full")
      clock.set(START_MS + 1_200)
      has(await limiter.peek("a", { cost: 10 }), { allowed: true }, "when it is full")
    },
  },
  {
    name: "a clock may start at 0 and end in the year 6429",
    async run(make) {
      const clock = new ManualClock(0)
      const limiter = await make("2/second; 3/minute sliding_window; 100/hour sliding_window_log", { clock })
      has(await limiter.check("a"), { allowed: true, remaining: 1 }, "the decision at 0")
      clock.set(MAX_TIME_MS)
      has(await limiter.check("a"), { allowed: true, remaining: 1 }, "the decision at the end")
      has(await limiter.check("a"), { allowed: true, remaining: 0 }, "the second decision at the end")
      has(await limiter.check("a"), { allowed: false, retryAfterMs: 500 }, "the third decision at the end")
    },
  },
  {
    name: "a clock that tells no time is a RangeError, and changes nothing",
    async run(make) {
      let nowMs = START_MS
      const limiter = await make("5/hour", { clock: { now: () => nowMs } })
      await limiter.check("a", { cost: 3 })
      for (nowMs of [-1, 0.5, Number.NaN, Infinity, MAX_TIME_MS + 1]) {
        const error = { name: "RangeError" }
        await throws(() => limiter.check("a"), error)
        await throws(() => limiter.peek("a"), error)
        await throws(() => limiter.allow("a"), error)
        await throws(() => limiter.charge("a", 1), error)
        await throws(() => limiter.block("a", "1m"), error)
        await throws(() => limiter.reset("a"), error)
        await throws(() => limiter.status("a"), error)
        await throws(() => limiter.setPolicy("7/hour"), error)
      }
      nowMs = START_MS
      has(await limiter.check("a"), { allowed: true, limit: 5, remaining: 1 }, "the check with a time again")
    },
  },
]
