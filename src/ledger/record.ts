/**
 * A change as the log tells it. `limit` is the number of a limit in the order of definition, times are whole ms since
 * the epoch, amounts whole units. What a record says is enough to repeat the change.
 */
export type LogRecord =
  | {
      readonly op: "define"
      readonly timeMs: number
      readonly limit: number
      readonly name: string
      readonly policy: string
      /** The limit had another policy that computed the same: its cells stay as they are. */
      readonly keepsCells?: true
    }
  | {
      readonly op: "admit"
      readonly timeMs: number
      readonly limit: number
      readonly key: string
      readonly cost: number
      /** Names the call, where the caller did. */
      readonly id?: string
    }
  | DenyRecord
  | {
      readonly op: "charge"
      readonly timeMs: number
      readonly limit: number
      readonly key: string
      readonly cost: number
    }
  | SettleRecord
  | {
      readonly op: "block"
      readonly timeMs: number
      readonly limit: number
      readonly key: string
      readonly untilMs: number
    }
  | { readonly op: "unblock"; readonly timeMs: number; readonly limit: number; readonly key: string }
  | { readonly op: "reset"; readonly timeMs: number; readonly limit: number; readonly key: string }
  | AheadRecord
  | { readonly op: "remove"; readonly timeMs: number; readonly limit: number }
  | StoreRecord
  | CompactRecord

/** A compaction began: here the state forgets what says nothing, whether a snapshot comes of it or not. */
export interface CompactRecord {
  readonly op: "compact"
  /** The time of the record before. Receipts and admissions that are too old then are forgotten. */
  readonly timeMs: number
  /** Stands for no limit. */
  readonly limit: 0
  /** Full quotas and blocks that had ended at this time are forgotten; not after `timeMs`. */
  readonly idleAtMs: number
  /** Statistics, and names, of keys about which nothing was decided since are forgotten; none where it is 0. */
  readonly statsSinceMs: number
}

/** From here on, up to `units` units of a key may have been admitted that the log does not tell. */
export interface AheadRecord {
  readonly op: "ahead"
  readonly timeMs: number
  readonly limit: number
  readonly key: string
  readonly units: number
}

/** The store was opened in a sync mode. */
export interface OpenRecord {
  readonly op: "open"
  readonly timeMs: number
  /** Stands for no limit. */
  readonly limit: 0
  /** The number of the sync mode: see `SYNC_NUMBER`. */
  readonly sync: number
  /** Every limit numbers its charges on above this number, where it had not come so far. */
  readonly chargesAfter: number
}

/** The store was closed, with everything told. */
export interface CloseRecord {
  readonly op: "close"
  readonly timeMs: number
  /** Stands for no limit. */
  readonly limit: 0
  /** The number of the sync mode in which nothing is told that is not in the file. */
  readonly sync: number
}

/** About the store as a whole. */
export type StoreRecord = OpenRecord | CloseRecord

/** Denials of the same key and cost that came one after the other: the first at `timeMs`, the last at `lastMs`. */
export interface DenyRecord {
  readonly op: "deny"
  readonly timeMs: number
  readonly limit: number
  readonly key: string
  readonly cost: number
  readonly count: number
  readonly lastMs: number
}

/** A receipt that was settled, by its `units` as engine/settlement.ts has them. */
export interface SettleRecord {
  readonly op: "settle"
  readonly timeMs: number
  readonly limit: number
  readonly key: string
  readonly units: number
  readonly chargedAtMs: number
  /** The receipt's number with its limit. */
  readonly chargeNumber: number
}
