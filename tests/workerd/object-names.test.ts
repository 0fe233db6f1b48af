import { createExecutionContext, waitOnExecutionContext } from "cloudflare:test"
import { env } from "cloudflare:workers"
import { describe, expect, test } from "vitest"
import {
  type ConfiguredRateLimit,
  limitNameFor,
  parseConfig,
  policyFor,
  rateLimitOptions,
} from "../../src/config/index.js"
import { parsePolicy } from "../../src/policy/parse-policy.js"
import worker from "../../worker/index.js"
import type { ServiceEnv } from "../../worker/service.js"
import {
  EdgeLimiter,
  type EdgeLimiterOptions,
  type EdgeRateLimitOptions,
  rateLimit,
} from "../../worker/sluice-worker.js"
import { freshName } from "./objects.js"

/** A namespace, and the names by which objects are asked for. */
function recording() {
  const names = new Set<string>()
  const getByName: typeof env.LIMITER.getByName = (name, options) => {
    names.add(name)
    return env.LIMITER.getByName(name, options)
  }
  return { names, namespace: { getByName } as typeof env.LIMITER }
}

/** Asks a Worker with these options once, and tells its answer and the objects that it asked. */
async function ask(options: EdgeRateLimitOptions<Cloudflare.Env>, headers: Record<string, string> = {}) {
  const { names, namespace } = recording()
  const limited = rateLimit<Cloudflare.Env>(() => new Response("hello"), { ...options, binding: () => namespace })
  const context = createExecutionContext()
  const { status } = await limited(new Request("http://localhost/", { headers }), env, context)
  await waitOnExecutionContext(context)
  return { status, names: [...names] }
}

const key = () => "a"
const TWO_RULES = ["10/second; 3/hour", "20/second; 3/hour"] as const

/** What a configuration with a limit `api`, one `default` and a group `both` of them says. */
function configured(policy: string, name: string, tier = false): ConfiguredRateLimit {
  const text = `
    limits.api = { policy = "${policy}", key = "header:user" }
    limits.default = { policy = "${policy}", key = "header:user" }
    groups.both.limits = ["api", "default"]
    tiers.pro.limits.api = "50/hour"
  `
  return rateLimitOptions(parseConfig(text), name, tier ? { tier: ({ headers }) => headers.get("tier") } : {})
}

describe("the objects of a limit", () => {
  test.each<[string, (policy: string) => EdgeRateLimitOptions<Cloudflare.Env>, string[]]>([
    ["the name given", (policy) => ({ name: "n1", policy, key }), ["n1\na"]],
    ["each limit's name", (policy) => ({ limits: [{ name: "n2", policy, key }] }), ["n2\na"]],
    [
      "the name given and each limit's",
      (policy) => ({ name: "n3", limits: [{ name: "user", policy, key }] }),
      ["n3/user\na"],
    ],
    [
      "the name given and each limit's place, where they have no names",
      (policy) => ({
        name: "n4",
        limits: [
          { policy, key },
          { policy: "9/minute; 9/hour", key },
        ],
      }),
      ["n4/default\na", "n4/default-2\na"],
    ],
    ["a configured limit", (policy) => configured(policy, "api"), ["api\nunidentified"]],
    ["a configured limit called default", (policy) => configured(policy, "default"), ["default\nunidentified"]],
    ["a configured limit with tiers", (policy) => configured(policy, "api", true), ["api\nunidentified"]],
    [
      "the limits of a configured group",
      (policy) => configured(policy, "both"),
      ["api\nunidentified", "default\nunidentified"],
    ],
    [
      "the name given and the limits of a configured group",
      (policy) => ({ name: "n5", ...configured(policy, "both") }),
      ["n5/api\nunidentified", "n5/default\nunidentified"],
    ],
  ])("are named after %s, whatever its rules are", async (_, optionsOf, names) => {
    for (const policy of ["3/hour", ...TWO_RULES]) expect((await ask(optionsOf(policy))).names).toEqual(names)
  })

  test("are named after the policy where nobody named the limit", async () => {
    for (const policy of ["3/hour", ...TWO_RULES]) {
      const { canonical } = parsePolicy(policy)
      expect((await ask({ policy, key })).names).toEqual([`${canonical}\na`])
      expect((await ask({ limits: [{ policy, key }] })).names).toEqual([`${canonical}\na`])
    }
  })

  test("are named after the only rule where that has a name of its own", async () => {
    const policy = "3/hour as own"
    expect((await ask({ limits: [{ name: "user", policy, key }] })).names).toEqual(["own\na"])
    expect((await ask({ name: "n6", limits: [{ name: "user", policy, key }] })).names).toEqual(["n6/own\na"])
    const config = parseConfig('limits.api = { policy = "3/hour as own", key = "header:user" }')
    expect((await ask(rateLimitOptions(config, "api"))).names).toEqual(["own\nunidentified"])
  })

  test("are named after the only rule also where it is called as one that got its name by its place", async () => {
    const { names, namespace } = recording()
    // By itself, a middleware elsewhere may have given it that name.
    await new EdgeLimiter(namespace, "3/hour as default-2").check("a")
    expect([...names]).toEqual([`${parsePolicy("3/hour as default-2").canonical}\na`])
    expect((await ask({ policy: "3/hour as default-2", key })).names).toEqual(["default-2\na"])
    const limits = [
      { policy: "9/minute; 9/hour", key },
      { policy: "3/hour as default-2", key },
    ]
    expect((await ask({ limits })).names).toContain("default-2\na")
    const { canonical } = parsePolicy("3/hour as default-2")
    const unnamed = limits.map((limit) => ({ ...limit, policy: limit.policy.replace(" as default-2", "") }))
    expect((await ask({ limits: unnamed })).names).toContain(`${canonical}\na`)
  })

  test.each<[string, EdgeRateLimitOptions<Cloudflare.Env>]>([
    [
      "user",
      {
        limits: [
          { name: "user", policy: "2/minute; 3/hour", key },
          { name: "user", policy: "2/second; 30/day", key },
        ],
      },
    ],
    ["user", { limits: [{ name: "user", policy: TWO_RULES[0] }, { policy: "3/hour as user" }] }],
    ["user", { limits: [{ policy: "3/hour as user" }, { name: "user", policy: TWO_RULES[0] }] }],
    ["default", { name: "n7", limits: [{ policy: TWO_RULES[0] }, { name: "default", policy: "2/second; 30/day" }] }],
  ])("are those of one limit alone: a second one called %s is refused", (name, options) => {
    const message = `Cannot rate limit: limits[1].name is "${name}", allowed is a name of no other limit.`
    expect(() => rateLimit(() => new Response("hello"), options)).toThrow(new RangeError(message))
  })

  test("are named after what a function made up, so a changed policy has others", async () => {
    const namesOf = async (text: string) => (await ask({ policy: () => text, key })).names
    const { canonical } = parsePolicy(TWO_RULES[0])
    expect(await namesOf(TWO_RULES[0])).toEqual([`\t${canonical}\t10%2Fsecond%3B%203%2Fhour\na`])
    expect(await namesOf(TWO_RULES[1])).not.toEqual(await namesOf(TWO_RULES[0]))
  })

  test("are the same for a group of the deployed Worker as for its limits alone", async () => {
    const { names, namespace } = recording()
    const CONFIG = `
      limits.api = { policy = "${TWO_RULES[0]}" }
      limits.default = { policy = "${TWO_RULES[0]}" }
      groups.both = { limits = ["api", "default"], paths = ["/"] }
    `
    const request = new Request("http://localhost/", { headers: { "CF-Connecting-IP": "192.0.2.1" } })
    const context = createExecutionContext()
    const workerEnv = { LIMITER: namespace, CONFIG } as unknown as ServiceEnv
    await worker.fetch(request as Parameters<typeof worker.fetch>[0], workerEnv, context)
    await waitOnExecutionContext(context)
    expect([...names]).toEqual(["api\nip:192.0.2.1", "default\nip:192.0.2.1"])
  })
})

