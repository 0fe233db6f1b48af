import { EdgeLimiter, type LimiterObject } from "../../worker/sluice-worker.js"

export { LimiterObject } from "../../worker/sluice-worker.js"

interface Env {
  readonly LIMITER: DurableObjectNamespace<LimiterObject>
  /** Policies by the limits' names, as JSON. */
  readonly POLICIES: string
}

/** The Worker that the crash tests kill: asks a key's limiter over HTTP, at `/<verb>/<limit>/<key>`. */
export default {
  async fetch(request, { LIMITER, POLICIES }) {
    const [, verb, name, key] = new URL(request.url).pathname.split("/") as [string, string, string, string]
    const limiter = new EdgeLimiter(LIMITER, (JSON.parse(POLICIES) as Record<string, string>)[name]!, { name })
    switch (verb) {
      case "check":
        return Response.json(await limiter.check(key))
      case "status":
        return Response.json(await limiter.status(key))
      case "verify":
        return Response.json(await LIMITER.getByName(`${name}\n${key}`).verify())
      default:
        return new Response(null, { status: 404 })
    }
  },
} satisfies ExportedHandler<Env>
