/**
 * sluice on Cloudflare Workers: the Durable Object class, the limiter that asks it, and the middleware around `fetch`.
 *
 * @module sluice/worker
 */

export { DenialCache, type DenialCacheOptions } from "../src/edge/denial-cache.js"
export { chosenPolicy } from "../src/http/chosen-policy.js"
export * from "../src/http/keys/index.js"
export { type AcrossItem, checkAcross } from "./check-across.js"
export { EdgeLimiter } from "./edge-limiter.js"
export type { EdgeLimiterOptions, LeaseOptions } from "./edge-limiter-options.js"
export { LimiterObject } from "./limiter-object.js"
export type { ObjectReport } from "./object-counts.js"
export { type EdgeRateLimitOptions, rateLimit } from "./rate-limit.js"
export type { Subject, SubjectCheck } from "./subject.js"
