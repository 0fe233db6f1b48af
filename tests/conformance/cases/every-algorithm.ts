import type { PolicyInput } from "../../../src/policy/policy.js"
import { ManualClock } from "../../../src/types/clock.js"
import { has, isTrue, same } from "../assert.js"
import { type LimiterCase, type MakeLimiter, START_MS } from "../limiter-case.js"

interface Subject {
  readonly name: string
  readonly policy: PolicyInput
  /** The most units at once. */
  readonly capacity: number
  /** From empty to full, at the longest. */
  readonly fullMs: number
}

/** Every algorithm, and each kind that has a state of its own. */
const SUBJECTS: readonly Subject[] = [
  { name: "gcra", policy: "7/minute burst 5", capacity: 5, fullMs: 42_858 },
  { name: "token_bucket", policy: "7/minute token_bucket burst 5", capacity: 5, fullMs: 42_858 },
  {
    name: "token_bucket with steps",
    policy: {
      limit: 6,
      period: "1m",
      algorithm: "token_bucket",
      burst: 5,
      refill: { amount: 2, every: "20s" },
    },
    capacity: 5,
    fullMs: 60_000,
  },
  { name: "leaky_bucket", policy: "7/minute leaky_bucket burst 5", capacity: 5, fullMs: 42_858 },
  { name: "fixed_window", policy: "7/minute fixed_window", capacity: 7, fullMs: 60_000 },
  {
    name: "fixed_window from the first charge",
    policy: { limit: 7, period: "1m", algorithm: "fixed_window", anchor: "first" },
    capacity: 7,
    fullMs: 60_000,
  },
  { name: "sliding_window", policy: "7/minute sliding_window", capacity: 7, fullMs: 120_000 },
  { name: "sliding_window_log", policy: "7/minute sliding_window_log", capacity: 7, fullMs: 60_000 },
  { name: "two rules", policy: "7/minute burst 5; 50/hour sliding_window", capacity: 5, fullMs: 7_200_000 },
]

/** When a window of every subject starts, so that a step back is one into the window before. */
const WINDOW_START_MS = Math.ceil(START_MS / 3_600_000) * 3_600_000
const LATER_MS = 20 * 365 * 86_400_000

function eachAlgorithm(
  what: string,
  run: (make: MakeLimiter, subject: Subject) => Promise<void>,
): readonly LimiterCase[] {
  return SUBJECTS.map((subject) => ({ name: `${subject.name}: ${what}`, run: (make) => run(make, subject) }))
}

