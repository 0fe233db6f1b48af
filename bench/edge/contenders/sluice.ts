import { waitUntil } from "cloudflare:workers"
import { EdgeLimiter } from "../../../dist/worker/edge-limiter.js"
import type { EdgeLimiterOptions } from "../../../dist/worker/edge-limiter-options.js"
import { LimiterObject } from "../../../dist/worker/limiter-object.js"
import { keyOf } from "./key-of.js"

interface Env {
  LIMITER: DurableObjectNamespace<LimiterObject>
  POLICY: string
  /** Options of the limiter, as JSON. */
  OPTIONS: string
}

// A Worker and its objects share one isolate in a local workerd, so the objects can leave their ids where the
// Worker finds them, at no cost to a check.
const objectIds = new Set<string>()

/** sluice's own object; beside that, it is known by its id. */
export class BenchmarkedLimiterObject extends LimiterObject {
  constructor(...args: ConstructorParameters<typeof LimiterObject>) {
    super(...args)
    objectIds.add(args[0].id.toString())
  }
}

const REPORTS_AT_ONCE = 64

async function rows(env: Env): Promise<Response> {
  const ids = [...objectIds]
  const total = { objects: ids.length, admitted: 0, denied: 0, rowsWritten: 0, commits: 0, calls: 0 }
  for (let first = 0; first < ids.length; first += REPORTS_AT_ONCE) {
    const some = ids.slice(first, first + REPORTS_AT_ONCE)
    const reports = await Promise.all(some.map((id) => env.LIMITER.get(env.LIMITER.idFromString(id)).report()))
    for (const report of reports) {
      total.admitted += report.admitted
      total.denied += report.denied
      total.rowsWritten += report.rowsWritten
      total.commits += report.commits
      total.calls += report.calls
    }
  }
  return Response.json(total)
}

let limiter: EdgeLimiter | undefined

export default {
  async fetch(request, env): Promise<Response> {
    if (request.url.endsWith("/rows")) return rows(env)
    limiter ??= new EdgeLimiter(env.LIMITER, env.POLICY, {
      ...(JSON.parse(env.OPTIONS) as EdgeLimiterOptions),
      background: waitUntil,
    })
    const decision = await limiter.check(keyOf(request))
    return decision.allowed ? new Response("ok") : new Response("denied", { status: 429 })
  },
} satisfies ExportedHandler<Env>
