import { perPolicy } from "../src/http/per-policy.js"
import { rateLimit as limitHandler } from "../src/http/rate-limit.js"
import type { Handler, RateLimitOptions } from "../src/http/rate-limit-options.js"
import { isUnnamed } from "../src/http/rename-policy.js"
import type { Policy } from "../src/policy/policy.js"
import { EdgeLimiter, type EdgeLimiterOptions } from "./edge-limiter.js"
import type { LimiterObject } from "./limiter-object.js"

/** The handler's arguments beside the request, as Workers give them. */
type WorkerRest<Env> = [env: Env, context: ExecutionContext]

export interface EdgeRateLimitOptions<Env>
  extends Omit<RateLimitOptions<WorkerRest<Env>>, "limiter">,
    Pick<EdgeLimiterOptions, "name" | "locationHint"> {
  /** The namespace of `LimiterObject`; default `env.LIMITER`. */
  readonly binding?: (env: Env) => DurableObjectNamespace<LimiterObject> | undefined
}

/**
 * Puts a limit around a Worker's `fetch`: over the limit, the answer is a 429 at the edge.
 *
 * The counts live in Durable Objects, one for each key. The client's address is believed from `CF-Connecting-IP`, which
 * Cloudflare sets on every request. Several limits are charged side by side; where one denies, the others' charges are
 * given back. The rest is as `rateLimit` of `sluice/http`.
 *
 * @returns a `fetch` handler; it throws a `TypeError` where the environment has no such binding
 * @throws {PolicyError} where `policy` is not a function and cannot be; {RangeError} where another option cannot be
 * @example
 * ```ts
 * import { LimiterObject, rateLimit } from "sluice/worker"
 *
 * export { LimiterObject }
 * export default { fetch: rateLimit(() => new Response("hello"), { policy: "100/minute" }) }
 * ```
 */
export function rateLimit<Env = { LIMITER: DurableObjectNamespace<LimiterObject> }>(
  handler: Handler<WorkerRest<Env>>,
  options: EdgeRateLimitOptions<Env>,
): (request: Request, env: Env, context: ExecutionContext) => Promise<Response> {
  const { binding = defaultBinding, name, locationHint, ...rest } = options

  function edgeOptionsOf(policy: Policy): EdgeLimiterOptions {
    const own = edgeName(policy, name, options.limits !== undefined)
    return { ...(own !== undefined && { name: own }), ...(locationHint !== undefined && { locationHint }) }
  }

  // An isolate may serve several environments; the limiters of each are its own.
  const sources = new WeakMap<DurableObjectNamespace<LimiterObject>, ReturnType<typeof perPolicy>>()
  const limited = limitHandler<WorkerRest<Env>>(handler, {
    address: { header: "CF-Connecting-IP" },
    ...rest,
    limiter(policy, env) {
      const namespace = binding(env)!
      let source = sources.get(namespace)
      if (source === undefined) {
        source = perPolicy((wanted) => new EdgeLimiter(namespace, wanted, edgeOptionsOf(wanted)))
        sources.set(namespace, source)
      }
      return source(policy)
    },
  })
  return async function limitedAtTheEdge(request, env, context) {
    // Not left to the fail mode: without a binding no request would ever be limited, and nobody would notice.
    if (binding(env) === undefined)
      throw new TypeError("Cannot limit: env has no LIMITER, allowed is a binding of LimiterObject.")
    return limited(request, env, context)
  }
}

/**
 * What sets the objects of a policy apart, `undefined` for the limiter's own choice. Several limits of one request may
 * count by the same key, so each has its objects; and the name of a limit that nobody named tells it from no other
 * `rateLimit`.
 */
function edgeName(policy: Policy, name: string | undefined, isOneOfSeveral: boolean): string | undefined {
  if (name !== undefined) return isOneOfSeveral ? `${name}/${policy.name}` : name
  return isUnnamed(policy) ? policy.canonical : undefined
}

function defaultBinding<Env>(env: Env): DurableObjectNamespace<LimiterObject> | undefined {
  return (env as { LIMITER?: DurableObjectNamespace<LimiterObject> }).LIMITER
}
