import { createExecutionContext, waitOnExecutionContext } from "cloudflare:test"
import { env, exports } from "cloudflare:workers"
import { afterEach, describe, expect, test, vi } from "vitest"
import { limitNameFor, parseConfig, policyFor, rateLimitOptions } from "../../src/config/index.js"
import { header, rateLimit as limitHandler } from "../../src/http/index.js"
import { parsePolicy } from "../../src/policy/parse-policy.js"
import type { PolicyInput } from "../../src/policy/policy.js"
import { StoreUnavailable } from "../../src/types/errors.js"
import { EDGE_OPTION_NAMES } from "../../worker/edge-limiter-options.js"
import { chosenPolicy, EdgeLimiter, type EdgeRateLimitOptions, rateLimit } from "../../worker/sluice-worker.js"
import { freshName } from "./objects.js"

/** Asks the Worker of these tests, as a client would. */
function ask(path: string, headers: Record<string, string> = {}): Promise<Response> {
  return exports.default.fetch(`http://localhost${path}`, { headers })
}

async function statusesOf(count: number, path: string, headers: Record<string, string>): Promise<number[]> {
  const statuses: number[] = []
  for (let asked = 0; asked < count; asked++) statuses.push((await ask(path, headers)).status)
  return statuses
}

describe("rateLimit() in a Worker", () => {
  test.each([
    { policy: "10/minute", cost: 11 },
    { limits: [{ policy: "20/minute" }, { policy: "10/minute as other", cost: 11 }] },
  ])("refuses a fixed cost that its policy never admits: %j", (options) => {
    expect(() => rateLimit(() => new Response(), options)).toThrow(
      new RangeError("Cannot rate limit: cost is 11, allowed is a whole number from 0 to 10."),
    )
  })

  test("takes and gives handlers as the platform types its own, and plain ones", async () => {
    type Platform = ExportedHandlerFetchHandler<Cloudflare.Env>
    const worker = {
      async fetch(request, bindings, context) {
        context.waitUntil(Promise.resolve(bindings.LIMITER))
        return new Response(request.cf?.country ?? "nowhere")
      },
    } satisfies ExportedHandler<Cloudflare.Env>
    const typed: Platform = worker.fetch
    const incoming = (request: Request<unknown, IncomingRequestCfProperties>) => new Response(request.method)
    const plain = (request: Request): Response => new Response(request.url)
    const options = { policy: "9/day", name: freshName() }
    const limited = [
      rateLimit<Cloudflare.Env>(worker.fetch, options),
      rateLimit(worker.fetch, options),
      rateLimit<Cloudflare.Env>(typed, options),
      rateLimit<Cloudflare.Env>(incoming, options),
      rateLimit<Cloudflare.Env>(plain, options),
      rateLimit(plain, options),
    ] as const
    limited satisfies readonly Platform[]
    const asWorker = { fetch: limited[0] } satisfies ExportedHandler<Cloudflare.Env>
    // @ts-expect-error a handler that needs a binding which the environment has not
    rateLimit<Cloudflare.Env>((_: Request, { OTHER }: { OTHER: string }) => new Response(OTHER), options)
    // The object's own context does.
    const asObject = (object: DurableObjectState) => asWorker.fetch(new Request("http://localhost/"), env, object)
    expect(asObject).toBeTypeOf("function")
    for (const each of limited) {
      const context = createExecutionContext()
      expect((await each(new Request("http://localhost/"), env, context)).status).toBe(200)
      await waitOnExecutionContext(context)
    }
  })

  test("tells the limit of each answer, and denies with 429, Retry-After and problem details", async () => {
    const client = { "CF-Connecting-IP": "192.0.2.1" }
    for (const remaining of [2, 1, 0]) {
      const response = await ask("/address", client)
      expect(response.status).toBe(200)
      expect(await response.json()).toEqual({ path: "/address" })
      expect(response.headers.get("RateLimit-Policy")).toBe('"address";q=3;w=86400')
      expect(response.headers.get("RateLimit")).toMatch(new RegExp(`^"address";r=${remaining};t=\\d+$`))
      expect(response.headers.has("Retry-After")).toBe(false)
    }
    const denied = await ask("/address", client)
    expect(denied.status).toBe(429)
    expect(denied.headers.get("Content-Type")).toBe("application/problem+json")
    expect(denied.headers.get("Cache-Control")).toBe("no-store")
    const problem = await denied.json<{ retry_after_ms: number }>()
    expect(problem).toMatchObject({ status: 429, "violated-policies": ["address"], limit: 3, remaining: 0, cost: 1 })
    const seconds = Math.ceil(problem.retry_after_ms / 1_000)
    expect(seconds).toBeGreaterThan(28_700)
    expect(denied.headers.get("Retry-After")).toBe(String(seconds))
    expect(denied.headers.get("RateLimit")).toBe(`"address";r=0;t=${seconds}`)
  })

  test("counts by CF-Connecting-IP: an IPv6 network together, other addresses apart, other headers not at all", async () => {
    expect(await statusesOf(2, "/address", { "CF-Connecting-IP": "2001:db8:0:1201::1" })).toEqual([200, 200])
    expect(await statusesOf(2, "/address", { "CF-Connecting-IP": "2001:db8:0:12ff::2" })).toEqual([200, 429])
    expect(await statusesOf(1, "/address", { "CF-Connecting-IP": "2001:db8:0:1301::1" })).toEqual([200])
    const forwarded = { "CF-Connecting-IP": "2001:db8:0:1201::1", "X-Forwarded-For": "192.0.2.77" }
    expect(await statusesOf(1, "/address", forwarded)).toEqual([429])
  })

  test("gives every plan its own limit", async () => {
    const client = { "CF-Connecting-IP": "192.0.2.2" }
    expect(await statusesOf(3, "/plan", { ...client, plan: "free" })).toEqual([200, 200, 429])
    expect(await statusesOf(5, "/plan", { ...client, plan: "pro" })).toEqual([200, 200, 200, 200, 429])
    expect((await ask("/plan", { ...client, plan: "pro" })).headers.get("RateLimit-Policy")).toContain('"pro";q=4')
  })

  describe("counts the policies apart that it chooses among, of one name and for one key", () => {
    const config = parseConfig(`
      limits.api = { policy = "2/day", key = "header:user" }
      tenants.acme.limits.api = "5/day"
      tenants.globex.limits.api = "5/day"
    `)
    const byTenant = { tenant: (request: Request) => request.headers.get("tenant") }
    const chosen = (request: Request) => (request.headers.has("tenant") ? "5/day as api" : "2/day as api")

    test.each<[string, EdgeRateLimitOptions<Cloudflare.Env>, { acme: number; globex: number }]>([
      ["a configuration", rateLimitOptions(config, "api", byTenant), { acme: 5, globex: 5 }],
      ["a configuration", { name: "api 2", ...rateLimitOptions(config, "api", byTenant) }, { acme: 5, globex: 5 }],
      ["a function", { name: "api 3", policy: chosen, key: header("user") }, { acme: 3, globex: 2 }],
    ])("as %s gives them", async (_, options, ofTenants) => {
      const limited = rateLimit<Cloudflare.Env>(() => new Response("hello"), options)
      const user = freshName()
      const admitted = { acme: 0, globex: 0, none: 0 }
      for (let asked = 0; asked < 8; asked++) {
        for (const tenant of ["none", "acme", "globex"] as const) {
          const headers = { user, ...(tenant !== "none" && { tenant }) }
          const request = new Request("http://localhost/", { headers })
          admitted[tenant] += Number((await limited(request, env, createExecutionContext())).status === 200)
        }
      }
      expect(admitted).toEqual({ ...ofTenants, none: 2 })
    })

    test("in objects that a limiter of the same name finds", async () => {
      const name = freshName()
      const limited = rateLimit<Cloudflare.Env>(() => new Response("hello"), {
        name,
        ...rateLimitOptions(config, "api", byTenant),
      })
      const headers = { user: "ann", tenant: "acme" }
      await limited(new Request("http://localhost/", { headers }), env, createExecutionContext())
      const whose = { tenant: "acme" }
      const policy = { ...policyFor(config, "api", whose), limitName: limitNameFor(config, "api", whose) }
      const limiter = new EdgeLimiter(env.LIMITER, policy, { name })
      expect(await limiter.status("header:user=ann")).toMatchObject({ remaining: 4 })
      expect(await env.LIMITER.getByName(`\t${name}\tapi%0Atenant%3Aacme\nheader:user=ann`).report()).toMatchObject({
        admitted: 1,
      })
    })

    describe("that a limiter of chosenPolicy() finds", () => {
      const key = header("user")
      const long = Array.from({ length: 8 }, (_, rule) => ({
        ...{ limit: 10, period: `${rule + 1}d`, name: `${rule} ${"long ".repeat(12)}x` },
      }))
      const ruleOf = (name: string) => ({ limit: 10, period: "1h", name })
      type Options = EdgeRateLimitOptions<Cloudflare.Env>
      const cases: [string, (name: string) => readonly [Options, PolicyInput, string?]][] = [
        ["a short form", (name) => [{ name, policy: () => "10/h as pro", key }, "10/h as pro"]],
        [
          "another spelling",
          (name) => [
            { name, policy: () => "10/h" },
            { limit: 10, period: "60m" },
          ],
        ],
        ["a long policy", (name) => [{ name, policy: () => long }, long]],
        ["objects that are named after it", (name) => [{ policy: () => ruleOf(name) }, ruleOf(name)]],
        ["an entry of limits", (name) => [{ name, limits: [{ policy: () => "10/h as pro" }] }, "10/h as pro"]],
        [
          "an entry that has a name",
          (name) => [{ name, limits: [{ name: "user", policy: () => "10/h" }] }, "10/h", "user"],
        ],
        [
          "an entry that has a name, and several rules",
          (name) => [{ name, limits: [{ name: "user", policy: () => "10/h; 20/d" }] }, "10/h; 20/d", "user"],
        ],
        [
          "a second entry without a name",
          () => [{ limits: [{ policy: "20/h", key: () => "all" }, { policy: () => "10/h" }] }, "10/h", "default-2"],
        ],
      ]

      test.each(cases)("of %s", async (_, make) => {
        const [options, policy, entry] = make(freshName())
        const limits = options.limits?.map((entry, index, { length }) =>
          index < length - 1 ? entry : { ...entry, key },
        )
        const limited = rateLimit<Cloudflare.Env>(() => new Response("hello"), {
          ...options,
          ...(limits ? { limits } : { key }),
        })
        const user = freshName()
        const request = new Request("http://localhost/", { headers: { user } })
        const context = createExecutionContext()
        expect((await limited(request, env, context)).headers.get("RateLimit")).toContain("r=9;")
        await waitOnExecutionContext(context)
        const chosen = chosenPolicy(policy, { name: entry })
        const { name } = options
        const place = name !== undefined && limits ? `${name}/${chosen.name}` : name
        const limiter = new EdgeLimiter(env.LIMITER, chosen, { name: place })
        expect(await limiter.status(`header:user=${user}`)).toMatchObject({ remaining: 9 })
        expect(await limiter.reset(`header:user=${user}`)).toBe(true)
        expect((await limited(request, env, createExecutionContext())).headers.get("RateLimit")).toContain("r=9;")
      })
    })

    test("under names that no other tenant, name and limit have", async () => {
      const policyFor = (limitName?: string) => ({
        ...parsePolicy("1/day"),
        ...(limitName !== undefined && { limitName }),
      })
      const of = (tenant: string | undefined, name: string, limitName?: string) =>
        new EdgeLimiter(env.LIMITER, policyFor(limitName), { name, ...(tenant !== undefined && { tenant }) })
      const [one, two] = [freshName(), freshName()]
      const all = [
        of(undefined, one),
        of(undefined, one, two),
        of(one, two),
        of(two, one),
        of(two, one, two),
        of(undefined, `${one}%09${two}`),
        of(undefined, one, `${two}\t${one}`),
      ]
      for (const limiter of all) expect(await limiter.check("a")).toMatchObject({ allowed: true })
      for (const limiter of all) expect(await limiter.check("a")).toMatchObject({ allowed: false })
      // The limit that a configuration has for everybody is the one of the name itself.
      expect(await of(undefined, one, one).check("a")).toMatchObject({ allowed: false })
    })
  })

  test("counts by a key of one's own, which may ask the environment", async () => {
    expect(await statusesOf(3, "/key", { user: "ann" })).toEqual([200, 200, 429])
    expect(await statusesOf(1, "/key", { user: "bob" })).toEqual([200])
    expect(await new EdgeLimiter(env.LIMITER, "2/day as key").status("object:ann")).toMatchObject({ remaining: 0 })
  })

  test("charges a cost of one's own, and refuses one that can never pass with a 400", async () => {
    const client = { "CF-Connecting-IP": "192.0.2.3" }
    expect((await ask("/cost", { ...client, cost: "7" })).headers.get("RateLimit")).toMatch(/^"cost";r=3;/)
    expect((await ask("/cost", { ...client, cost: "4" })).status).toBe(429)
    const refused = await ask("/cost", { ...client, cost: "11" })
    expect(refused.status).toBe(400)
    expect(await refused.json()).toMatchObject({ code: "COST_ABOVE_CAPACITY", maximum: 10 })
    expect((await ask("/cost", { ...client, cost: "3" })).status).toBe(200)
  })

  test("gives the charge of a failed request back", async () => {
    const limited = rateLimit<Cloudflare.Env>(() => new Response(null, { status: 500 }), {
      policy: "2/day as failed",
      skipFailedRequests: true,
      key: () => "the client",
    })
    for (let asked = 0; asked < 5; asked++) {
      const context = createExecutionContext()
      expect((await limited(new Request("http://localhost/"), env, context)).status).toBe(500)
      await waitOnExecutionContext(context)
    }
    expect(await new EdgeLimiter(env.LIMITER, "2/day as failed").status("the client")).toMatchObject({ remaining: 2 })
  })

  test("admits exactly the limit of 60 requests that come at once", async () => {
    const headers = { "CF-Connecting-IP": "192.0.2.4" }
    const responses = await Promise.all(Array.from({ length: 60 }, () => ask("/address", headers)))
    expect(responses.filter(({ status }) => status === 200)).toHaveLength(3)
    expect(responses.filter(({ status }) => status === 429)).toHaveLength(57)
  })

  test("decides on several limits, and gives back what one charged for what another denied", async () => {
    const ann = { user: "ann-of-several", org: "acme" }
    const bob = { user: "bob-of-several", org: "acme" }
    expect(await statusesOf(3, "/several", ann)).toEqual([200, 200, 429])
    expect(await statusesOf(2, "/several", bob)).toEqual([200, 429])
    // Bob's second unit came back, if not before the answer then soon after.
    await vi.waitFor(async () => {
      const response = await ask("/several", { ...bob, org: "other" })
      expect(response.status).toBe(200)
      expect(response.headers.get("RateLimit-Policy")).toBe('"default";q=2;w=86400, "default-2";q=3;w=86400')
    })
  })

  test("admits exactly the smaller of several limits of requests that come at once, and no more ever", async () => {
    const headers = { user: "all", org: "crowd" }
    const responses = await Promise.all(Array.from({ length: 30 }, () => ask("/several", headers)))
    expect(responses.filter(({ status }) => status === 200)).toHaveLength(2)
  })

  test("counts several limits on one key apart", async () => {
    expect(await statusesOf(4, "/same-key", { user: "ann" })).toEqual([200, 200, 200, 429])
    const { headers } = await ask("/same-key", { user: "ann" })
    expect(headers.get("RateLimit")).toMatch(/^"default";r=0;t=\d+, "default-2";r=2;t=\d+$/)
  })

  test("of sluice/http asks limiters at the edge in the same way: known denials first, limits with a block last", async () => {
    const org = freshName()
    const blocking = { limit: 3, period: "1d", block: "1h", name: org } as const
    const once = { limit: 1, period: "1d", name: freshName() } as const
    const limited = limitHandler(() => new Response("hello"), {
      limits: [
        { policy: blocking, key: () => "org" },
        { policy: once, key: header("user") },
      ],
      limiter: (policy) => new EdgeLimiter(env.LIMITER, policy),
    })
    const statusOf = async (name: string) =>
      (await limited(new Request("http://localhost/", { headers: { user: name } }))).status
    const object = env.LIMITER.getByName(`${org}\norg`)
    expect(await statusOf("mallory")).toBe(200)
    const before = await object.report()
    const flood = await Promise.all(Array.from({ length: 20 }, () => statusOf("mallory")))
    expect(new Set(flood)).toEqual(new Set([429]))
    expect(await object.report()).toEqual(before)
    expect(await new EdgeLimiter(env.LIMITER, blocking).status("org")).toMatchObject({ remaining: 2, blockedForMs: 0 })
    const statuses: number[] = []
    for (const name of ["ann", "bob", "eve"]) statuses.push(await statusOf(name))
    expect(statuses).toEqual([200, 200, 429])
    expect(await new EdgeLimiter(env.LIMITER, once).status("header:user=eve")).toMatchObject({ remaining: 1 })
  })

  test("asks no object of a limit beside one that is known to deny, and tells nothing of what is left there", async () => {
    const [site, users] = [freshName(), freshName()]
    const [shared, own] = [
      new EdgeLimiter(env.LIMITER, { limit: 1, period: "1d", name: "site" }, { name: site }),
      new EdgeLimiter(env.LIMITER, { limit: 3, period: "1d", name: "user" }, { name: users }),
    ]
    const limited = limitHandler(() => new Response("hello"), {
      limits: [
        { policy: shared.policy, key: () => "all" },
        { policy: own.policy, key: header("user") },
      ],
      limiter: ({ name }) => (name === "site" ? shared : own),
    })
    const fieldsOf = async (user: string) => {
      const { status, headers } = await limited(new Request("http://localhost/", { headers: { user } }))
      return [status, headers.get("RateLimit-Policy"), headers.get("RateLimit")?.replace(/t=\d+/g, "t=…")]
    }
    const policies = '"site";q=1;w=86400, "user";q=3;w=86400'
    expect(await fieldsOf("ann")).toEqual([200, policies, '"site";r=0;t=…, "user";r=2;t=…'])
    expect(await fieldsOf("ann")).toEqual([429, policies, '"site";r=0;t=…, "user";r=2;t=…'])
    const before = shared.calls + own.calls
    expect(await fieldsOf("ann")).toEqual([429, policies, '"site";r=0;t=…, "user";r=2;t=…'])
    for (let user = 0; user < 50; user++) expect(await fieldsOf(`${user}`)).toEqual([429, policies, '"site";r=0;t=…'])
    expect(shared.calls + own.calls).toBe(before)
  })

  test("of sluice/http charges limiters of one name and key each by itself", async () => {
    const name = freshName()
    const limited = limitHandler(() => new Response("hello"), {
      limits: [
        { policy: "4/day as one", key: () => "a" },
        { policy: "5/day as two", key: () => "a" },
      ],
      limiter: (policy) => new EdgeLimiter(env.LIMITER, policy, { name, denialCache: false }),
    })
    const statuses: number[] = []
    for (let asked = 0; asked < 3; asked++) statuses.push((await limited(new Request("http://localhost/"))).status)
    expect(statuses).toEqual([200, 200, 429])
  })

  test("allows and denies by the address in CF-Connecting-IP", async () => {
    expect(await statusesOf(2, "/lists", { "CF-Connecting-IP": "198.51.100.7" })).toEqual([200, 200])
    expect(await statusesOf(1, "/lists", { "CF-Connecting-IP": "203.0.113.9" })).toEqual([403])
    expect(await statusesOf(1, "/lists", { "CF-Connecting-IP": "2001:db8:bad::1" })).toEqual([403])
    expect(await statusesOf(2, "/lists", { "CF-Connecting-IP": "192.0.2.50" })).toEqual([200, 429])
  })

  test("charges a penalty after the response", async () => {
    expect(await statusesOf(1, "/penalty", { user: "ann" })).toEqual([401])
    const limiter = new EdgeLimiter(env.LIMITER, "10/day as penalty")
    await vi.waitFor(async () => expect(await limiter.status("user:ann")).toMatchObject({ remaining: 1 }))
    expect(await statusesOf(2, "/penalty", { user: "ann" })).toEqual([401, 429])
  })

  test("limits all together whose key cannot be had", async () => {
    expect(await statusesOf(2, "/throws", {})).toEqual([200, 429])
  })

  test("limits the opening of a socket, and the messages that come over it", async () => {
    const headers = { "CF-Connecting-IP": "192.0.2.60", Upgrade: "websocket" }
    const { status, webSocket } = await ask("/socket", headers)
    expect(status).toBe(101)
    const heard: unknown[] = []
    const closed = new Promise<[number, string]>((resolve) => {
      webSocket!.addEventListener("message", ({ data }) => heard.push(data))
      webSocket!.addEventListener("close", ({ code, reason }) => resolve([code, reason]))
    })
    webSocket!.accept()
    for (const message of ["a", "b", "c", "d", "e"]) webSocket!.send(message)
    const [code, reason] = await closed
    expect([code, reason.startsWith("Too many messages")]).toEqual([1008, true])
    expect(heard).toEqual(["heard a", "heard b", "heard c"])
    expect((await ask("/socket", headers)).status).toBe(429)
  })

  test("throws where the environment has no binding, rather than let every request pass", async () => {
    const limited = rateLimit(() => new Response("hello"), { policy: "1/day", failMode: "open" })
    const context = createExecutionContext()
    const empty = {} as Cloudflare.Env
    await expect(limited(new Request("http://localhost/"), empty, context)).rejects.toThrow(
      new TypeError("Cannot limit: env.LIMITER is undefined, allowed is a binding of LimiterObject."),
    )
    const misspelt = rateLimit<Cloudflare.Env>(() => new Response("hello"), {
      policy: "1/day",
      binding: () => undefined,
    })
    await expect(misspelt(new Request("http://localhost/"), env, context)).rejects.toThrow(
      new TypeError("Cannot limit: binding gave undefined, allowed is a binding of LimiterObject."),
    )
  })

  test.each([
    ["a KV namespace", { get: () => null, put: () => undefined, list: () => [] }],
    ["a promise", Promise.resolve(env.LIMITER)],
    ["null", null],
    ["a text", "LIMITER"],
  ])("throws where its binding is %s, rather than let every request pass", async (_, binding) => {
    const request = new Request("http://localhost/")
    const message = /^Cannot limit: .*, allowed is a binding of LimiterObject\.$/
    const wrong = rateLimit<Cloudflare.Env>(() => new Response("hello"), {
      policy: "1/day",
      binding: () => binding as never,
    })
    await expect(wrong(request, env, createExecutionContext())).rejects.toThrow(message)
    const limited = rateLimit(() => new Response("hello"), { policy: "1/day" })
    await expect(limited(request, { LIMITER: binding } as never, createExecutionContext())).rejects.toThrow(message)
  })

  describe("throws at once whatever is wrong with an option of the limiter, which would fail each request", () => {
    const odd = [0, -1, 0.5, 2 ** 53, Number.NaN, "", "abc", "1m", "21s", "30s", "\n", "\ud800", true, null, [], {}]
    const oddLeases = odd.flatMap((value) => [{ units: value }, { ttl: value }, { units: 8, ttl: "1s", name: value }])
    // `background` is none of the middleware, and local workerd has no jurisdictions.
    const names = EDGE_OPTION_NAMES.filter((name) => !["background", "jurisdiction"].includes(name))
    const cases = names.map((name) => [name, name === "lease" ? [...odd, ...oddLeases] : odd] as const)

    test.each(cases)("%s", async (name, values) => {
      let refused = 0
      for (const [limits, value] of values.flatMap((each) => [[false, each] as const, [true, each] as const])) {
        const errors: unknown[] = []
        const policy = "1000000/second"
        const options = {
          ...(limits ? { limits: [{ policy }] } : { policy }),
          ...{ [name]: value, onError: (error: unknown) => void errors.push(error) },
        } as EdgeRateLimitOptions<Cloudflare.Env>
        let limited: ReturnType<typeof rateLimit<Cloudflare.Env>>
        try {
          limited = rateLimit<Cloudflare.Env>(() => new Response("hello"), options)
        } catch (error) {
          expect(error).toBeInstanceOf(RangeError)
          expect((error as Error).message).toMatch(new RegExp(`^Cannot .*: (option is ".*)?${name}`))
          refused += 1
          continue
        }
        const context = createExecutionContext()
        const { headers } = await limited(new Request("http://localhost/"), env, context)
        expect({ value, limited: headers.has("RateLimit"), errors }).toEqual({ value, limited: true, errors: [] })
        await waitOnExecutionContext(context)
      }
      expect(refused).toBeGreaterThan(0)
    })
  })

  test("takes another binding, and refuses options that cannot be", async () => {
    const limited = rateLimit<{ OTHER: Cloudflare.Env["LIMITER"] }>(() => new Response("hello"), {
      policy: "1/day as other",
      binding: ({ OTHER }) => OTHER,
      key: () => "a",
    })
    const statuses: number[] = []
    for (let asked = 0; asked < 2; asked++) {
      const response = await limited(new Request("http://localhost/"), { OTHER: env.LIMITER }, createExecutionContext())
      statuses.push(response.status)
    }
    expect(statuses).toEqual([200, 429])
    expect(() => rateLimit(() => new Response("hello"), { policy: "10/fortnight" })).toThrow("period")
    expect(() => rateLimit(() => new Response("hello"), { policy: "1/day", timeoutMs: 0 })).toThrow("timeoutMs")
    for (const options of [undefined, null, "1/day"]) {
      expect(() => rateLimit(() => new Response("hello"), options as never)).toThrow(
        /options is .*, allowed is an object/,
      )
    }
    expect(() => rateLimit(() => new Response("hello"), { policy: "1/day", bindings: 1 } as never)).toThrow(
      /option is "bindings", allowed is binding, name, tenant, shards, .*locationHint, jurisdiction, .*policy, .* \(did you mean "binding"\?\)/,
    )
    // Several limits are asked together, of their objects.
    const [one, two] = ["1/day as one", "2/day as two"].map((policy) => ({ policy, key: () => "a" })) as [
      object,
      object,
    ]
    const leasing = (limits: object[]) => rateLimit(() => new Response("hello"), { limits, lease: "auto" } as never)
    expect(() => leasing([one, two])).toThrow("lease is given, allowed is that only with one limit.")
    expect(() => leasing([one])).not.toThrow()
    // The limiter is made here: another would not be asked.
    for (const name of ["limiter", "background"]) {
      const options = { policy: "1/day", [name]: () => 1 } as never
      expect(() => rateLimit(() => new Response("hello"), options)).toThrow(
        new RegExp(`option is "${name}", allowed is (?!.*\\b${name}\\b)`),
      )
    }
  })
})

