import { SAVED } from "../engine/limit.js"
import { type ByteReader, MalformedBytes } from "./byte-reader.js"
import { ByteWriter } from "./byte-writer.js"
import type { OwnLimit } from "./own-limit.js"

/** A saved cell of statistics: the key's hash, four counts, and the times of the last admission, denial and reset. */
const STATS_TIMES_AT = 8 + 4 * 8
const STATS_TIMES = 3

/** What a snapshot leaves out. */
export interface SaveRules {
  /** Receipts and admissions that are too old at this time are left out. 0 keeps all. */
  readonly nowMs: number
  /** Full quotas and blocks that had ended at this time are left out. 0 keeps all. */
  readonly idleAtMs: number
  /** Statistics and names of keys about which nothing was decided since are left out. 0 keeps all. */
  readonly keepStatsSinceMs: number
}

/**
 * Writes what a limit has beside its name and policy, as `loadLimit` reads it.
 *
 * @returns the earliest time of a last decision among the statistics that stay; infinity where they were not looked at
 */
export function saveLimit(
  writer: ByteWriter,
  limit: OwnLimit,
  { nowMs, idleAtMs, keepStatsSinceMs }: SaveRules,
): number {
  const { keys } = limit
  const { receipts, tooOldBeforeMs } = limit.receiptsAt(nowMs)
  writer.varint(keys.charges)
  writer.varint(tooOldBeforeMs)
  writer.varint(receipts.length)
  for (const [id, chargedAtMs] of receipts) {
    writer.text(id)
    writer.f64(chargedAtMs)
  }
  const told = limit.told.entries(nowMs)
  writer.varint(told.length)
  for (const { id, key, cost, charge, chargedAtMs } of told) {
    writer.text(id)
    writer.text(key)
    writer.varint(cost)
    writer.varint(charge)
    writer.f64(chargedAtMs)
  }
  // Whoever drops what is idle starts the blocks anew.
  const ahead = nowMs === 0 ? [...limit.ahead] : []
  writer.varint(ahead.length)
  for (const [key, units] of ahead) {
    writer.text(key)
    writer.varint(units)
  }
  // The only key of a limit of its own stays: it goes with its limit.
  const forgetBeforeMs = limit.names.size === 1 && limit.names.has(limit.name) ? 0 : keepStatsSinceMs
  let earliestMs = Number.POSITIVE_INFINITY
  for (const kind of Object.values(SAVED)) {
    const cells = new ByteWriter()
    let count = 0
    keys.saveEach(kind, idleAtMs, (cell) => {
      if (kind === SAVED.stats && keepStatsSinceMs > 0) {
        const lastMs = lastTimeOf(cell)
        if (lastMs < forgetBeforeMs) return
        earliestMs = Math.min(earliestMs, lastMs)
      }
      cells.block(cell)
      count += 1
    })
    writer.varint(count)
    writer.append(cells)
  }
  const names = [...limit.names].filter(
    (name) => forgetBeforeMs <= 0 || isWorthKeeping(limit, name, nowMs, forgetBeforeMs),
  )
  writer.varint(names.length)
  for (const name of names) writer.text(name)
  return earliestMs
}

/** How a limit is read. */
export interface LoadRules {
  /** That of the snapshot. */
  readonly format: number
  readonly keepsNames: boolean
  /** The names that the limit had when it was written, where that is known: they are read only where some went. */
  readonly knownNames?: Set<string>
}

/**
 * Reads what `saveLimit` wrote into a limit without keys.
 *
 * @throws {MalformedBytes}
 */
export function loadLimit(reader: ByteReader, limit: OwnLimit, { format, keepsNames, knownNames }: LoadRules): void {
  const { keys } = limit
  keys.charges = reader.varint()
  limit.tooOldBeforeMs = reader.varint()
  for (let receipts = reader.varint(); receipts > 0; receipts--) limit.settled.restore(reader.text(), reader.f64())
  if (format > 1) {
    for (let told = reader.varint(); told > 0; told--) {
      limit.told.restore({
        id: reader.text(),
        key: reader.text(),
        cost: reader.varint(),
        charge: reader.varint(),
        chargedAtMs: reader.f64(),
      })
    }
    for (let ahead = reader.varint(); ahead > 0; ahead--) limit.ahead.set(reader.text(), reader.varint())
  }
  for (const kind of Object.values(SAVED)) {
    if (!keys.loadEach(kind, reader.varint(), () => reader.block())) throw new MalformedBytes("a cell is not one")
  }
  if (format === 1) return
  const names = reader.varint()
  if (names === knownNames?.size) {
    for (let left = names; left > 0; left--) reader.block()
    limit.names = knownNames
    return
  }
  for (let left = names; left > 0; left--) {
    const name = reader.text()
    if (keepsNames) limit.names.add(name)
  }
}

function lastTimeOf(cell: Uint8Array): number {
  const times = new DataView(cell.buffer, cell.byteOffset + STATS_TIMES_AT, STATS_TIMES * 8)
  return Math.max(times.getFloat64(0, true), times.getFloat64(8, true), times.getFloat64(16, true))
}

/** Whether something was decided about a key since, or something of it is still used. */
function isWorthKeeping({ keys }: OwnLimit, key: string, nowMs: number, sinceMs: number): boolean {
  const { lastAllowedAt, lastDeniedAt, lastResetAt } = keys.stats(key)
  if (Math.max(lastAllowedAt ?? -1, lastDeniedAt ?? -1, lastResetAt ?? -1) >= sinceMs) return true
  return keys.peek(key, 0, nowMs).resetAfterMs > 0 || keys.blockedUntilMs(key) > nowMs
}
