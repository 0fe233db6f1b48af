import { ManualClock } from "../../../src/types/clock.js"
import { has, same, throws } from "../assert.js"
import { type LimiterCase, START_MS } from "../limiter-case.js"

export const manyCases: readonly LimiterCase[] = [
  {
    name: "checkMany(): decides in the keys' order, each with its cost",
    needs: ["many"],
    async run(make) {
      const clock = new ManualClock(START_MS)
      const limiter = await make("3/second", { clock })
      const first = await limiter.checkMany!(["a", "b", "a", "a", "a"])
      same([...first.allowed], [1, 1, 1, 1, 0], "what was admitted")
      same([...first.remaining], [2, 2, 1, 0, 0], "what remains")
      same([...first.retryAfterMs], [0, 0, 0, 0, 334], "the waits")
      same([...first.resetAfterMs], [334, 334, 667, 1_000, 1_000], "the resets")
      const second = await limiter.checkMany!(["b", "c", "b", "a"], [2, 3, 1, 0])
      same([...second.allowed], [1, 1, 0, 1], "what was admitted with costs")
      same([...second.remaining], [0, 0, 0, 0], "what remains with costs")
      has(await limiter.check("c"), { allowed: false, retryAfterMs: 334 }, "a check afterwards")
    },
  },
  {
    name: "checkMany(): one wrong key or cost is an error, and nothing is charged",
    needs: ["many"],
    async run(make) {
      const limiter = await make("3/second", { clock: new ManualClock(START_MS) })
      for (const key of ["", "x".repeat(513), "\ud83d", "é".repeat(257), 1 as unknown as string]) {
        await throws(() => limiter.checkMany!(["a", key, "b"]), { name: "KeyError" })
        await throws(() => limiter.checkMany!(["é", key, "b"]), { name: "KeyError" })
      }
      // Two halves of a pair, at the end of one key and the start of the next, are two keys that are not well-formed.
      await throws(() => limiter.checkMany!(["\ud83d", "\udd11"]), { name: "KeyError" })
      await throws(() => limiter.checkMany!(["a", "b"], [1, 4]), { name: "CostError", key: "b", cost: 4, maximum: 3 })
      for (const cost of [-1, 0.5, Number.NaN, 2 ** 31 + 1, "1" as unknown as number]) {
        await throws(() => limiter.checkMany!(["a", "b"], [1, cost]), { name: "RangeError" })
      }
      await throws(() => limiter.checkMany!(["a", "b"], [1]), { name: "RangeError" })
      await throws(() => limiter.checkMany!(["a", "b"], [1, 1, 1]), { name: "RangeError" })
      has(await limiter.peek("a"), { remaining: 3 }, "the first key")
      has(await limiter.peek("b"), { remaining: 3 }, "the second key")
    },
  },
  {
    name: "checkMany(): any key is an ordinary key, alone or next to others",
    needs: ["many"],
    async run(make) {
      const limiter = await make("1/hour", { clock: new ManualClock(START_MS) })
      const keys = ["__proto__", "é", "a", "\0", "🔑", "x".repeat(512), "é".repeat(256), "constructor", "a\0"]
      const { allowed } = await limiter.checkMany!([...keys, ...keys])
      same([...allowed], [...keys.map(() => 1), ...keys.map(() => 0)], "what was admitted")
      for (const key of keys) same(await limiter.allow(key), false, "allow() of a used key")
      same((await limiter.checkMany!([])).allowed.length, 0, "the answers to no check")
    },
  },
]
