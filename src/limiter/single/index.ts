/**
 * One algorithm each, for one limit without a key: `import { TokenBucket } from "sluice/algorithms"`.
 *
 * @module sluice/algorithms
 */
export { FixedWindow, type FixedWindowOptions } from "./fixed-window.js"
export { Gcra, type GcraOptions } from "./gcra.js"
export { LeakyBucket } from "./leaky-bucket.js"
export type { Rate, RateAndCapacity } from "./rate.js"
export type { SingleLimitOptions } from "./single-limit.js"
export { SlidingWindow } from "./sliding-window.js"
export { SlidingWindowLog } from "./sliding-window-log.js"
export { TokenBucket, type TokenBucketOptions } from "./token-bucket.js"
export type { WindowOptions } from "./window.js"
