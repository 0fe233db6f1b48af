/**
 * When an answer may be given: `always` when its charge is in the file, `ahead` when a block of units that covers it is,
 * `batch` at once.
 */
export type SyncMode = "always" | "ahead" | "batch"

/** The modes' numbers in the log. */
export const SYNC_NUMBER: Readonly<Record<SyncMode, number>> = { always: 0, ahead: 1, batch: 2 }
