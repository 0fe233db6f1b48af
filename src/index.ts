/**
 * sluice: exact rate limiting, in memory. Several limits in memory are in `sluice/limits`; the other homes of the
 * same limits are `sluice/worker`, Cloudflare's Durable Objects, and `sluice/embedded`, a file.
 *
 * @module sluice
 */
export type { Decisions } from "./engine/decisions.js"
export { acquire } from "./limiter/acquire.js"
export type { AcquireOptions, WaitingLineOptions } from "./limiter/acquire-options.js"
export { type AllItem, checkAll } from "./limiter/check-all.js"
export { copyDecision } from "./limiter/copy-decision.js"
export { limited } from "./limiter/limited.js"
export type { Limiter } from "./limiter/limiter.js"
export type {
  Explanation,
  HistoryEntry,
  HistoryOptions,
  LimitChoice,
  NamedLimit,
  NamedLimits,
  Page,
  TopEntry,
  TopOptions,
} from "./limiter/named-limits.js"
export { Permit, type SettlingChecker } from "./limiter/permit.js"
export { RateLimiter } from "./limiter/rate-limiter.js"
export type { RateLimiterOptions } from "./limiter/rate-limiter-options.js"
export type { SyncLimiter } from "./limiter/sync-limiter.js"
export { WaitingLine } from "./limiter/waiting-line.js"
export { type SyncChecker, type WrapOptions, wrap } from "./limiter/wrap.js"
export { parsePolicy } from "./policy/parse-policy.js"
export type { Duration, Policy, PolicyInput, Rule, RuleInput } from "./policy/policy.js"
export { ALGORITHMS, type Algorithm } from "./types/algorithm.js"
export { type Clock, ManualClock, systemClock, turnClock } from "./types/clock.js"
export type { Decision, Reason, RuleDecision } from "./types/decision.js"
export {
  CostError,
  DumpError,
  KeyError,
  LimitNotFound,
  PolicyError,
  QueueFull,
  RateLimitExceeded,
  SluiceError,
  StoreCorrupt,
  StoreLocked,
  StoreUnavailable,
  StoreVersion,
  TimeoutExceeded,
} from "./types/errors.js"
export type {
  AllDecision,
  AllOptions,
  Awaitable,
  Checker,
  CheckItem,
  CheckOptions,
  KeyStats,
  KeyStatus,
} from "./types/limiter.js"
export type { Receipt } from "./types/receipt.js"
