import type { Policy, PolicyInput } from "../policy/policy.js"
import type { Clock } from "../types/clock.js"
import type { Decision } from "../types/decision.js"
import type { Awaitable, Checker } from "../types/limiter.js"
import type { KeyExtractor } from "./keys/key-extractor.js"
import type { RateLimitFieldsOptions } from "./rate-limit-fields.js"
import type { Jitter } from "./retry-after.js"

/** A Web-standard handler. `Rest` is what the runtime gives beside the request: `env` and `ctx` on Workers, say. */
export type Handler<Rest extends unknown[] = unknown[]> = (
  request: Request,
  ...rest: Rest
) => Response | Promise<Response>

/** Finds the limiter that keeps the counts of a policy. */
export type LimiterSource<Rest extends unknown[] = unknown[]> = (policy: Policy, ...rest: Rest) => Checker

/** Finds the policy of a request. */
export type PolicySource<Rest extends unknown[] = unknown[]> = (
  request: Request,
  ...rest: Rest
) => Awaitable<PolicyInput>

/** What happens to a request while the limiter cannot be asked: it passes, is refused, or this process limits alone. */
export type FailMode = "open" | "closed" | "local"

/** What `rateLimit` can be told. Only `policy` is required. */
export interface RateLimitOptions<Rest extends unknown[] = unknown[]> extends RateLimitFieldsOptions {
  /** The limit, or a function that gives each request its own, such as that of the client's tier. */
  readonly policy: PolicyInput | PolicySource<Rest>
  /**
   * What a request counts against; default `clientAddress()`. Where it finds nothing, the request counts against
   * `UNIDENTIFIED_KEY`, which all such requests share. Keys over 512 bytes are hashed.
   */
  readonly key?: KeyExtractor<Rest>
  /** Units that a request costs, a whole number; default 1. 0 asks and charges nothing. */
  readonly cost?: number | ((request: Request, ...rest: Rest) => Awaitable<number>)
  /** Requests for which this says `true` are not limited, nor told of a limit. Where it throws, they are limited. */
  readonly skip?: (request: Request, ...rest: Rest) => Awaitable<boolean>
  /**
   * Who counts. The default counts in this process's memory, apart for every `rateLimit`, for at most 256 policies at a
   * time.
   */
  readonly limiter?: LimiterSource<Rest>
  /** The status of a denial, 400 … 599; default 429. */
  readonly status?: number
  /** Lengthens `Retry-After` at random; default not at all. */
  readonly jitter?: Jitter
  /**
   * At least 16 bytes of a secret. With it the fields of `draft-11` carry `pk`, the HMAC-SHA-256 of the key, by which
   * clients with several quotas tell them apart.
   */
  readonly partitionSecret?: string | Uint8Array<ArrayBuffer>
  /**
   * The answer to a denied request, in place of the problem details. It gets the RateLimit fields, and `Retry-After` and
   * `Cache-Control: no-store` where it does not set them. Where it throws, the client gets the problem details.
   */
  readonly onLimited?: (request: Request, decision: Decision, ...rest: Rest) => Awaitable<Response>
  /**
   * What happens while the limiter throws or does not answer; default `"open"`. The same goes for a `policy`, `key` or
   * `cost` function that throws: with `"open"` the request then passes, so none should throw at what a client can send.
   * `"local"` needs a policy: where that is what failed, the request is refused as with `"closed"`.
   */
  readonly failMode?: FailMode
  /** The status of a request that `"closed"` refuses; default 503. */
  readonly failClosedStatus?: 429 | 503
  /** How long the limiter may take to answer, in milliseconds, 1 … 2^31 − 1; default 1,000. */
  readonly timeoutMs?: number
  /** Makes the limiter of a policy for `failMode: "local"`; default one in this process's memory. */
  readonly localLimiter?: (policy: Policy) => Checker
  /** Gives the charge back where the response has a status of 400 or more, or the handler throws; default `false`. */
  readonly skipFailedRequests?: boolean
  /** Gives the charge back where the response has a status below 400; default `false`. */
  readonly skipSuccessfulRequests?: boolean
  /**
   * Decides, charges and reports to `onDecision`, but lets every request pass and tells no client of a limit; default
   * `false`. For trying a limit on real traffic.
   */
  readonly shadow?: boolean
  /** Hears of every decision, those of the fail mode too: `reason` tells. It cannot change one. */
  readonly onDecision?: (decision: Decision, request: Request, ...rest: Rest) => Awaitable<void>
  /**
   * Hears of everything that went wrong and was dealt with: a limiter that failed, a function of these options that
   * threw, a cost that cannot be, a refund that was lost.
   */
  readonly onError?: (error: unknown, request: Request, ...rest: Rest) => Awaitable<void>
  /** Tells the time for `X-RateLimit-Reset` and the in-memory limiters; default the machine's clock. */
  readonly clock?: Clock
}
