import { Core } from "../engine/core.js"
import { MemoryLimit } from "../engine/memory-limit.js"
import { NamedAdmissions } from "../engine/named-admissions.js"
import { foreignReceipt } from "../engine/receipt-id.js"
import { randomId, randomSeed, type Seed } from "../engine/seed.js"
import type { TableChoice } from "../engine/table-options.js"
import type { Policy } from "../policy/policy.js"
import type { Clock } from "../types/clock.js"
import type { Receipt } from "../types/receipt.js"
import type { KeyJournal } from "./key-journal.js"

/** A limit of a set. */
export interface LimitEntry {
  readonly name: string
  /** Sets its receipts and ids apart from those of a limit that once had the same name. */
  readonly ordinal: number
  readonly limit: MemoryLimit
}

/**
 * Named limits that share one core, and the journal of their keys. They are made at the first question: a Worker has no
 * randomness while its modules load.
 */
export class LimitSet {
  readonly #table: TableChoice
  readonly #clock: Clock
  readonly #journal: KeyJournal
  /** Those of all limits. */
  readonly #admissions = new NamedAdmissions()
  /** Those to begin with. */
  readonly #policies: ReadonlyMap<string, Policy>
  #core: Core | null = null
  #seed!: Seed
  #id = ""
  readonly #byName = new Map<string, LimitEntry>()
  readonly #byOrdinal = new Map<number, LimitEntry>()
  #ordinals = 0

  constructor(policies: ReadonlyMap<string, Policy>, clock: Clock, journal: KeyJournal, table: TableChoice) {
    this.#policies = policies
    this.#clock = clock
    this.#journal = journal
    this.#table = table
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
    if (known?.limit.policy.canonical === policy.canonical) return
    if (known === undefined) this.#add(name, policy)
    else known.limit.change(policy, nowMs)
    this.#journal.noteDefinition(name, nowMs)
  }

  #add(name: string, policy: Policy): void {
    const ordinal = ++this.#ordinals
    const issuerId = `${this.#id}.${ordinal.toString(36)}`
    const options = { ...this.#table, seed: this.#seed, issuerId, sharesCore: true }
    const limit = new MemoryLimit(this.#core!, policy, options, this.#admissions, `${ordinal} `)
    const entry = { name, ordinal, limit }
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

  /**
   * The limit that a receipt says it is of; `undefined` where that is gone. @throws {RangeError} where there never was
   * one
   */
  issuerOf({ id }: Receipt): LimitEntry | undefined {
    const head = `${this.#id}.`
    const end = id.indexOf("-")
    const ordinal = id.startsWith(head) ? Number.parseInt(id.slice(head.length, end), 36) : Number.NaN
    if (!(ordinal >= 1 && ordinal <= this.#ordinals)) throw foreignReceipt(id)
    return this.#byOrdinal.get(ordinal)
  }
}
