import { Core } from "../engine/core.js"
import { Limit } from "../engine/limit.js"
import { randomId, randomSeed, type Seed } from "../engine/seed.js"
import { SettledReceipts } from "../engine/settled-receipts.js"
import { closeTooOld } from "../engine/settlement.js"
import type { OnFull } from "../engine/table-options.js"
import type { Policy } from "../policy/policy.js"
import type { Clock } from "../types/clock.js"
import type { Receipt } from "../types/receipt.js"
import type { KeyJournal } from "./key-journal.js"

/** A limit of a set, with what is known of its receipts. */
export interface LimitEntry {
  readonly name: string
  /** Sets its receipts and ids apart from those of a limit that once had the same name. */
  readonly ordinal: number
  readonly limit: Limit
  readonly settled: SettledReceipts
}

/** What all limits of a set have in common. */
export interface LimitSetOptions {
  readonly maxKeys: number
  readonly onFull: OnFull
  readonly stats: boolean
}

/**
 * Named limits that share one core, and the journal of their keys. They are made at the first question: a Worker has no
 * randomness while its modules load.
 */
export class LimitSet {
  readonly #options: LimitSetOptions
  readonly #clock: Clock
  readonly #journal: KeyJournal
  /** Those to begin with. */
  readonly #policies: ReadonlyMap<string, Policy>
  #core: Core | null = null
  #seed!: Seed
  #id = ""
  readonly #byName = new Map<string, LimitEntry>()
  readonly #byOrdinal = new Map<number, LimitEntry>()
  #ordinals = 0

  constructor(policies: ReadonlyMap<string, Policy>, clock: Clock, journal: KeyJournal, options: LimitSetOptions) {
    this.#policies = policies
    this.#clock = clock
    this.#journal = journal
    this.#options = options
  }

  limit(name: string): LimitEntry | undefined {
    if (this.#core === null) this.#start()
    return this.#byName.get(name)
  }

  names(): string[] {
    if (this.#core === null) this.#start()
    return [...this.#byName.keys()]
  }

  #start(): void {
    const nowMs = this.#clock.now()
    this.#core = new Core()
    try {
      this.#seed = randomSeed()
      this.#id = randomId()
      for (const [name, policy] of this.#policies) this.#add(name, policy)
    } catch (error) {
      // The next question starts anew: else it would find a part of the limits, or none.
      this.#core = null
      this.#byName.clear()
      this.#byOrdinal.clear()
      throw error
    }
    for (const name of this.#policies.keys()) this.#journal.noteDefinition(name, nowMs)
  }

  /** Adds a limit, or puts another policy in its place. */
  define(name: string, policy: Policy, nowMs: number): void {
    const known = this.limit(name)
    const before = known?.limit.policy
    if (before?.canonical === policy.canonical) return
    if (known === undefined) this.#add(name, policy)
    else {
      known.limit.change(policy, nowMs)
      closeTooOld(known.settled, before!, policy, nowMs)
    }
    this.#journal.noteDefinition(name, nowMs)
  }

  #add(name: string, policy: Policy): void {
    const ordinal = ++this.#ordinals
    const issuerId = `${this.#id}.${ordinal.toString(36)}`
    const limit = new Limit(this.#core!, policy, { ...this.#options, seed: this.#seed, issuerId, sharesCore: true })
    const entry = { name, ordinal, limit, settled: new SettledReceipts() }
    this.#byName.set(name, entry)
    this.#byOrdinal.set(ordinal, entry)
  }

  /** Frees a limit and all its keys, and forgets what was written down about it. Whether there was one. */
  remove(name: string): boolean {
    const entry = this.limit(name)
    if (entry === undefined) return false
    this.#byName.delete(name)
    this.#byOrdinal.delete(entry.ordinal)
    entry.limit.free()
    this.#journal.forget(name)
    return true
  }

  /** The limit that gave a receipt; `null` where that is gone, `undefined` where the receipt is of no limit of this set. */
  issuerOf({ id }: Receipt): LimitEntry | null | undefined {
    const head = `${this.#id}.`
    const end = id.indexOf("-")
    const ordinal = id.startsWith(head) ? Number.parseInt(id.slice(head.length, end), 36) : Number.NaN
    if (!(ordinal >= 1 && ordinal <= this.#ordinals)) return undefined
    const entry = this.#byOrdinal.get(ordinal)
    if (entry === undefined) return null
    return entry.limit.chargeOf(id) === null ? undefined : entry
  }
}
