import { DurableObject, env, waitUntil } from "cloudflare:workers"
import { acquire } from "../../src/index.js"
import { EdgeLimiter, type LimiterObject } from "../../worker/sluice-worker.js"

export { LimiterObject } from "../../worker/sluice-worker.js"

interface Env {
  readonly LIMITER: DurableObjectNamespace<LimiterObject>
  readonly ROOM: DurableObjectNamespace<Room>
}

/** What a room closes itself to all else by while it asks. */
const gates = {
  none: (_, ask) => ask(),
  concurrency: (ctx, ask) => ctx.blockConcurrencyWhile(ask),
  transaction: (ctx, ask) => ctx.storage.transaction(ask),
} satisfies Record<string, (ctx: DurableObjectState, ask: () => Promise<number>) => Promise<number>>

const { LIMITER } = env as unknown as Env
/** Of a period that no test outlasts: each unit that is used stays used. */
const POLICY = "1000000/520w fixed_window"
/** Longer than any test may take: who is answered did not wait until its time was over. */
const common = { denialCache: false, background: waitUntil, timeoutMs: 600_000 } as const
const limiters = {
  shared: new EdgeLimiter(LIMITER, `${POLICY} as shared`, common),
  leased: new EdgeLimiter(LIMITER, `${POLICY} as leased`, { ...common, lease: { units: 4, ttl: "20s" } }),
  short: new EdgeLimiter(LIMITER, "1000/second burst 1 as short", common),
}

async function remainingOf(limit: keyof typeof limiters): Promise<number> {
  const limiter = limiters[limit]
  if (limit !== "short") return (await limiter.check("all")).remaining
  using permit = await acquire(limiter, "all", { timeout: "20s" })
  return permit.decision.remaining
}

/** An object of its own, whose requests ask as others of the isolate do. */
export class Room extends DurableObject<Env> {
  ask(gate: keyof typeof gates, limit: keyof typeof limiters): Promise<number> {
    return gates[gate](this.ctx, () => remainingOf(limit))
  }
}

/** Has a room ask at `/<gate>/<limit>/<room>`, and tells the limiter's calls at `/calls/<limit>`. */
export default {
  async fetch(request, { ROOM }) {
    const [, gate, limit, room] = new URL(request.url).pathname.split("/") as [
      string,
      keyof typeof gates | "calls",
      keyof typeof limiters,
      string,
    ]
    if (gate === "calls") return Response.json(limiters[limit].calls)
    return Response.json(await ROOM.getByName(room).ask(gate, limit))
  },
} satisfies ExportedHandler<Env>
