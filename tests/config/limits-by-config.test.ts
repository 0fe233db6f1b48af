import { afterAll, describe, expect, expectTypeOf, test } from "vitest"
import { createApi } from "../../src/api/create-api.js"
import { SluiceClient } from "../../src/client/index.js"
import type { GroupDecision } from "../../src/config/group-decision.js"
import {
  type Config,
  configPolicies,
  fromConfig,
  type LimitsByConfig,
  limitNameFor,
  limitsByConfig,
  parseConfig,
  requireGroupNames,
} from "../../src/config/index.js"
import { openLimiter } from "../../src/embedded/open-limiter.node.js"
import { acquire, checkAll as checkAllOf, type Decision, ManualClock, type NamedLimit, wrap } from "../../src/index.js"
import { MemoryLimits } from "../../src/limiter/memory-limits.js"
import type { NamedLimits } from "../../src/limiter/named-limits.js"
import { receiptsOf } from "../../src/limiter/receipts.js"
import { removeFolders, temporaryFolder } from "../embedded/temporary-folder.js"

afterAll(removeFolders)

const config = parseConfig(`
  key_prefix = "p:"
  limits.default = { policy = "10/minute", cost = 2 }
  limits.user = { policy = "5/minute" }
  groups.both = { limits = ["default", "user"] }
  deny = { keys = ["eve"] }`)

/** Of the group, where a limit is to be named. */
const NO_LIMIT = 'Cannot find the limit "both": it is a group, of default, user.'

function make() {
  const clock = new ManualClock(0)
  const under = new MemoryLimits({ clock, limits: configPolicies(config), stats: true })
  return { clock, under, limits: limitsByConfig(under, config, clock) }
}

/** As `make`, of limits that answer by promise. */
function makeByPromise() {
  const { clock, under } = make()
  const plain = parseConfig('limits.default = { policy = "10/minute" }')
  return { clock, under, limits: limitsByConfig(limitsByConfig(under, plain), config, clock) }
}

