import { describe, expect, test, vi } from "vitest"
import { isListed, listedDecision } from "../../src/http/access.js"
import { clientAddress, header, type RateLimitOptions, rateLimit } from "../../src/http/index.js"
import { unasked } from "../../src/http/unasked.js"
import { RateLimiter } from "../../src/limiter/rate-limiter.js"
import { ManualClock } from "../../src/types/clock.js"
import type { Decision } from "../../src/types/decision.js"
import { decisionOf, denialOf, FakeLimiter } from "./fake-limiter.js"
import { ok, requestOf } from "./requests.js"

type Info = { remoteAddress?: string }

test("isListed() tells decisions of lists from those of limits with the same names", () => {
  const asked = { key: "k", cost: 1 }
  for (const access of ["allow", "deny"] as const) {
    const limiter = new RateLimiter(`1/minute as ${access}`, { clock: new ManualClock(0) })
    expect(isListed(listedDecision(access, limiter.policy, "k", 1))).toBe(true)
    limiter.block("blocked", "1s")
    const decisions = [
      limiter.check("k", { cost: 0 }),
      limiter.check("k"),
      limiter.check("k"),
      limiter.check("blocked"),
      ...(["fail-open", "fail-closed"] as const).map((reason) => unasked(reason, { ...asked, policy: limiter.policy })),
      // Of a limiter of somebody's own, which need not give receipts.
      decisionOf({ policy: access }),
      denialOf({ policy: access, reason: "blocked", retryAfterMs: 0 }),
    ]
    expect(decisions.filter(isListed)).toEqual([])
  }
})

test("isListed() still knows a copy, and what is admitted at no cost is nobody's", () => {
  const told = (["allow", "deny"] as const).flatMap((access) =>
    [0, 1].map((cost) => isListed({ ...listedDecision(access, undefined, "k", cost), key: "other" })),
  )
  expect(told).toEqual([false, true, true, true])
})

test("isListed() is false of a rule named allow whose limiter could not be asked", async () => {
  const onDecision = vi.fn()
  const limiter = () => new FakeLimiter(() => Promise.reject(new Error("down")))
  const limited = rateLimit(ok, { policy: "1/minute as allow", key: () => "k", limiter, onDecision, onError: () => {} })
  expect((await limited(requestOf())).status).toBe(200)
  const [[decision]] = onDecision.mock.calls as [[Decision]]
  expect(decision).toMatchObject({ policy: "allow", reason: "fail-open" })
  expect(isListed(decision)).toBe(false)
})

