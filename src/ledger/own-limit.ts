import type { ClosedReceipts } from "../engine/closed-receipts.js"
import type { Core } from "../engine/core.js"
import type { ChargedAdmission } from "../engine/named-admissions.js"
import { RecordedLimit } from "../engine/recorded-limit.js"
import type { Seed } from "../engine/seed.js"
import { closeCharged, settleOnce, settleWithinMs, tooOldBeforeMs } from "../engine/settlement.js"
import type { Policy } from "../policy/policy.js"
import { MAX_KEYS, MAX_UNITS } from "../policy/policy-range.js"
import { requireWhole } from "../policy/require-fields.js"
import type { Receipt } from "../types/receipt.js"
import {
  type CallName,
  InternalCall,
  isInternalName,
  MAX_INTERNAL_CALLS,
  recordedName,
  requireInternalName,
} from "./call-name.js"
import { ChargeGaps } from "./charge-gaps.js"
import { NameSet } from "./name-set.js"
import { SavedAdmissions } from "./saved-admissions.js"
import { SavedReceipts } from "./saved-receipts.js"
import { withMemory } from "./with-memory.js"

/** A limit of a ledger: its name, its number in the order of definition, its keys. */
export interface LedgerLimit {
  readonly name: string
  readonly number: number
  readonly policy: Policy
  /** How many keys are held. */
  readonly size: number
  /** The keys, to be asked or changed at once: a compaction that is under way begins to save the limit first. */
  openKeys(): RecordedLimit
}

/** What a compaction does with a limit before anything of it is looked at, or changes. */
export interface Saver {
  /** Begins to save it as it is now, if that has not begun. */
  begin(limit: OwnLimit): void
  /** Saves all of it now. */
  finish(limit: OwnLimit): void
  /** Takes over a limit that was removed, with its keys, which it frees. Whether it was not saved already. */
  adopt(limit: OwnLimit): boolean
  /** Frees what only this one holds. */
  free(): void
}

/** What the limits of a ledger have in common. */
export interface LimitHome {
  readonly core: Core
  readonly seed: Seed
  readonly issuerId: string
  /** The compaction that is under way. */
  saver: Saver | null
}

/** A receipt, as far as settling it needs to know it. */
export interface ChargedReceipt extends Pick<Receipt, "key" | "chargedAtMs"> {
  /** Its number with its limit. */
  readonly chargeNumber: number
}

/** Stands for the receipts that were settled where one is of a number that was skipped, or its key was reset since. */
const NONE_OPEN = { isOpen: () => false, add: () => false }

/** A limit as its ledger sees it. */
export class OwnLimit implements LedgerLimit {
  readonly name: string
  readonly number: number
  readonly #home: LimitHome
  readonly #keys: RecordedLimit
  /** The compaction that has begun to save it, or that had begun before it was made. */
  savedBy: Saver | null
  readonly receipts = new SavedReceipts()
  /** Those of calls that callers named. */
  readonly admissions = new SavedAdmissions()
  /** Those of calls that sluice named. */
  readonly internalAdmissions = new SavedAdmissions(MAX_INTERNAL_CALLS, requireInternalName)
  readonly gaps = new ChargeGaps()
  /** Units of a key that may have been admitted beyond what the log tells. */
  ahead: Map<string, number> | null = null
  /** The keys that were decided about, where names are kept. */
  readonly names = new NameSet()
  /** Those noted since the begin of a compaction that may forget names; `null` once it has looked at all. */
  namedSince: NameSet | null = null

  constructor(home: LimitHome, number: number, name: string, policy: Policy) {
    this.#home = home
    this.number = number
    this.name = name
    this.savedBy = home.saver
    this.#keys = this.#newKeys(policy)
  }

  get policy(): Policy {
    return this.#keys.policy
  }

  get size(): number {
    return this.#keys.size
  }

  openKeys(): RecordedLimit {
    const { saver } = this.#home
    if (saver !== null && this.savedBy !== saver) saver.begin(this)
    return this.#keys
  }

  /**
   * Whether nobody would miss it, were it removed and defined anew: no key is used or blocked, and none was decided
   * about for as long as statistics are kept.
   *
   * What it keeps beside its keys is not looked at. Its receipts, settled or not, close with it, since a new limit has
   * another number, and so its resets have nothing left to close; what they could give back is full already. A call
   * with an id is told again for five minutes, and left statistics, which those who remove empty limits keep for an
   * hour.
   */
  get isEmpty(): boolean {
    return this.ahead === null && this.openKeys().holdsNothing
  }