describe("limitsByConfig()", () => {
  test("charges the configured cost where a check gives none, and 1 for a key's own limit", async () => {
    const { limits, under } = make()
    expect(await limits.check("p:a")).toMatchObject({ cost: 2, remaining: 8 })
    expect(await limits.check("p:a", { cost: 1 })).toMatchObject({ cost: 1, remaining: 7 })
    expect(await limits.peek("p:a", { limit: "default" })).toMatchObject({ cost: 2, remaining: 7 })
    expect(await limits.allow("p:a")).toBe(true)
    expect(under.peek("p:a").remaining).toBe(5)
    await limits.define("p:own", "9/minute")
    expect(await limits.check("p:own")).toMatchObject({ cost: 1, remaining: 8 })
    expect(await limits.explain("p:a")).toMatchObject({ decision: { cost: 2 } })
  })

  test("charges a group once under an id, also while the first call is not answered yet", async () => {
    const { limits, under, clock } = makeByPromise()
    const ask = async () => (await limits.check("p:a", { limit: "both", id: "x" })) as GroupDecision
    const [first, second] = await Promise.all([ask(), ask()])
    expect(second).toEqual(first)
    expect(under.peek("p:a", { limit: "user" }).remaining).toBe(4)
    under.charge("p:a", 2, { limit: "user" })
    for (const verb of ["check", "peek"] as const) {
      const again = (await limits[verb]("p:a", { limit: "both", id: "x" })) as GroupDecision
      expect(again).toMatchObject({ allowed: true, policy: "user", remaining: 2, resetAfterMs: 36_000 })
      expect(again.limits?.map(({ receipt }) => receipt)).toEqual(first.limits?.map(({ receipt }) => receipt))
    }
    const asked = (await limits.peek("p:a", { limit: "both" })) as GroupDecision
    expect(asked.limits?.map(({ receipt }) => receipt)).toEqual([undefined, undefined])
    clock.advance(300_001)
    expect((await ask()).limits?.[0]?.receipt?.id).not.toBe(first.limits?.[0]?.receipt?.id)
    await expect(limits.check("p:a", { limit: "both", id: "" })).rejects.toThrow(RangeError)
  })

  test("charges a group once under an id where its store is opened anew between the calls, over SluiceClient too", async () => {
    const path = temporaryFolder()
    const clock = new ManualClock(0)
    const withStore = async <T>(call: (limits: NamedLimits) => Promise<T>) => {
      await using store = await openLimiter({ path, limits: configPolicies(config), clock })
      return await call(limitsByConfig(store, config, clock))
    }
    const over = (limits: NamedLimits) => {
      const api = createApi({ limits, token: "a-token-for-the-tests", clock })
      const fetch = (url: string, init: RequestInit) => api.fetch(new Request(url, init))
      return new SluiceClient("http://limits.test", { token: "a-token-for-the-tests", fetch })
    }
    const ask = async (limits: NamedLimits) => {
      const decision = (await limits.check("p:a", { limit: "both", id: "x" })) as GroupDecision
      const left = await Promise.all(["default", "user"].map((limit) => limits.peek("p:a", { limit, cost: 0 })))
      return { receipts: receiptsOf(decision), left: left.map(({ remaining }) => remaining) }
    }
    const first = await withStore(ask)
    expect(first).toMatchObject({ receipts: [{ cost: 2 }, { cost: 1 }], left: [8, 4] })
    expect(await withStore(ask)).toEqual(first)
    expect(await withStore((limits) => ask(over(limits)))).toEqual(first)
    await withStore((limits) => Promise.resolve(limits.refund(first.receipts[0]!)))
    const anew = await withStore((limits) => ask(over(limits)))
    expect(anew.receipts[0]!.id).not.toBe(first.receipts[0]!.id)
    expect(anew).toMatchObject({ receipts: [{ cost: 2 }, first.receipts[1]], left: [8, 4] })
  })

  test("a group and a check of one of its limits are told of the same admission under the same id", async () => {
    const { limits, under } = make()
    const { receipt } = await limits.check("p:a", { limit: "user", id: "x" })
    const both = (await limits.check("p:a", { limit: "both", id: "x" })) as GroupDecision
    expect(both.limits?.map((each) => each.receipt?.id)).toEqual([expect.any(String), receipt!.id])
    expect(under.peek("p:a", { limit: "user" }).remaining).toBe(4)
    expect((await limits.check("p:a", { limit: "default", id: "x" })).receipt).toEqual(both.limits?.[0]?.receipt)
  })

  test("asks anew what was refunded of a group, and gives nothing of the rest back where that is denied", async () => {
    const { limits, under } = make()
    const ask = async () => (await limits.check("p:a", { limit: "both", id: "x" })) as GroupDecision
    await limits.refund((await ask()).limits![1]!.receipt!)
    under.charge("p:a", 5, { limit: "user" })
    const denied = await ask()
    expect(denied).toMatchObject({ allowed: false, policy: "user", limits: [{ allowed: true }, { allowed: false }] })
    expect(receiptsOf(denied)).toEqual([])
    expect(under.peek("p:a", { limit: "default", cost: 0 }).remaining).toBe(8)
  })

  test("checkAll() with an id of the call tells each item again, at the configured costs", async () => {
    const { limits, under } = make()
    const items = [{ key: "p:a" }, { key: "p:b" }]
    const [first, again] = [await limits.checkAll(items, { id: "x" }), await limits.checkAll(items, { id: "x" })]
    expect(again.decisions.map(receiptsOf)).toEqual(first.decisions.map(receiptsOf))
    expect([under.peek("p:a").remaining, under.peek("p:b").remaining]).toEqual([8, 8])
    await expect(limits.allowAll(items, { ids: "x" } as object)).rejects.toThrow('option is "ids", allowed is id')
  })

  test("checkAll() tells an item with an id again, and no receipt of it beside one that a list denies", async () => {
    const { limits, under } = make()
    const items = [{ key: "p:a", id: "x" }, { key: "p:b" }]
    const first = await limits.checkAll(items)
    expect((await limits.checkAll(items)).decisions[0]!.receipt).toEqual(first.decisions[0]!.receipt)
    expect([under.peek("p:a").remaining, under.peek("p:b").remaining]).toEqual([8, 6])
    const denied = await limits.checkAll([...items, { key: "p:eve" }])
    expect(denied).toMatchObject({
      allowed: false,
      decisions: [{ allowed: true }, { allowed: true }, { allowed: false }],
    })
    expect(denied.decisions.flatMap(receiptsOf)).toEqual([])
  })

  test("refuses another cost for a group's call, also while the first is not answered yet", async () => {
    const { limits, under } = makeByPromise()
    const ask = (cost: number) => limits.check("p:a", { limit: "both", id: "x", cost })
    const [first, other] = await Promise.allSettled([ask(1), ask(2)])
    expect([first.status, other.status]).toEqual(["fulfilled", "rejected"])
    await expect(ask(2)).rejects.toThrow('Cannot check under id "x": cost is 2, allowed is 1.')
    expect(under.peek("p:a", { limit: "user", cost: 0 }).remaining).toBe(4)
  })

  describe("tells who named no cost its admission again under its id where the configured cost is another since", () => {
    const costing = (cost: number) =>
      parseConfig(`
        limits.default = { policy = "100/day", cost = ${cost} }
        limits.user = "100/day"
        groups.both.limits = ["default", "user"]
        deny.keys = ["eve"]`)
    const later = [
      ["higher", costing(3)],
      ["lower", costing(1)],
      ["none", parseConfig('limits.default = "100/day"\nlimits.user = "100/day"')],
    ] as const

    test.each(later)("%s, of a limit", async (_what, config) => {
      const limits = limitsByConfig(new MemoryLimits({ limits: configPolicies(costing(2)) }), costing(2))
      const first = await limits.check("a", { id: "x" })
      await limits.reload(config)
      expect(await limits.check("a", { id: "x" })).toMatchObject({ cost: 2, remaining: 98, receipt: first.receipt })
      expect(await limits.peek("a", { limit: "default", id: "x" })).toMatchObject({ receipt: first.receipt })
      const items = [{ key: "a", id: "x" }, { key: "b" }]
      expect((await limits.checkAll(items)).decisions[0]).toMatchObject({ cost: 2, receipt: first.receipt })
      const other = limits.check("a", { id: "x", cost: 7 })
      await expect(other).rejects.toThrow('Cannot check under id "x": cost is 7, allowed is 2.')
      await expect(limits.checkAll([{ ...items[0]!, cost: 7 }])).rejects.toThrow("cost is 7, allowed is 2")
      expect((await limits.peek("a", { cost: 0 })).remaining).toBe(98)
    })

    test("of a group in a folder that is opened anew, where one of its limits is asked for the first time", async () => {
      const path = temporaryFolder()
      const withStore = async <T>(config: Config, call: (limits: LimitsByConfig) => Promise<T>) => {
        await using store = await openLimiter({ path, limits: configPolicies(config) })
        return await call(limitsByConfig(store, config))
      }
      const first = await withStore(costing(2), (limits) => limits.check("a", { id: "x" }))
      await withStore(costing(3), async (limits) => {
        const told = [0, 1].map(() => limits.check("a", { limit: "both", id: "x" }) as Promise<GroupDecision>)
        for (const { limits } of await Promise.all(told)) {
          expect(limits).toMatchObject([{ receipt: first.receipt }, { receipt: { cost: 1 } }])
        }
        const denied = await limits.checkAll([{ key: "a", id: "x" }, { key: "eve" }])
        expect(denied.decisions).toMatchObject([{ allowed: true, cost: 2 }, { allowed: false }])
        const left = ["default", "user"].map(async (limit) => (await limits.peek("a", { limit, cost: 0 })).remaining)
        expect(await Promise.all(left)).toEqual([98, 99])
      })
    })
  })

  test("denies a key of the deny list, whose prefix is another one's business", async () => {
    const { limits, under } = make()
    expect(await limits.check("p:eve", { limit: "user" })).toMatchObject({ allowed: false, policy: "deny" })
    for (const key of ["eve", "x:eve"]) {
      expect(await limits.check(key, { limit: "user" }), key).toMatchObject({ allowed: true })
    }
    expect(under.stats("p:eve", { limit: "user" }).totalDenied).toBe(0)
  })

  test("goes by cost and lists under the names of tiers and tenants too, as fromConfig() does", async () => {
    const text = `
      limits.api = { policy = "10/minute", cost = 3, deny = { keys = ["mallory"] } }
      tenants.acme.limits.api = "100/minute"`
    const parsed = parseConfig(text)
    const under = new MemoryLimits({ clock: new ManualClock(0), limits: configPolicies(parsed) })
    const limits = limitsByConfig(under, parsed)
    const limit = limitNameFor(parsed, "api", { tenant: "acme" })
    const own = fromConfig(text, { clock: new ManualClock(0) })
    for (const key of ["ada", "mallory"]) {
      const { receipt: _, ...expected } = own.check(key, { limit: "api", tenant: "acme" })
      expect(await limits.check(key, { limit })).toMatchObject(expected)
    }
    expect(under.peek("ada", { limit }).remaining).toBe(97)
    expect(await limits.checkAll([{ key: "ada", limit }])).toMatchObject({ decisions: [{ remaining: 94 }] })
    expect(await limits.explain("mallory", { limit })).toMatchObject({ limit, decision: { allowed: false } })
  })

  test("refuses keys of the deny list under limits too that the configuration does not have", async () => {
    const { limits, under } = make()
    await limits.define("new", "3/minute")
    await limits.define("p:eve", "4/minute")
    expect(await limits.check("p:eve", { limit: "new" })).toMatchObject({ allowed: false, policy: "deny", limit: 3 })
    expect(await limits.check("p:eve")).toMatchObject({ allowed: false, policy: "deny", limit: 4 })
    expect(await limits.allowAll([{ key: "p:a", limit: "new" }, { key: "p:eve" }])).toBe(false)
    expect(await limits.explain("p:eve")).toMatchObject({ limit: "p:eve", decision: { allowed: false } })
    await limits.charge("p:eve", 1, { limit: "new" })
    expect(under.peek("p:eve", { limit: "new" }).remaining).toBe(3)
    expect(await limits.check("p:a", { limit: "new" })).toMatchObject({ allowed: true, cost: 1, remaining: 2 })
    await expect(limits.check("p:eve", { limit: "none" })).rejects.toMatchObject({ code: "LIMIT_NOT_FOUND" })
  })

  test("refuses keys of the deny list where the configuration has no limit at all", async () => {
    const under = new MemoryLimits({ limits: { default: "1/minute" } })
    const limits = limitsByConfig(under, parseConfig('deny = { keys = ["eve"] }'))
    expect(await limits.allow("eve")).toBe(false)
  })

  test("charge() takes units of each limit of a group, or of none where one was removed", async () => {
    const { limits, under } = make()
    await limits.charge("p:a", 12, { limit: "both" })
    expect(["default", "user"].map((limit) => under.peek("p:a", { limit, cost: 0 }).remaining)).toEqual([0, 0])
    under.remove("user")
    await expect(limits.charge("p:b", 1, { limit: "both" })).rejects.toMatchObject({
      code: "LIMIT_NOT_FOUND",
      limit: "user",
    })
    expect(under.peek("p:b").remaining).toBe(10)
  })

  test("charge() takes nothing of a key on the lists, and refuses units out of range all the same", async () => {
    const { limits, under } = make()
    for (const limit of ["both", "user", "default"]) await limits.charge("p:eve", 1, { limit })
    await limits.charge("p:eve", 1)
    expect(["default", "user"].map((limit) => under.peek("p:eve", { limit }).remaining)).toEqual([10, 5])
    await expect(limits.charge("p:eve", -1)).rejects.toThrow("units is -1")
    await limits.charge("eve", 1)
    expect(under.peek("eve").remaining).toBe(9)
  })

  test("checkAll() and allowAll() admit keys of which every one is on the allow list", async () => {
    const allowing = parseConfig('limits.user = { policy = "5/minute" }\nallow = { keys = ["ann", "bob"] }')
    const under = new MemoryLimits({ clock: new ManualClock(0), limits: configPolicies(allowing) })
    const limits = limitsByConfig(under, allowing)
    const items = ["ann", "bob"].map((key) => ({ key, limit: "user" }))
    const { decisions, ...all } = await limits.checkAll(items)
    expect(all).toEqual({ allowed: true, deniedKey: null, deniedPolicy: null })
    expect(decisions.map(({ allowed, key }) => [allowed, key])).toEqual([
      [true, "ann"],
      [true, "bob"],
    ])
    expect(await limits.allowAll(items)).toBe(true)
    expect(items.map(({ key, limit }) => under.peek(key, { limit, cost: 0 }).remaining)).toEqual([5, 5])
  })

  test("checkAll() refuses a key that comes twice, also one on a list", async () => {
    const { limits } = make()
    for (const key of ["p:a", "p:eve"]) {
      const twice = limits.checkAll([{ key: "p:b" }, { key }, { key }])
      await expect(twice).rejects.toThrow(`key "${key}" comes twice under the same limit`)
    }
  })

  test("define() refuses the name of a group, and requireGroupNames() limits that have it", async () => {
    const { limits, under } = make()
    await expect(limits.define("both", "1/day")).rejects.toThrow(
      'Cannot define a limit: name is "both", allowed is a name that no group of the configuration has.',
    )
    expect(under.limit("both")).toBe(null)
    await requireGroupNames(limits, config)
    under.define("both", "1/day")
    await expect(requireGroupNames(under, config)).rejects.toThrow(
      'Cannot read the configuration: a name in groups is "both", allowed is a name that no limit of the store has: rename the group, or remove that limit.',
    )
  })

  test("tells groups and listed keys by the policies in force, also where they changed since", async () => {
    const { limits } = make()
    await limits.define("user", "1000/hour")
    await limits.define("default", "7/second")
    const rules = [
      { limit: 7, periodMs: 1_000 },
      { limit: 1_000, periodMs: 3_600_000 },
    ]
    expect(await limits.check("p:a", { limit: "both", id: "x" })).toMatchObject({ rules })
    expect(await limits.check("p:a", { limit: "both", id: "x" })).toMatchObject({ rules })
    expect(await limits.peek("p:a", { limit: "both" })).toMatchObject({ rules })
    expect(await limits.check("p:eve", { limit: "both" })).toMatchObject({ policy: "deny", limit: 7 })
    expect(await limits.check("p:eve", { limit: "user" })).toMatchObject({ policy: "deny", limit: 1_000 })
    const { decisions } = await limits.checkAll([{ key: "p:eve", limit: "user" }])
    expect(decisions).toMatchObject([{ policy: "deny", limit: 1_000 }])
    await limits.remove("user")
    expect(await limits.check("p:eve", { limit: "user" })).toMatchObject({ policy: "deny", limit: 5 })
  })

  test("explain() tells of a key on a list that no wait helps, or none is needed", async () => {
    const { limits } = make()
    const allowing = parseConfig('limits.user = { policy = "5/minute" }\nallow = { keys = ["ann"] }')
    const under = new MemoryLimits({ clock: new ManualClock(7), limits: configPolicies(allowing) })
    under.charge("ann", 9, { limit: "user" })
    expect(await limits.explain("p:eve", { limit: "user" })).toMatchObject({ nextAdmissionAtMs: null })
    const listed = limitsByConfig(under, allowing, new ManualClock(7))
    expect(await listed.explain("ann", { limit: "user" })).toMatchObject({ nextAdmissionAtMs: 7 })
  })

  test("allowAll() and of() go by the configuration too", async () => {
    const { limits, under } = make()
    expect(await limits.allowAll([{ key: "p:a" }, { key: "p:eve" }])).toBe(false)
    expect(await limits.allowAll([{ key: "p:a" }])).toBe(true)
    expect(under.peek("p:a").remaining).toBe(8)
    const both = limits.of("both")
    expect(await both.check("p:a")).toMatchObject({ allowed: true, policy: "default", remaining: 6 })
    expect(await both.check("p:eve")).toMatchObject({ allowed: false, policy: "deny" })
    expect(await both.allow("p:eve")).toBe(false)
    await expect(both.status("p:a")).rejects.toThrow(NO_LIMIT)
    expect([both.isSynchronous, limits.isSynchronous]).toEqual([false, false])
  })

  test("tells what a group is where a verb is about a limit, and nothing of other names", async () => {
    const under = new MemoryLimits({ limits: configPolicies(config), stats: true, names: 9, history: 9 })
    const limits = limitsByConfig(under, config)
    const calls = (limit: string) => [
      ...[limits.status("p:a", { limit }), limits.stats("p:a", { limit }), limits.explain("p:a", { limit })],
      ...[limits.block("p:a", "1s", { limit }), limits.unblock("p:a", { limit }), limits.reset("p:a", { limit })],
      ...[limits.history("p:a", { limit }), limits.checkAll([{ key: "p:a", limit }])],
      ...[limits.allowAll([{ key: "p:eve", limit }]), limits.list({ limit }), limits.top({ by: "denied", limit })],
    ]
    const errorsOf = (limit: string) => Promise.all(calls(limit).map((call) => call.catch((error) => error.message)))
    expect(new Set(await errorsOf("both"))).toEqual(new Set([NO_LIMIT]))
    expect(new Set(await errorsOf("bath"))).toEqual(
      new Set(['Cannot find the limit "bath": limits() lists those configured.']),
    )
    expect((await limits.check("p:a", { limit: "both" })).allowed).toBe(true)
  })

  test("answers by promise whatever the configuration says, as its types do", async () => {
    const plain = parseConfig('limits.default = { policy = "10/minute" }')
    const { under } = make()
    for (const limits of [limitsByConfig(under, plain), limitsByConfig(under, config)]) {
      expectTypeOf(limits.check).returns.toEqualTypeOf<Promise<Decision>>()
      expectTypeOf(limits.define).returns.toEqualTypeOf<Promise<NamedLimit>>()
      expect(limits.isSynchronous).toBe(false)
      const calls = [
        limits.define("own", "1/day"),
        ...[limits.limits(), limits.limit("own"), limits.check("p:a"), limits.allow("p:a"), limits.peek("p:a")],
        ...[limits.checkAll([{ key: "p:a" }]), limits.allowAll([{ key: "p:a" }]), limits.charge("p:a", 0)],
        ...[limits.block("p:b", "1s"), limits.unblock("p:b"), limits.status("p:a"), limits.stats("p:a")],
        ...[limits.explain("p:a"), limits.reset("p:a"), limits.remove("own")],
      ]
      for (const call of calls) expect(call).toBeInstanceOf(Promise)
      await Promise.all(calls)
      for (const call of [limits.status(""), limits.block("p:a", "soon"), limits.list(), limits.check("")]) {
        expect(call).toBeInstanceOf(Promise)
        await expect(call).rejects.toThrow()
      }
    }
  })

  test("acquire(), wrap() and checkAll() charge the configured cost where none is given, a group each limit's", async () => {
    const { limits, under } = make()
    const permit = await acquire(limits, "p:a", { limit: "both" })
    expect(permit.decision).toMatchObject({ allowed: true, limits: [{ cost: 2 }, { cost: 1 }] })
    expect(under.peek("p:a").remaining).toBe(8)
    await permit.refund()
    expect([under.peek("p:a").remaining, under.peek("p:a", { limit: "user" }).remaining]).toEqual([10, 5])
    expect((await acquire(limits.of("default"), "p:a", { cost: 1 })).cost).toBe(1)
    expect((await acquire(limits.of("default"), "p:a")).cost).toBe(2)
    await wrap(limits.of("default"), () => "sent", { key: "p:a" })()
    expect(under.peek("p:a").remaining).toBe(5)
    await checkAllOf([{ limiter: limits.of("default"), key: "p:a" }])
    expect(under.peek("p:a").remaining).toBe(3)
  })

  test("acquire() waits as long as the configured cost takes, and names it where no wait helps", async () => {
    const { limits } = make()
    await limits.check("p:a", { cost: 9, limit: "default" })
    await expect(acquire(limits, "p:a", { limit: "default", timeout: 0 })).rejects.toMatchObject({
      code: "TIMEOUT_EXCEEDED",
    })
    expect((await acquire(limits, "p:a", { limit: "default", timeout: 0, cost: 1 })).cost).toBe(1)
    await expect(acquire(limits, "p:eve", { limit: "default" })).rejects.toMatchObject({ decision: { cost: 2 } })
  })

  test("hands on every other verb", async () => {
    const { limits, under } = make()
    const { receipt } = await limits.check("p:a")
    await limits.refund(receipt!)
    expect(under.peek("p:a").remaining).toBe(10)
    expect(await limits.limits()).toHaveLength(2)
  })

  test("LimitNotFound, KeyError and CostError are those of the limits", async () => {
    const { limits } = make()
    await expect(limits.check("p:a", { limit: "none" })).rejects.toMatchObject({ code: "LIMIT_NOT_FOUND" })
    await expect(limits.check("")).rejects.toMatchObject({ code: "KEY_INVALID" })
    await expect(limits.check("p:a", { cost: 11 })).rejects.toMatchObject({ code: "COST_ABOVE_CAPACITY" })
    await expect(limits.checkAll([])).rejects.toThrow(RangeError)
  })
})
