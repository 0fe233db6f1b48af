import type { Rule } from "../../src/policy/policy.js"
import { MAXIMUM_USED, max, min } from "./exact-math.js"
import type { RuleOracle } from "./rule-oracle.js"
import { provenWait } from "./smallest-wait.js"

/** Units charged in one millisecond; 0 where all of them were given back. */
interface Entry {
  readonly at: bigint
  readonly units: bigint
}

/** Every charge that still counts, oldest first, one entry per millisecond; never empty. */
export type LogState = readonly Entry[]

/** `sliding_window_log`: exact over (now − length, now]. */
export function slidingWindowLog(rule: Rule): RuleOracle<LogState> {
  const length = BigInt(rule.periodMs)
  const limit = BigInt(rule.capacity)

  const within = (state: LogState | null, at: bigint) => (state ?? []).filter((entry) => entry.at > at - length)
  function used(state: LogState | null, at: bigint): bigint {
    let units = 0n
    for (const entry of state ?? []) if (entry.at > at - length) units += entry.units
    return units
  }
  const admits = (state: LogState | null, units: bigint, at: bigint) => used(state, at) + units <= limit

  /** The wait until at most `allowed` units are left: entries leave one by one, oldest first. */
  function waitUntilUsed(allowed: bigint, state: LogState | null, at: bigint): bigint {
    let left = used(state, at)
    let wait = 0n
    for (const entry of within(state, at)) {
      if (left <= allowed) break
      left -= entry.units
      if (entry.units > 0n) wait = entry.at + length - at
    }
    return wait
  }

  return {
    fullRefillMs: length,
    mostUnits: (spanMs) => BigInt(rule.capacity) * (spanMs / length + 1n),
    lastMs: (state) => state.at(-1)!.at,
    used,
    admits,
    charge(state, units, at) {
      const entries = within(state, at)
      const added = min(units, MAXIMUM_USED - used(state, at))
      const newest = entries.at(-1)
      if (newest?.at === at) return [...entries.slice(0, -1), { at, units: newest.units + added }]
      return added === 0n ? entries : [...entries, { at, units: added }]
    },
    refund(state, units, chargedAt, at) {
      if (chargedAt <= at - length) return state
      const entries = state.map((entry) =>
        entry.at === chargedAt ? { at: entry.at, units: max(0n, entry.units - units) } : entry,
      )
      return used(entries, at) === 0n ? null : entries
    },
    retryAfter: (state, units, at) =>
      provenWait(waitUntilUsed(limit - units, state, at), (wait) => admits(state, units, at + wait)),
    resetAfter: (state, at) => provenWait(waitUntilUsed(0n, state, at), (wait) => used(state, at + wait) === 0n),
    healed(state, nowMs) {
      const shift = nowMs - state.at(-1)!.at
      return state.map((entry) => ({ at: entry.at + shift, units: entry.units }))
    },
    delay: () => 0n,
  }
}
