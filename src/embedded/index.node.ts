/**
 * sluice/embedded: durable limits in a folder of this machine, for Node, Deno and Bun. No daemon, no other server.
 *
 * @module sluice/embedded
 */

export type { LogPlace } from "../ledger/log-reader.js"
export type { SyncMode } from "../ledger/sync-mode.js"
export type { Verification } from "../ledger/verification.js"
export type { EmbeddedLimiter } from "./embedded-limiter.js"
export type { DoctorReport } from "./embedded-store.js"
export type { LogEvent } from "./log-event.js"
export { type OpenLimiterOptions, openLimiter } from "./open-limiter.node.js"
export { type RepairReport, repair } from "./repair.node.js"
export type { ShutdownSignal } from "./shutdown.node.js"
