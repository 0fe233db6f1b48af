/**
 * Rate limiting for any handler of Web-standard requests: `import { rateLimit } from "sluice/http"`.
 *
 * @module
 */
export * from "./keys/index.js"
export { partitionKeyHasher } from "./partition-key.js"
export { limiterUnavailable, type Problem, problemResponse, QUOTA_EXCEEDED, quotaExceeded } from "./problem.js"
export { rateLimit } from "./rate-limit.js"
export {
  type FieldContext,
  type HeaderStyle,
  type RateLimitFieldsOptions,
  rateLimitFields,
} from "./rate-limit-fields.js"
export type { FailMode, Handler, LimiterSource, PolicySource, RateLimitOptions } from "./rate-limit-options.js"
export { type Jitter, retryAfterSeconds } from "./retry-after.js"
