import type { Core } from "../engine/core.js"
import { SAVED } from "../engine/limit.js"
import { RecordedLimit } from "../engine/recorded-limit.js"
import type { Seed } from "../engine/seed.js"
import { SettledReceipts, settleWithinMs } from "../engine/settled-receipts.js"
import type { Policy } from "../policy/policy.js"
import { ToldAdmissions } from "./told-admissions.js"

/** As many keys as the core can count: a ledger never forgets one that is not full. */
const MAX_KEYS = 2 ** 32 - 1

/** A limit of a ledger: its name, its number in the order of definition, its keys. */
export interface LedgerLimit {
  readonly name: string
  readonly number: number
  /** Another object after a compaction: ask the limit for it each time. */
  readonly keys: RecordedLimit
}

/** What the limits of a ledger have in common. */
export interface LimitHome {
  readonly core: Core
  readonly seed: Seed
  readonly issuerId: string
}

/** A limit as its ledger sees it. */
export class OwnLimit implements LedgerLimit {
  readonly name: string
  readonly number: number
  readonly #home: LimitHome
  keys: RecordedLimit
  settled = new SettledReceipts()
  told = new ToldAdmissions()
  /** Receipts that were charged before cannot be settled any more: those that were may be forgotten. */
  tooOldBeforeMs = 0
  /** Units of a key that may have been admitted beyond what the log tells. */
  readonly ahead = new Map<string, number>()
  /** The keys that were decided about, where names are kept. */
  names = new Set<string>()

  constructor(home: LimitHome, number: number, name: string, policy: Policy) {
    this.#home = home
    this.number = number
    this.name = name
    this.keys = this.#newKeys(policy)
  }

  #newKeys(policy: Policy): RecordedLimit {
    const { core, seed, issuerId } = this.#home
    return new RecordedLimit(core, policy, {
      maxKeys: MAX_KEYS,
      onFull: "deny-new",
      stats: true,
      seed,
      issuerId: `${issuerId}.${this.number}`,
      sharesCore: true,
    })
  }

  /** Puts another policy in place; what was used stays used. */
  change(policy: Policy, nowMs: number): void {
    const keepMs = settleWithinMs(this.keys.policy)
    this.keys.change(policy, nowMs)
    // What was too old stays so, also where the new policy keeps receipts longer.
    if (settleWithinMs(policy) > keepMs) this.closeReceipts(Math.ceil(nowMs - keepMs))
  }

  /** The keys as `change` would leave them, to be asked and freed; these stay. Costs the number of keys. */
  keysUnder(policy: Policy, nowMs: number): RecordedLimit {
    const copy = this.#newKeys(this.keys.policy)
    for (const kind of Object.values(SAVED)) {
      for (const cell of this.keys.save(kind, 0)) copy.load(kind, cell)
    }
    copy.change(policy, nowMs)
    return copy
  }

  /** From now on no receipt of before a time can be settled. */
  closeReceipts(beforeMs: number): void {
    this.tooOldBeforeMs = Math.max(this.tooOldBeforeMs, beforeMs)
  }

  /** Forgets every key. */
  empty(): void {
    const { policy } = this.keys
    this.keys.free()
    this.keys = this.#newKeys(policy)
    this.settled = new SettledReceipts()
    this.told = new ToldAdmissions()
    this.ahead.clear()
    this.names = new Set()
  }

  /** The settled receipts that are not too old at a time, and from when on receipts can be settled without the others. */
  receiptsAt(nowMs: number): {
    readonly receipts: readonly [id: string, chargedAtMs: number][]
    readonly tooOldBeforeMs: number
  } {
    const keepMs = settleWithinMs(this.keys.policy)
    const receipts = this.settled.entries(nowMs, keepMs)
    let { tooOldBeforeMs } = this
    for (const [, chargedAtMs] of this.settled.entries(0, keepMs)) {
      if (chargedAtMs + keepMs < nowMs) tooOldBeforeMs = Math.max(tooOldBeforeMs, chargedAtMs + 1)
    }
    return { receipts, tooOldBeforeMs }
  }
}
