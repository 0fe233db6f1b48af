import { Core } from "../engine/core.js"
import { Limit } from "../engine/limit.js"
import type { OnFull } from "../engine/limit-options.js"
import { randomId, randomSeed } from "../engine/seed.js"
import { SettledReceipts } from "../engine/settled-receipts.js"
import type { Policy } from "../policy/policy.js"
import type { Receipt } from "../types/receipt.js"

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

/** Named limits that share one core. Made at the first question: a Worker has no randomness while its modules load. */
export class LimitSet {
  readonly #core = new Core()
  readonly #seed = randomSeed()
  readonly #id = randomId()
  readonly #options: LimitSetOptions
  readonly #byName = new Map<string, LimitEntry>()
  readonly #byOrdinal = new Map<number, LimitEntry>()
  #ordinals = 0

  constructor(options: LimitSetOptions) {
    this.#options = options
  }

  get(name: string): LimitEntry | undefined {
    return this.#byName.get(name)
  }

  names(): string[] {
    return [...this.#byName.keys()]
  }

  /** Adds a limit of a new name. */
  add(name: string, policy: Policy): void {
    const ordinal = ++this.#ordinals
    const issuerId = `${this.#id}.${ordinal.toString(36)}`
    const limit = new Limit(this.#core, policy, { ...this.#options, seed: this.#seed, issuerId, sharesCore: true })
    const entry = { name, ordinal, limit, settled: new SettledReceipts() }
    this.#byName.set(name, entry)
    this.#byOrdinal.set(ordinal, entry)
  }

  /** Frees a limit and all its keys. Whether there was one. */
  remove(name: string): boolean {
    const entry = this.#byName.get(name)
    if (entry === undefined) return false
    this.#byName.delete(name)
    this.#byOrdinal.delete(entry.ordinal)
    entry.limit.free()
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
