import type { Ledger } from "../src/ledger/ledger.js"
import type { LedgerLimit } from "../src/ledger/own-limit.js"
import type { Policy } from "../src/policy/policy.js"

/** How long the policy in force is not sent before one that it superseded takes its place again, ms. */
const ROLLBACK_AFTER_MS = 60_000
/** The superseded policies of a limit that are remembered. One that was forgotten counts as never seen. */
const MOST_SUPERSEDED = 8

interface InForce {
  /** When the policy in force was sent last with a call that may change it. */
  sentAtMs: number
  /** Canonical forms, the latest first. */
  superseded: readonly string[]
}

/**
 * Which of the policies that callers send decides, for each limit of a ledger.
 *
 * While a deployment replaces isolates, some send the old policy and some the new one. Each change caps what was used at
 * the new capacity, so changing with every call would leave the difference free again and again. A policy that was never
 * seen is taken for the newer one and decides at once; one that was superseded decides again when the policy in force has
 * not been sent for 60 s: a rollback. Kept in memory, so a ledger that is opened anew has seen its policy in force alone.
 */
export class PoliciesInForce {
  readonly #byLimit = new Map<string, InForce>()

  /** Whether a policy that is sent now would take the place of the limit's. Changes nothing. */
  wouldTake(limit: LedgerLimit, sent: Policy, nowMs: number): boolean {
    if (sent.canonical === limit.keys.policy.canonical) return false
    const known = this.#byLimit.get(limit.name)
    return known === undefined || !isTooEarly(known, sent, nowMs)
  }

  /** The limit under the policy that decides a call which may change it. */
  limitFor(ledger: Ledger, name: string, sent: Policy, nowMs: number): LedgerLimit {
    const limit = ledger.limit(name)
    const known = limit && this.#byLimit.get(name)
    // A clock that was set back must not keep a policy in force for as long as it was ahead.
    if (known !== undefined) known.sentAtMs = Math.min(known.sentAtMs, nowMs)
    if (limit !== undefined && !this.wouldTake(limit, sent, nowMs)) {
      if (sent.canonical !== limit.keys.policy.canonical) return limit
      if (known === undefined) this.#byLimit.set(name, { sentAtMs: nowMs, superseded: [] })
      else known.sentAtMs = nowMs
      return limit
    }
    const before = limit === undefined ? [] : [limit.keys.policy.canonical]
    const changed = ledger.define(name, sent, nowMs)
    const superseded = [...before, ...(known?.superseded ?? [])].filter((canonical) => canonical !== sent.canonical)
    this.#byLimit.set(name, { sentAtMs: nowMs, superseded: superseded.slice(0, MOST_SUPERSEDED) })
    return changed
  }
}

function isTooEarly({ sentAtMs, superseded }: InForce, sent: Policy, nowMs: number): boolean {
  return superseded.includes(sent.canonical) && nowMs - sentAtMs < ROLLBACK_AFTER_MS
}
