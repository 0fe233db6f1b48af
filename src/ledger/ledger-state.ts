import type { Core } from "../engine/core.js"
import { Limit, SAVED } from "../engine/limit.js"
import type { Seed } from "../engine/seed.js"
import { parsePolicy } from "../policy/parse-policy.js"
import type { Policy } from "../policy/policy.js"
import { SettledReceipts, settleWithinMs } from "../engine/settled-receipts.js"
import { type ByteReader, MalformedBytes } from "./byte-reader.js"
import type { ByteWriter } from "./byte-writer.js"
import type { LogRecord } from "./record.js"

/** As many keys as the core can count: a ledger never forgets one that is not full. */
const MAX_KEYS = 2 ** 32 - 1

/** A limit of a ledger: its name, its number in the order of definition, its keys, its settled receipts. */
export interface LedgerLimit {
  readonly name: string
  readonly number: number
  readonly keys: Limit
  readonly settled: SettledReceipts
}

/**
 * What a ledger knows, without the log: the limits and their keys. Everything that changes it is a record, and the
 * same records in the same order give the same state, bit for bit.
 */
export class LedgerState {
  readonly #core: Core
  readonly #seed: Seed
  readonly #issuerId: string
  readonly #limits: LedgerLimit[] = []
  readonly #byName = new Map<string, LedgerLimit>()
  /** The latest time that a record told. */
  #latestMs = 0

  constructor(core: Core, seed: Seed, issuerId: string) {
    this.#core = core
    this.#seed = seed
    this.#issuerId = issuerId
  }

  get limits(): readonly LedgerLimit[] {
    return this.#limits
  }

  get latestMs(): number {
    return this.#latestMs
  }

  limit(name: string): LedgerLimit | undefined {
    return this.#byName.get(name)
  }

  /** Defines a limit, or gives an existing one another policy in place. */
  define(name: string, policy: Policy, nowMs: number): LedgerLimit {
    const known = this.#byName.get(name)
    if (known !== undefined) {
      known.keys.change(policy, nowMs)
      return known
    }
    const number = this.#limits.length
    const keys = new Limit(this.#core, policy, {
      maxKeys: MAX_KEYS,
      onFull: "deny-new",
      stats: true,
      seed: this.#seed,
      issuerId: `${this.#issuerId}.${number}`,
    })
    const limit = { name, number, keys, settled: new SettledReceipts() }
    this.#limits.push(limit)
    this.#byName.set(name, limit)
    return limit
  }

  /** Settles a receipt once: gives units back or, where they are negative, charges more. False where it was settled. */
  settle(limit: LedgerLimit, receipt: { id: string; key: string; chargedAtMs: number }, units: number, nowMs: number): boolean {
    if (!limit.settled.add(receipt, nowMs, settleWithinMs(limit.keys.policy))) return false
    if (units > 0) limit.keys.refund(receipt.key, units, receipt.chargedAtMs, nowMs)
    else if (units < 0) limit.keys.charge(receipt.key, -units, nowMs)
    return true
  }

  noteTime(timeMs: number): void {
    if (timeMs > this.#latestMs) this.#latestMs = timeMs
  }

  /**
   * Repeats a recorded change.
   *
   * @throws {MalformedBytes} where the state decides otherwise than the record tells
   */
  replay(record: LogRecord): void {
    const { timeMs } = record
    this.noteTime(record.op === "deny" ? Math.max(timeMs, record.lastMs) : timeMs)
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
        if (!keys.check(record.key, record.cost, timeMs).allowed) throw new MalformedBytes("replay denies what was admitted")
        return
      case "deny":
        if (keys.check(record.key, record.cost, timeMs).allowed) throw new MalformedBytes("replay admits what was denied")
        keys.noteDenials(record.key, record.count - 1, record.cost, record.lastMs)
        return
      case "charge":
        return keys.charge(record.key, record.cost, timeMs)
      case "settle": {
        const receipt = { id: keys.receiptId(record.charge), key: record.key, chargedAtMs: record.chargedAtMs }
        if (!this.settle(limit, receipt, record.units, timeMs)) throw new MalformedBytes("a receipt is settled twice")
        return
      }
      case "block":
        return keys.block(record.key, record.untilMs, timeMs)
      case "unblock":
        keys.unblock(record.key)
        return
      case "reset":
        keys.reset(record.key, timeMs)
    }
  }

  /** Writes everything to a snapshot: equal states write equal bytes. */
  save(writer: ByteWriter): void {
    writer.f64(this.#latestMs)
    writer.varint(this.#limits.length)
    for (const { name, keys, settled } of this.#limits) {
      writer.text(name)
      writer.text(keys.policy.canonical)
      writer.varint(keys.charges)
      const receipts = settled.entries(this.#latestMs, settleWithinMs(keys.policy))
      writer.varint(receipts.length)
      for (const [id, chargedAtMs] of receipts) {
        writer.text(id)
        writer.f64(chargedAtMs)
      }
      for (const kind of Object.values(SAVED)) {
        const cells = keys.save(kind, this.#latestMs).sort(compareBytes)
        writer.varint(cells.length)
        for (const cell of cells) writer.block(cell)
      }
    }
  }

  /** Reads what `save` wrote into a state that is empty. */
  load(reader: ByteReader): void {
    this.#latestMs = reader.f64()
    for (let left = reader.varint(); left > 0; left--) {
      const name = reader.text()
      const limit = this.define(name, parsePolicy(reader.text()), this.#latestMs)
      limit.keys.charges = reader.varint()
      for (let receipts = reader.varint(); receipts > 0; receipts--) limit.settled.restore(reader.text(), reader.f64())
      for (const kind of Object.values(SAVED)) {
        for (let cells = reader.varint(); cells > 0; cells--) {
          if (!limit.keys.load(kind, reader.block())) throw new MalformedBytes("a cell is not one")
        }
      }
    }
  }

  /** Frees the memory at once. */
  free(): void {
    for (const { keys } of this.#limits) keys.free()
  }
}

/** Orders cells by their bytes, so that their order in memory does not matter. */
function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const length = Math.min(a.length, b.length)
  for (let index = 0; index < length; index++) {
    const difference = a[index]! - b[index]!
    if (difference !== 0) return difference
  }
  return a.length - b.length
}
