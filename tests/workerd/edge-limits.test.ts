import { env } from "cloudflare:workers"
import { describe, expect, test, vi } from "vitest"
import { parsePolicy } from "../../src/policy/parse-policy.js"
import { LimitNotFound } from "../../src/types/errors.js"
import type { CheckItem } from "../../src/types/limiter.js"
import { EdgeLimits, type EdgeLimitsParts } from "../../worker/api/edge-limits.js"
import { LimitDirectory } from "../../worker/api/limit-directory.js"
import { settingsScope } from "../../worker/api/limit-scope.js"
import { Registry } from "../../worker/api/registry.js"
import { Reporter } from "../../worker/api/reporter.js"
import type { MakeNamedLimitsOptions } from "../conformance/named-limits-case.js"
import { historyCases } from "../conformance/named-limits-cases/history.js"
import { idCases } from "../conformance/named-limits-cases/ids.js"
import { faultyBinding } from "./faulty-binding.js"
import { freshName, replaceRows, rowsOf } from "./objects.js"

/** The registry and the objects have the time of the platform. */
const CLOCKED: readonly string[] = [
  "history(): a key's events under one limit, newest first",
  // There a definition, which is filed elsewhere, does not part denials either.
  "history(): equal denials are one entry where nothing else of the key, nor its limit's definition, came between",
  "history(): unblock() of a key that is not blocked, or not any more, leaves no trace",
]

function edgeLimits(parts: Partial<EdgeLimitsParts> = {}): EdgeLimits {
  const registry = parts.registry ?? new Registry(env)
  const [directory, reporter] = [new LimitDirectory(registry), new Reporter(registry)]
  return new EdgeLimits({ limiter: env.LIMITER, registry, directory, reporter, ofSettings: new Map(), ...parts })
}

/** A limit that is removed and defined anew has new objects, so nothing is left of the case before. */
async function make({ limits }: Pick<MakeNamedLimitsOptions, "limits">): Promise<EdgeLimits> {
  const made = edgeLimits()
  for (const [name, policy] of Object.entries(limits)) {
    await made.remove(name)
    await made.define(name, policy)
  }
  return made
}

