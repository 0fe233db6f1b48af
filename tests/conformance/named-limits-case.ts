import type { NamedLimits } from "../../src/limiter/named-limits.js"
import type { PolicyInput } from "../../src/policy/policy.js"
import type { Clock } from "../../src/types/clock.js"

export interface MakeNamedLimitsOptions {
  readonly clock: Clock
  /** The limits to begin with; that of the name `"default"` is the default limit. */
  readonly limits: Readonly<Record<string, PolicyInput>>
}

/**
 * Makes new named limits without any key, which keep statistics, the names of at least 1,000 keys and at least the last
 * 20 events of each, durable ones so that an answered call is committed.
 */
export type MakeNamedLimits = (options: MakeNamedLimitsOptions) => NamedLimitsUnderTest | Promise<NamedLimitsUnderTest>

/** What a case asks. */
export interface NamedLimitsUnderTest extends NamedLimits {
  /** Frees what the limits hold, a file say; called when a case has ended. */
  close?(): unknown
}

/** One thing that every class of named limits must do. */
export interface NamedLimitsCase {
  /** Unique in the suite. */
  readonly name: string
  /** @throws {Error} where the limits do not conform */
  run(make: MakeNamedLimits): Promise<void>
}
