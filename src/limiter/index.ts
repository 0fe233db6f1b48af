/**
 * Several named limits in memory: `import { MemoryLimits } from "sluice/limits"`.
 *
 * @module sluice/limits
 */
export { MemoryLimits } from "./memory-limits.js"
export type { MemoryLimitsOptions } from "./memory-limits-options.js"
export {
  DEFAULT_LIMIT,
  type Explanation,
  type HistoryEntry,
  type HistoryOptions,
  type LimitChoice,
  type NamedLimit,
  type NamedLimits,
  type Page,
  type TopEntry,
  type TopOptions,
} from "./named-limits.js"
export { type OneLimit, type OneLimitWithPolicy, oneLimit } from "./one-limit.js"