describe("rateLimit() with allow and deny lists", () => {
  const limitedBy = (options: Partial<RateLimitOptions<[Info]>>) =>
    rateLimit((_request: Request, _info: Info) => ok(), { policy: "1/minute", clock: new ManualClock(0), ...options })

  async function statusesOf(limited: ReturnType<typeof limitedBy>, info: Info, headers = {}) {
    const statuses: number[] = []
    for (let asked = 0; asked < 2; asked++) statuses.push((await limited(requestOf(headers), info)).status)
    return statuses
  }

  test("lets allowed addresses pass unlimited and untold, and limits the others", async () => {
    const limited = limitedBy({ allow: { addresses: ["10.0.0.0/8", "2001:db8::/32"] } })
    expect(await statusesOf(limited, { remoteAddress: "10.1.2.3" })).toEqual([200, 200])
    expect(await statusesOf(limited, { remoteAddress: "2001:db8:1::1" })).toEqual([200, 200])
    expect((await limited(requestOf(), { remoteAddress: "10.1.2.3" })).headers.has("ratelimit")).toBe(false)
    expect(await statusesOf(limited, { remoteAddress: "11.1.2.3" })).toEqual([200, 429])
    expect(await statusesOf(limited, {})).toEqual([200, 429])
  })

  test("refuses denied addresses with a 403 and charges nothing", async () => {
    const onDecision = vi.fn()
    const limited = limitedBy({ deny: { addresses: ["192.0.2.0/24"] }, onDecision })
    const refused = await limited(requestOf(), { remoteAddress: "192.0.2.9" })
    expect(refused.status).toBe(403)
    expect(refused.headers.get("content-type")).toBe("application/problem+json")
    expect(refused.headers.get("cache-control")).toBe("no-store")
    expect(refused.headers.has("retry-after")).toBe(false)
    expect(await refused.json()).toMatchObject({
      type: "about:blank",
      title: "Forbidden",
      status: 403,
      code: "ACCESS_DENIED",
    })
    expect(onDecision.mock.calls[0]![0]).toMatchObject({ allowed: false, reason: "blocked", policy: "deny" })
  })

  test("lists keys as the extractors give them", async () => {
    const limited = limitedBy({
      key: header("X-Tenant"),
      allow: { keys: ["header:x-tenant=good"] },
      deny: { keys: ["header:x-tenant=bad"] },
    })
    expect(await statusesOf(limited, {}, { "X-Tenant": "good" })).toEqual([200, 200])
    expect(await statusesOf(limited, {}, { "X-Tenant": "bad" })).toEqual([403, 403])
    expect(await statusesOf(limited, {}, { "X-Tenant": "other" })).toEqual([200, 429])
  })

  test("lists keys that are too long to be kept, and those that are no well-formed text", async () => {
    const long = "a".repeat(600)
    const limited = limitedBy({
      key: (request) => request.headers.get("x-tenant")?.replace("broken", "\ud800"),
      allow: { keys: [`good ${long}`] },
      deny: { keys: [`bad ${long}`, "\ud800"] },
    })
    const atOnce = [1, 2].map(() => limited(requestOf({ "X-Tenant": `bad ${long}` }), {}))
    expect((await Promise.all(atOnce)).map(({ status }) => status)).toEqual([403, 403])
    expect(await statusesOf(limited, {}, { "X-Tenant": `good ${long}` })).toEqual([200, 200])
    expect(await statusesOf(limited, {}, { "X-Tenant": "broken" })).toEqual([403, 403])
    expect(await statusesOf(limited, {}, { "X-Tenant": long })).toEqual([200, 429])
  })

  test("tells the key that is on the list, and the first limit's where only the address is", async () => {
    const onDecision = vi.fn()
    const limited = rateLimit((_request: Request, _info: Info) => ok(), {
      limits: [
        { policy: "1/minute as user", key: header("X-User") },
        { policy: "1/minute as tenant", key: header("X-Tenant") },
      ],
      deny: { keys: ["header:x-tenant=bad"], addresses: ["192.0.2.9"] },
      onDecision,
    })
    const headers = { "X-User": "ann", "X-Tenant": "bad" }
    for (const remoteAddress of ["192.0.2.1", "192.0.2.9"]) {
      expect((await limited(requestOf(headers), { remoteAddress })).status).toBe(403)
    }
    const others = { ...headers, "X-Tenant": "good" }
    expect((await limited(requestOf(others), { remoteAddress: "192.0.2.9" })).status).toBe(403)
    expect(onDecision.mock.calls.map(([{ key }]) => key)).toEqual([
      "header:x-tenant=bad",
      "header:x-tenant=bad",
      "header:x-user=ann",
    ])
  })

  test("tells the configured cost of who is denied, and calls no function for it", async () => {
    const costOf = vi.fn(() => 7)
    for (const [cost, told] of [
      [10, 10],
      [costOf, 1],
    ] as const) {
      const onDecision = vi.fn()
      const deny = { addresses: ["192.0.2.9"] }
      const limited = limitedBy({ policy: "100/minute", cost, deny, onDecision })
      expect((await limited(requestOf(), { remoteAddress: "192.0.2.9" })).status).toBe(403)
      expect(onDecision.mock.calls[0]![0]).toMatchObject({ policy: "deny", cost: told })
    }
    expect(costOf).not.toHaveBeenCalled()
  })

  test("refuses who is on both", async () => {
    const limited = limitedBy({ allow: { addresses: ["10.0.0.0/8"] }, deny: { addresses: ["10.6.0.0/16"] } })
    expect(await statusesOf(limited, { remoteAddress: "10.6.0.1" })).toEqual([403, 403])
    expect(await statusesOf(limited, { remoteAddress: "10.7.0.1" })).toEqual([200, 200])
  })

  test("refuses who is allowed by one and denied by the other, of address and key", async () => {
    const info = { remoteAddress: "10.0.0.1" }
    const headers = { "X-Tenant": "acme" }
    const key = header("X-Tenant")
    const keys = ["header:x-tenant=acme"]
    const addresses = ["10.0.0.0/8"]
    expect(await statusesOf(limitedBy({ key, allow: { addresses }, deny: { keys } }), info, headers)).toEqual([
      403, 403,
    ])
    expect(await statusesOf(limitedBy({ key, allow: { keys }, deny: { addresses } }), info, headers)).toEqual([
      403, 403,
    ])
  })

  test("believes the address from where `address` says, as the default key does", async () => {
    const limited = limitedBy({ deny: { addresses: ["192.0.2.1"] }, address: { trustedHops: 1 } })
    const via = (address: string) => limited(requestOf({ "X-Forwarded-For": address }), { remoteAddress: "10.0.0.1" })
    expect((await via("192.0.2.1")).status).toBe(403)
    expect((await via("192.0.2.1, 192.0.2.2")).status).toBe(200)
    expect((await via("192.0.2.2")).status).toBe(429)
    // Not believed without `address`.
    const direct = limitedBy({ deny: { addresses: ["192.0.2.1"] }, key: clientAddress({ trustedHops: 1 }) })
    expect((await direct(requestOf({ "X-Forwarded-For": "192.0.2.1" }), {})).status).toBe(200)
  })

  test("denies by address although the policy cannot be had, and allows too", async () => {
    const policy = () => {
      throw new Error("broken")
    }
    const limited = limitedBy({
      policy,
      allow: { addresses: ["10.0.0.1"] },
      deny: { addresses: ["10.0.0.2"] },
      failMode: "closed",
    })
    expect((await limited(requestOf(), { remoteAddress: "10.0.0.1" })).status).toBe(200)
    expect((await limited(requestOf(), { remoteAddress: "10.0.0.2" })).status).toBe(403)
    expect((await limited(requestOf(), { remoteAddress: "10.0.0.3" })).status).toBe(503)
  })

  test("in shadow mode reports who is denied, and lets pass", async () => {
    const onDecision = vi.fn()
    const limited = limitedBy({ deny: { addresses: ["192.0.2.1"] }, shadow: true, onDecision })
    expect((await limited(requestOf(), { remoteAddress: "192.0.2.1" })).status).toBe(200)
    expect(onDecision.mock.calls[0]![0]).toMatchObject({ allowed: false, policy: "deny" })
  })

  test("refuses lists that cannot be at construction", () => {
    expect(() => limitedBy({ allow: { addresses: ["10.0.0.0/33"] } })).toThrow("allow.addresses[0]")
    expect(() => limitedBy({ deny: { keys: ["a", ""] } })).toThrow("deny.keys[1]")
    expect(() => limitedBy({ address: { trustedHops: 0 } })).toThrow("trustedHops")
  })
})
