import { type Clock, systemClock } from "sluice"
import { type Config, policyFor } from "sluice/config"
import { rateLimit } from "sluice/http"
import { MemoryLimits } from "sluice/limits"

/** Which tenant an API key belongs to. A real service has them hashed, in its database. */
const TENANT_BY_API_KEY = new Map([
  ["key-acme", "acme"],
  ["key-globex", "globex"],
  ["key-initech", "initech"],
])

export interface Service {
  /** The service itself: any path is limited, but `GET /usage` and `POST /upgrade?tier=pro`. */
  fetch(request: Request): Promise<Response>
}

/**
 * A service with tenants on plans. Each tenant has a limit of its own in `MemoryLimits`, made from its plan: so an upgrade
 * is one `define()`, in force with the next request, and what was used stays used.
 */
export function makeService(config: Config, clock: Clock = systemClock): Service {
  const limits = new MemoryLimits({ clock, stats: true })
  const tierOf = new Map<string, string | null>()

  function subscribe(tenant: string, tier: string | null): void {
    tierOf.set(tenant, tier)
    const own = config.tenants.get(tenant)?.limits.get("api")
    limits.define(`tenant:${tenant}`, own ?? policyFor(config, "api", { tier }))
  }
  for (const [tenant, { tier }] of config.tenants) subscribe(tenant, tier)

  const keyOf = (request: Request) => `tenant:${tenantOf(request)}`
  const limited = rateLimit(() => Response.json({ ok: true }), {
    policy: (request) => limits.limit(keyOf(request))!.policy,
    key: keyOf,
    // The key has a limit of its own, so no limit has to be named.
    limiter: () => limits,
    headers: config.headers.styles,
    legacyReset: config.headers.legacyReset,
    clock,
  })

  function usage(tenant: string): Response {
    const key = `tenant:${tenant}`
    const { remaining, resetAfterMs, rules } = limits.status(key)
    const { totalAllowed, totalDenied } = limits.stats(key)
    return Response.json({
      tenant,
      tier: tierOf.get(tenant),
      limits: rules.map(({ limit, periodMs, remaining }) => ({ limit, periodMs, remaining })),
      remaining,
      resetAfterMs,
      totalAllowed,
      totalDenied,
    })
  }

  function upgrade(tenant: string, tier: string | null): Response {
    if (tier === null || !config.tiers.has(tier)) {
      return Response.json({ error: `tier is one of ${[...config.tiers.keys()].join(", ")}` }, { status: 400 })
    }
    subscribe(tenant, tier)
    return usage(tenant)
  }

  return {
    async fetch(request) {
      const tenant = tenantOf(request)
      if (tenant === undefined) return Response.json({ error: "unknown API key" }, { status: 401 })
      const { pathname, searchParams } = new URL(request.url)
      if (pathname === "/usage") return usage(tenant)
      if (pathname === "/upgrade" && request.method === "POST") return upgrade(tenant, searchParams.get("tier"))
      return limited(request)
    },
  }
}

function tenantOf(request: Request): string | undefined {
  return TENANT_BY_API_KEY.get(request.headers.get("X-API-Key") ?? "")
}
