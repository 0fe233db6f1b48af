// A Worker with limits by address, user, tenant and cost, and endpoints for whoever runs it.
//
//   npx wrangler dev --config examples/worker/wrangler.toml
//   curl -i http://127.0.0.1:8787/public                                             three, then a 429
//   curl -i -H 'X-API-Key: key-ann' http://127.0.0.1:8787/things                     by user and by tenant
//   curl -i -H 'X-API-Key: key-ann' http://127.0.0.1:8787/export                     the same, ten units each
//   curl -H 'Authorization: Bearer local' http://127.0.0.1:8787/admin/tenant/acme    what is left
//   curl -X POST -H 'Authorization: Bearer local' 'http://127.0.0.1:8787/admin/user/ann/block?for=10m'
import { EdgeLimiter, type LimiterObject, rateLimit } from "sluice/worker"
import { admin } from "./admin.js"

export { LimiterObject } from "sluice/worker"

export interface Env {
  readonly LIMITER: DurableObjectNamespace<LimiterObject>
  readonly ADMIN_TOKEN: string
}

/** Who may call, by API key. A real Worker would look them up. */
const ACCOUNTS: Readonly<Record<string, { user: string; tenant: string }>> = {
  "key-ann": { user: "ann", tenant: "acme" },
  "key-bob": { user: "bob", tenant: "acme" },
}

/** The names are those of the objects too, so the endpoints below ask the same counts. */
const POLICIES = {
  address: "3/minute as address",
  user: "20/minute as user",
  tenant: "30/minute as tenant",
} as const

const account = (request: Request) => ACCOUNTS[request.headers.get("X-API-Key") ?? ""]
const cost = (request: Request) => (new URL(request.url).pathname === "/export" ? 10 : 1)

const publicly = rateLimit<Env>(() => new Response("hello, everybody"), { policy: POLICIES.address })

const forAccounts = rateLimit<Env>((request) => new Response(`hello, ${account(request)!.user}`), {
  limits: [
    { policy: POLICIES.user, key: (request) => account(request)?.user, cost },
    { policy: POLICIES.tenant, key: (request) => account(request)?.tenant, cost },
  ],
  failMode: "local",
})

/** Guessing keys is limited by address: a wrong one costs all three units of a minute. */
const refuseUnknown = rateLimit<Env>(() => new Response("unknown API key", { status: 401 }), {
  policy: POLICIES.address,
  cost: 3,
})

export default {
  async fetch(request, env, context) {
    const { pathname } = new URL(request.url)
    if (pathname === "/public") return publicly(request, env, context)
    if (pathname.startsWith("/admin/")) {
      const limiterOf = (name: string) =>
        Object.hasOwn(POLICIES, name)
          ? new EdgeLimiter(env.LIMITER, POLICIES[name as keyof typeof POLICIES])
          : undefined
      return admin(request, env.ADMIN_TOKEN, limiterOf)
    }
    return (account(request) ? forAccounts : refuseUnknown)(request, env, context)
  },
} satisfies ExportedHandler<Env>