export const everyAlgorithmCases: readonly LimiterCase[] = [
  ...eachAlgorithm("admits exactly its capacity after an idle day", async (make, { policy, capacity }) => {
    const clock = new ManualClock(START_MS)
    const limiter = await make(policy, { clock })
    await limiter.check("a")
    clock.advance(86_400_000)
    for (let unit = 1; unit <= capacity; unit++) {
      has(await limiter.check("a"), { allowed: true, remaining: capacity - unit }, `unit ${unit}`)
    }
    has(await limiter.check("a"), { allowed: false, remaining: 0 }, "one unit more")
  }),
  ...eachAlgorithm("a wait is the smallest one that succeeds", async (make, { policy, capacity }) => {
    const clock = new ManualClock(START_MS + 777)
    const limiter = await make(policy, { clock })
    const costs = [capacity, 1, 2, 1, capacity - 1, capacity]
    for (const cost of costs) {
      const decision = await limiter.check("a", { cost })
      if (decision.allowed) continue
      isTrue(decision.retryAfterMs >= 1, "a denial to have a wait")
      clock.advance(decision.retryAfterMs - 1)
      has(await limiter.check("a", { cost }), { allowed: false, retryAfterMs: 1 }, `cost ${cost}, 1 ms early`)
      clock.advance(1)
      has(await limiter.check("a", { cost }), { allowed: true, retryAfterMs: 0 }, `cost ${cost}, in time`)
    }
  }),
  ...eachAlgorithm("the quota is full exactly after resetAfterMs", async (make, { policy, capacity }) => {
    const clock = new ManualClock(START_MS + 777)
    const limiter = await make(policy, { clock })
    await limiter.check("a", { cost: 2 })
    const { resetAfterMs } = await limiter.status("a")
    clock.advance(resetAfterMs - 1)
    has(await limiter.status("a"), { resetAfterMs: 1 }, "the status 1 ms before")
    clock.advance(1)
    has(await limiter.status("a"), { remaining: capacity, resetAfterMs: 0 }, "the status then")
  }),
  ...eachAlgorithm("time does not run backwards for a key", async (make, { policy, capacity }) => {
    const clock = new ManualClock(START_MS + 30_000)
    const limiter = await make(policy, { clock })
    await limiter.check("a", { cost: 2 })
    clock.advance(-5)
    const remaining = capacity - 2
    has(await limiter.peek("a"), { allowed: true, remaining }, "the quota when the clock is behind")
    has(await limiter.check("a", { cost: remaining }), { allowed: true, remaining: 0 }, "what was left")
    const denied = await limiter.check("a")
    has(denied, { allowed: false, remaining: 0 }, "one unit more")
    clock.advance(denied.retryAfterMs)
    same(await limiter.allow("a"), true, "allow() after the wait")
  }),
  ...eachAlgorithm("a clock that steps back and forth admits no more than one that stands", async (make, subject) => {
    const clock = new ManualClock(WINDOW_START_MS)
    const limiter = await make(subject.policy, { clock })
    let admitted = 0
    for (const stepMs of [0, -1, 0, -1, 1, -2, 2, -20, 20, -60]) {
      clock.set(WINDOW_START_MS + stepMs)
      for (let unit = 0; unit < 2; unit++) if (await limiter.allow("a")) admitted++
    }
    same(admitted, subject.capacity, "what was admitted")
  }),
  ...eachAlgorithm("refund() gives all back where the clock was set back since the charge", async (make, subject) => {
    const clock = new ManualClock(WINDOW_START_MS)
    const limiter = await make(subject.policy, { clock })
    for (const backMs of [1, 500, 30_000, subject.fullMs + 4_000]) {
      const key = `back by ${backMs}`
      clock.set(WINDOW_START_MS + 20_500)
      const { receipt } = await limiter.check(key, { cost: subject.capacity })
      clock.advance(-backMs)
      await limiter.refund(receipt!)
      has(await limiter.peek(key), { allowed: true, remaining: subject.capacity }, `the key, ${key}`)
    }
  }),
  ...eachAlgorithm("refund() counts what leaked before the clock was set back", async (make, subject) => {
    const clock = new ManualClock(WINDOW_START_MS)
    const limiter = await make(subject.policy, { clock })
    const { receipt } = await limiter.check("a", { cost: subject.capacity })
    clock.advance(2 * subject.fullMs)
    await limiter.check("a", { cost: subject.capacity })
    clock.advance(-1)
    await limiter.refund(receipt!)
    has(await limiter.peek("a"), { allowed: false, remaining: 0 }, "the key")
  }),
  ...eachAlgorithm(
    "refund() leaves a receipt open whose key was moved back before its charge",
    async (make, subject) => {
      const clock = new ManualClock(WINDOW_START_MS)
      const limiter = await make(subject.policy, { clock })
      const { receipt } = await limiter.check("a", { cost: subject.capacity })
      clock.advance(-subject.fullMs - 4_000)
      same(await limiter.allow("a"), false, "whether one unit is admitted")
      await limiter.refund(receipt!)
      has(await limiter.peek("a"), { allowed: false, remaining: 0 }, "the key that was moved back")
      clock.set(WINDOW_START_MS)
      has(await limiter.check("a", { cost: subject.capacity }), { allowed: true, remaining: 0 }, "the key, full again")
      await limiter.refund(receipt!)
      has(await limiter.peek("a"), { remaining: subject.capacity }, "the key when the clock has come to the charge")
    },
  ),
  ...eachAlgorithm("a clock that is set back far gives nothing back of what was used", async (make, subject) => {
    const clock = new ManualClock(WINDOW_START_MS)
    const limiter = await make(subject.policy, { clock })
    await limiter.check("a", { cost: subject.capacity })
    clock.advance(63_000)
    while (await limiter.allow("a"));
    // Into a window's last second.
    clock.set(clock.now() - subject.fullMs - 4_000)
    same((await limiter.peek("a")).remaining, 0, "what is left")
    same(await limiter.allow("a"), false, "whether one unit is admitted")
  }),
  ...eachAlgorithm("heals within one full refill when a clock that jumped ahead comes back", async (make, subject) => {
    const clock = new ManualClock(START_MS)
    const limiter = await make(subject.policy, { clock })
    clock.set(START_MS + LATER_MS)
    has(
      await limiter.check("a", { cost: subject.capacity }),
      { allowed: true, remaining: 0 },
      "the check in the future",
    )
    clock.set(START_MS)
    const { allowed, retryAfterMs } = await limiter.check("a")
    same(allowed, false, "whether the quota is there at once")
    isTrue(retryAfterMs <= subject.fullMs, `a wait of at most ${subject.fullMs} ms, not ${retryAfterMs}`)
    const { resetAfterMs } = await limiter.status("a")
    isTrue(resetAfterMs <= subject.fullMs, `the quota to be full within ${subject.fullMs} ms, not ${resetAfterMs}`)
    clock.set(START_MS + subject.fullMs)
    has(await limiter.peek("a"), { allowed: true, remaining: subject.capacity }, "the quota one refill later")
  }),
  ...eachAlgorithm("a full refund at once is as if nothing had come", async (make, { policy, capacity }) => {
    const clock = new ManualClock(START_MS + 777)
    const limiter = await make(policy, { clock })
    const { receipt } = await limiter.check("a", { cost: 3 })
    await limiter.refund(receipt!)
    has(await limiter.status("a"), { remaining: capacity, resetAfterMs: 0 }, "the status")
    has(await limiter.check("a", { cost: capacity }), { allowed: true, remaining: 0 }, "the capacity")
  }),
]
