import type { Ledger } from "../src/ledger/ledger.js"
import type { LedgerLimit } from "../src/ledger/own-limit.js"
import { strictestOf } from "../src/ledger/sync-mode.js"
import type { Policy } from "../src/policy/policy.js"
import type { ObjectLedger } from "./object-ledger.js"
import { PoliciesInForce } from "./policies-in-force.js"
import type { ReadSubject } from "./subject-reader.js"
import { withEmptyLimit } from "./with-empty-limit.js"

/** What a verb works with. */
export interface LimitToChange {
  readonly ledger: Ledger
  readonly limit: LedgerLimit
  /** Perhaps not the policy that the limit is under. */
  readonly sent: Policy
  readonly nowMs: number
}

/** What a question works with. */
export interface LimitToLookAt {
  /** `null` where nothing is stored of the limit. */
  readonly ledger: Ledger | null
  readonly limit: LedgerLimit
  readonly nowMs: number
}

/** A limit with more keys is not copied for a question under a policy that no check has brought yet. */
const MAX_COPIED = 1_000

/**
 * The limits of a Durable Object, each under the policy that decides: the one that a caller sent, or the one in force.
 */
export class ObjectLimits {
  readonly #home: ObjectLedger
  readonly #policies = new PoliciesInForce()

  constructor(home: ObjectLedger) {
    this.#home = home
  }

  /** Runs a verb, perhaps at once. */
  ask<T>(sent: ReadSubject, verb: (asked: LimitToChange) => T): T | Promise<Awaited<T>> {
    return this.#home.ask(sent.sync, (ledger, nowMs) => verb(this.#asked(ledger, sent, nowMs)))
  }

  /** `ask` for a verb that has nothing to change where nothing is known of the limit: then nothing is stored either. */
  askKnown<T>(sent: ReadSubject, ofUnknown: () => T, verb: (asked: LimitToChange) => T | Promise<T>): Promise<T> {
    return this.ifKnown([sent], ofUnknown, (ledger, nowMs) => verb(this.#asked(ledger, sent, nowMs)))
  }

  /** Hands the ledger to a verb where it has all limits; else the place of one that it lacks, and nothing is stored. */
  async ifKnown<T>(
    limits: readonly ReadSubject[],
    ofUnknown: (place: number) => T,
    verb: (ledger: Ledger, nowMs: number) => T | Promise<T>,
    sync = strictestOf(limits.map((limit) => limit.sync)),
  ): Promise<T> {
    return await this.#home.askStored<T | Promise<T>>(sync, (ledger, nowMs) => {
      const place = limits.findIndex(({ limit }) => ledger?.limit(limit) === undefined)
      return place < 0 ? verb(ledger!, nowMs) : ofUnknown(place)
    })
  }

  /** Answers a question as a check would find it, under the policy that would decide that, and changes nothing. */
  async look<T>(sent: ReadSubject, question: (looked: LimitToLookAt) => T): Promise<Awaited<T>> {
    const { limit: name, sync, policy } = sent
    return this.#home.look(sync, (ledger, nowMs) => {
      const limit = ledger?.limit(name)
      if (limit === undefined) {
        return withEmptyLimit(name, policy, (empty) => question({ ledger: null, limit: empty, nowMs }))
      }
      if (limit.size > MAX_COPIED || !this.#policies.wouldTake(limit, sent, nowMs)) {
        return question({ ledger, limit, nowMs })
      }
      return ledger!.askUnder(limit, policy, nowMs, (asked) => question({ ledger, limit: asked, nowMs }))
    })
  }

  /** The limit under the policy that decides a call which may change it. */
  limitFor(ledger: Ledger, sent: ReadSubject, nowMs: number): LedgerLimit {
    return this.#policies.limitFor(ledger, sent, nowMs)
  }

  #asked(ledger: Ledger, sent: ReadSubject, nowMs: number): LimitToChange {
    return { ledger, limit: this.limitFor(ledger, sent, nowMs), sent: sent.policy, nowMs }
  }
}
