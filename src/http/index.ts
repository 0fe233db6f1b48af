/**
 * Rate limiting for any handler of Web-standard requests: `import { rateLimit } from "sluice/http"`.
 *
 * @module
 */
export type { AccessList } from "./access.js"
export { chosenPolicy } from "./chosen-policy.js"
export { guardRequests, type Outcome } from "./guard.js"
export * from "./keys/index.js"
export {
  limitMessages,
  type MessageGuard,
  type MessageKey,
  type MessageLimitOptions,
  type MessageSocket,
} from "./limit-messages.js"
export type { FailMode, LimiterSource, LimitOptions, PolicySource } from "./limit-options.js"
export { type LimitsToAsk, type NamedLimitersOptions, namedLimiters } from "./named-limiters.js"
export { partitionKeyHasher } from "./partition-key.js"
export { limiterUnavailable, type Problem, problemResponse, QUOTA_EXCEEDED, quotaExceeded } from "./problem.js"
export { rateLimit } from "./rate-limit.js"
export {
  type FieldContext,
  type HeaderStyle,
  type RateLimitFieldsOptions,
  rateLimitFields,
} from "./rate-limit-fields.js"
export type { Handler, RateLimitOptions, ResponseHead } from "./rate-limit-options.js"
export type { RequestDecision } from "./request-decision.js"
export type { Group, RequestLimiter } from "./request-limiter.js"
export { type Jitter, retryAfterSeconds } from "./retry-after.js"
