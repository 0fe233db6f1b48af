import { type ClientAddressOptions, clientAddress } from "../http/keys/client-address.js"
import type { KeyExtractor } from "../http/keys/key-extractor.js"
import { UNIDENTIFIED_KEY } from "../http/keys/limiter-key.js"
import { LIMIT_NAME, type LimitOptions, type LimitOptionsWithName, type PolicySource } from "../http/limit-options.js"
import type { RateLimitOptions, ResponseHead } from "../http/rate-limit-options.js"
import type { RequestDecision } from "../http/request-decision.js"
import { policyOfLimit } from "../policy/parse-policy.js"
import type { Policy } from "../policy/policy.js"
import { either, FUNCTION, type Kinds, OBJECT, requireFields, unfit } from "../policy/require-fields.js"
import { tellsDelay } from "../policy/tells-delay.js"
import type { Awaitable } from "../types/limiter.js"
import type { Config, LimitConfig, RequestsConfig } from "./config.js"
import { ConfigError } from "./config-error.js"
import { countedName } from "./config-policies.js"
import { type AskedFor, openDecisionLog } from "./decision-log.js"
import { keyExtractorOf } from "./key-setting.js"
import { LISTENER_KINDS, type ListenerOptions } from "./listener-options.js"
import { badTenant, type FoundPolicy, findPolicy, foundPolicies, limitOf, unknownTier } from "./policy-for.js"
import { requireConfig } from "./require-config.js"

/** What a configuration cannot say, since it is code. */
export interface ConfiguredOptions<Rest extends unknown[] = unknown[]> extends ListenerOptions {
  /** The tenant of a request. */
  readonly tenant?: ((request: Request, ...rest: Rest) => Awaitable<string | null | undefined>) | undefined
  /** The tier of a request, where its tenant has none. */
  readonly tier?: ((request: Request, ...rest: Rest) => Awaitable<string | null | undefined>) | undefined
  /** What the limit counts by, in place of the file's `key`; the prefix comes before it. Not of a group. */
  readonly key?: KeyExtractor<Rest> | undefined
  /**
   * Where the client's address is to be believed from, for the key `"address"` and for the lists `allow` and `deny`;
   * default the address of the connection. A function makes the key `"address"`, with a word and a colon of its own, and
   * tells the lists nothing: it is refused where they have addresses.
   */
  readonly address?: KeyExtractor | ClientAddressOptions | undefined
  /** Hears of every decision, beside the log and `onSample`. What it throws goes to `onError`. */
  readonly onDecision?: RateLimitOptions<Rest>["onDecision"] | undefined
  /**
   * Hears of what went wrong and was dealt with, beside the log: what `rateLimit` tells, and a tier that the
   * configuration does not know or a tenant that is no text, in whose place there is none. What it throws is dropped.
   */
  readonly onError?: ((error: unknown, request: Request, ...rest: Rest) => Awaitable<void>) | undefined
  /** Tells the time for the log, and as the option `clock` of `rateLimit`; default the machine's clock. */
  readonly clock?: ListenerOptions["clock"]
  /** Hears of the share of decisions that `analytics` says, while that is enabled. What it throws goes to `onError`. */
  readonly onSample?: ListenerOptions["onSample"]
}

const OPTION_KINDS: Kinds<ConfiguredOptions<never>> = {
  tenant: FUNCTION,
  tier: FUNCTION,
  key: FUNCTION,
  address: either(FUNCTION, OBJECT),
  onDecision: FUNCTION,
  onError: FUNCTION,
  ...LISTENER_KINDS,
}

/** What a configuration says of a limit, as `rateLimit` takes it. */
export type ConfiguredRateLimit<Rest extends unknown[] = unknown[]> = Omit<RateLimitOptions<Rest>, "limiter">