describe("EdgeLimits", () => {
  for (const { name, run } of historyCases) {
    if (CLOCKED.includes(name)) test.skip(`${name} (skipped: it sets the clock of the registry too)`, () => {})
    else test(name, () => run(make))
  }

  test("scopeOf() tells of a limit that cannot be found now what it tells of one that there is not", async () => {
    const REGISTRY = faultyBinding(env.REGISTRY, () => "lost-call").binding
    const [name, limits] = [freshName(), edgeLimits({ registry: new Registry({ ...env, REGISTRY }) })]
    await expect(limits.limit(name)).rejects.toThrow("the Durable Object failed")
    expect(await limits.scopeOf(name)).toBe(settingsScope(name))
    expect(await edgeLimits().scopeOf(name)).toBe(settingsScope(name))
  })

  test("refund() and settle() find the limit of a receipt that another isolate defined meanwhile", async () => {
    const [name, removed] = [freshName(), freshName()]
    const [here, elsewhere] = [edgeLimits(), edgeLimits()]
    await here.define(removed, "10/day fixed_window")
    for (const limit of [name, removed])
      expect(await elsewhere.limit(limit)).toEqual(limit === name ? null : expect.anything())
    await here.remove(removed)
    for (const limit of [name, removed]) {
      await here.define(limit, "10/day fixed_window")
      const [first, second] = [await here.check("a", { limit, cost: 4 }), await here.check("a", { limit, cost: 2 })]
      await elsewhere.refund(first.receipt!)
      expect(await here.status("a", { limit })).toMatchObject({ remaining: 8 })
      await elsewhere.settle(second.receipt!, 5)
      expect(await here.status("a", { limit })).toMatchObject({ remaining: 5 })
    }
  })

  test("refund() of a receipt of a limit that was removed looks for no later one", async () => {
    const name = freshName()
    const directory = new LimitDirectory(new Registry(env))
    const refresh = vi.spyOn(directory, "refresh")
    const limits = edgeLimits({ directory })
    await limits.define(name, "10/day fixed_window")
    const { receipt } = await limits.check("a", { limit: name })
    await limits.remove(name)
    await limits.define(name, "10/day fixed_window")
    await limits.check("a", { limit: name })
    await limits.refund(receipt!)
    expect(await limits.status("a", { limit: name })).toMatchObject({ remaining: 9 })
    expect(refresh).not.toHaveBeenCalled()
  })

  test("refund() and settle() refuse a receipt of a limit that there never was", async () => {
    const [name, removed] = [freshName(), freshName()]
    const limits = edgeLimits()
    for (const limit of [name, removed]) await limits.define(limit, "10/day")
    const { receipt } = await limits.check("a", { limit: removed })
    await limits.remove(removed)
    const scopes = ["bar", "", " ", `2 ${name}`, `2 ${removed}`, `0 ${name}`, `01 ${name}`, "1 ", `1 ${freshName()}`]
    for (const scope of [...scopes, `NaN ${name}`, `${"9".repeat(400)} ${name}`]) {
      const forged = { ...receipt!, id: `foo~${encodeURIComponent(scope)}` }
      await expect(limits.refund(forged), scope).rejects.toThrow("Cannot settle receipt")
      await expect(limits.settle(forged, 0), scope).rejects.toThrow(RangeError)
    }
    await limits.refund(receipt!)
    await limits.refund({ ...receipt!, id: `foo~${encodeURIComponent("settings former")}` })
  })

  test("list() and limits() tell as much as they can where count is Infinity", async () => {
    const [limit, limits] = [freshName(), edgeLimits()]
    await limits.define(limit, "10/day")
    await limits.check("a", { limit })
    const count = Number.POSITIVE_INFINITY
    expect(await limits.list({ limit, count })).toEqual(["a"])
    expect((await limits.limits({ count })).map(({ name }) => name)).toContain(limit)
  })

  test("remove() forgets also what another isolate tells later, which has not heard of it", async () => {
    const limit = freshName()
    const [here, elsewhere] = [edgeLimits(), edgeLimits()]
    await here.define(limit, "10/day")
    await elsewhere.check("told before", { limit })
    await elsewhere.list()
    await here.remove(limit)
    await vi.waitFor(async () => expect(await here.list()).not.toContain("told before"))
    expect(await elsewhere.check("told later", { limit })).toMatchObject({ allowed: true })
    await elsewhere.block("told later", "1h", { limit })
    expect(await elsewhere.list()).not.toContain("told later")
    expect((await here.top({ by: "allowed", count: 1_000 })).map(({ key }) => key)).not.toContain("told later")
    // Another limit of the name has keys of its own.
    await here.define(limit, "10/day")
    await here.check("of the next", { limit })
    expect(await here.list({ limit })).toEqual(["of the next"])
  })

  test("top() leaves out keys of limits that the settings have no more", async () => {
    const [former, kept, own] = [freshName(), freshName(), freshName()]
    const policy = parsePolicy("9/day")
    const before = edgeLimits({
      ofSettings: new Map([
        [former, policy],
        [kept, policy],
      ]),
    })
    await before.define(own, policy)
    for (const limit of [former, kept, own]) await before.check("of several", { limit })
    const limitsOf = async (limits: EdgeLimits, count: number) => {
      const top = await limits.top({ by: "allowed", count })
      return top.filter(({ key }) => key === "of several").map(({ limit }) => limit)
    }
    expect(await limitsOf(before, 1_000)).toEqual(expect.arrayContaining([former, kept, own]))
    const after = edgeLimits({ ofSettings: new Map([[kept, policy]]) })
    const left = await limitsOf(after, 1_000)
    expect(left).toEqual(expect.arrayContaining([kept, own]))
    expect(left).not.toContain(former)
  })

  test("list() tells the keys of a limit that the settings have no more, as long as there are any", async () => {
    const [former, never] = [freshName(), freshName()]
    const before = edgeLimits({ ofSettings: new Map([[former, parsePolicy("9/day")]]) })
    for (const key of ["a", "b"]) await before.check(key, { limit: former })
    expect(await before.list({ limit: former })).toEqual(["a", "b"])
    const after = edgeLimits()
    expect(await after.list({ limit: former })).toEqual(["a", "b"])
    expect(await after.list({ limit: former, after: "a", count: 1 })).toEqual(["b"])
    expect(await after.list({ limit: former, after: "b" })).toEqual([])
    for (const page of [{}, { after: "a" }, { count: 0 }]) {
      await expect(after.list({ limit: never, ...page })).rejects.toThrow(LimitNotFound)
    }
    // Defined anew from outside, the name is another limit's.
    await after.define(former, "9/day")
    expect(await after.list({ limit: former })).toEqual([])
  })

  test("remove() forgets what it can, and what is left when it is repeated", async () => {
    const limit = freshName()
    const registry = new Registry(env)
    const report = { scope: `1 ${limit}`, key: "a", allowed: 1, denied: 0, allowedCost: 1, deniedCost: 0, events: [] }
    const times = { lastAllowedAt: 1, lastDeniedAt: null, lastResetAt: null }
    await registry.fromKeys((shard) => shard.report([{ ...report, ...times }]))
    const cut = new Registry(env)
    const away = vi.spyOn(cut, "keyShard").mockImplementation((shard) => {
      if (shard < 3) return { forget: () => Promise.reject(new Error("gone")) } as never
      return registry.keyShard(shard)
    })
    const logged = vi.spyOn(console, "error").mockImplementation(() => {})
    const limits = edgeLimits({ registry: cut })
    await limits.define(limit, "10/day")
    const left = async () => {
      const found = await registry.fromKeys((shard) => shard.keys(`1 ${limit}`, null, 1))
      return found.flatMap((keys, shard) => (keys.length > 0 ? [shard] : []))
    }
    expect(await limits.remove(limit)).toBe(true)
    await vi.waitFor(() => expect(logged).toHaveBeenCalledOnce())
    expect(await left()).toEqual([0, 1, 2])
    away.mockRestore()
    logged.mockRestore()
    expect(await limits.remove(limit)).toBe(false)
    await vi.waitFor(async () => expect(await left()).toEqual([]))
  })

  test("remove() removes also where nothing can be reported", async () => {
    const limit = freshName()
    const registry = new Registry(env)
    const reporter = new Reporter(registry)
    const limits = edgeLimits({ registry, reporter })
    await limits.define(limit, "10/day")
    vi.spyOn(registry, "hub", "get").mockImplementation(() => {
      throw new Error("gone")
    })
    const logged = vi.spyOn(console, "error").mockImplementation(() => {})
    await limits.check("a", { limit })
    expect(await limits.remove(limit)).toBe(true)
    expect(await limits.limit(limit)).toBeNull()
    await vi.waitFor(() => expect(logged).toHaveBeenCalled())
    logged.mockRestore()
  })

  test("define() of a former policy is in force at once", async () => {
    const limit = freshName()
    const limits = edgeLimits()
    const told: number[] = []
    for (const policy of ["10/minute", "1000/minute", "10/minute"]) {
      await limits.define(limit, policy)
      told.push((await limits.check("a", { limit })).limit)
    }
    expect(told).toEqual([10, 1_000, 10])
  })

  test("unblock() of a key that is not blocked, or not any more, leaves no trace", async () => {
    const limits = await make({ limits: { api: "5/minute" } })
    const choice = { limit: "api" }
    expect(await limits.unblock("a", choice)).toBe(false)
    await limits.block("a", 1, choice)
    await vi.waitFor(async () => expect(await limits.status("a", choice)).toMatchObject({ blockedForMs: 0 }))
    expect(await limits.unblock("a", choice)).toBe(false)
    await limits.block("a", "1h", choice)
    expect(await limits.unblock("a", choice)).toBe(true)
    const events = (await limits.history("a", choice)).map(({ event }) => event)
    expect(events.filter((event) => event !== "define")).toEqual(["unblock", "block", "block"])
  })

  for (const { name, run } of idCases.filter((each) => each.name.startsWith("checkAll()"))) test(name, () => run(make))

  test("checkAll() denies also where what would have passed cannot be asked any more", async () => {
    const [open, full] = [freshName(), freshName()]
    const { binding } = faultyBinding(env.LIMITER, (verb) => (verb === "peekAll" ? "lost-call" : "none"))
    const limits = edgeLimits({ limiter: binding })
    await limits.define(open, "5/day")
    await limits.define(full, "1/day")
    await limits.check("a", { limit: full })
    const { allowed, decisions } = await limits.checkAll([open, full].map((limit) => ({ key: "a", limit })))
    expect(allowed).toBe(false)
    expect(decisions.map((decision) => decision.allowed)).toEqual([true, false])
    expect(decisions[0]).toMatchObject({ reason: "fail-open" })
  })

  test("checkAll() tells what is used up or blocked so beside a denial that is known, and counts only that denial", async () => {
    const [user, organisation] = [freshName(), freshName()]
    const registry = new Registry(env)
    const reporter = new Reporter(registry)
    const limits = edgeLimits({ registry, reporter })
    await limits.define(user, "10/minute")
    await limits.define(organisation, "100/day")
    await limits.check("ann", { limit: user, cost: 10 })
    await limits.check("ann", { limit: user })
    await limits.check("acme", { limit: organisation, cost: 100 })
    await limits.block("blocked", "1h", { limit: organisation })
    const decided = vi.spyOn(reporter, "decided")
    const { deniedKey, decisions } = await limits.checkAll([
      { key: "acme", limit: organisation },
      { key: "ann", limit: user },
      { key: "blocked", limit: organisation },
    ])
    expect(deniedKey).toBe("ann")
    expect(decisions.map(({ allowed, reason, remaining }) => [allowed, reason, remaining])).toEqual([
      [false, "limit", 0],
      [false, "cached", 0],
      [false, "blocked", 100],
    ])
    expect(decided.mock.calls.map(([{ key }]) => key)).toEqual(["ann"])
  })

  test("checkAll() counts and names no denial of a key that was only looked at", async () => {
    const [lost, full] = [freshName(), freshName()]
    const { binding } = faultyBinding(env.LIMITER, (verb) => (verb === "settle" ? "lost-call" : "none"))
    const registry = new Registry(env)
    const reporter = new Reporter(registry)
    const decided = vi.spyOn(reporter, "decided")
    const limits = edgeLimits({ limiter: binding, registry, reporter })
    await limits.define(lost, "1/day")
    await limits.define(full, "1/day")
    await limits.check("b", { limit: full })
    decided.mockClear()
    const items = [
      { key: "a", limit: lost },
      { key: "b", limit: full },
    ]
    const { deniedKey, decisions } = await limits.checkAll(items)
    // The charge of the first could not be given back, so a look at it finds nothing left.
    expect(decisions.map(({ allowed }) => allowed)).toEqual([false, false])
    expect(deniedKey).toBe("b")
    expect(decided.mock.calls.map(([{ key, allowed }]) => [key, allowed])).toEqual([["b", false]])
  })

  test("explain() asks for the decision when it was told the state, so that a block lasts as long as its wait", async () => {
    const asked: string[] = []
    const network = faultyBinding(env.LIMITER, (verb) => {
      asked.push(verb)
      return verb === "status" ? "late-answer" : "none"
    })
    const [name, limits] = [freshName(), edgeLimits({ limiter: network.binding })]
    await limits.define(name, "5/day")
    const explained = limits.explain("a", { limit: name })
    await vi.waitFor(() => expect(asked).toContain("status"))
    expect(asked).toEqual(["status"])
    network.answer()
    expect((await explained).decision.allowed).toBe(true)
    expect(asked).toEqual(["status", "peek"])
  })

  test("verify() tells the limit and the key whose log is corrupt, and so does the error of a check", async () => {
    const [name, sound] = [freshName(), freshName()]
    const policy = parsePolicy("9/day")
    const limits = edgeLimits({
      ofSettings: new Map([
        [name, policy],
        [sound, policy],
      ]),
    })
    for (const limit of [name, sound]) await limits.check("a", { limit })
    const object = () => env.LIMITER.getByName(`${name}\na`)
    const [meta, ...segments] = (await rowsOf(object()))!
    const body = meta!.body.slice()
    body[5]! ^= 1
    await replaceRows(object(), [{ ...meta!, body }, ...segments])
    const { ok, problems } = await limits.verify()
    expect(ok).toBe(false)
    expect(problems.filter((problem) => [name, sound].some((limit) => problem.includes(`"${limit}"`)))).toEqual([
      `The log of key "a" of limit "${name}": ` +
        "Cannot recover the store: the meta row is corrupt: its SHA-256 differs.",
    ])
    const error = await limits.check("a", { limit: name }).catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ code: "STORE_CORRUPT", object: `${name}\na` })
  })

  test("checkAll() refuses what are no items before it looks for a limit", async () => {
    for (const items of [undefined, "ab", [null]] as unknown as (readonly CheckItem[])[]) {
      await expect(edgeLimits().checkAll(items)).rejects.toThrow("Cannot check all: items")
    }
    await expect(edgeLimits().allowAll([])).rejects.toThrow(RangeError)
  })
})
