/**
 * sluice on Cloudflare Workers: the Durable Object class, the limiter that asks it, and the middleware around `fetch`.
 *
 * @module sluice/worker
 */
export * from "../src/http/keys/index.js"
export { EdgeLimiter, type EdgeLimiterOptions } from "./edge-limiter.js"
export { LimiterObject, type ObjectReport, type Subject } from "./limiter-object.js"
export { type EdgeRateLimitOptions, rateLimit } from "./rate-limit.js"
