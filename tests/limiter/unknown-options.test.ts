import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { SluiceClient } from "../../src/client/index.js"
import { parseConfig } from "../../src/config/index.js"
import { limitsByConfig } from "../../src/config/limits-by-config.js"
import { type EmbeddedLimiter, openLimiter } from "../../src/embedded/index.node.js"
import {
  acquire,
  checkAll,
  LimitNotFound,
  limited,
  ManualClock,
  RateLimiter,
  WaitingLine,
  wrap,
} from "../../src/index.js"
import { MemoryLimits, oneLimit } from "../../src/limiter/index.js"
import { removeFolders, temporaryFolder } from "../embedded/temporary-folder.js"
import { messageOf } from "./message-of.js"

const CHECK = "Cannot check: option is"

/** Whatever a caller without types may write. */
const any = (value: unknown) => value as never

describe("options that there are not", () => {
  const clock = new ManualClock(0)
  const limits = { default: "10/minute", login: "5/minute" }
  const one = new RateLimiter("10/minute", { clock })
  const memory = new MemoryLimits({ limits, clock, stats: true, names: 100, history: 10 })
  const view = oneLimit(memory, "login")
  const configured = limitsByConfig(memory, parseConfig('limits.default = { policy = "10/minute", cost = 2 }'))
  const asked: string[] = []
  const client = new SluiceClient("http://localhost", {
    fetch: async (url) => {
      asked.push(url)
      return new Response("[]", { headers: { "Content-Type": "application/json" } })
    },
  })
  let embedded: EmbeddedLimiter

  beforeAll(async () => {
    embedded = await openLimiter({ path: temporaryFolder(), limits, names: true, clock })
  })
  afterAll(async () => {
    await embedded.close()
    removeFolders()
  })

  test("check(), allow() and peek() of a limiter of one limit name the option and what there is", async () => {
    const hint = `RangeError: ${CHECK} "costs", allowed is cost, id (did you mean "cost"?).`
    for (const limiter of [one, view, embedded.of("login")]) {
      expect(await messageOf(() => limiter.check("a", any({ costs: 5 })))).toBe(hint)
      expect(await messageOf(() => limiter.peek("a", any({ costs: 5 })))).toBe(hint)
      expect(await messageOf(() => limiter.check("a", any({ cost: 1, limit: "other" })))).toBe(
        `RangeError: ${CHECK} "limit", allowed is cost, id.`,
      )
    }
    expect(await messageOf(() => one.allow("a", any({ costs: 5 })))).toBe(hint)
    expect(await messageOf(() => one.allow("a", any({ costs: 5, id: "x" })))).toBe(hint)
    expect(await messageOf(() => embedded.of("login").allow("a", any({ costs: 5 })))).toBe(hint)
  })

  test("whoever asks limits that answer by promise hears by promise too", async () => {
    const options = any({ bogus: 1 })
    for (const limiter of [embedded.of("login"), oneLimit(embedded, "login"), oneLimit(configured, "default")]) {
      const told = [limiter.check("a", options), limiter.peek("a", options)]
      for (const each of told) await expect(each).rejects.toThrow(`${CHECK} "bogus"`)
    }
    await expect(embedded.of("login").allow("a", options)).rejects.toThrow(`${CHECK} "bogus"`)
    await expect(embedded.of("login").checkAll(any(5))).rejects.toThrow(RangeError)
    await expect(embedded.of("login").checkAll([{ key: "a", limit: "other" }])).rejects.toThrow(LimitNotFound)
    expect(() => view.check("a", options)).toThrow(`${CHECK} "bogus"`)
  })

  test("check(), allow() and peek() of several limits know the limit too", async () => {
    const hint = `RangeError: ${CHECK} "costs", allowed is cost, id, limit (did you mean "cost"?).`
    for (const limiter of [memory, configured, embedded]) {
      for (const verb of ["check", "allow", "peek"] as const) {
        expect(await messageOf(() => limiter[verb]("a", any({ costs: 5 })))).toBe(hint)
      }
    }
    expect(await messageOf(() => memory.check("a", any({ limt: "login" })))).toContain('did you mean "limit"?')
  })

  test("what is no object is no options: a cost alone is not taken for one", async () => {
    for (const [value, shown] of [
      [5, "5"],
      ["5", '"5"'],
      [null, "null"],
      [[5], "[5]"],
    ]) {
      const text = `RangeError: Cannot check: options is ${shown}, allowed is an object.`
      for (const limiter of [one, view, memory, configured, embedded, embedded.of("login")]) {
        expect(await messageOf(() => limiter.check("a", any(value)))).toBe(text)
        expect(await messageOf(() => limiter.peek("a", any(value)))).toBe(text)
      }
      expect(await messageOf(() => one.allow("a", any(value)))).toBe(text)
    }
  })

  test("what an option inherits is nobody's slip, and undefined is as if it were left out", () => {
    const inherited = Object.create({ costs: 5 }, { cost: { value: 0, enumerable: true } })
    expect(one.check("a", inherited).cost).toBe(0)
    expect(one.peek("a", any({ cost: undefined, id: undefined })).cost).toBe(1)
    expect(one.peek("a", undefined).cost).toBe(1)
  })

  test("checkAll() names the item", async () => {
    const text = (names: string) =>
      `RangeError: Cannot check all: option is "items[1].costs", allowed is ${names} (did you mean "cost"?).`
    const items = any([{ key: "a" }, { key: "b", costs: 5 }])
    for (const limiter of [one, memory, configured, embedded, embedded.of("login"), client]) {
      expect(await messageOf(() => limiter.checkAll(items))).toBe(text("key, cost, limit, id"))
      expect(await messageOf(() => limiter.checkAll(any([5])))).toBe(
        "RangeError: Cannot check all: items[0] is 5, allowed is an object.",
      )
      expect(await messageOf(() => limiter.checkAll(any("ab")))).toBe(
        'RangeError: Cannot check all: items is "ab", allowed is a list.',
      )
    }
    const across = any([
      { limiter: one, key: "a" },
      { limiter: one, key: "b", costs: 5 },
    ])
    expect(await messageOf(() => checkAll(across))).toBe(text("limiter, key, cost"))
    const surplus = [[{ limiter: one, key: "a" }], { id: "x" }] as unknown as Parameters<typeof checkAll>
    expect(await messageOf(() => checkAll(...surplus))).toBe(
      'RangeError: Cannot check all: option is "id", allowed is none.',
    )
  })

  test("checkAll() and allowAll() name the options of the call", async () => {
    for (const limiter of [one, view, memory, configured, embedded, embedded.of("login")]) {
      for (const verb of ["checkAll", "allowAll"] as const) {
        expect(await messageOf(() => limiter[verb]([{ key: "a" }], any({ ids: "x" })))).toBe(
          'RangeError: Cannot check all: option is "ids", allowed is id (did you mean "id"?).',
        )
      }
    }
  })

  test("verbs that take no options, of a limiter of one limit, refuse each, and by promise where they answer so", async () => {
    for (const limiter of [one, view, embedded.of("login"), oneLimit(configured, "default")]) {
      const verbs = limiter as unknown as Record<string, (...told: unknown[]) => unknown>
      for (const [act, verb, ...told] of [
        ["charge", "charge", "a", 1],
        ["block", "block", "a", "1s"],
        ["unblock", "unblock", "a"],
        ["reset", "reset", "a"],
        ["tell the status", "status", "a"],
        ["tell statistics", "stats", "a"],
      ] as const) {
        for (const name of ["limit", "limt"]) {
          const refused = () => verbs[verb]!(...told, { [name]: "login" })
          expect(await messageOf(refused)).toBe(`RangeError: Cannot ${act}: option is "${name}", allowed is none.`)
          if (limiter !== one && limiter !== view) await expect(refused()).rejects.toThrow(RangeError)
        }
        expect(await messageOf(() => verbs[verb]!(...told, "login"))).toBe(
          `RangeError: Cannot ${act}: options is "login", allowed is an object.`,
        )
      }
    }
    expect(["b", "c"].map(view.status).map(({ key }) => key)).toEqual(["b", "c"])
  })

  test("the other verbs of several limits name theirs", async () => {
    const choice = any({ limt: "login" })
    for (const limiter of [memory, configured, embedded, client]) {
      const calls: [string, string, () => unknown][] = [
        ["charge", "limit", () => limiter.charge("a", 1, choice)],
        ["block", "limit", () => limiter.block("a", "1s", choice)],
        ["unblock", "limit", () => limiter.unblock("a", choice)],
        ["reset", "limit", () => limiter.reset("a", choice)],
        ["tell the status", "limit", () => limiter.status("a", choice)],
        ["tell statistics", "limit", () => limiter.stats("a", choice)],
        ["list keys", "limit, after, count", () => limiter.list(choice)],
        ["tell a history", "count, limit", () => limiter.history("a", choice)],
        ["explain", "cost, limit", () => limiter.explain("a", choice)],
      ]
      for (const [act, names, call] of calls) {
        expect(await messageOf(call)).toBe(
          `RangeError: Cannot ${act}: option is "limt", allowed is ${names} (did you mean "limit"?).`,
        )
      }
      expect(await messageOf(() => limiter.top(any({ by: "denied", limt: 5 })))).toBe(
        'RangeError: Cannot tell the top: option is "limt", allowed is by, count, limit (did you mean "limit"?).',
      )
      expect(await messageOf(() => limiter.top(any(undefined)))).toBe(
        "RangeError: Cannot tell the top: options is undefined, allowed is an object.",
      )
      expect(await messageOf(() => limiter.limits(any({ counts: 5 })))).toBe(
        'RangeError: Cannot list limits: option is "counts", allowed is after, count (did you mean "count"?).',
      )
      expect(await messageOf(() => limiter.explain("a", any({ id: "x" })))).toBe(
        'RangeError: Cannot explain: option is "id", allowed is cost, limit.',
      )
    }
  })

  test("the client refuses them before it asks, and what would take the place of the key", async () => {
    expect(await messageOf(() => client.check("a", any({ costs: 5 })))).toBe(
      `RangeError: ${CHECK} "costs", allowed is cost, id, limit, signal (did you mean "cost"?).`,
    )
    expect(await messageOf(() => client.peek("a", any({ key: "b" })))).toContain(`${CHECK} "key"`)
    expect(await messageOf(() => client.checkAll([{ key: "a" }], any({ signals: 1 })))).toContain(
      'option is "signals", allowed is id, signal (did you mean "signal"?)',
    )
    expect(await messageOf(() => client.events(any({ outcomes: "denied" })).next())).toBe(
      'RangeError: Cannot read events: option is "outcomes", allowed is outcome, limit, replay, follow, signal (did you mean "outcome"?).',
    )
    expect(asked).toEqual([])
  })

  test("acquire(), wrap() and limited() refuse theirs", async () => {
    const slip = any({ timout: "1s" })
    const text =
      'RangeError: Cannot wait: option is "timout", allowed is cost, timeout, signal, limit (did you mean "timeout"?).'
    expect(await messageOf(() => one.acquire("a", slip))).toBe(text)
    expect(await messageOf(() => acquire(one, "a", slip))).toBe(text)
    expect(await messageOf(() => new WaitingLine(one).acquire("a", slip))).toBe(text)
    expect(await messageOf(() => acquire(one, "a", any({ signal: new AbortController() })))).toContain(
      "signal is {}, allowed is an object with throwIfAborted(), addEventListener()",
    )
    const wrapText =
      'RangeError: Cannot wrap: option is "keys", allowed is key, cost, limit, skipFailed (did you mean "key"?).'
    expect(await messageOf(() => wrap(one, () => 1, any({ keys: "a" })))).toBe(wrapText)
    expect(await messageOf(() => one.wrap(() => 1, any({ keys: "a" })))).toBe(wrapText)
    expect(await messageOf(() => wrap(one, () => 1, { cost: -1 }))).toBe(
      "RangeError: Cannot wrap: cost is -1, allowed is a whole number from 0 to 2147483648, or a function.",
    )
    // When it is made, before there is a method.
    expect(await messageOf(() => limited(one, any({ keys: "a" })))).toBe(wrapText.replace("wrap", "limit"))
  })

  test("nothing was charged, blocked or forgotten by any of it", async () => {
    expect(one.peek("a").remaining).toBe(10)
    expect(memory.list()).toEqual([])
    expect(await embedded.list()).toEqual([])
    expect((await embedded.history("a")).map(({ event }) => event)).toEqual(["define"])
  })
})
