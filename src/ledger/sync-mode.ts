export const SYNC_MODES = ["always", "ahead", "batch"] as const

/**
 * When an answer may be given: `always` when its charge is in the file, `ahead` when a grant of units that covers it
 * is, `batch` at once.
 */
export type SyncMode = (typeof SYNC_MODES)[number]

/** The modes' numbers in the log: the stricter, the lower. */
export const SYNC_NUMBER: Readonly<Record<SyncMode, number>> = { always: 0, ahead: 1, batch: 2 }

/** Of several modes the one that promises most. */
export function strictestOf(modes: readonly SyncMode[]): SyncMode {
  return modes.reduce((a, b) => (SYNC_NUMBER[b] < SYNC_NUMBER[a] ? b : a))
}
