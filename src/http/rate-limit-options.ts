import type { Policy } from "../policy/policy.js"
import type { Clock } from "../types/clock.js"
import type { Awaitable, Checker } from "../types/limiter.js"
import type { AccessList } from "./access.js"
import type { ClientAddressOptions } from "./keys/client-address.js"
import type { FailMode, LimiterSource, LimitOptions } from "./limit-options.js"
import type { RateLimitFieldsOptions } from "./rate-limit-fields.js"
import type { RequestDecision } from "./request-decision.js"
import type { Jitter } from "./retry-after.js"

/** A Web-standard handler. `Rest` is what the runtime gives beside the request: `env` and `ctx` on Workers, say. */
export type Handler<Rest extends unknown[] = unknown[]> = (
  request: Request,
  ...rest: Rest
) => Response | Promise<Response>

/** What is known of a response when its handler is done: a `Response`, or what stands for one elsewhere. */
export interface ResponseHead {
  readonly status: number
  readonly headers: Headers
}

/** What `rateLimit` can be told. Only `policy` is required, or `limits` in its place. */
export interface RateLimitOptions<Rest extends unknown[] = unknown[]>
  extends Omit<LimitOptions<Rest>, "policy">,
    RateLimitFieldsOptions {
  /** The limit, or a function that gives each request its own, such as that of the client's tier. */
  readonly policy?: LimitOptions<Rest>["policy"] | undefined
  /**
   * Several limits in place of `policy`, `key`, `cost` and `name`, all of which must admit, such as one for the user
   * and one for the organisation; 1 … 16. A request that one of them denies is charged by none.
   */
  readonly limits?: readonly LimitOptions<Rest>[] | undefined
  /**
   * Requests for which this says `true` are not limited, nor told of a limit. Where it throws they are limited, and
   * where it gives what is neither `true` nor `false`, which `onError` hears of.
   */
  readonly skip?: ((request: Request, ...rest: Rest) => Awaitable<boolean>) | undefined
  /** Clients that are not limited, nor told of a limit. */
  readonly allow?: AccessList | undefined
  /** Clients that are refused with a 403, whatever their quota; also those that `allow` names. */
  readonly deny?: AccessList | undefined
  /**
   * Where the client's address is to be believed from, for the default `key` and for `allow` and `deny`; default the
   * address of the connection.
   */
  readonly address?: ClientAddressOptions | undefined
  /**
   * Who counts. The default counts in this process's memory, apart for every `rateLimit`. Policies that are known share
   * 1,048,576 keys, or have 16,384 each where they are more than 64. Those that a function makes up have 16,384 each,
   * and hold as many as those together; of such policies at most 8,192, or half of `maxKeys` where that is more, are
   * counted at a time, and an eighth more of both for a while. A function of the policy alone is asked once for each
   * policy that is known, and for each of at most 1,024 others at a time; any other function at every request.
   */
  readonly limiter?: LimiterSource<Rest> | undefined
  /** The most keys that the default limiters hold for each policy, 1 … 2^32 − 1. */
  readonly maxKeys?: number | undefined
  /** The status of a denial, 400 … 599; default 429. */
  readonly status?: number | undefined
  /** Lengthens `Retry-After` at random; default not at all. */
  readonly jitter?: Jitter | undefined
  /**
   * At least 16 bytes of a secret. With it the fields of `draft-11` carry `pk`, the HMAC-SHA-256 of the key, by which
   * clients with several quotas tell them apart.
   */
  readonly partitionSecret?: string | Uint8Array<ArrayBuffer> | undefined
  /**
   * The answer to a denied request, in place of the problem details. It gets the RateLimit fields, and `Retry-After`
   * and `Cache-Control: no-store` where it does not set them. Where it throws, gives no `Response`, or one whose body
   * it gave before, the client gets the problem details.
   */
  readonly onLimited?: ((request: Request, decision: RequestDecision, ...rest: Rest) => Awaitable<Response>) | undefined
  /**
   * What happens while the limiter throws or does not answer; default `"open"`. The same goes for a `policy` or `cost`
   * function that throws: with `"open"` the request then passes, so none should throw at what a client can send.
   * `"local"` needs a policy: where that is what failed, the request is refused as with `"closed"`.
   */
  readonly failMode?: FailMode | undefined
  /** The status of a request that `"closed"` refuses, or `"local"` without a policy; default 503. Not with `"open"`. */
  readonly failClosedStatus?: 429 | 503 | undefined
  /** How long the limiter may take to answer, in milliseconds, 1 … 2^31 − 1; default 1,000. */
  readonly timeoutMs?: number | undefined
  /** Makes the limiter of a policy for `failMode: "local"`, and only for that; default one in this process's memory. */
  readonly localLimiter?: ((policy: Policy) => Checker) | undefined
  /**
   * Holds an admitted request for the `delayMs` of `leaky_bucket`, so that requests reach the handler at a constant
   * rate; default `false`. One that would be held for more than `maxMs` (1 … 2^31 − 1; `true` is 10,000) is denied
   * instead, and one whose client goes meanwhile never reaches the handler and stays charged. Where every policy is
   * known and none has a `leaky_bucket` it is refused, as nothing would ever be held.
   */
  readonly delay?: boolean | { readonly maxMs: number } | undefined
  /**
   * Gives the charge back where the response has a status of 400 or more, or the handler throws; default `false`. Not
   * where the client has gone before its answer.
   */
  readonly skipFailedRequests?: boolean | undefined
  /**
   * Gives the charge back where the response has a status below 400; default `false`. Not where the client has gone
   * before its answer.
   */
  readonly skipSuccessfulRequests?: boolean | undefined
  /**
   * Units to charge on top once the response is known, into debt if need be; 0 for none. Such as 10 for a failed login.
   * Every limit of the request is charged. A handler that throws is asked about as a 500, and a client that has gone
   * is charged by what the handler answers all the same.
   */
  readonly penalty?: ((response: ResponseHead, request: Request, ...rest: Rest) => Awaitable<number>) | undefined
  /**
   * Decides, charges and reports to `onDecision`, but lets every request pass and tells no client of a limit; default
   * `false`. For trying a limit on real traffic.
   */
  readonly shadow?: boolean | undefined
  /**
   * Hears of every decision, those of the fail mode and of the deny list too: `reason` tells, and the deny list's
   * `policy` is `"deny"`. It cannot change one: what it throws goes to `onError`.
   */
  readonly onDecision?: ((decision: RequestDecision, request: Request, ...rest: Rest) => Awaitable<void>) | undefined
  /**
   * Hears of everything that went wrong and was dealt with: a limiter that failed, a function of these options that
   * threw, a cost that cannot be, a refund or penalty that was lost. What it throws itself is dropped.
   * Without it, the first failure that the fail mode has to decide on is told on the console, and so is the first of a
   * key, and nothing else.
   */
  readonly onError?: ((error: unknown, request: Request, ...rest: Rest) => Awaitable<void>) | undefined
  /** Tells the time for `X-RateLimit-Reset` and the in-memory limiters; default the machine's clock. */
  readonly clock?: Clock | undefined
}