  #newKeys(policy: Policy): RecordedLimit {
    const { core, seed, issuerId } = this.#home
    return new RecordedLimit(core, policy, {
      // A ledger forgets no key that is not full.
      maxKeys: MAX_KEYS,
      onFull: "keep-all",
      stats: true,
      seed,
      issuerId: `${issuerId}.${this.number}`,
      sharesCore: true,
    })
  }

  /** Where the admissions are whose calls have such a name in records. */
  admissionsLike(recorded: string): SavedAdmissions {
    return isInternalName(recorded) ? this.internalAdmissions : this.admissions
  }

  /** The admission of a call that may be told again: not where it was settled. */
  admissionUnder(name: CallName, key: string, cost: number | null, nowMs: number): ChargedAdmission | undefined {
    const among = name instanceof InternalCall ? this.internalAdmissions : this.admissions
    const isSettled = (admission: ChargedAdmission) => this.receipts.mayBeSettled(admission)
    return among.find(recordedName(name), key, cost, nowMs, isSettled)
  }

  /**
   * Settles a receipt once. How much it may give back is not asked: a record tells what was settled.
   *
   * @returns false where it was settled before, is too old, is of a number that was skipped, or its key was reset since
   * @throws {KeyError} {RangeError} where the receipt or an argument cannot be; then nothing has changed
   */
  settle(receipt: ChargedReceipt, units: number, nowMs: number): boolean {
    requireWhole("settle", "units", units, -MAX_UNITS, MAX_UNITS)
    return settleOnce(this.openKeys(), this.#settledLike(receipt), receipt, units, nowMs)
  }

  /** Makes a key's quota full, and closes its receipts. Whether there was anything to forget. */
  reset(key: string, nowMs: number): boolean {
    const keys = this.openKeys()
    closeCharged(keys, this.receipts, key, nowMs)
    return keys.reset(key, nowMs)
  }

  /** Whether a receipt can be settled. */
  isOpen(receipt: ChargedReceipt, nowMs: number): boolean {
    return this.#settledLike(receipt).isOpen(receipt, nowMs, settleWithinMs(this.policy))
  }

  #settledLike({ key, chargeNumber }: ChargedReceipt): Pick<ClosedReceipts<ChargedReceipt>, "isOpen" | "add"> {
    return this.gaps.has(chargeNumber) || this.receipts.resets.has(key, chargeNumber) ? NONE_OPEN : this.receipts
  }

  /** Numbers charges on above a number, where they are not that far. */
  skipCharges(through: number): void {
    const keys = this.openKeys()
    if (keys.charges >= through) return
    this.gaps.skip({ after: keys.charges, through })
    keys.skipChargesTo(through)
  }

  /** Notes a grant of units of a key, or by 0 that it was taken back. */
  grantAhead(key: string, units: number): void {
    this.ahead ??= new Map()
    if (units > 0) this.ahead.set(key, units)
    else this.ahead.delete(key)
    if (this.ahead.size === 0) this.ahead = null
  }

  noteName(key: string): void {
    this.names.add(key)
    this.namedSince?.add(key)
  }

  /** Puts another policy in place; what was used stays used. */
  change(policy: Policy, nowMs: number): void {
    const keys = this.openKeys()
    const before = this.policy
    // The core carries over no cells of a limit that is being saved.
    if (!keys.computesAs(policy)) this.#home.saver?.finish(this)
    keys.change(policy, nowMs)
    this.receipts.closeBefore(tooOldBeforeMs(before, policy, nowMs))
  }

  /**
   * The keys as `change` would leave them, to be asked and freed; these stay. Costs the number of keys.
   *
   * @throws {StoreUnavailable} where there is no memory for them
   */
  keysUnder(policy: Policy, nowMs: number): RecordedLimit {
    this.#home.saver?.finish(this)
    return withMemory(this.#home.core, () => {
      const copy = this.#newKeys(this.policy)
      try {
        for (const { kind, cells } of this.openKeys().copyCells()) {
          if (!copy.load(kind, cells)) throw new RangeError("Cannot copy a limit: the core's memory is full.")
        }
        copy.change(policy, nowMs)
        return copy
      } catch (error) {
        copy.free()
        throw error
      }
    })
  }
}
