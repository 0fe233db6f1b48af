/**
 * For those who ask a limited server, and the limits of a sluice server over HTTP:
 * `import { pacedFetch, SluiceClient } from "sluice/client"`.
 *
 * @module sluice/client
 */
export { ApiError } from "./api-error.js"
export type { Pacing } from "./pace.js"
export { type PacedFetch, type PacedFetchOptions, pacedFetch } from "./paced-fetch.js"
export type { ClientEvent, EventOptions } from "./read-events.js"
export { type CallOptions, type ServerTotals, SluiceClient, type SluiceClientOptions } from "./sluice-client.js"
