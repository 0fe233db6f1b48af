/**
 * The limits of a server over HTTP: `import { SluiceClient } from "sluice/client"`.
 *
 * @module sluice/client
 */
export { ApiError } from "./api-error.js"
export type { ClientEvent, EventOptions } from "./read-events.js"
export { type CallOptions, type ServerTotals, SluiceClient, type SluiceClientOptions } from "./sluice-client.js"