/**
 * What `rateLimit` of `sluice/http` and `sluice/worker` takes, as a configuration says it of one limit or of a group of
 * them: policy by tenant and tier, key with its prefix, cost, lists, penalty, delay, failure mode and timeout, headers,
 * jitter, log and sample.
 *
 * @throws {LimitNotFound} where there is no such limit; {RangeError} where an option cannot be
 * @example
 * ```ts
 * import { parseConfig, rateLimitOptions } from "sluice/config"
 * import { rateLimit } from "sluice/http"
 *
 * const config = parseConfig('limits.api = { policy = "100/minute" }')
 * const handler = rateLimit(() => new Response("hello"), rateLimitOptions(config, "api"))
 * const response = await handler(new Request("http://localhost/"))
 * response.headers.get("RateLimit-Policy") // '"api";q=100;w=60'
 * ```
 */
export function rateLimitOptions(
  config: Config,
  limitName: string,
  options?: Omit<ConfiguredOptions, "tenant" | "tier"> & { readonly tenant?: undefined; readonly tier?: undefined },
): ConfiguredRateLimit
export function rateLimitOptions<Rest extends unknown[] = unknown[]>(
  config: Config,
  limitName: string,
  options: ConfiguredOptions<Rest>,
): ConfiguredRateLimit<Rest>
export function rateLimitOptions<Rest extends unknown[] = unknown[]>(
  config: Config,
  limitName: string,
  options: ConfiguredOptions<Rest> = {},
): ConfiguredRateLimit<Rest> {
  requireConfig("rate limit", config)
  requireFields<ConfiguredOptions<never>>("rate limit", options as ConfiguredOptions<never>, OPTION_KINDS)
  const { tenant, tier, key: ownKey, address = {}, log, clock } = options
  const { onSample, onDecision, onError, random = Math.random } = options
  const group = config.groups.get(limitName)
  if (group !== undefined && ownKey !== undefined) {
    throw unfit("rate limit", "key", ownKey, "none for a group, each of whose limits has its own")
  }
  const of: RequestsConfig = group ?? limitOf(config, limitName)
  if (typeof address === "function" && [of.allow, of.deny].some(({ addresses }) => addresses.length > 0)) {
    // The lists would go by the connection, which is a proxy's maybe: nobody would be denied.
    throw unfit("rate limit", "address", address, "the options of clientAddress() where addresses are on the lists")
  }
  const { failure, jitter, analytics, keyPrefix } = config
  const { styles, legacyReset, quotaUnit } = config.headers
  const addressKey = typeof address === "function" ? address : clientAddress(address)
  const hooks = openDecisionLog(config.logging, log, clock)
  /** For whom each request asks, for the log. */
  const askedFor = new WeakMap<Request, AskedFor>()
  const samples = analytics.enabled && onSample !== undefined
  // What one that hears throws keeps none of the others from hearing.
  const tellDecision = async (decision: RequestDecision, ...call: [Request, ...Rest]) => {
    try {
      hooks.onDecision?.(decision, { ...askedFor.get(call[0]), limit: limitName })
    } finally {
      try {
        if (samples && random() < analytics.sampleRate) onSample(decision)
      } finally {
        await onDecision?.(decision, ...call)
      }
    }
  }
  const tellError = async (error: unknown, ...call: [Request, ...Rest]) => {
    try {
      hooks.onError?.(error)
    } finally {
      await onError?.(error, ...call)
    }
  }

  /** A request that names no tier of ours is not to pass unlimited, as it could where this threw. */
  async function tierOf(...call: [Request, ...Rest]): Promise<string | null | undefined> {
    const named = await tier?.(...call)
    return named == null || config.tiers.has(named) ? named : refused(unknownTier(config, named), call)
  }

  async function tenantOf(...call: [Request, ...Rest]): Promise<string | null | undefined> {
    const named: unknown = await tenant?.(...call)
    return named == null || typeof named === "string" ? named : refused(badTenant(named), call)
  }

  async function refused(error: unknown, call: [Request, ...Rest]): Promise<null> {
    try {
      await tellError(error, ...call)
    } catch {
      // An error of the error hook has nowhere to go, least of all into the decision.
    }
    return null
  }

  const policies = new Map<string, Policy>()
  /** A policy of tiers and tenants counts where classes of named limits count it. */
  function limitPolicy({ policy, from }: FoundPolicy, name: string): Policy {
    const limitName = countedName(name, from)
    let known = policies.get(limitName)
    if (known === undefined) {
      known = policyOfLimit(policy, limitName)
      policies.set(limitName, known)
    }
    return known
  }

  /** Finds the policy of a request, of all that tiers and tenants have. */
  function policySource(name: string): PolicySource<Rest> {
    const find = async (...call: [Request, ...Rest]) => {
      const whose = { tenant: await tenantOf(...call), tier: await tierOf(...call) }
      if (hooks.onDecision !== undefined) askedFor.set(call[0], whose)
      return limitPolicy(findPolicy(config, name, whose), name)
    }
    return Object.assign(find, { policies: foundPolicies(config, name).map((found) => limitPolicy(found, name)) })
  }

  function optionsOf({ name, policy, key: setting, cost }: LimitConfig): LimitOptions<Rest> & LimitOptionsWithName {
    const refuse = (...refused: [string, unknown, string]) => new ConfigError(...refused)
    const key = ownKey ?? keyExtractorOf(`limits.${name}.key`, setting, refuse, addressKey)
    return {
      policy: tenant === undefined && tier === undefined ? policy : policySource(name),
      key: keyPrefix === "" ? key : withPrefix(keyPrefix, key),
      cost,
      [LIMIT_NAME]: name,
    }
  }

  const limits = (group?.limits ?? [limitOf(config, limitName)]).map(optionsOf)
  // It may be there for a tier's policy alone, of which nobody is told here.
  const canHold = limits.some(({ policy }) => typeof policy === "function" || tellsDelay(policy as Policy))
  return {
    ...(group === undefined ? limits[0]! : { limits }),
    ...requestOptions(canHold ? of : { ...of, maxDelayMs: null }, keyPrefix),
    ...(typeof address === "object" && { address }),
    ...(of.failMode !== "open" && { failClosedStatus: failure.status }),
    headers: styles,
    ...(legacyReset === "delta" && { legacyReset }),
    ...(quotaUnit !== null && { quotaUnit }),
    ...(jitter !== null && { jitter }),
    ...(clock !== undefined && { clock }),
    ...((samples || (onDecision ?? hooks.onDecision) !== undefined) && { onDecision: tellDecision }),
    ...((onError ?? hooks.onError) !== undefined && { onError: tellError }),
  }
}

