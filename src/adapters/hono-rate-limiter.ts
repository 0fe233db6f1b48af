/**
 * A store for hono-rate-limiter: `import { SluiceStore } from "sluice/hono-rate-limiter"`.
 *
 * @module
 */
import type { Store } from "hono-rate-limiter"
import { HitStore } from "./hit-store.js"

export type { HitStoreOptions, StoreLimiter } from "./hit-store.js"

/**
 * Keeps the hits of hono-rate-limiter in a limiter of sluice; all else of the middleware stays as it is.
 *
 * @example
 * ```ts
 * import { rateLimiter } from "hono-rate-limiter"
 * import { SluiceStore } from "sluice/hono-rate-limiter"
 *
 * const keyGenerator = () => "everybody"
 * rateLimiter({ windowMs: 60_000, limit: 100, keyGenerator, store: new SluiceStore() })
 * rateLimiter({ windowMs: 60_000, limit: 100, keyGenerator, store: new SluiceStore({ algorithm: "gcra" }) })
 * ```
 */
export class SluiceStore extends HitStore implements Store {}
