import { MAX_UNITS } from "../policy/policy-range.js"

/** What each number may be that a store is opened with: the least and the most. */
export const STORE_BOUNDS = {
  flushEveryMs: [1, 3_600_000],
  flushEveryRecords: [1, 1_000_000],
  aheadUnits: [1, MAX_UNITS],
  historySegments: [0, 10_000],
  compactBytes: [4_096, 2 ** 31],
} as const

export const DEFAULT_HISTORY_SEGMENTS = 16
export const DEFAULT_COMPACT_BYTES = 4 * 2 ** 20
