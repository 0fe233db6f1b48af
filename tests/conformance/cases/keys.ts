import { ManualClock } from "../../../src/types/clock.js"
import { has, same, throws } from "../assert.js"
import { type LimiterCase, START_MS } from "../limiter-case.js"

/** Keys that someone's code once mistook for something else; all different. */
const ORDINARY: readonly string[] = [
  "__proto__",
  "constructor",
  "prototype",
  "toString",
  "hasOwnProperty",
  "undefined",
  "null",
  "NaN",
  "0",
  "-0",
  " ",
  "  ",
  "\t",
  "\n",
  "\r\n",
  "\0",
  "\0\0",
  "a",
  "a\0",
  "a\0b",
  "\0a",
  "a:b",
  "a|b",
  "a/b",
  "a,b",
  "a;b",
  "a b",
  "a\u001fb",
  'a"b',
  "a'b",
  "a\\b",
  "a%00",
  "$" + "{a}",
  "../a",
  "é",
  "e\u0301",
  "\ufeffa",
  "\ufffd",
  "\uffff",
  "\u202ea",
  "🔑",
  "👩‍👩‍👧‍👦",
  "👩‍👩‍👧",
  "\u{10ffff}",
  "::1",
  "2001:db8::/64",
]

/** Keys at the edges of the length, in bytes of UTF-8. */
const LONGEST: readonly string[] = [
  "x".repeat(512),
  `${"x".repeat(511)}y`,
  `y${"x".repeat(511)}`,
  "x".repeat(511),
  `${"x".repeat(510)}é`,
  "é".repeat(256),
  "€".repeat(170),
  "🔑".repeat(128),
  "\0".repeat(512),
  "\0".repeat(511),
]

const TOO_LONG: readonly string[] = [
  "x".repeat(513),
  `${"x".repeat(511)}é`,
  `${"x".repeat(510)}€`,
  "é".repeat(257),
  "€".repeat(171),
  "🔑".repeat(129),
  "x".repeat(100_000),
]

/** The first half of a surrogate pair, and the second. */
const HIGH = "\ud83d"
const LOW = "\udd11"

const NOT_WELL_FORMED: readonly string[] = [
  HIGH,
  LOW,
  `a${HIGH}`,
  `${LOW}a`,
  LOW + HIGH,
  "x".repeat(100) + HIGH,
  HIGH + "x".repeat(400),
  `🔑${HIGH}🔑`,
]

const NOT_TEXTS: readonly unknown[] = [undefined, null, 1, Number.NaN, true, {}, [], ["a"], 1n, () => "a", new Date(0)]

export const keyCases: readonly LimiterCase[] = [
  {
    name: "a key is any text: names of Object, separators, NUL, emoji are ordinary, and none is another",
    async run(make) {
      const limiter = await make("3/hour", { clock: new ManualClock(START_MS) })
      for (const key of ORDINARY) has(await limiter.check(key), { allowed: true, key, remaining: 2 }, "a new key")
      for (const key of ORDINARY) has(await limiter.check(key, { cost: 2 }), { allowed: true, key, remaining: 0 })
      for (const key of ORDINARY) has(await limiter.check(key), { allowed: false, key }, "an empty quota")
      same(Object.keys(Object.prototype), [], "what every object has got")
    },
  },
  {
    name: "a key has up to 512 bytes of UTF-8, and every byte counts",
    async run(make) {
      const limiter = await make("1/hour", { clock: new ManualClock(START_MS) })
      for (const key of LONGEST) same(await limiter.allow(key), true, "allow() of a new key")
      for (const key of LONGEST) same(await limiter.allow(key), false, "allow() of a used key")
    },
  },
  {
    name: "keys of every length from 1 to 512 bytes are kept apart",
    async run(make) {
      const limiter = await make("1/hour", { clock: new ManualClock(START_MS) })
      const keys: string[] = []
      for (let length = 1; length <= 512; length++) keys.push("a".repeat(length))
      // Where short keys end, and one character that is not ASCII at any place around it.
      for (let at = 0; at < 40; at++) keys.push(`${"a".repeat(at)}é`, `${"a".repeat(at)}é${"a".repeat(40 - at)}`)
      const distinct = [...new Set(keys)]
      for (const key of distinct) same(await limiter.allow(key), true, `allow() of a key of ${key.length}`)
      for (const key of distinct) same(await limiter.allow(key), false, `allow() of a key of ${key.length} again`)
    },
  },
  {
    name: "a key that is empty, too long, not well-formed or no text is a KeyError",
    async run(make) {
      const limiter = await make("1/hour", { clock: new ManualClock(START_MS) })
      const keys = ["", ...TOO_LONG, ...NOT_WELL_FORMED, ...(NOT_TEXTS as readonly string[])]
      for (const key of keys) await throws(() => limiter.check(key), { name: "KeyError", code: "KEY_INVALID" })
      // What a lone surrogate would have become, had it been replaced.
      same(await limiter.allow("\ufffd"), true, "allow() of the replacement character")
    },
  },
  {
    name: "every verb refuses a bad key",
    async run(make) {
      const limiter = await make("1/hour", { clock: new ManualClock(START_MS) })
      const error = { name: "KeyError" }
      for (const key of ["", "x".repeat(513), HIGH, undefined as unknown as string]) {
        await throws(() => limiter.check(key), error)
        await throws(() => limiter.peek(key), error)
        await throws(() => limiter.allow(key), error)
        await throws(() => limiter.charge(key, 1), error)
        await throws(() => limiter.block(key, "1m"), error)
        await throws(() => limiter.unblock(key), error)
        await throws(() => limiter.reset(key), error)
        await throws(() => limiter.status(key), error)
      }
    },
  },
  {
    name: "stats(): refuses a bad key",
    needs: ["stats"],
    async run(make) {
      const limiter = await make("1/hour", { clock: new ManualClock(START_MS), stats: true })
      for (const key of ["", "x".repeat(513), LOW]) await throws(() => limiter.stats(key), { name: "KeyError" })
    },
  },
]
