import { describe, expect, test } from "vitest"
import { configPolicies, limitsByConfig, parseConfig } from "../../src/config/index.js"
import { ManualClock } from "../../src/index.js"
import { MemoryLimits } from "../../src/limiter/memory-limits.js"

const config = parseConfig(`
  key_prefix = "p:"
  limits.default = { policy = "10/minute", cost = 2 }
  limits.user = { policy = "5/minute" }
  groups.both = { limits = ["default", "user"] }
  deny = { keys = ["eve"] }`)

function make() {
  const clock = new ManualClock(0)
  const under = new MemoryLimits({ clock, limits: configPolicies(config), stats: true })
  return { clock, under, limits: limitsByConfig(under, config, clock) }
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
    const { limits, under, clock } = make()
    const ask = () => limits.check("p:a", { limit: "both", id: "x" })
    const [first, second] = await Promise.all([ask(), ask()])
    expect(second).toBe(first)
    expect(await ask()).toBe(first)
    expect(under.peek("p:a", { limit: "user" }).remaining).toBe(4)
    clock.advance(300_001)
    expect(await ask()).not.toBe(first)
    await expect(limits.check("p:a", { limit: "both", id: "" })).rejects.toThrow(RangeError)
  })

  test("denies a key of the deny list, whose prefix is another one's business", async () => {
    const { limits, under } = make()
    expect(await limits.check("p:eve", { limit: "user" })).toMatchObject({ allowed: false, policy: "deny" })
    expect(await limits.check("eve", { limit: "user" })).toMatchObject({ allowed: true })
    expect(under.stats("p:eve", { limit: "user" }).totalDenied).toBe(0)
  })

  test("is the limits themselves where the configuration adds nothing, and hands on every other verb", async () => {
    const { limits, under } = make()
    const plain = parseConfig('limits.default = { policy = "10/minute" }')
    expect(limitsByConfig(under, plain)).toBe(under)
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
