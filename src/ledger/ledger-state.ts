import type { Core } from "../engine/core.js"
import { UNITS_MAX } from "../engine/core-exports.js"
import { Limit, SAVED } from "../engine/limit.js"
import type { Seed } from "../engine/seed.js"
import { SettledReceipts, settleWithinMs } from "../engine/settled-receipts.js"
import { parsePolicy } from "../policy/parse-policy.js"
import type { Policy } from "../policy/policy.js"
import { show } from "../types/errors.js"
import { ByteReader, MalformedBytes } from "./byte-reader.js"
import { ByteWriter } from "./byte-writer.js"
import type { LogRecord } from "./record.js"

/** As many keys as the core can count: a ledger never forgets one that is not full. */
const MAX_KEYS = 2 ** 32 - 1

/** A limit of a ledger: its name, its number in the order of definition, its keys. */
export interface LedgerLimit {
  readonly name: string
  readonly number: number
  /** Another object after a compaction: ask the limit for it each time. */
  readonly keys: Limit
}

/** A limit as its ledger sees it. */
interface OwnLimit {
  readonly name: string
  readonly number: number
  keys: Limit
  settled: SettledReceipts
  /** Receipts that were charged before cannot be settled any more: those that were may be forgotten. */
  tooOldBeforeMs: number
}

/**
 * What a ledger knows, without the log: the limits and their keys. Everything that changes it is a record, and the
 * same records in the same order give the same state, bit for bit.
 */
export class LedgerState {
  readonly #core: Core
  readonly #seed: Seed
  readonly #issuerId: string
  readonly #limits: OwnLimit[] = []
  readonly #byName = new Map<string, OwnLimit>()
  /** The time of the last record. Not the latest of all: a clock that had jumped ahead must not count for years. */
  #nowMs = 0

  constructor(core: Core, seed: Seed, issuerId: string) {
    this.#core = core
    this.#seed = seed
    this.#issuerId = issuerId
  }

  get limits(): readonly LedgerLimit[] {
    return this.#limits
  }

  limit(name: string): LedgerLimit | undefined {
    return this.#byName.get(name)
  }

  /** Defines a limit, or gives an existing one another policy in place. */
  define(name: string, policy: Policy, nowMs: number): LedgerLimit {
    const known = this.#byName.get(name)
    if (known !== undefined) {
      const keepMs = settleWithinMs(known.keys.policy)
      known.keys.change(policy, nowMs)
      // What was too old stays so, also where the new policy keeps receipts longer.
      if (settleWithinMs(policy) > keepMs) {
        known.tooOldBeforeMs = Math.max(known.tooOldBeforeMs, Math.ceil(nowMs - keepMs))
      }
      return known
    }
    return this.#add(name, policy)
  }

