import type { Ledger } from "../src/ledger/ledger.js"
import type { LedgerLimit } from "../src/ledger/own-limit.js"
import type { ReadSubject } from "./subject-reader.js"

/** How long the policy in force is not sent before one that it superseded takes its place again, ms. */
const ROLLBACK_AFTER_MS = 60_000
/** The superseded policies of a limit that are remembered. One that was forgotten counts as never seen. */
const MAX_SUPERSEDED = 8

/** A policy that a caller sent. */
type SentPolicy = Pick<ReadSubject, "policy" | "version">

interface LimitPolicies {
  /** When the policy in force was sent last with a call that may change it. */
  sentAtMs: number
  /** The latest that it was sent with. */
  version: number | undefined
  /** Canonical forms, the latest first. */
  superseded: readonly string[]
}

/**
 * Which of the policies that callers send decides, for each limit of a ledger.
 *
 * While a deployment replaces isolates, some send the old policy and some the new one. Each change caps what was used
 * at the new capacity, so changing with every call would leave the difference free again and again. A policy that was
 * never seen is taken for the newer one and decides at once; one that was superseded decides again when the policy in
 * force has not been sent for 60 s: a rollback. Where both have versions, these say which one is newer, so that a
 * rollback which has a version of its own decides at once. Kept in memory, so a ledger that is opened anew has seen its
 * policy in force alone, and without its version.
 */
export class PoliciesInForce {
  readonly #byLimit = new Map<string, LimitPolicies>()
  /** How many there were when those that the ledger had removed were forgotten last. */
  #left = 0

  /** Limits that are remembered: hardly more than twice as many as the ledger has. */
  get size(): number {
    return this.#byLimit.size
  }

  /** Whether a policy that is sent now would take the place of the limit's. Changes nothing. */
  wouldTake(limit: LedgerLimit, sent: SentPolicy, nowMs: number): boolean {
    if (sent.policy.canonical === limit.policy.canonical) return false
    const known = this.#byLimit.get(limit.name)
    return known === undefined || !isTooEarly(known, sent, nowMs)
  }

  /** The limit under the policy that decides a call which may change it. */
  limitFor(ledger: Ledger, sent: ReadSubject, nowMs: number): LedgerLimit {
    const { limit: name, policy, version } = sent
    const limit = ledger.limit(name)
    const known = limit && this.#byLimit.get(name)
    // A clock that was set back must not keep a policy in force for as long as it was ahead.
    if (known !== undefined) known.sentAtMs = Math.min(known.sentAtMs, nowMs)
    if (limit !== undefined && !this.wouldTake(limit, sent, nowMs)) {
      if (policy.canonical !== limit.policy.canonical) return limit
      const { superseded = [] } = known ?? {}
      this.#byLimit.set(name, { sentAtMs: nowMs, version: latest(version, known?.version), superseded })
      return limit
    }
    if (limit === undefined) this.#forgetRemoved(ledger)
    const before = limit === undefined ? [] : [limit.policy.canonical]
    const changed = ledger.define(name, policy, nowMs)
    const superseded = [...before, ...(known?.superseded ?? [])].filter((canonical) => canonical !== policy.canonical)
    this.#byLimit.set(name, { sentAtMs: nowMs, version, superseded: superseded.slice(0, MAX_SUPERSEDED) })
    return changed
  }

  /** Looks at all each time that they are twice as many as the last time left, which is seldom. */
  #forgetRemoved(ledger: Ledger): void {
    if (this.#byLimit.size < 2 * this.#left) return
    for (const name of this.#byLimit.keys()) if (ledger.limit(name) === undefined) this.#byLimit.delete(name)
    this.#left = this.#byLimit.size
  }
}

function isTooEarly(known: LimitPolicies, sent: SentPolicy, nowMs: number): boolean {
  return isOlder(known, sent) && nowMs - known.sentAtMs < ROLLBACK_AFTER_MS
}

function isOlder(known: LimitPolicies, { policy, version }: SentPolicy): boolean {
  if (version !== undefined && known.version !== undefined) return version < known.version
  return known.superseded.includes(policy.canonical)
}

function latest(one: number | undefined, other: number | undefined): number | undefined {
  return one === undefined || other === undefined ? (one ?? other) : Math.max(one, other)
}
