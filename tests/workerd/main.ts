import { limitMessages } from "../../src/http/limit-messages.js"
import { acquire, RateLimiter, type SluiceError } from "../../src/index.js"
import { EdgeLimiter, rateLimit } from "../../worker/sluice-worker.js"

export { EventHubObject } from "../../worker/api/event-hub-object.js"
export { RegistryObject } from "../../worker/api/registry-object.js"
export { LimiterObject } from "../../worker/sluice-worker.js"
export { ClockedLimiterObject } from "./clocked-limiter-object.js"

/** Policies by the plan that a client says it has. A real Worker would look it up. */
const PLANS: Readonly<Record<string, string>> = { free: "2/day as free", pro: "4/day as pro" }

const hello = (request: Request) => Response.json({ path: new URL(request.url).pathname })

const routes = {
  "/address": rateLimit<Cloudflare.Env>(hello, { policy: "3/day as address" }),
  "/hello": rateLimit<Cloudflare.Env>(hello, { policy: "1/minute as hello" }),
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

const user = (request: Request) => `user:${request.headers.get("user")}`

Object.assign(routes, {
  "/several": rateLimit<Cloudflare.Env>(hello, {
    limits: [
      { policy: "2/day", key: user },
      { policy: "3/day", key: (request) => `org:${request.headers.get("org")}` },
    ],
  }),
  "/same-key": rateLimit<Cloudflare.Env>(hello, {
    name: "same-key",
    limits: [
      { policy: "3/day", key: user },
      { policy: "5/day", key: user },
    ],
  }),
  "/lists": rateLimit<Cloudflare.Env>(hello, {
    policy: "1/day as lists",
    allow: { addresses: ["198.51.100.0/24"] },
    deny: { addresses: ["203.0.113.0/24", "2001:db8:bad::/48"] },
  }),
  "/penalty": rateLimit<Cloudflare.Env>(() => new Response(null, { status: 401 }), {
    policy: "10/day as penalty",
    key: user,
    penalty: ({ status }) => (status === 401 ? 8 : 0),
  }),
  "/throws": rateLimit<Cloudflare.Env>(hello, {
    policy: "1/day as throws",
    key: () => {
      throw new Error("no key")
    },
  }),
})

const messages = limitMessages({ policy: "3/day", maxKeys: 100 })

/** Echoes what comes in over a socket, within the limit. */
function echoSocket(): Response {
  const { 0: client, 1: server } = new WebSocketPair()
  server.accept()
  messages.listen(server, "user:1", (message) => server.send(`heard ${message}`))
  return new Response(null, { status: 101, webSocket: client })
}

Object.assign(routes, { "/socket": rateLimit<Cloudflare.Env>(echoSocket, { policy: "1/day as socket" }) })

const waitingInMemory = new RateLimiter("20/second burst 1", { maxWaiting: 6 })
let waitingForObjects: EdgeLimiter | undefined

/** Answers when it is the request's turn. */
async function waitForTurn(limiter: RateLimiter | EdgeLimiter): Promise<Response> {
  try {
    await acquire(limiter, "shared", { timeout: "5s" })
    return new Response("admitted")
  } catch (error) {
    return new Response((error as SluiceError).code, { status: 503 })
  }
}

Object.assign(routes, {
  "/wait-in-memory": () => waitForTurn(waitingInMemory),
  "/wait-for-object": (_: Request, { LIMITER }: Cloudflare.Env) => {
    waitingForObjects ??= new EdgeLimiter(LIMITER, "20/second burst 1 as waiting")
    return waitForTurn(waitingForObjects)
  },
})

export default {
  async fetch(request, env, context) {
    const route = routes[new URL(request.url).pathname as keyof typeof routes]
    return route === undefined ? new Response(null, { status: 404 }) : route(request, env, context)
  },
} satisfies ExportedHandler<Cloudflare.Env>
