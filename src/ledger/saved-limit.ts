import type { ChargedAdmission } from "../engine/named-admissions.js"
import type { RecordedLimit } from "../engine/recorded-limit.js"
import type { ResetEntry } from "../engine/reset-keys.js"
import { SAVED, type SavedKind } from "../engine/saved-cells.js"
import { settleWithinMs } from "../engine/settlement.js"
import { type ByteReader, MalformedBytes } from "./byte-reader.js"
import type { ByteWriter } from "./byte-writer.js"
import { ChargeChunk } from "./charge-chunk.js"
import type { ChargeGaps } from "./charge-gaps.js"
import { NameSet } from "./name-set.js"
import type { OwnLimit } from "./own-limit.js"

/*
 * What a snapshot tells of a limit, in pieces that come in any order after the first of its limit, between those of
 * others:
 *
 *   │ 0 │ number varint │ name text │ policy text │ charges varint │ closed before varint │
 *   │   │ count varint │ gaps in the numbers of charges: charges since the gap before varint, length varint … │
 *   │ 1 │ number varint │ a chunk of charges whose receipts were settled, as charge-chunk.ts writes it; ascending │
 *   │ 2 │ number varint │ an admission: id text, key text, cost varint, charge varint, time of the call f64,
 *   │   │ ms from the call to the time of the charge varint │
 *   │ 3 │ number varint │ count varint │ names: text … │
 *   │ 4 │ number varint │ block of cells │      5: blocks, 6: statistics
 *   │ 7 │ number varint │ count varint │ keys that were reset: key text, charge varint, time f64 … │
 *
 * and, where nothing is forgotten, which no snapshot does:
 *
 *   │ 8 │ number varint │ count varint │ grants of units: key text, units varint … │
 */
export const PIECE = { limit: 0, receipts: 1, admission: 2, names: 3, cells: 4, resets: 7, ahead: 8 } as const
/** So many resets, admissions and names are looked at in one step, a chunk of receipts, and cells of so many bytes. */
const STEP = 256
const STEP_BYTES = 32_768

/** What a compaction forgets. */
export interface SaveRules {
  /** Receipts and admissions that are too old at this time are forgotten. */
  readonly nowMs: number
  /** Full quotas and blocks that had ended at this time are forgotten. */
  readonly idleAtMs: number
  /** Statistics and names of keys about which nothing was decided since are forgotten; none where it is 0. */
  readonly statsSinceMs: number
}

const FORGETS_NOTHING: SaveRules = { nowMs: Number.NEGATIVE_INFINITY, idleAtMs: -1, statsSinceMs: 0 }

/** A limit that is being saved as it is when this is made, while it goes on. */
export class SavedLimit {
  readonly limit: OwnLimit
  /** Whether its keys are freed at the end. */
  ownsKeys = false
  /** Whether the core had no memory for some of its cells, known at the end. */
  isLost = false
  /** Each step writes some pieces. */
  readonly steps: Iterator<void, void>
  readonly #keys: RecordedLimit
  readonly #writer: () => ByteWriter
  readonly #nowMs: number
  readonly #forgetBeforeMs: number
  readonly #resets: readonly ResetEntry[]
  readonly #names: Iterator<string>
  #namesLeft: number

  /**
   * @param writer where a piece goes that is written now
   * @param rules what is forgotten; nothing where it is `null`
   */
  constructor(limit: OwnLimit, writer: () => ByteWriter, rules: SaveRules | null) {
    const { nowMs, idleAtMs, statsSinceMs } = rules ?? FORGETS_NOTHING
    this.limit = limit
    this.#writer = writer
    this.#nowMs = nowMs
    const { number, name, policy, receipts, gaps, names } = limit
    this.#keys = limit.openKeys()
    const { ahead } = limit
    if (rules === null) receipts.beginCopy()
    else {
      limit.ahead = null
      receipts.beginSave(nowMs, settleWithinMs(policy))
    }
    this.#resets = receipts.resets.entries()
    limit.admissions.beginSave(nowMs, (admission) => this.#saveAdmission(admission))
    limit.internalAdmissions.beginSave(nowMs, (admission) => this.#saveAdmission(admission))
    // A limit that is of one key alone bears its name: that one stays as long as the limit.
    this.#forgetBeforeMs = names.size === 1 && names.has(name) ? 0 : statsSinceMs
    this.#names = names[Symbol.iterator]()
    this.#namesLeft = names.size
    limit.namedSince = this.#forgetBeforeMs > 0 ? new NameSet() : null
    this.#keys.beginSave({ idleAtMs, statsSinceMs: this.#forgetBeforeMs })
    const piece = writer()
    piece.u8(PIECE.limit)
    piece.varint(number)
    piece.text(name)
    piece.text(policy.canonical)
    piece.varint(this.#keys.charges)
    piece.varint(receipts.closedBeforeMs)
    saveGaps(piece, gaps)
    if (rules === null && ahead !== null) this.#saveAhead(ahead)
    this.steps = this.#save()
  }

  #begin(kind: number): ByteWriter {
    const writer = this.#writer()
    writer.u8(kind)
    writer.varint(this.limit.number)
    return writer
  }

  #saveAdmission({ id, key, cost, chargeNumber, calledAtMs, chargedAtMs }: ChargedAdmission): void {
    const piece = this.#begin(PIECE.admission)
    piece.text(id)
    piece.text(key)
    piece.varint(cost)
    piece.varint(chargeNumber)
    piece.f64(calledAtMs)
    piece.varint(chargedAtMs - calledAtMs)
  }

  #saveAhead(ahead: ReadonlyMap<string, number>): void {
    const piece = this.#begin(PIECE.ahead)
    piece.varint(ahead.size)
    for (const [key, units] of ahead) {
      piece.text(key)
      piece.varint(units)
    }
  }