describe("rateLimit() when the object does not answer", () => {
  afterEach(() => {
    vi.useRealTimers()
  })

  /** A namespace whose objects do this when they are asked. */
  function namespaceOf(decide: () => Promise<unknown>): Cloudflare.Env {
    return { LIMITER: { getByName: () => ({ decide }) } } as unknown as Cloudflare.Env
  }

  async function answer(failing: Cloudflare.Env, options: Partial<EdgeRateLimitOptions<Cloudflare.Env>>) {
    const errors: unknown[] = []
    const limited = rateLimit<Cloudflare.Env>(() => new Response("hello"), {
      policy: "1/day as failing",
      key: () => "a",
      timeoutMs: 250,
      onError: (error) => void errors.push(error),
      ...options,
    })
    const statuses: number[] = []
    for (let asked = 0; asked < 2; asked++) {
      const work = limited(new Request("http://localhost/"), failing, createExecutionContext())
      if (vi.isFakeTimers()) await vi.advanceTimersByTimeAsync(250)
      statuses.push((await work).status)
    }
    return { statuses, errors }
  }

  const modes = [
    { failMode: "open", statuses: [200, 200] },
    { failMode: "closed", statuses: [503, 503] },
    { failMode: "local", statuses: [200, 429] },
  ] as const

  test.each(modes)("and hangs, answers as failMode $failMode says after timeoutMs", async ({ failMode, statuses }) => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] })
    const hanging = namespaceOf(() => new Promise(() => {}))
    const answered = await answer(hanging, { failMode })
    expect(answered.statuses).toEqual(statuses)
    expect(answered.errors).toHaveLength(2)
    for (const error of answered.errors) expect((error as Error).message).toContain("within 250 ms")
  })

  test.each(modes)("but throws, answers as failMode $failMode says at once", async ({ failMode, statuses }) => {
    const cause = new Error("Network connection lost.")
    const throwing = namespaceOf(() => Promise.reject(cause))
    const answered = await answer(throwing, { failMode })
    expect(answered.statuses).toEqual(statuses)
    for (const error of answered.errors) {
      expect(error).toBeInstanceOf(StoreUnavailable)
      expect((error as Error).cause).toBe(cause)
    }
  })

  test("and answers in time, does not wait", async () => {
    const { statuses, errors } = await answer(env, { key: () => "in time" })
    expect({ statuses, errors }).toEqual({ statuses: [200, 429], errors: [] })
  })
})
