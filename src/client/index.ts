/**
 * For those who ask a limited server: `import { pacedFetch } from "sluice/client"`.
 *
 * @module sluice/client
 */
export type { Pacing } from "./pace.js"
export { type PacedFetch, type PacedFetchOptions, pacedFetch } from "./paced-fetch.js"
