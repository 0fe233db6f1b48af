import { afterAll, describe, expect, test, vi } from "vitest"
import {
  ConfigError,
  configPolicies,
  fromConfig,
  type LimitsByConfig,
  limitsByConfig,
  parseConfig,
} from "../../src/config/index.js"
import { openLimiter } from "../../src/embedded/open-limiter.node.js"
import {
  acquire,
  type Decision,
  LimitNotFound,
  ManualClock,
  StoreUnavailable,
  TimeoutExceeded,
  wrap,
} from "../../src/index.js"
import { MemoryLimits } from "../../src/limiter/memory-limits.js"
import { receiptsOf } from "../../src/limiter/receipts.js"
import type { PolicyInput } from "../../src/policy/policy.js"
import { removeFolders, temporaryFolder } from "../embedded/temporary-folder.js"

afterAll(removeFolders)

const clock = new ManualClock(0)
const FIRST = `
key_prefix = "a:"
limits.api = { policy = "10/minute" }
limits.old = { policy = "1/minute" }
tiers.pro.limits.api = "100/minute"
tenants.acme = { tier = "pro" }`

describe("ConfiguredLimits.reload()", () => {
  test("puts costs, lists, prefix, groups, tiers, tenants, log and sample in force, and keeps what was used", () => {
    const lines: string[] = []
    const samples: Decision[] = []
    const log = { info: (line: string) => lines.push(line), error: () => {} }
    const limits = fromConfig(FIRST, { clock, log, onSample: (decision) => samples.push(decision) })
    limits.check("u", { limit: "api", cost: 4 })
    limits.reload(
      parseConfig(`
        key_prefix = "a:"
        deny.keys = ["mallory"]
        limits.api = { policy = "20/minute", cost = 3 }
        limits.org = { policy = "50/minute" }
        groups.both.limits = ["api", "org"]
        tiers.max.limits.api = "500/minute"
        tenants.acme = { tier = "max" }
        analytics.enabled = true
        logging = { level = "info", decisions = "all" }`),
    )
    expect(limits.config.keyPrefix).toBe("a:")
    expect(limits.check("u", { limit: "api" })).toMatchObject({ cost: 3, remaining: 13 })
    expect(limits.check("mallory", { limit: "api" }).reason).toBe("blocked")
    expect(limits.check("u", { limit: "both", cost: 1 })).toMatchObject({ remaining: 12 })
    expect(limits.check("u", { limit: "api", tenant: "acme" }).limit).toBe(500)
    expect(() => limits.check("u", { limit: "api", tier: "pro" })).toThrow('tier is "pro"')
    expect([lines.length, samples.length]).toEqual([4, 4])
    limits.reload(parseConfig('key_prefix = "b:"\nlimits.api = { policy = "20/minute" }'))
    expect(limits.check("u", { limit: "api" })).toMatchObject({ key: "b:u", remaining: 19 })
    expect(lines.length).toBe(4)
  })

  test("forgets a limit that is gone, and leaves what was defined beside", () => {
    const limits = fromConfig(FIRST, { clock })
    limits.limits.define("beside", "5/minute")
    limits.check("u", { limit: "old" })
    limits.reload(parseConfig('limits.api = { policy = "10/minute" }'))
    expect(() => limits.check("u", { limit: "old" })).toThrow(LimitNotFound)
    expect(limits.limits.limits().map(({ name }) => name)).toEqual(["api", "beside"])
    limits.reload(parseConfig(FIRST))
    expect(limits.check("u", { limit: "old" }).allowed).toBe(true)
  })

  test("refuses a group with the name of a limit that was defined beside, and changes nothing", () => {
    const limits = fromConfig(FIRST, { clock })
    limits.limits.define("both", "5/minute")
    const next = parseConfig('limits.api = { policy = "20/minute" }\ngroups.both.limits = ["api"]')
    expect(() => limits.reload(next)).toThrow(
      'Cannot read the configuration: a name in groups is "both", allowed is a name that no limit of the store has',
    )
    expect(limits.limits.limits().map(({ name, policy }) => [name, policy.rules[0].limit])).toContainEqual(["api", 10])
    expect([limits.check("u", { limit: "old" }).allowed, limits.config.groups.size]).toEqual([true, 0])
    limits.limits.remove("both")
    limits.reload(next)
    expect(limits.check("u", { limit: "both" }).limit).toBe(20)
    // A limit that the next configuration does not have goes with the reload.
    limits.reload(parseConfig('limits.org = { policy = "30/minute" }\ngroups.api.limits = ["org"]'))
    expect(limits.check("u", { limit: "api" }).limit).toBe(30)
  })

  test("tells who asks for statistics that a reload turned none on", () => {
    const limits = fromConfig(FIRST, { clock })
    limits.reload(parseConfig(`${FIRST}\nanalytics.enabled = true`))
    expect(() => limits.limits.stats("a:u", { limit: "api" })).toThrow(
      new TypeError(
        "Cannot tell statistics: these limits keep none, make them with { stats: true }; a reload turns none on.",
      ),
    )
    expect(() => limits.limits.top({ by: "denied" })).toThrow("a reload turns none on")
  })

  test("is followed by limiters and functions made before, also where a tenant gets another tier", () => {
    const limits = fromConfig(FIRST, { clock })
    const pro = limits.of("api", { tier: "pro" })
    const acme = limits.of("api", { tenant: "acme" })
    const fresh = limits.of("api", { tenant: "fresh" })
    const send = wrap(acme, (to: string) => to, { key: (to) => to })
    limits.reload(
      parseConfig(`
        limits.api = { policy = "10/minute" }
        tiers.pro.limits.api = "200/minute"
        tiers.max.limits.api = "500/minute"
        tenants.acme = { tier = "max" }
        tenants.fresh.limits.api = "1/minute"`),
    )
    send("u")
    expect([pro, acme, fresh].map((limiter) => limiter.peek("u"))).toMatchObject([
      { limit: 200, remaining: 200 },
      { limit: 500, remaining: 499 },
      { limit: 1, remaining: 1 },
    ])
  })

  test.each([
    ["policy", 'limits.api = { policy = "5/minute" }'],
    ["cost", 'limits.api = { policy = "2/minute", cost = 0 }'],
    ["list", 'limits.api = { policy = "2/minute", allow.keys = ["u"] }'],
  ])("lets a call that waits go by the new %s at once", async (_what, text) => {
    const limits = fromConfig('limits.api = { policy = "2/minute" }', { clock })
    limits.check("u", { limit: "api", cost: 2 })
    const waiting = [acquire(limits.of("api"), "u"), acquire(limits, "u", { limit: "api" })]
    limits.reload(parseConfig(text))
    const permits = await Promise.all(waiting)
    expect(permits.map(({ decision }) => decision.allowed)).toEqual([true, true])
  })

  test("has those who count under the same names wait in one line, as the new configuration says it", async () => {
    const limits = fromConfig(FIRST, { clock })
    await acquire(limits.of("api", { tenant: "acme" }), "u")
    limits.reload(parseConfig(FIRST.replace('acme = { tier = "pro" }', 'other = { tier = "pro" }')))
    const { decision } = await acquire(limits.of("api", { tier: "pro" }), "u")
    expect(decision.limit).toBe(100)
    const plain = await acquire(limits.of("api", { tenant: "acme" }), "u")
    expect(plain.decision.limit).toBe(10)
  })

  describe("has a call that waits", () => {
    const PRO = 'limits.api = { policy = "2/minute" }\ntiers.pro.limits.api = "5/minute"\n'
    /** B waits for a key, after A has waited for another one: both count under the same names. */
    const waiting = async () => {
      const limits = fromConfig(PRO, { clock })
      const [a, b, plain] = ["a", "b", "plain"].map((tenant) => limits.of("api", { tenant, tier: "pro" }))
      await acquire(a!, "other")
      b!.check("u", { cost: 5 })
      return { limits, a: a!, b: b!, plain: plain!, wait: acquire(b!, "u") }
    }
    const isOver = (promise: Promise<unknown>) =>
      Promise.race([promise.then(() => true), new Promise((resolve) => setTimeout(resolve, 20, false))])

    test("go by its own customer's policy", async () => {
      const { limits, b, wait } = await waiting()
      limits.reload(parseConfig(`${PRO}tenants.b.limits.api = "1000/minute"`))
      expect((await wait).decision.limit).toBe(1_000)
      expect(b.peek("u").remaining).toBe(999)
    })

    test("charge no other customer", async () => {
      const { limits, a, wait } = await waiting()
      limits.reload(parseConfig(`${PRO}tenants.a.limits.api = "1000/minute"`))
      expect(await isOver(wait)).toBe(false)
      expect(a.peek("u").remaining).toBe(1_000)
    })

    test("go by its own customer's policy where it was the limit's own before", async () => {
      const limits = fromConfig(PRO, { clock })
      limits.check("u", { limit: "api", cost: 2 })
      const wait = acquire(limits.of("api", { tenant: "b" }), "u")
      limits.reload(parseConfig(`${PRO}tenants.b.limits.api = "1000/minute"`))
      expect((await wait).decision.limit).toBe(1_000)
    })

    test("stand only with those whom it is counted with from then on, as they came", async () => {
      const { limits, a, plain, wait } = await waiting()
      const order: string[] = []
      const waits = [
        wait.then(() => order.push("b")),
        acquire(a, "u").then(() => order.push("a")),
        acquire(plain, "u", { timeout: "1m" }).then(() => order.push("plain")),
      ]
      limits.reload(parseConfig(`${PRO}tenants.a.limits.api = "9/minute"\ntenants.b.limits.api = "1/hour"`))
      await Promise.all(waits.slice(0, 2))
      expect(order).toEqual(["b", "a"])
      const late = acquire(limits.of("api", { tier: "pro" }), "u").then(() => order.push("late"))
      expect(await isOver(Promise.race([waits[2], late]))).toBe(false)
      limits.reload(parseConfig(PRO.replace("5/minute", "7/minute")))
      limits.limits.reset("u", { limit: limits.limitName("api", { tier: "pro" }) })
      await Promise.all([waits[2], late])
      expect(order).toEqual(["b", "a", "plain", "late"])
    })

    test("fail where its plan is no more", async () => {
      const { limits, wait } = await waiting()
      limits.reload(parseConfig('limits.api = { policy = "2/minute" }'))
      await expect(wait).rejects.toThrow('tier is "pro"')
    })

    test("end at its timeout behind one that came before, with which it was not counted", async () => {
      const { limits, b } = await waiting()
      limits.check("v", { limit: "api", cost: 2 })
      b.check("v", { cost: 5 })
      const first = acquire(limits, "v", { limit: "api" })
      const second = acquire(limits.of("api", { tier: "pro" }), "v", { timeout: "20s" })
      limits.reload(parseConfig('limits.api = { policy = "3/minute", cost = 3 }\ntiers.pro.limits = {}'))
      await expect(second).rejects.toThrow(TimeoutExceeded)
      expect(await isOver(first)).toBe(false)
    })
  })

  test("tells who named no cost its admission again under its id, where the cost is another since", () => {
    const costing = (cost: number) => `
      limits.api = { policy = "100/day", cost = ${cost} }
      limits.org = "100/day"
      groups.both.limits = ["api", "org"]`
    const limits = fromConfig(costing(2), { clock })
    const asks = ["api", "both"].map((limit) => () => limits.check(limit, { limit, id: "x" }))
    const receipts = () => asks.map((ask) => receiptsOf(ask()))
    const before = receipts()
    limits.reload(parseConfig(costing(3)))
    expect(receipts()).toEqual(before)
    expect(() => limits.check("api", { limit: "api", id: "x", cost: 3 })).toThrow("cost is 3, allowed is 2")
  })

  test("what parseConfig did not give changes nothing", () => {
    const limits = fromConfig(FIRST, { clock })
    expect(() => limits.reload("limits.api.policy = '1/minute'" as never)).toThrow("what parseConfig gives")
    expect(() => limits.reload(limits as never)).toThrow("as in its field config")
    expect(limits.check("u", { limit: "api" })).toMatchObject({ limit: 10, remaining: 9 })
  })
})