/** What is said of the requests, whatever the limits. */
export function requestOptions(
  { allow, deny, penalty, maxDelayMs, failMode, timeoutMs }: Omit<RequestsConfig, "paths">,
  keyPrefix: string,
) {
  const listed = ({ addresses, keys }: RequestsConfig["allow"]) => {
    return { addresses, keys: keys.map((key) => `${keyPrefix}${key}`) }
  }
  const isGiven = ({ addresses, keys }: RequestsConfig["allow"]) => addresses.length + keys.length > 0
  return {
    ...(isGiven(allow) && { allow: listed(allow) }),
    ...(isGiven(deny) && { deny: listed(deny) }),
    ...(penalty !== null && {
      penalty: (head: ResponseHead, ..._call: unknown[]) => (penalty.status.includes(head.status) ? penalty.units : 0),
    }),
    ...(maxDelayMs !== null && { delay: { maxMs: maxDelayMs } }),
    failMode,
    timeoutMs,
  }
}

/** Puts a prefix before all keys of an extractor. What is none stays as it is. */
function withPrefix<Rest extends unknown[]>(prefix: string, extract: KeyExtractor<Rest>): KeyExtractor<Rest> {
  const prefixed = async (...call: [Request, ...Rest]) => {
    const found = await extract(...call)
    return typeof found === "string" && found !== "" ? `${prefix}${found}` : found
  }
  return Object.assign(prefixed, { unidentified: `${prefix}${extract.unidentified ?? UNIDENTIFIED_KEY}` })
}
