import type { KeyExtractor } from "../http/keys/key-extractor.js"
import { UNIDENTIFIED_KEY } from "../http/keys/limiter-key.js"
import type { RateLimitOptions } from "../http/rate-limit-options.js"
import type { Decision } from "../types/decision.js"
import type { Awaitable } from "../types/limiter.js"
import type { Config } from "./config.js"
import { ConfigError } from "./config-error.js"
import { decisionLog, type LogOutput } from "./decision-log.js"
import { keyExtractorOf } from "./key-setting.js"
import { limitOf, policyFor } from "./policy-for.js"

/** What a configuration cannot say, since it is code. */
export interface ConfiguredOptions<Rest extends unknown[] = unknown[]> {
  /** The tenant of a request. */
  readonly tenant?: (request: Request, ...rest: Rest) => Awaitable<string | null | undefined>
  /** The tier of a request, where its tenant has none. */
  readonly tier?: (request: Request, ...rest: Rest) => Awaitable<string | null | undefined>
  /** What the key `"address"` is on this platform; default `clientAddress()`, the address of the connection. */
  readonly address?: KeyExtractor
  /** Where the log goes; default the console. */
  readonly log?: LogOutput
  /** Hears of the share of decisions that `analytics` says, while that is enabled. */
  readonly onSample?: (decision: Decision) => void
  /** A source of numbers in [0, 1), for the sample; default `Math.random`. */
  readonly random?: () => number
}

/** What a configuration says of a limit, as `rateLimit` takes it. */
export type ConfiguredRateLimit<Rest extends unknown[] = unknown[]> = Omit<RateLimitOptions<Rest>, "limiter">

/**
 * What `rateLimit` of `sluice/http` and `sluice/worker` takes, as a configuration says it of one limit: policy by tenant
 * and tier, key with its prefix, cost, failure mode and timeout, headers, jitter, log and sample.
 *
 * @throws {LimitNotFound} where there is no such limit
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
  options?: Omit<ConfiguredOptions, "tenant" | "tier">,
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
  const { tenant, tier, address, log, onSample, random = Math.random } = options
  const limit = limitOf(config, limitName)
  const { headers, failure, jitter, analytics, keyPrefix } = config
  const key = keyExtractorOf(`limits.${limitName}.key`, limit.key, (...refused) => new ConfigError(...refused), address)
  const hooks = decisionLog(config.logging, log)
  const samples = analytics.enabled && onSample !== undefined
  const onDecision = (decision: Decision, ..._call: [Request, ...Rest]) => {
    hooks.onDecision?.(decision)
    if (samples && random() < analytics.sampleRate) onSample(decision)
  }
  const onError = (error: unknown, ..._call: [Request, ...Rest]) => hooks.onError?.(error)
  const byWhom = async (request: Request, ...rest: Rest) =>
    policyFor(config, limitName, { tenant: await tenant?.(request, ...rest), tier: await tier?.(request, ...rest) })
  return {
    policy: tenant === undefined && tier === undefined ? limit.policy : byWhom,
    key: keyPrefix === "" ? key : async (...call) => `${keyPrefix}${(await key(...call)) ?? UNIDENTIFIED_KEY}`,
    cost: limit.cost,
    failMode: limit.failMode,
    timeoutMs: limit.timeoutMs,
    failClosedStatus: failure.status,
    headers: headers.styles,
    legacyReset: headers.legacyReset,
    ...(headers.quotaUnit !== null && { quotaUnit: headers.quotaUnit }),
    ...(jitter !== null && { jitter }),
    ...((samples || hooks.onDecision !== undefined) && { onDecision }),
    ...(hooks.onError !== undefined && { onError }),
  }
}
