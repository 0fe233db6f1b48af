import { waitUntil } from "cloudflare:workers"
import { EdgeLimiter, type LimiterObject } from "../../worker/sluice-worker.js"

export { LimiterObject } from "../../worker/sluice-worker.js"

interface Env {
  readonly LIMITER: DurableObjectNamespace<LimiterObject>
  readonly POLICY: string
}

let limiter: EdgeLimiter | undefined

/** The Worker whose requests are cancelled: all of them ask one limiter, which shares calls, at `/<verb>/<key>`. */
export default {
  async fetch(request, { LIMITER, POLICY }) {
    const [, verb, key] = new URL(request.url).pathname.split("/") as [string, string, string]
    limiter ??= new EdgeLimiter(LIMITER, POLICY, { name: "shared", denialCache: false, background: waitUntil })
    if (verb === "check") return Response.json(await limiter.check(key))
    if (verb === "status") return Response.json(await limiter.status(key))
    return Response.json(limiter.calls)
  },
} satisfies ExportedHandler<Env>
