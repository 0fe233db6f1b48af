import { DurableObjectRateLimiter, DurableObjectStore } from "@hono-rate-limiter/cloudflare"
import { Hono } from "hono"
import { rateLimiter } from "hono-rate-limiter"
import { keyOf } from "./key-of.js"

export { DurableObjectRateLimiter }

interface Bindings {
  readonly COUNTER: DurableObjectNamespace<DurableObjectRateLimiter>
}

let app: Hono<{ Bindings: Bindings }> | undefined

/** Made once, as its documentation does where the binding is at hand. */
function appOf({ COUNTER }: Bindings): Hono<{ Bindings: Bindings }> {
  const made = new Hono<{ Bindings: Bindings }>()
  made.use(
    rateLimiter({
      windowMs: 60_000,
      limit: 1_000_000_000,
      keyGenerator: ({ req }) => keyOf(req.raw),
      // The store of the newest package for Workers has the types of an older limiter.
      store: new DurableObjectStore({ namespace: COUNTER }) as never,
    }),
  )
  made.get("*", (context) => context.text("ok"))
  return made
}

/** The middleware of hono-rate-limiter with its Durable Object store. */
export default {
  fetch(request, env, context): Response | Promise<Response> {
    app ??= appOf(env)
    return app.fetch(request, env, context)
  },
} satisfies ExportedHandler<Bindings>