describe("a limit that gets tiers", () => {
  test.each<[string, EdgeLimiterOptions]>([
    ["objects of one key", {}],
    ["shards", { shards: 2 }],
    ["an owner", { owner: "of tiers" }],
  ])("goes on with the counts that it had: %s", async (_, options) => {
    const name = freshName()
    const text = `
      limits."${name}" = { policy = "3/day", key = "header:user" }
      tiers.pro.limits."${name}" = "5/day"
    `
    const config = parseConfig(text)
    const tier = (request: Request) => request.headers.get("tier")
    const without = { ...rateLimitOptions(config, name), name, ...options }
    const withTiers = { ...rateLimitOptions(config, name, { tier }), name, ...options }
    const user = { user: "ann" }
    expect((await ask(without, user)).status).toBe(200)
    expect((await ask(withTiers, user)).status).toBe(200)
    expect((await ask(without, user)).status).toBe(200)
    expect((await ask(withTiers, user)).status).toBe(429)
    expect((await ask(withTiers, { ...user, tier: "pro" })).status).toBe(200)

    // Whoever makes a limiter by the documented names finds both.
    const limiterOf = (whose: { tier?: string }) => {
      const policy = { ...policyFor(config, name, whose), limitName: limitNameFor(config, name, whose) }
      return new EdgeLimiter(env.LIMITER, policy, { name, ...options })
    }
    expect(await limiterOf({ tier: "pro" }).status("header:user=ann")).toMatchObject({ remaining: 4 })
    expect(await limiterOf({}).reset("header:user=ann")).toBe(true)
  })

  test("goes on with the counts of its several rules that it had without a name", async () => {
    for (const tier of [false, true]) {
      expect((await ask(configured(TWO_RULES[0], "api", tier), { user: "eve" })).names).toEqual([
        "api\nheader:user=eve",
      ])
    }
    const pro = await ask(configured(TWO_RULES[0], "api", true), { user: "eve", tier: "pro" })
    expect(pro.names).toEqual(["\tapi\tapi%0Atier%3Apro\nheader:user=eve"])
  })
})

test("an owner of a key that is none is refused, and nobody is asked", async () => {
  for (const owner of [undefined, "", 7, null, "\ud800", Promise.resolve("acme")]) {
    const { names, namespace } = recording()
    const limiter = new EdgeLimiter(namespace, "1/day", { owner: (() => owner) as never })
    for (const asked of [
      limiter.check("a"),
      limiter.reset("a"),
      limiter.status("a"),
      limiter.checkAll([{ key: "a" }]),
    ]) {
      await expect(asked).rejects.toThrow(
        /^Cannot find the object of key "a": the answer of owner is .*, allowed is a well-formed text, not empty\.$/,
      )
    }
    expect(names.size).toBe(0)
  }
})