describe("limitsByConfig().reload()", () => {
  const made = async () => {
    const store = new MemoryLimits({ clock })
    const limits = limitsByConfig(store, parseConfig({}))
    await limits.reload(parseConfig(FIRST))
    return { store, limits }
  }

  test("defines the policies, and goes by costs, lists and groups", async () => {
    const { store, limits } = await made()
    const api = limits.of("api")
    expect(await api.check("u", { cost: 4 })).toMatchObject({ limit: 10, remaining: 6 })
    await limits.reload(
      parseConfig(`
        deny.keys = ["mallory"]
        limits.api = { policy = "20/minute", cost = 3 }
        groups.both.limits = ["api"]`),
    )
    expect(await api.check("u")).toMatchObject({ cost: 3, remaining: 13 })
    expect(await api.check("mallory")).toMatchObject({ reason: "blocked" })
    expect((await limits.check("u", { limit: "both" })).remaining).toBe(10)
    await expect(limits.define("both", "1/minute")).rejects.toThrow('name is "both"')
    // It may be somebody else's.
    expect(store.limit("old")).not.toBeNull()
  })

  test("a group of a limit's name changes nothing", async () => {
    const { limits } = await made()
    const wrong = parseConfig('limits.api = { policy = "20/minute" }\ngroups.old.limits = ["api"]')
    await expect(limits.reload(wrong)).rejects.toThrow(ConfigError)
    expect(await limits.check("u", { limit: "api" })).toMatchObject({ limit: 10, remaining: 9 })
  })

  test("of two at a time the last is in force whole, also after one that fails", async () => {
    // The definitions of the first are under way when the second is asked for, and take longer.
    const delays = [5, 40, 20, 5]
    class Slow extends MemoryLimits {
      override define(name: string, policy: PolicyInput): never {
        const done = () => super.define(name, policy)
        return new Promise((resolve) => setTimeout(resolve, delays.shift() ?? 0)).then(done) as never
      }
    }
    const text = (limit: number) =>
      `limits.x = { policy = "${limit}/minute", cost = ${limit} }\nlimits.y = { policy = "${limit}/minute" }`
    const limits = limitsByConfig(new Slow({ clock }), parseConfig({}))
    await Promise.all([10, 20].map((limit) => limits.reload(parseConfig(text(limit)))))
    expect(await limits.peek("u", { limit: "x" })).toMatchObject({ limit: 20, cost: 20 })
    expect(await limits.peek("u", { limit: "y" })).toMatchObject({ limit: 20 })
    const wrong = limits.reload(parseConfig(`${text(30)}\ngroups.x.limits = ["y"]`.replace("limits.x", "limits.z")))
    const right = limits.reload(parseConfig(text(40)))
    await expect(wrong).rejects.toThrow(ConfigError)
    await right
    expect(await limits.peek("u", { limit: "x" })).toMatchObject({ limit: 40 })
  })

  describe("has all of a configuration in force at one moment", () => {
    const OLD = parseConfig('limits.a = { policy = "100/hour", cost = 60 }\nlimits.b = "100/hour"')
    const NEW = parseConfig('limits.a = { policy = "50/hour", cost = 5 }\nlimits.b = "50/hour"\nlimits.c = "50/hour"')

    /** Limits whose commits are held back until the test ends them. */
    class Held extends MemoryLimits {
      readonly commits: PromiseWithResolvers<void>[] = []
      #isHeld = false

      hold(): void {
        this.#isHeld = true
      }

      override define(name: string, policy: PolicyInput): never {
        const made = super.define(name, policy)
        return this.#committed(made) as never
      }

      override remove(name: string): never {
        return this.#committed(super.remove(name)) as never
      }

      #committed<T>(made: T): T | Promise<T> {
        if (!this.#isHeld) return made
        const commit = Promise.withResolvers<void>()
        this.commits.push(commit)
        return commit.promise.then(() => made)
      }
    }

    const held = () => {
      const store = new Held({ clock, limits: configPolicies(OLD) })
      const limits = limitsByConfig(store, OLD)
      store.hold()
      const committing = (count: number) => vi.waitFor(() => expect(store.commits).toHaveLength(count))
      return { store, limits, committing }
    }
    const seen = async (limits: LimitsByConfig) => {
      const [a, b] = [await limits.peek("u", { limit: "a" }), await limits.peek("u", { limit: "b" })]
      return [a.limit, a.cost, b.limit]
    }

    test("before it is durable", async () => {
      const { store, limits, committing } = held()
      const isDone = vi.fn()
      const reloaded = limits.reload(NEW).then(isDone)
      await committing(3)
      expect(await seen(limits)).toEqual([50, 5, 50])
      store.commits.slice(1).forEach(({ resolve }) => void resolve())
      await new Promise(setImmediate)
      expect(isDone).not.toHaveBeenCalled()
      store.commits[0]!.resolve()
      await reloaded
      expect(await seen(limits)).toEqual([50, 5, 50])
    })

    test("also for calls that were made just before it", async () => {
      const { limits } = held()
      const checks = Array.from({ length: 30 }, async (_, turns) => {
        for (let turn = 0; turn < turns; turn++) await undefined
        return limits.check(`u${turns}`, { limit: "a" })
      })
      void limits.reload(NEW)
      const pairs = (await Promise.all(checks)).map(({ limit, cost }) => `${limit}@${cost}`)
      expect([...new Set(pairs)].sort()).toEqual(["100@60", "50@5"])
    })

    test("and has the former one in force again where a commit fails", async () => {
      const { store, limits, committing } = held()
      const failed = limits.reload(NEW)
      await committing(3)
      store.commits[1]!.reject(new StoreUnavailable("the disk is full"))
      for (const { resolve } of store.commits) resolve()
      await committing(6)
      expect(await seen(limits)).toEqual([100, 60, 100])
      expect(store.limit("c")).toBe(null)
      for (const { resolve } of store.commits) resolve()
      await expect(failed).rejects.toThrow(/^Cannot reach the store: the disk is full\.$/)
    })

    test("and says so where that could not be undone", async () => {
      const { store, limits, committing } = held()
      const failed = limits.reload(NEW)
      for (const count of [3, 6]) {
        await committing(count)
        for (const { reject } of store.commits) reject(new StoreUnavailable("the disk is full"))
      }
      await expect(failed).rejects.toThrow(
        "Cannot reach the store: a reload failed (Cannot reach the store: the disk is full) and could not be undone, so that limits may have policies of either configuration.",
      )
      expect((await limits.peek("u", { limit: "a" })).cost).toBe(60)
    })

    test("in a folder", async () => {
      await using store = await openLimiter({ path: temporaryFolder(), limits: configPolicies(OLD) })
      const limits = limitsByConfig(store, OLD)
      const pairs = new Set<string>()
      for (const config of [NEW, OLD, NEW]) {
        let isOver = false
        const reloaded = limits.reload(config).finally(() => {
          isOver = true
        })
        while (!isOver) {
          const { limit, cost } = await limits.peek("u", { limit: "a" })
          pairs.add(`${limit}@${cost}`)
          await new Promise(setImmediate)
        }
        await reloaded
      }
      expect([...pairs].sort()).toEqual(["100@60", "50@5"])
    })
  })

  test("a call that waits goes by the new cost at once", async () => {
    const { limits } = await made()
    await limits.check("u", { limit: "api", cost: 10 })
    const waiting = acquire(limits.of("api"), "u")
    await limits.reload(parseConfig('limits.api = { policy = "10/minute", cost = 0 }'))
    expect((await waiting).cost).toBe(0)
  })
})
