import { EdgeLimiter, type LimiterObject } from "../../worker/sluice-worker.js"

export { LimiterObject } from "../../worker/sluice-worker.js"

interface Env {
  readonly LIMITER: DurableObjectNamespace<LimiterObject>
  /** Policies by the limits' names, as JSON. */
  readonly POLICIES: string
}

let limiters: Record<string, EdgeLimiter> | undefined

/**
 * The Worker of the soak test: `/check/<limit>/<key>,<key>…` asks for many keys at once, and answers a digit for each.
 */
export default {
  async fetch(request, { LIMITER, POLICIES }) {
    const [, verb, name, keys] = new URL(request.url).pathname.split("/") as [string, string, string, string]
    const policies = JSON.parse(POLICIES) as Record<string, string>
    limiters ??= Object.fromEntries(
      Object.entries(policies).map(([limit, policy]) => [
        limit,
        new EdgeLimiter(LIMITER, policy, limit.startsWith("shard") ? { name: limit, shards: 16 } : { name: limit }),
      ]),
    )
    const limiter = limiters[name]!
    if (verb === "report") return Response.json({ calls: limiter.calls, hits: limiter.denialCache!.hits })
    const answers = keys.split(",").map(async (key) => {
      if (verb === "left") return (await limiter.status(key)).remaining
      return (await limiter.allow(key)) ? 1 : 0
    })
    return Response.json((await Promise.all(answers)).join(""))
  },
} satisfies ExportedHandler<Env>
