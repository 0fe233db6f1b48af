import { afterAll, describe, expect, test } from "vitest"
import { SluiceClient } from "../../src/client/index.js"
import { openLimiter } from "../../src/embedded/index.node.js"
import { quotaExceeded, rateLimitFields } from "../../src/http/index.js"
import {
  acquire,
  limited,
  ManualClock,
  parsePolicy,
  RateLimitExceeded,
  RateLimiter,
  WaitingLine,
  wrap,
} from "../../src/index.js"
import { MemoryLimits } from "../../src/limiter/memory-limits.js"
import { oneLimit } from "../../src/limiter/one-limit.js"
import {
  FixedWindow,
  Gcra,
  LeakyBucket,
  SlidingWindow,
  SlidingWindowLog,
  TokenBucket,
} from "../../src/limiter/single/index.js"
import { removeFolders, temporaryFolder } from "../embedded/temporary-folder.js"
import { messageOf } from "./message-of.js"

afterAll(removeFolders)

/** What nobody can be held to by types: plain JavaScript, and what was parsed. */
const anything = (value: unknown) => value as never

/** Nothing may be asked of the server. */
const client = () => new SluiceClient("http://limits.test", { fetch: () => Promise.reject(new Error("asked")) })
const memory = () => new MemoryLimits({ limits: { default: "5/minute" } })

describe.each([
  ["RateLimiter", () => new RateLimiter("5/minute")],
  ["MemoryLimits", memory],
  ["SluiceClient", client],
] as const)("%s", (_name, make) => {
  test.each([Number.NaN, 1.5, -1, "2", null, 2 ** 31 + 1])(
    "names the cost and the key where the cost is %j",
    async (cost) => {
      const limiter = make()
      const shown = typeof cost === "string" ? `"${cost}"` : String(cost)
      const refusal = `RangeError: Cannot check key "k": cost is ${shown}, allowed is a whole number from 0 to 2147483648.`
      const options = anything({ cost })
      for (const verb of ["check", "peek", "allow"] as const) {
        expect(await messageOf(() => limiter[verb]("k", options)), verb).toBe(refusal)
      }
      expect(await messageOf(() => limiter.checkAll([anything({ key: "k", cost })]))).toBe(refusal)
      if ("explain" in limiter) expect(await messageOf(() => limiter.explain("k", options))).toBe(refusal)
      const units = `RangeError: Cannot take units: units is ${shown}, allowed is a whole number from 0 to 2147483648.`
      expect(await messageOf(() => limiter.charge("k", anything(cost)))).toBe(units)
    },
  )

  test("refuses options that are null", async () => {
    const limiter = make()
    for (const verb of ["check", "peek", "allow"] as const) {
      const refusal = "RangeError: Cannot check: options is null, allowed is an object."
      expect(await messageOf(() => limiter[verb]("k", anything(null))), verb).toBe(refusal)
    }
  })
})

test("top() of a limit that is no text tells what says how many", async () => {
  await using store = await openLimiter({ path: temporaryFolder(), policy: "5/minute" })
  for (const limits of [new MemoryLimits(), store, client()]) {
    expect(await messageOf(() => limits.top({ by: "denied", limit: anything(20) }))).toBe(
      "RangeError: Cannot tell the top: limit is 20, allowed is the name of a limit, and count is how many to tell.",
    )
  }
})

