/**
 * For those who ask a limited server, and the limits of a sluice server over HTTP:
 * `import { pacedFetch, SluiceClient } from "sluice/client"`.
 *
 * @module sluice/client
 */
export type { DecisionEvent } from "../types/decision-event.js"
export type { Compaction, Diagnosis, Finding, LogCheck } from "../types/storage-report.js"
export { ApiError } from "./api-error.js"
export type { Pacing } from "./pace.js"
export { type PacedFetch, type PacedFetchOptions, pacedFetch } from "./paced-fetch.js"
export type { EventOptions } from "./read-events.js"
export type { KeyCount, ServerHealth, ServerTotals } from "./server-answers.js"
export { type CallOptions, SluiceClient, type SluiceClientOptions } from "./sluice-client.js"
