import { isWhole } from "../policy/require-fields.js"
import { DumpError } from "../types/errors.js"
import type { Core } from "./core.js"
import type { Seed } from "./seed.js"

/*
 * A limiter's memory as bytes, little-endian. Tables are copied as they lie in the core's memory, so a dump takes about
 * as long as copying it; only what has pointers, the cells of sliding logs, is saved one by one.
 *
 *   │ "sluice" │ format u16 │ bytes in all f64 │ head's bytes u32 │ 0 u32 │ head: JSON, padded to 8 │
 *   │ records: kind u32, bytes u32, … │ end: kind −1 u32, 8 u32 │ padding to 32 │ checksum: 4 × u64 │
 *
 *   kind  0, 1, 2  a chunk of the table of cells, blocks, statistics: assembly/dump.ts
 *         16       a cell with its rings, padded to 8: assembly/saved-cell.ts
 */
const MAGIC = "sluice"
/** Changes with the layout of what is above, of a table or of a state. */
const FORMAT = 1
const FORMAT_AT = 6
const TOTAL_AT = 8
const HEAD_LENGTH_AT = 16
const HEAD_AT = 24
const RECORD_HEAD = 8
const CELL_KIND = 16
const END_KIND = 0xffff_ffff
const CHECKSUM_BYTES = 32
/** So much goes through the core at a time. A record is smaller: 22 KB where a policy has 8 rules. */
const BLOCK = 65_536

/** What a dump says beside the tables. */
export interface DumpHead {
  readonly policy: string
  readonly stats: boolean
  readonly seed: Seed
  readonly issuerId: string
  readonly charges: number
  /** Receipts that were settled and could be tried again: id, time of the charge. */
  readonly settled: readonly (readonly [id: string, chargedAtMs: number])[]
  /** Receipts that were charged before cannot be settled any more. */
  readonly closedBeforeMs: number
  /** Charges up to this number can no more be settled: a key was reset since. */
  readonly closedThrough: number
}

const KINDS = [0, 1, 2] as const

const upTo = (length: number, multiple: number) => Math.ceil(length / multiple) * multiple

/**
 * @param cells cells that have to be saved one by one
 * @throws {RangeError} where there is no memory for it
 */
export function writeDump(core: Core, limit: number, head: DumpHead, cells: readonly Uint8Array[]): Uint8Array {
  const { exports } = core
  const headBytes = new TextEncoder().encode(JSON.stringify(head))
  const tables = KINDS.reduce<number>((sum, kind) => sum + exports.dumpBytes(limit, kind), 0)
  const saved = cells.reduce((sum, cell) => sum + upTo(RECORD_HEAD + cell.length, 8), 0)
  const body = HEAD_AT + upTo(headBytes.length, 8) + tables + saved + RECORD_HEAD
  const total = upTo(body, 32) + CHECKSUM_BYTES
  const bytes = new Uint8Array(total)
  const view = new DataView(bytes.buffer)
  for (let index = 0; index < MAGIC.length; index++) bytes[index] = MAGIC.charCodeAt(index)
  view.setUint16(FORMAT_AT, FORMAT, true)
  view.setFloat64(TOTAL_AT, total, true)
  view.setUint32(HEAD_LENGTH_AT, headBytes.length, true)
  bytes.set(headBytes, HEAD_AT)
  let at = HEAD_AT + upTo(headBytes.length, 8)
  core.withScratch(BLOCK, (block) => {
    for (const kind of KINDS) {
      exports.dumpStart()
      for (let length = BLOCK; length > 0; at += length) {
        length = exports.dumpNext(limit, kind, block, BLOCK)
        bytes.set(core.bytes.subarray(block, block + length), at)
      }
    }
  })
  for (const cell of cells) {
    view.setUint32(at, CELL_KIND, true)
    view.setUint32(at + 4, RECORD_HEAD + cell.length, true)
    bytes.set(cell, at + RECORD_HEAD)
    at += upTo(RECORD_HEAD + cell.length, 8)
  }
  view.setUint32(at, END_KIND, true)
  view.setUint32(at + 4, RECORD_HEAD, true)
  bytes.set(checksumOf(core, bytes.subarray(0, total - CHECKSUM_BYTES)), total - CHECKSUM_BYTES)
  return bytes
}

