/**
 * What a Worker tells of its storage. Its sums outlast its isolates, which tell now a little more, now a little less.
 */
export const WORKER_STORAGE = "durable objects"

/** One thing that was looked at, and whether it is as it should be. */
export interface Finding {
  readonly name: string
  readonly ok: boolean
  readonly detail: string
}

/** What was looked at of a store and the runtime. */
export interface Diagnosis {
  /** Whether all of it is as it should be. */
  readonly ok: boolean
  readonly findings: readonly Finding[]
}

/** What a compaction did. */
export interface Compaction {
  /** `null` where no log holds all keys together. */
  readonly bytesBefore: number | null
  readonly bytesAfter: number | null
  /** Records that the snapshot now stands for. */
  readonly records: number
  /** For people: why nothing was done, where nothing was. */
  readonly detail?: string
}

/**
 * What a verification of the log found, which reads every record and compares what they add up to with the live state.
 */
export interface LogCheck {
  readonly ok: boolean
  readonly segments: number
  readonly records: number
  /** Each names the row and what failed. */
  readonly problems: readonly string[]
}
