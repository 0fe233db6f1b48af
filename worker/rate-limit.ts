import { waitUntil } from "cloudflare:workers"
import { refuseBadCost } from "../src/http/decide.js"
import { CLOUDFLARE_ADDRESS } from "../src/http/keys/client-address.js"
import { LIMIT_NAME, type LimiterSource, type LimitOptionsWithName } from "../src/http/limit-options.js"
import { identityOf, perPolicy } from "../src/http/per-policy.js"
import { rateLimit as limitHandler } from "../src/http/rate-limit.js"
import type { Handler, RateLimitOptions } from "../src/http/rate-limit-options.js"
import { namer, unnamed } from "../src/http/rename-policy.js"
import { limitsOf, OTHER_NAME, REQUEST_OPTION_NAMES, requireHandler } from "../src/http/require-options.js"
import { parsePolicy } from "../src/policy/parse-policy.js"
import type { Policy } from "../src/policy/policy.js"
import { requireNames, unfit } from "../src/policy/require-fields.js"
import { NO_LEASE, tellsDelay } from "../src/policy/tells-delay.js"
import { show } from "../src/types/errors.js"
import { EdgeLimiter } from "./edge-limiter.js"
import { EDGE_OPTION_NAMES, type EdgeLimiterOptions, NAMESPACE, requireEdgeOptions } from "./edge-limiter-options.js"
import { KeyPlaces } from "./key-places.js"
import type { LimiterObject } from "./limiter-object.js"
import { type NoteUnits, NotingLimiter } from "./noting-limiter.js"
import { hasOwnName, objectLimitName } from "./object-limit-name.js"

/** The handler's arguments beside the request, as Workers give them. */
type WorkerRest<Env> = [env: Env, context: ExecutionContext]

/**
 * A `fetch` handler as Workers have it, whose requests tell by `cf` what Cloudflare knows of them; a plain one fits.
 */
type WorkerHandler<Env> = (
  request: Parameters<ExportedHandlerFetchHandler>[0],
  ...rest: WorkerRest<Env>
) => Response | Promise<Response>

/**
 * A `fetch` with a limit around it. The `ctx` of a Durable Object does for the context, too: it is what the handler
 * then gets, and has no `passThroughOnException`.
 */
type LimitedFetch<Env> = (request: Request, env: Env, context: Pick<ExecutionContext, "waitUntil">) => Promise<Response>

export interface EdgeRateLimitOptions<Env>
  extends Omit<RateLimitOptions<WorkerRest<Env>>, "limiter">,
    Omit<EdgeLimiterOptions, "timeoutMs" | "background"> {
  /** The namespace of `LimiterObject`; default `env.LIMITER`. */
  readonly binding?: ((env: Env) => DurableObjectNamespace<LimiterObject> | undefined) | undefined
}

/** The limiter is made here, and what its work goes on in is told to it. */
const MADE_HERE = ["limiter", "background"]
const OPTION_NAMES = [
  ...new Set(["binding", ...EDGE_OPTION_NAMES, ...REQUEST_OPTION_NAMES].filter((name) => !MADE_HERE.includes(name))),
]

/**
 * Puts a limit around a Worker's `fetch`: over the limit, the answer is a 429 at the edge.
 *
 * The counts live in Durable Objects, one for each key. The client's address is believed from `CF-Connecting-IP`, which
 * Cloudflare sets on every request. Several limits are decided as `checkAcross` does it. The rest is as `rateLimit` of
 * `sluice/http`.
 *
 * @returns a `fetch` handler; it throws a `TypeError` where the environment has no such namespace
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
  handler: WorkerHandler<Env>,
  options: EdgeRateLimitOptions<Env>,
): LimitedFetch<Env> {
  return rateLimitForApi(handler, options, {})
}

/** What an API that answers for the same keys wants of a `rateLimit`. */
interface ApiHooks {
  /**
   * What the objects of a limit are named after, by what it was called beside its policy; without it, and where it
   * tells `undefined`, that follows from the options.
   */
  readonly nameOf?: (limit: string | undefined) => string | undefined
  /** Told of units that were given back or taken beside checks, and what the limit was called beside its policy. */
  readonly note?: (limit: string | undefined, ...told: Parameters<NoteUnits>) => void
}

