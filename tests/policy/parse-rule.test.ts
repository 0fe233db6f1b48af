import { runInNewContext } from "node:vm"
import { describe, expect, test } from "vitest"
import { parsePolicy } from "../../src/policy/parse-policy.js"
import type { PolicyInput, Rule } from "../../src/policy/policy.js"
import { policyErrorOf } from "./policy-error-of.js"

/** A rule as it is where the user gave no more than the rate. */
const RULE: Rule = {
  name: "default",
  algorithm: "gcra",
  limit: 100,
  periodMs: 60_000,
  capacity: 100,
  refill: null,
  anchor: null,
  offsetMs: 0,
}

/** Input that no type allows but that plain JavaScript can pass. */
const parseAnything = (input: unknown) => parsePolicy(input as PolicyInput)

describe("parsePolicy() of rule objects", () => {
  test.each<[PolicyInput, Partial<Rule>]>([
    [{ limit: 100, period: "1m" }, {}],
    [{ limit: 100, period: 60_000, algorithm: "gcra", burst: 100 }, {}],
    [[{ limit: 100, period: "1m" }], {}],
    [
      { limit: 100, period: "1m", algorithm: "leaky_bucket", burst: 1 },
      { algorithm: "leaky_bucket", capacity: 1 },
    ],
    [{ limit: 100, period: "1m", algorithm: "token_bucket", refill: "continuous" }, { algorithm: "token_bucket" }],
    [
      { limit: 100, period: "1m", algorithm: "token_bucket", refill: { amount: 5, every: "3s" } },
      { algorithm: "token_bucket", refill: { amount: 5, everyMs: 3_000 } },
    ],
    [
      { limit: 100, period: "1m", algorithm: "token_bucket", burst: 200, refill: { amount: 200, every: "2m" } },
      { algorithm: "token_bucket", capacity: 200, refill: { amount: 200, everyMs: 120_000 } },
    ],
    [
      { limit: 100, period: "1m", algorithm: "fixed_window", anchor: "first" },
      { algorithm: "fixed_window", anchor: "first" },
    ],
    [
      { limit: 100, period: "1m", algorithm: "fixed_window", anchor: "epoch", offset: 0 },
      { algorithm: "fixed_window", anchor: "epoch" },
    ],
    [
      { limit: 100, period: "1m", algorithm: "fixed_window_counter", offset: "59999ms" },
      { algorithm: "fixed_window", anchor: "epoch", offsetMs: 59_999 },
    ],
    [{ limit: 100, period: "1m", name: 'a "b" \\ c' }, { name: 'a "b" \\ c' }],
    [{ limit: 100, period: "1m", name: "~".repeat(64) }, { name: "~".repeat(64) }],
    [Object.assign(Object.create(null), { limit: 100, period: "1m" }), {}],
    // The largest burst at this rate: 2^45 ms refill 111 of 1 per 10 years.
    [
      { limit: 1, period: 315_360_000_000, burst: 111 },
      { limit: 1, periodMs: 315_360_000_000, capacity: 111 },
    ],
    [
      { limit: 1, period: 16_384, burst: 2 ** 31 },
      { limit: 1, periodMs: 16_384, capacity: 2 ** 31 },
    ],
  ])("reads %j", (input, fields) => {
    expect(parsePolicy(input).rules).toEqual([{ ...RULE, ...fields }])
  })

  test("takes a field that is undefined for one that was not given", () => {
    const rule = { limit: 100, period: "1m", algorithm: undefined, burst: undefined, refill: undefined }
    const more = { anchor: undefined, offset: undefined, block: undefined, name: undefined }
    expect(parseAnything({ ...rule, ...more })).toEqual(parsePolicy("100/minute"))
  })

  test("mixes texts, lists and objects in one array", () => {
    const { rules } = parsePolicy(["10/second; 100/minute", { limit: 5, period: "1h", name: "slow" }, "1000/day"])
    expect(rules.map((rule) => rule.name)).toEqual(["10-per-1s", "100-per-1m", "slow", "1000-per-1d"])
  })

  test("blocks for the longest of the rules' blocks", () => {
    expect(parsePolicy({ limit: 1, period: "1s", block: "15m" }).blockMs).toBe(900_000)
    const rules = ["1/s", { limit: 1, period: "1m", block: 5 }, { limit: 1, period: "1h", block: "1s" }]
    expect(parsePolicy(rules).blockMs).toBe(1_000)
    expect(parsePolicy({ limit: 1, period: 1, block: 315_360_000_000 }).blockMs).toBe(315_360_000_000)
  })

  test("reads plain objects and arrays of another realm", () => {
    const input: PolicyInput = runInNewContext('[{ limit: 100, period: "1m", name: "default" }]')
    expect(Array.isArray(input) && Object.getPrototypeOf(input[0]) !== Object.prototype).toBe(true)
    expect(parsePolicy(input)).toEqual(parsePolicy("100/minute"))
  })

  test("reads no field from a polluted Object.prototype", () => {
    Object.defineProperty(Object.prototype, "burst", { value: 5, configurable: true })
    try {
      expect(parsePolicy({ limit: 100, period: "1m" }).rules[0].capacity).toBe(100)
    } finally {
      delete (Object.prototype as { burst?: number }).burst
    }
  })

  const rate = { limit: 100, period: "1m" }
  const token = { ...rate, algorithm: "token_bucket" }
  const fixed = { ...rate, algorithm: "fixed_window" }
  class RuleClass {
    limit = 100
    period = "1m"
  }

  test.each<[string, unknown, string, RegExp]>([
    ["limit missing", { period: "1m" }, "limit", /from 1 to 2147483648/],
    ["limit a text", { ...rate, limit: "100" }, "limit", /from 1/],
    ["limit NaN", { ...rate, limit: Number.NaN }, "limit", /from 1/],
    ["limit Infinity", { ...rate, limit: Number.POSITIVE_INFINITY }, "limit", /from 1/],
    ["limit -0", { ...rate, limit: -0 }, "limit", /from 1/],
    ["limit negative", { ...rate, limit: -1 }, "limit", /from 1/],
    ["limit fractional", { ...rate, limit: 1.5 }, "limit", /from 1/],
    ["limit 1e21", { ...rate, limit: 1e21 }, "limit", /from 1/],
    ["limit above 2^31", { ...rate, limit: 2 ** 31 + 1 }, "limit", /2147483648/],
    ["limit a BigInt", { ...rate, limit: 100n }, "limit", /from 1/],
    ["limit a boolean", { ...rate, limit: true }, "limit", /from 1/],
    ["limit null", { ...rate, limit: null }, "limit", /from 1/],
    ["limit a Number object", { ...rate, limit: Object(100) }, "limit", /from 1/],
    ["limit an object with valueOf", { ...rate, limit: { valueOf: () => 100 } }, "limit", /from 1/],
    ["period missing", { limit: 100 }, "period", /from 1 ms/],
    ["period 0", { ...rate, period: 0 }, "period", /from 1 ms/],
    ["period fractional", { ...rate, period: 0.5 }, "period", /from 1 ms/],
    ["period null", { ...rate, period: null }, "period", /from 1 ms/],
    ["period a unit alone", { ...rate, period: "minute" }, "period", /a text such as/],
    ["algorithm unknown", { ...rate, algorithm: "token_buket" }, "algorithm", /gcra, .*_log.* \(did you mean "token_b/],
    ["algorithm far off", { ...rate, algorithm: "constructor" }, "algorithm", /sliding_window_log[a-z_, ]*$/],
    ["algorithm null", { ...rate, algorithm: null }, "algorithm", /one of gcra/],
    ["algorithm an array", { ...rate, algorithm: ["gcra"] }, "algorithm", /one of gcra/],
    ["burst 0", { ...rate, burst: 0 }, "burst", /from 1 to 2147483648/],
    ["burst a text", { ...rate, burst: "20" }, "burst", /from 1/],
    ["burst null", { ...rate, burst: null }, "burst", /from 1/],
    ["burst fractional", { ...rate, burst: 0.1 + 0.2 }, "burst", /from 1/],
    ["burst above 2^31", { ...rate, burst: 2 ** 31 + 1 }, "burst", /2147483648/],
    ["burst on fixed_window", { ...fixed, burst: 100 }, "burst", /none with fixed_window/],
    [
      "burst on sliding_window",
      { ...rate, algorithm: "sliding_window", burst: 5 },
      "burst",
      /none with sliding_window/,
    ],
    ["burst on the log", { ...rate, algorithm: "sliding_window_log", burst: 5 }, "burst", /none with sliding_window_l/],
    ["burst too long to refill", { limit: 1, period: "3650d", burst: 112 }, "burst", /at most 111 .* 2\^45 ms/],
    ["burst one ms too long", { limit: 1, period: 16_385, burst: 2 ** 31 }, "burst", /2\^45 ms/],
    ["refill on gcra", { ...rate, refill: "continuous" }, "refill", /only token_bucket/],
    ["refill null", { ...token, refill: null }, "refill", /"continuous" or \{ amount, every \}/],
    ["refill a word", { ...token, refill: "stepwise" }, "refill", /"continuous" or/],
    ["refill an array", { ...token, refill: [5, "3s"] }, "refill", /"continuous" or/],
    ["refill without amount", { ...token, refill: { every: "3s" } }, "refill.amount", /from 1 to 100/],
    ["refill without every", { ...token, refill: { amount: 5 } }, "refill.every", /from 1 ms/],
    [
      "refill above capacity",
      { ...token, burst: 4, refill: { amount: 5, every: "3s" } },
      "refill.amount",
      /from 1 to 4$/,
    ],
    ["refill too slow", { ...token, refill: { amount: 5, every: 3_001 } }, "refill", /100 per 60000 ms/],
    ["refill too fast", { ...token, refill: { amount: 5, every: 2_999 } }, "refill", /100 per 60000 ms/],
    ["refill off by less than a double tells", nearlyTheRate(), "refill", /2147483647 per 313532612461 ms/],
    [
      "refill with an unknown field",
      { ...token, refill: { amout: 5, every: "3s" } },
      "refill.field",
      /did you mean "amount/,
    ],
    ["anchor on gcra", { ...rate, anchor: "epoch" }, "anchor", /only fixed_window/],
    ["anchor unknown", { ...fixed, anchor: "last" }, "anchor", /one of "epoch", "first"/],
    ["anchor null", { ...fixed, anchor: null }, "anchor", /one of "epoch", "first"/],
    ["offset on gcra", { ...rate, offset: 0 }, "offset", /only fixed_window with anchor "epoch"/],
    ["offset with first", { ...fixed, anchor: "first", offset: 0 }, "offset", /only fixed_window with anchor "epoch"/],
    ["offset a period", { ...fixed, offset: "1m" }, "offset", /from 0 ms to 59999 ms/],
    ["offset negative", { ...fixed, offset: -1 }, "offset", /from 0 ms/],
    ["offset -0", { ...fixed, offset: -0 }, "offset", /from 0 ms/],
    ["block 0", { ...rate, block: 0 }, "block", /from 1 ms/],
    ["block too long", { ...rate, block: "3651d" }, "block", /315360000000/],
    ["block null", { ...rate, block: null }, "block", /from 1 ms/],
    ["name empty", { ...rate, name: "" }, "name", /1 to 64 printable ASCII/],
    ["name too long", { ...rate, name: "a".repeat(65) }, "name", /1 to 64/],
    ["name with a space before", { ...rate, name: " a" }, "name", /printable ASCII/],
    ["name with a space after", { ...rate, name: "a " }, "name", /printable ASCII/],
    ["name with a newline", { ...rate, name: "a\nb" }, "name", /printable ASCII/],
    ["name with a newline after", { ...rate, name: "a\n" }, "name", /printable ASCII/],
    ["name with DEL", { ...rate, name: "a\x7fb" }, "name", /printable ASCII/],
    ["name not ASCII", { ...rate, name: "é" }, "name", /printable ASCII/],
    ["name a number", { ...rate, name: 5 }, "name", /printable ASCII/],
    ["names equal", [{ ...rate, name: "a" }, "1/s", { ...rate, name: "a" }], "rules[2].name", /no other rule/],
    ["unknown field", { ...rate, bursts: 5 }, "field", /^one of limit, .*name \(did you mean "burst"\?\)$/],
    ["unknown field undefined", { ...rate, window: undefined }, "field", /name$/],
    ["unknown field of a later rule", ["1/s", { ...rate, bursts: 5 }], "rules[1].field", /did you mean "burst"/],
    ["unknown field toString", { ...rate, toString: () => "1/s" }, "field", /one of limit/],
    ["a symbol", { ...rate, [Symbol("burst")]: 5 }, "policy", /plain object/],
    ["a getter", Object.defineProperty({ ...rate }, "burst", { get: () => 5 }), "policy", /without getters/],
    ["inherited fields", Object.create({ ...rate }), "policy", /plain object/],
    ["inherited fields below no prototype", Object.create(Object.assign(Object.create(null), rate)), "policy", /plain/],
    ["a prototype in a literal", { ...rate, __proto__: { burst: 5 } }, "policy", /plain object/],
    ["a class instance", new RuleClass(), "policy", /plain object/],
    ["a Map", new Map(Object.entries(rate)), "policy", /plain object/],
    ["a String object", Object("100/minute"), "policy", /plain object/],
    ["undefined", undefined, "policy", /short form such as "100\/minute", a rule, an array of them, or a policy$/],
    ["null", null, "policy", /policy$/],
    ["a number", 100, "policy", /policy$/],
    ["a BigInt", 100n, "policy", /policy$/],
    ["true", true, "policy", /policy$/],
    ["a function", () => "100/minute", "policy", /policy$/],
    ["a symbol value", Symbol("100/minute"), "policy", /policy$/],
    ["an empty array", [], "rules.length", /1 to 8/],
    ["nine rules", Array(9).fill("1/s"), "rules.length", /at most 8/],
    ["nine rules in two texts", ["1/s;1/s;1/s;1/s", "1/s;1/s;1/s;1/s;1/s"], "rules.length", /1 to 8/],
    ["an endless array", Array(2 ** 32 - 1), "rules.length", /at most 8/],
    ["an array with holes", Array(2), "rules", /without holes/],
    ["an array with a getter", Object.defineProperty(["1/s"], 1, { get: () => "2/s" }), "rules", /getters/],
    ["an array of numbers", ["1/s; 2/s", 100], "rules[2]", /a rule$/],
    ["an array of undefined", [undefined], "rules[0]", /a rule$/],
    ["a nested array", [["1/s"]], "rules[0]", /a rule/],
    ["JSON within an array", ['{"limit":1,"period":1}'], "rules[0]", /"100\/minute"/],
    ["a policy within an array", [parsePolicy("1/s")], "field", /one of limit/],
    ["a huge text within an array", [";".repeat(20_000)], "policy", /at most 16384/],
  ])("refuses %s", (_, input, field, allowed) => {
    const error = policyErrorOf(() => parseAnything(input))
    expect(error.field).toBe(field)
    expect(error.allowed).toMatch(allowed)
  })

  test("refuses proxies that throw or are revoked", () => {
    const traps = ["getPrototypeOf", "ownKeys", "getOwnPropertyDescriptor"] as const
    const throwing = traps.map((trap) => new Proxy({ ...rate }, { [trap]: () => raise() }))
    const revoked = [{}, []].map((target) => {
      const { proxy, revoke } = Proxy.revocable<object>(target, {})
      revoke()
      return proxy
    })
    const array = new Proxy(["1/s"], { getOwnPropertyDescriptor: () => raise() })
    for (const input of [...throwing, ...revoked, array, [throwing[0]], { ...token, refill: revoked[0] }]) {
      expect(policyErrorOf(() => parseAnything(input)).code).toBe("POLICY_INVALID")
    }
  })

  test("runs no getter of a refused object", () => {
    let runs = 0
    const input = Object.defineProperty({ ...rate }, "burst", { get: () => runs++, enumerable: false })
    policyErrorOf(() => parseAnything(input))
    expect(runs).toBe(0)
  })
})

function raise(): never {
  throw new TypeError("a trap")
}

/** amount·period and limit·every differ by 1 near 6.7e20, where doubles are 131,072 apart. */
function nearlyTheRate() {
  const refill = { amount: 2_147_483_646, every: 313_532_612_315 }
  return { limit: 2_147_483_647, period: 313_532_612_461, algorithm: "token_bucket", refill }
}