  #add(name: string, policy: Policy): OwnLimit {
    const number = this.#limits.length
    const keys = this.#keysOf(number, policy)
    const limit = { name, number, keys, settled: new SettledReceipts(), tooOldBeforeMs: 0 }
    this.#limits.push(limit)
    this.#byName.set(name, limit)
    return limit
  }

  #keysOf(number: number, policy: Policy): Limit {
    return new Limit(this.#core, policy, {
      maxKeys: MAX_KEYS,
      onFull: "deny-new",
      stats: true,
      seed: this.#seed,
      issuerId: `${this.#issuerId}.${number}`,
      sharesCore: true,
    })
  }

  /**
   * Settles a receipt once: gives units back or, where they are negative, charges more.
   *
   * @returns false where it was settled before or is too old
   * @throws {KeyError} {RangeError} where the receipt or an argument cannot be; then nothing has changed
   */
  settle(
    { number, keys }: LedgerLimit,
    receipt: { readonly id: string; readonly key: string; readonly chargedAtMs: number },
    units: number,
    nowMs: number,
  ): boolean {
    const { key, chargedAtMs } = receipt
    if (!Number.isInteger(units) || Math.abs(units) > UNITS_MAX) {
      throw new RangeError(`Cannot settle ${show(units)} units: allowed are whole units from -2^31 to 2^31.`)
    }
    // Giving nothing back changes nothing and asks the core about the key and both times.
    keys.refund(key, 0, chargedAtMs, nowMs)
    const { settled, tooOldBeforeMs } = this.#limits[number]!
    if (chargedAtMs < tooOldBeforeMs || !settled.add(receipt, nowMs, settleWithinMs(keys.policy))) return false
    if (units > 0) keys.refund(key, units, chargedAtMs, nowMs)
    else if (units < 0) keys.charge(key, -units, nowMs)
    return true
  }

  noteTime(timeMs: number): void {
    this.#nowMs = timeMs
  }

  /**
   * Repeats a recorded change.
   *
   * @throws {MalformedBytes} where the state decides otherwise than the record tells
   */
  replay(record: LogRecord): void {
    const { timeMs } = record
    this.noteTime(record.op === "deny" ? record.lastMs : timeMs)
    if (record.op === "define") {
      const limit = this.define(record.name, parsePolicy(record.policy), timeMs)
      if (limit.number !== record.limit) throw new MalformedBytes("a record defines a limit out of order")
      return
    }
    const limit = this.#limits[record.limit]
    if (limit === undefined) throw new MalformedBytes("a record names a limit that was not defined")
    const { keys } = limit
    switch (record.op) {
      case "admit":
        if (!keys.allow(record.key, record.cost, timeMs)) throw new MalformedBytes("replay denies what was admitted")
        // The number of the receipt that `check` gave.
        keys.charges += 1
        return
      case "deny":
        if (keys.allow(record.key, record.cost, timeMs)) throw new MalformedBytes("replay admits what was denied")
        keys.noteDenials(record.key, record.count - 1, record.cost, record.lastMs)
        return
      case "charge":
        keys.charge(record.key, record.cost, timeMs)
        return
      case "settle": {
        const receipt = { id: keys.receiptId(record.charge), key: record.key, chargedAtMs: record.chargedAtMs }
        if (!this.settle(limit, receipt, record.units, timeMs)) throw new MalformedBytes("a receipt is settled twice")
        return
      }
      case "block":
        keys.block(record.key, record.untilMs, timeMs)
        return
      case "unblock":
        keys.unblock(record.key)
        return
      case "reset":
        keys.reset(record.key, timeMs)
    }
  }

  /**
   * Everything as a snapshot holds it. Cells stand in the order of their table, which the same records after the same
   * snapshot make the same: so do equal histories give equal bytes.
   *
   * @param idle whether what says nothing at the time of the last record is kept: full quotas, ended blocks, receipts
   *   that are too old to be settled
   */
  save({ idle }: { readonly idle: "kept" | "dropped" }): Uint8Array {
    const nowMs = idle === "kept" ? 0 : this.#nowMs
    const writer = new ByteWriter()
    writer.f64(this.#nowMs)
    writer.varint(this.#limits.length)
    for (const limit of this.#limits) {
      const { name, keys } = limit
      const { receipts, tooOldBeforeMs } = receiptsAt(limit, nowMs)
      writer.text(name)
      writer.text(keys.policy.canonical)
      writer.varint(keys.charges)
      writer.varint(tooOldBeforeMs)
      writer.varint(receipts.length)
      for (const [id, chargedAtMs] of receipts) {
        writer.text(id)
        writer.f64(chargedAtMs)
      }
      for (const kind of Object.values(SAVED)) {
        const cells = keys.save(kind, nowMs)
        writer.varint(cells.length)
        for (const cell of cells) writer.block(cell)
      }
    }
    return writer.copy()
  }

  /**
   * Becomes what `save` wrote, whatever it was.
   *
   * The live state does this as well when a snapshot is made, so that it and the one that a recovery reads are the
   * same in all that decides, down to when a growing table forgets its idle keys. What the snapshot drops could
   * else still speak where the clock is set back, and the log could not be repeated.
   *
   * @throws {MalformedBytes} {PolicyError} where the bytes cannot be a state's
   */
  load(bytes: Uint8Array): void {
    const reader = new ByteReader(bytes)
    this.#nowMs = reader.f64()
    const count = reader.varint()
    for (let number = 0; number < count; number++) {
      const limit = this.#emptied(number, reader.text(), reader.text())
      limit.keys.charges = reader.varint()
      limit.tooOldBeforeMs = reader.varint()
      for (let receipts = reader.varint(); receipts > 0; receipts--) limit.settled.restore(reader.text(), reader.f64())
      for (const kind of Object.values(SAVED)) {
        for (let cells = reader.varint(); cells > 0; cells--) {
          if (!limit.keys.load(kind, reader.block())) throw new MalformedBytes("a cell is not one")
        }
      }
    }
    if (!reader.atEnd) throw new MalformedBytes("it goes on after its end")
  }

  /** The limit of that number without its keys, or a new one. */
  #emptied(number: number, name: string, canonical: string): OwnLimit {
    const limit = this.#limits[number]
    if (limit === undefined) return this.#add(name, parsePolicy(canonical))
    const { policy } = limit.keys
    limit.keys.free()
    limit.keys = this.#keysOf(number, policy)
    limit.settled = new SettledReceipts()
    return limit
  }

  /** Frees the memory at once. */
  free(): void {
    for (const { keys } of this.#limits) keys.free()
  }
}

/** The settled receipts that are not too old at a time, and from when on receipts can be settled without the others. */
function receiptsAt(
  { keys, settled, tooOldBeforeMs }: OwnLimit,
  nowMs: number,
): { readonly receipts: readonly [id: string, chargedAtMs: number][]; readonly tooOldBeforeMs: number } {
  const keepMs = settleWithinMs(keys.policy)
  const receipts = settled.entries(nowMs, keepMs)
  for (const [, chargedAtMs] of settled.entries(0, keepMs)) {
    if (chargedAtMs + keepMs < nowMs) tooOldBeforeMs = Math.max(tooOldBeforeMs, chargedAtMs + 1)
  }
  return { receipts, tooOldBeforeMs }
}