/**
 * Reads a dump's head, after every check that needs no limit.
 *
 * @throws {DumpError} where it is no dump, of another format, cut or changed
 */
export function readDumpHead(core: Core, bytes: Uint8Array): DumpHead {
  const least = HEAD_AT + RECORD_HEAD + CHECKSUM_BYTES
  if (bytes.length < least) throw new DumpError(`it has ${bytes.length} bytes, the shortest dump has ${least}`)
  if (String.fromCharCode(...bytes.subarray(0, MAGIC.length)) !== MAGIC) throw new DumpError("it is no dump of sluice")
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const format = view.getUint16(FORMAT_AT, true)
  if (format !== FORMAT) throw new DumpError(`its format is ${format}, this version reads ${FORMAT}`)
  const total = view.getFloat64(TOTAL_AT, true)
  if (total !== bytes.length) throw new DumpError(`it has ${bytes.length} bytes and says ${total}`)
  const end = bytes.length - CHECKSUM_BYTES
  const checksum = checksumOf(core, bytes.subarray(0, end))
  if (checksum.some((byte, index) => byte !== bytes[end + index])) throw new DumpError("its checksum differs")
  const headLength = view.getUint32(HEAD_LENGTH_AT, true)
  try {
    const head: DumpHead = JSON.parse(new TextDecoder().decode(bytes.subarray(HEAD_AT, HEAD_AT + headLength)))
    const { seed, charges, settled, closedBeforeMs, closedThrough } = head
    const numbers = [charges, closedBeforeMs, closedThrough, ...seed, ...settled.map(([, chargedAtMs]) => chargedAtMs)]
    if (numbers.every((number) => isWhole(number, 0, Infinity))) return head
  } catch {
    // What is no JSON, or has no lists where they belong, is no head either.
  }
  throw new DumpError("its head cannot be read")
}

/**
 * Puts the tables of a dump into a limit that holds nothing, after `readDumpHead` found the dump whole.
 *
 * @throws {DumpError} where they do not fit; the limit then holds a part of it
 */
export function readDumpTables(
  core: Core,
  limit: number,
  bytes: Uint8Array,
  loadCell: (cell: Uint8Array) => boolean,
): void {
  const { exports } = core
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  let at = HEAD_AT + upTo(view.getUint32(HEAD_LENGTH_AT, true), 8)
  core.withScratch(BLOCK, (block) => {
    for (;;) {
      requireFit(at <= bytes.length - CHECKSUM_BYTES - RECORD_HEAD)
      const kind = view.getUint32(at, true)
      if (kind === END_KIND) break
      const length = view.getUint32(at + 4, true)
      requireFit(length >= RECORD_HEAD && length <= bytes.length - at && (kind === CELL_KIND || length <= BLOCK))
      if (kind === CELL_KIND) {
        requireFit(loadCell(bytes.subarray(at + RECORD_HEAD, at + length)))
      } else {
        core.bytes.set(bytes.subarray(at, at + length), block)
        requireFit(exports.restoreRecord(limit, kind, block, length) === 1)
      }
      at += upTo(length, 8)
    }
  })
  requireFit(KINDS.every((kind) => exports.dumpBytes(limit, kind) === 0 || exports.restoreEnd(limit, kind) === 1))
}

/** What only a dump that was made up can fail, since its checksum is right. */
function requireFit(fits: boolean): void {
  if (!fits) throw new DumpError("a record does not fit")
}

/** The checksum of bytes whose length is a multiple of 32, computed by the core at the speed of memory. */
function checksumOf(core: Core, bytes: Uint8Array): Uint8Array {
  return core.withScratch(BLOCK, (state) => {
    core.bytes.fill(0, state, state + CHECKSUM_BYTES)
    const input = state + CHECKSUM_BYTES
    const most = BLOCK - CHECKSUM_BYTES
    for (let at = 0; at < bytes.length; at += most) {
      const part = bytes.subarray(at, at + most)
      core.bytes.set(part, input)
      core.exports.checksum(state, input, part.length)
    }
    return core.bytes.slice(state, input)
  })
}