test.each([
  [
    "wrap(5)",
    () =>
      wrap(
        anything(5),
        anything(() => 1),
      ),
    "Cannot wrap: limiter is 5, allowed is an object with check()",
  ],
  [
    "wrap(limiter, 5)",
    () => wrap(new RateLimiter("1/day"), anything(5)),
    "Cannot wrap: fn is 5, allowed is a function",
  ],
  [".wrap(5)", () => new RateLimiter("1/day").wrap(anything(5)), "Cannot wrap: fn is 5, allowed is a function"],
  ["acquire(5)", () => acquire(anything(5), "a"), "Cannot wait: limiter is 5, allowed is an object with check()"],
  ["new WaitingLine()", () => new WaitingLine(anything(undefined)), "Cannot wait: limiter is undefined, allowed is an"],
  [
    "acquire() of a signal",
    () => acquire(new RateLimiter("1/day"), "a", { signal: anything(5) }),
    "signal is 5, allowed",
  ],
  [
    "oneLimit(5)",
    () => oneLimit(anything(5), "a"),
    "Cannot choose a limit: limits is 5, allowed is an object with check()",
  ],
  ["oneLimit(limits, 5)", () => oneLimit(memory(), anything(5)), "Cannot choose a limit: name is 5, allowed is a text"],
  [
    "checkMany()",
    () => new RateLimiter("1/day").checkMany(anything(undefined)),
    "Cannot check keys: keys is undefined, allowed is a list",
  ],
  [
    "checkMany(text)",
    () => new RateLimiter("1/day").checkMany(anything("ab")),
    'Cannot check keys: keys is "ab", allowed is a list',
  ],
  [
    "checkMany(keys, null)",
    () => new RateLimiter("1/day").checkMany(["a"], anything(null)),
    "Cannot check keys: costs.length is undefined, allowed is 1",
  ],
  [
    "checkPacked()",
    () => new RateLimiter("1/day").checkPacked(anything(undefined), new Uint32Array()),
    "Cannot check keys: bytes is undefined, allowed is bytes",
  ],
  [
    "checkPacked(bytes)",
    () => new RateLimiter("1/day").checkPacked(new Uint8Array(1), anything([1])),
    "Cannot check keys: ends is [1], allowed is a Uint32Array",
  ],
  ["limited(policy, 5)", () => limited("1/day", anything(5)), "Cannot limit: options is 5, allowed is an object"],
  ["limited(policy, null)", () => limited("1/day", anything(null)), "Cannot limit: options is null, allowed is an obj"],
  [
    "limited() of a name that there is not",
    () => limited(new RateLimiter("1/day"), anything({ keys: "a" })),
    'Cannot limit: option is "keys", allowed is key, cost, limit, skipFailed (did you mean "key"?).',
  ],
  [
    "limited() of a cost",
    () => limited("1/day", { cost: -1 }),
    "Cannot limit: cost is -1, allowed is a whole number from 0 to 2147483648, or a function",
  ],
  [
    "restore()",
    () => new RateLimiter("1/day").restore(anything(undefined)),
    "Cannot restore: bytes is undefined, allowed is",
  ],
  [
    "restore(text)",
    () => new RateLimiter("1/day").restore(anything("x")),
    'Cannot restore: bytes is "x", allowed is bytes',
  ],
  [
    "rateLimitFields({})",
    () => rateLimitFields(anything({}), anything({}), 0),
    "policy is {}, allowed is a policy of parsePolicy()",
  ],
  ["rateLimitFields()", () => rateLimitFields(anything(undefined), anything({}), 0), "policy is undefined, allowed is"],
  [
    "rateLimitFields(policy, {})",
    () => rateLimitFields(parsePolicy("1/s"), anything({}), 0),
    "decision is {}, allowed is the decision",
  ],
  ["quotaExceeded({})", () => quotaExceeded(anything({})), "decision is {}, allowed is the decision of a check"],
  [
    'quotaExceeded({ policy: "a" })',
    () => quotaExceeded(anything({ policy: "a" })),
    'decision is {"policy":"a"}, allowed is the decision of a check',
  ],
  [
    "quotaExceeded()",
    () => quotaExceeded(anything(undefined)),
    "decision is undefined, allowed is the decision of a check",
  ],
  [
    "new RateLimitExceeded(promise)",
    () => new RateLimitExceeded(anything(Promise.resolve(memory().check("a")))),
    "Cannot make a RateLimitExceeded: decision is a promise, allowed is the decision of a check.",
  ],
  [
    "new RateLimitExceeded(null)",
    () => new RateLimitExceeded(anything(null)),
    "Cannot make a RateLimitExceeded: decision is null, allowed is the decision of a check.",
  ],
  [
    "new RateLimitExceeded({})",
    () => new RateLimitExceeded(anything({})),
    "decision is {}, allowed is the decision of",
  ],
] as const)("%s is a RangeError that names it", async (_name, call, message) => {
  const refusal = await messageOf(call)
  expect(refusal).toMatch(/^RangeError: Cannot /)
  expect(refusal).toContain(message)
})

test.each([null, undefined, {}, 5])("limited(%j) is the error of a policy", async (limit) => {
  expect(await messageOf(() => limited(anything(limit)))).toMatch(/^PolicyError: Cannot make a policy: /)
})

test("the classes of one algorithm name what is missing", async () => {
  for (const Class of [TokenBucket, LeakyBucket, Gcra, FixedWindow, SlidingWindow, SlidingWindowLog]) {
    const missing = Class === TokenBucket || Class === LeakyBucket || Class === Gcra ? "rate" : "limit"
    const none = "RangeError: Cannot make a limiter: options is undefined, allowed is an object."
    expect(await messageOf(() => new Class(anything(undefined))), Class.name).toBe(none)
    expect(await messageOf(() => new Class(anything({}))), Class.name).toContain(
      `PolicyError: Cannot make a policy: ${missing} is`,
    )
  }
  expect(await messageOf(() => new TokenBucket({ rate: 5 }).check(1.5))).toContain(
    "cost is 1.5, allowed is a whole number",
  )
})

test.each([Number.NaN, "5", null, 0.5, Infinity, 2 ** 53])("a ManualClock takes no %j, and stays", async (ms) => {
  expect(await messageOf(() => new ManualClock(anything(ms)))).toContain("RangeError: Cannot set: nowMs is ")
  const clock = new ManualClock(7)
  expect(await messageOf(() => clock.set(anything(ms)))).toContain("RangeError: Cannot set: nowMs is ")
  expect(await messageOf(() => clock.advance(anything(ms)))).toContain("RangeError: Cannot set: ms is ")
  expect(clock.now()).toBe(7)
  clock.advance(-8)
  expect(clock.now()).toBe(-1)
})

test.each([null, "", "5", [[]], true, undefined, 1.5, -1, 2 ** 47])(
  "a clock that tells %j is refused by whoever reads it",
  async (told) => {
    const clock = { now: () => anything(told) }
    const one = new RateLimiter("5/minute", { clock })
    const calls: readonly (() => unknown)[] = [
      () => one.check("k"),
      () => one.allow("k"),
      () => one.peek("k"),
      () => one.checkMany(["k"]),
      () => one.charge("k", 1),
      () => new MemoryLimits({ limits: { default: "5/minute" }, clock }).check("k"),
      () => new TokenBucket({ rate: 5, clock }).check(),
      () => openLimiter({ path: temporaryFolder(), policy: "5/minute", clock }),
    ]
    for (const call of calls) {
      expect(await messageOf(call)).toMatch(
        /^RangeError: Cannot decide: nowMs is .*, allowed is a whole number from 0 to /,
      )
    }
  },
)