/** `rateLimit`, for limits whose keys have objects that others ask as well. */
export function rateLimitForApi<Env = { LIMITER: DurableObjectNamespace<LimiterObject> }>(
  handler: WorkerHandler<Env>,
  options: EdgeRateLimitOptions<Env>,
  { nameOf, note }: ApiHooks,
): LimitedFetch<Env> {
  requireNames("rate limit", options, OPTION_NAMES)
  const { binding = defaultBinding, ...others } = options
  const { edge, rest } = splitOptions(others)
  const { address = { header: CLOUDFLARE_ADDRESS } } = rest
  requireHandler("binding", binding)
  requireEdgeOptions(edge)
  const isOneOfSeveral = options.limits !== undefined
  const objectsOf = (policy: Policy, limit: KnownLimit | undefined) =>
    nameOf?.(limit?.given) ?? objectsName(policy, limit, { name: edge.name, isOneOfSeveral })
  const limits = limitsOf(rest)
  refuseUnfit(limits, edge)
  const known = knownLimits(limits)
  refuseSameObjects(
    known,
    (limit) => new KeyPlaces(limit.policy, { ...edge, name: objectsOf(limit.policy, limit) }).name,
  )

  // An isolate may serve several environments; the limiters of each are its own.
  const sources = new WeakMap<DurableObjectNamespace<LimiterObject>, LimiterSource>()
  const limited = limitHandler<WorkerRest<Env>>(handler as Handler<WorkerRest<Env>>, {
    ...rest,
    address,
    limiter(policy, env) {
      const namespace = binding(env)!
      let source = sources.get(namespace)
      if (source === undefined) {
        source = perPolicy((wanted) => {
          const limit = known.get(identityOf(wanted))
          const own = { ...edge, name: objectsOf(wanted, limit) }
          // One that a function chose. A limiter that could not be made would leave its requests to the fail mode.
          const { lease: _, ...unleased } = own
          const fitting = tellsDelay(wanted) ? unleased : own
          if (note === undefined) return new EdgeLimiter(namespace, wanted, fitting)
          return new NotingLimiter(namespace, wanted, fitting, (...told) => note(limit?.given, ...told))
        })
        sources.set(namespace, source)
      }
      return source(policy)
    },
  })
  return async function limitedAtTheEdge(request, env, context) {
    const namespace = binding(env)
    // Not left to the fail mode: without a namespace no request would ever be limited, and nobody would notice.
    if (!NAMESPACE.fits(namespace)) {
      const what = binding === defaultBinding ? "env.LIMITER is" : "binding gave"
      throw new TypeError(`Cannot limit: ${what} ${show(namespace)}, allowed is ${NAMESPACE.allowed}.`)
    }
    return limited(request, env, context as ExecutionContext)
  }
}

/** What the objects of these limits could not do as they are asked to. @throws {RangeError} */
function refuseUnfit(limits: readonly LimitOptionsWithName[], { lease }: EdgeLimiterOptions): void {
  // Of several limits each object is asked with `checkAll`, which spends nothing that was drawn ahead.
  if (lease !== undefined && limits.length > 1) {
    throw new RangeError("Cannot rate limit: lease is given, allowed is that only with one limit.")
  }
  for (const limit of limits) {
    // An object decides by the policy that it is asked with.
    refuseBadCost("rate limit", limit)
    if (lease === undefined || typeof limit.policy === "function") continue
    if (tellsDelay(parsePolicy(limit.policy))) throw unfit("rate limit", "lease", lease, NO_LEASE)
  }
}

/** A limit whose policy no function chooses. */
interface KnownLimit {
  readonly index: number
  /** As the middleware asks for its limiter. */
  readonly policy: Policy
  /** What it was called beside its policy; `undefined` where it was not. */
  readonly given: string | undefined
  /** Whether its only rule was named by whoever wrote the policy. */
  readonly isNamed: boolean
}

/** The limits whose policies are known, by these as the middleware asks for their limiters. */
function knownLimits(limits: readonly LimitOptionsWithName[]): ReadonlyMap<string, KnownLimit> {
  const known = new Map<string, KnownLimit>()
  for (const [index, { policy: input, name, [LIMIT_NAME]: configured }] of limits.entries()) {
    if (typeof input === "function") continue
    const written = parsePolicy(input)
    const policy = namer(name ?? unnamed(index))(written)
    known.set(identityOf(policy), { index, policy, given: configured ?? name, isNamed: hasOwnName(written) })
  }
  return known
}

/** Two limits that share objects would each put its policy in the other's place. @throws {RangeError} */
function refuseSameObjects(known: ReadonlyMap<string, KnownLimit>, placesOf: (limit: KnownLimit) => string): void {
  const taken = new Set<string>()
  for (const limit of known.values()) {
    const { index, policy } = limit
    const places = placesOf(limit)
    if (taken.has(places)) {
      const name = objectLimitName(policy, limit) ?? unnamed(index)
      throw unfit("rate limit", `limits[${index}].name`, name, OTHER_NAME)
    }
    taken.add(places)
  }
}

/**
 * What the objects of a policy are named after. Several limits of one request may count by the same key, so each has
 * its objects.
 */
function objectsName(
  policy: Policy,
  limit: KnownLimit | undefined,
  { name, isOneOfSeveral }: { readonly name: string | undefined; readonly isOneOfSeveral: boolean },
): string {
  if (name !== undefined && !isOneOfSeveral) return name
  const ofLimit = objectLimitName(policy, limit)
  if (name === undefined) return ofLimit ?? policy.canonical
  return `${name}/${ofLimit ?? (limit === undefined ? policy.name : unnamed(limit.index))}`
}

/** What the limiter is told, and what the middleware is. */
function splitOptions<Env>(options: Omit<EdgeRateLimitOptions<Env>, "binding">) {
  const { name, tenant, shards, owner, sync, denialCache, lease, locationHint, jurisdiction, ...rest } = options
  const given = { name, tenant, shards, owner, sync, denialCache, lease, locationHint, jurisdiction }
  const edge: EdgeLimiterOptions = {
    ...Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)),
    background: waitUntil,
  }
  return { edge, rest }
}

function defaultBinding<Env>(env: Env): DurableObjectNamespace<LimiterObject> | undefined {
  return (env as { LIMITER?: DurableObjectNamespace<LimiterObject> }).LIMITER
}