  *#save(): Generator<void, void> {
    const keys = this.#keys
    const { receipts, admissions, internalAdmissions } = this.limit
    let hasMore = true
    while (hasMore) {
      hasMore = keys.saveMore(STEP_BYTES)
      for (let taken = keys.takeSaved(); taken !== null; taken = keys.takeSaved()) {
        this.#begin(PIECE.cells + taken.kind).block(taken.cells)
        yield
      }
      yield
    }
    this.isLost = !keys.endSave()
    for (let chunk = receipts.saveNext(); chunk !== undefined; chunk = receipts.saveNext()) {
      chunk.write(this.#begin(PIECE.receipts))
      yield
    }
    for (let at = 0; at < this.#resets.length; at += STEP) {
      this.#saveResets(this.#resets.slice(at, at + STEP))
      yield
    }
    while (admissions.saveSome(STEP)) yield
    while (internalAdmissions.saveSome(STEP)) yield
    while (this.#namesLeft > 0) {
      this.#saveNames()
      yield
    }
    this.limit.namedSince = null
  }

  #saveResets(some: readonly ResetEntry[]): void {
    const piece = this.#begin(PIECE.resets)
    piece.varint(some.length)
    for (const [key, chargeNumber, timeMs] of some) {
      piece.text(key)
      piece.varint(chargeNumber)
      piece.f64(timeMs)
    }
  }

  #saveNames(): void {
    const { limit } = this
    const some: string[] = []
    for (let looked = 0; looked < STEP && this.#namesLeft > 0; looked++) {
      const name: string = this.#names.next().value
      this.#namesLeft -= 1
      if (this.#isWorthKeeping(name)) some.push(name)
      else limit.names.delete(name)
    }
    const piece = this.#begin(PIECE.names)
    piece.varint(some.length)
    for (const name of some) piece.text(name)
  }

  /** Whether something was decided about a key since, or something of it is still used. */
  #isWorthKeeping(key: string): boolean {
    const sinceMs = this.#forgetBeforeMs
    const keys = this.#keys
    const { namedSince } = this.limit
    // What was decided about it meanwhile names it again where the log is read.
    if (namedSince === null || namedSince.has(key)) return true
    const { lastAllowedAt, lastDeniedAt, lastResetAt } = keys.stats(key)
    if (Math.max(lastAllowedAt ?? -1, lastDeniedAt ?? -1, lastResetAt ?? -1) >= sinceMs) return true
    return keys.peek(key, 0, this.#nowMs).resetAfterMs > 0 || keys.blockedUntilMs(key) > this.#nowMs
  }
}

function saveGaps(piece: ByteWriter, { all }: ChargeGaps): void {
  piece.varint(all.length)
  let before = 0
  for (const { after, through } of all) {
    piece.varint(after - before)
    piece.varint(through - after)
    before = through
  }
}

function loadGaps(reader: ByteReader, limit: OwnLimit): void {
  let before = 0
  for (let left = reader.varint(); left > 0; left--) {
    const after = before + reader.varint()
    const through = after + reader.varint()
    limit.gaps.skip({ after, through })
    before = through
  }
  if (before > limit.openKeys().charges) throw new MalformedBytes("a charge was skipped that was not numbered yet")
}

/** Where pieces are put back. */
interface PieceReader {
  readonly keepsNames: boolean
  /** A new limit. */
  add(number: number, name: string, policy: string): OwnLimit
  /** One that was added. @throws {MalformedBytes} */
  limitAt(number: number): OwnLimit
}

/** Reads one piece that a `SavedLimit` wrote. @throws {MalformedBytes} {PolicyError} */
export function loadPiece(reader: ByteReader, home: PieceReader): void {
  const kind = reader.u8()
  const number = reader.varint()
  if (kind === PIECE.limit) {
    const limit = home.add(number, reader.text(), reader.text())
    limit.openKeys().skipChargesTo(reader.varint())
    limit.receipts.closeBefore(reader.varint())
    loadGaps(reader, limit)
    return
  }
  const limit = home.limitAt(number)
  const { receipts, names } = limit
  if (kind === PIECE.receipts) {
    const chunk = ChargeChunk.read(reader)
    if (chunk.lastCharge > limit.openKeys().charges)
      throw new MalformedBytes("a receipt was settled that was not given yet")
    receipts.restore(chunk)
  } else if (kind === PIECE.resets) {
    for (let left = reader.varint(); left > 0; left--) {
      receipts.resets.add(reader.text(), { chargeNumber: reader.varint(), timeMs: reader.f64() })
    }
  } else if (kind === PIECE.admission) {
    const admission = readAdmission(reader)
    limit.admissionsLike(admission.id).restore(admission)
  } else if (kind === PIECE.names) {
    for (let left = reader.varint(); left > 0; left--) {
      const name = reader.text()
      if (home.keepsNames) names.add(name)
    }
  } else if (
    kind > PIECE.cells + SAVED.stats ||
    !limit.openKeys().load((kind - PIECE.cells) as SavedKind, reader.block())
  ) {
    throw new MalformedBytes("a cell is not one")
  }
}

export function readAdmission(reader: ByteReader): ChargedAdmission {
  const id = reader.text()
  const key = reader.text()
  const cost = reader.varint()
  const chargeNumber = reader.varint()
  const calledAtMs = reader.f64()
  return { id, key, cost, chargeNumber, calledAtMs, chargedAtMs: calledAtMs + reader.varint() }
}
