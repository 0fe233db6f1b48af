/**
 * A store for express-rate-limit: `import { SluiceStore } from "sluice/express-rate-limit"`.
 *
 * @module
 */
import type { Store } from "express-rate-limit"
import { HitStore } from "./hit-store.js"

export type { HitStoreOptions, StoreLimiter } from "./hit-store.js"

/**
 * Keeps the hits of express-rate-limit in a limiter of sluice; all else of the middleware stays as it is.
 *
 * @example
 * ```ts
 * import { rateLimit } from "express-rate-limit"
 * import { SluiceStore } from "sluice/express-rate-limit"
 *
 * rateLimit({ windowMs: 60_000, limit: 100, store: new SluiceStore() })
 * rateLimit({ windowMs: 60_000, limit: 100, store: new SluiceStore({ algorithm: "sliding_window" }) })
 * ```
 */
export class SluiceStore extends HitStore implements Store {}
