import { rateLimit } from "../../worker/sluice-worker.js"

export { LimiterObject } from "../../worker/sluice-worker.js"
export { ClockedLimiterObject } from "./clocked-limiter-object.js"

/** Policies by the plan that a client says it has. A real Worker would look it up. */
const PLANS: Readonly<Record<string, string>> = { free: "2/day as free", pro: "4/day as pro" }

const hello = (request: Request) => Response.json({ path: new URL(request.url).pathname })

const routes = {
  "/address": rateLimit<Cloudflare.Env>(hello, { policy: "3/day as address" }),
  "/plan": rateLimit<Cloudflare.Env>(hello, { policy: (request) => PLANS[request.headers.get("plan") ?? "free"]! }),
  "/key": rateLimit<Cloudflare.Env>(hello, {
    policy: "2/day as key",
    key: (request, env) => `${typeof env.LIMITER}:${request.headers.get("user")}`,
  }),
  "/cost": rateLimit<Cloudflare.Env>(hello, {
    policy: "10/day as cost",
    cost: (request) => Number(request.headers.get("cost")),
  }),
}

export default {
  async fetch(request, env, context) {
    const route = routes[new URL(request.url).pathname as keyof typeof routes]
    return route === undefined ? new Response(null, { status: 404 }) : route(request, env, context)
  },
} satisfies ExportedHandler<Cloudflare.Env>
