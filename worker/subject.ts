import type { SyncMode } from "../src/ledger/sync-mode.js"

/** Whose quota a call is about, and under which policy. */
export interface Subject {
  readonly key: string
  /**
   * The policy that the caller knows, by its canonical form. It decides where the object has none yet or never saw this
   * one; see `LimiterObject`.
   */
  readonly policy: string
  /** Which definition of the limit the policy is of, the later the greater; absent where nobody counts them. */
  readonly version?: number
  /** The limit's name where the object holds those of one owner; an object of one limit needs none. */
  readonly limit?: string
  /** When an admission may be told; default `"always"`: when it is on disk. */
  readonly sync?: SyncMode
}

/**
 * What is the same for all checks of a limit, `Subject` without its key, as JSON: an object that hears the same text
 * again need not read it.
 */
export type SubjectText = string

/** One of the checks that an object decides together. */
export interface SubjectCheck {
  readonly subject: Subject
  readonly cost: number
  /** Names the check beyond its call; an object that does not know it goes by the call's. */
  readonly id?: string
  /** The longest time that what is admitted may be held. Where it would be held for longer, nothing is charged. */
  readonly maxDelayMs?: number
}

/** One of the checks of a limit that come in one call, each decided on its own. */
export interface KeyCheck {
  readonly key: string
  /** More than 0: what charges nothing is no question to be grouped. */
  readonly cost: number
  readonly id?: string
  /** As that of a `SubjectCheck`. */
  readonly maxDelayMs?: number
}
