import { type ByteReader, MalformedBytes } from "./byte-reader.js"
import type { ByteWriter } from "./byte-writer.js"

/** So many numbers of charges that follow each other share a chunk: an offset in it takes 16 bits. */
export const CHUNK_CHARGES = 65_536
/** More offsets than these take less as bits. */
const MAX_LISTED = 4_096
const BITMAP_BYTES = CHUNK_CHARGES / 8
const FIRST_ROOM = 4
/** About what V8 takes for a chunk and its array, beside the array's elements. */
const OBJECT_BYTES = 320

const NONE = new Uint16Array(0)

/*
 * Chunk i holds some of the charges i · 65,536 … i · 65,536 + 65,535, by their offsets from the first of these:
 *
 *   up to 4,096 of them   │ offset u16 │ offset u16 │ …   ascending, with room for 4, 8, 16 … 4,096
 *   more                  │ 65,536 bits │               8,192 bytes: bit o % 8 of byte ⌊o / 8⌋ is 1 where offset o is there
 *
 * and a snapshot:
 *
 *   │ i varint │ latest time f64 │ how many varint │ up to 4,096: how many offsets lie between each and the one before
 *   varint …
 *                                                  │ more: the 8,192 bytes
 */

/** The charges that were settled of so many that follow each other, and the latest time of one of them. */
export class ChargeChunk {
  readonly index: number
  /** Whether a save has yet to tell it as it is: then it is copied before it changes. */
  isHeld = false
  #latestMs: number
  #count = 0
  /** Nothing where there are more than can be listed. */
  #listed = NONE
  #bits: Uint8Array | null = null

  constructor(index: number, latestMs = 0) {
    this.index = index
    this.#latestMs = latestMs
  }

  /** The latest time of a charge in it. */
  get latestMs(): number {
    return this.#latestMs
  }

  /** What it takes in memory, which follows from what is in it. */
  get bytes(): number {
    return OBJECT_BYTES + (this.#bits ?? this.#listed).byteLength
  }

  /** The largest number of a charge in it. */
  get lastCharge(): number {
    const bits = this.#bits
    if (bits === null) return this.index * CHUNK_CHARGES + this.#listed[this.#count - 1]!
    const byte = bits.findLastIndex((eight) => eight > 0)
    return this.index * CHUNK_CHARGES + byte * 8 + (31 - Math.clz32(bits[byte]!))
  }

  has(offset: number): boolean {
    if (this.#bits !== null) return (this.#bits[offset >>> 3]! & (1 << (offset & 7))) !== 0
    const place = this.#placeOf(offset)
    return place < this.#count && this.#listed[place] === offset
  }

  /** Adds an offset that it does not have. */
  add(offset: number, chargedAtMs: number): void {
    this.#latestMs = Math.max(this.#latestMs, chargedAtMs)
    if (this.#count === MAX_LISTED) this.#mark()
    if (this.#bits === null) this.#list(offset)
    else this.#bits[offset >>> 3]! |= 1 << (offset & 7)
    this.#count += 1
  }

  /** How many of those that are listed are below an offset. */
  #placeOf(offset: number): number {
    const listed = this.#listed
    let from = 0
    let to = this.#count
    // Most settle in the order of their charges.
    if (to > 0 && listed[to - 1]! < offset) return to
    while (from < to) {
      const middle = (from + to) >>> 1
      if (listed[middle]! < offset) from = middle + 1
      else to = middle
    }
    return from
  }

  #list(offset: number): void {
    const count = this.#count
    const place = this.#placeOf(offset)
    if (count === this.#listed.length) {
      const listed = new Uint16Array(roomFor(count + 1))
      listed.set(this.#listed)
      this.#listed = listed
    }
    this.#listed.copyWithin(place + 1, place, count)
    this.#listed[place] = offset
  }

  /** Makes bits of the list. */
  #mark(): void {
    const bits = new Uint8Array(BITMAP_BYTES)
    for (const offset of this.#listed) bits[offset >>> 3]! |= 1 << (offset & 7)
    this.#bits = bits
    this.#listed = NONE
  }

  copy(): ChargeChunk {
    const copy = new ChargeChunk(this.index, this.#latestMs)
    copy.#count = this.#count
    copy.#listed = this.#listed.slice()
    copy.#bits = this.#bits?.slice() ?? null
    return copy
  }

  /** Whether another one holds the same, of the same time. */
  isSame(other: ChargeChunk): boolean {
    if (other.index !== this.index || other.#latestMs !== this.#latestMs || other.#count !== this.#count) return false
    // As many are held in the same way, with the same room.
    const held = other.#bits ?? other.#listed
    return (this.#bits ?? this.#listed).every((value: number, at: number) => value === held[at])
  }

  write(writer: ByteWriter): void {
    writer.varint(this.index)
    writer.f64(this.#latestMs)
    writer.varint(this.#count)
    if (this.#bits !== null) {
      writer.bytes(this.#bits)
      return
    }
    let before = -1
    for (const offset of this.#listed.subarray(0, this.#count)) {
      writer.varint(offset - before - 1)
      before = offset
    }
  }

  /** Reads what `write` wrote. @throws {MalformedBytes} */
  static read(reader: ByteReader): ChargeChunk {
    const chunk = new ChargeChunk(reader.varint(), reader.f64())
    const count = reader.varint()
    if (count === 0) throw new MalformedBytes("a chunk of charges is empty")
    chunk.#count = count
    if (count > MAX_LISTED) chunk.#readBits(reader)
    else chunk.#readList(reader)
    return chunk
  }

  #readList(reader: ByteReader): void {
    const listed = new Uint16Array(roomFor(this.#count))
    let offset = -1
    for (let place = 0; place < this.#count; place++) {
      offset += 1 + reader.varint()
      if (offset >= CHUNK_CHARGES) throw new MalformedBytes("a charge is beyond its chunk")
      listed[place] = offset
    }
    this.#listed = listed
  }

  #readBits(reader: ByteReader): void {
    // A copy: what is read is a part of the whole snapshot, which would stay in memory with it.
    const bits = reader.bytes(BITMAP_BYTES).slice()
    if (bits.reduce((sum, eight) => sum + bitsIn(eight), 0) !== this.#count) {
      throw new MalformedBytes("charges are not as many as they should be")
    }
    this.#bits = bits
  }
}

/** The room that a list of so many offsets has: the next power of two. */
function roomFor(count: number): number {
  return Math.max(FIRST_ROOM, 2 ** (32 - Math.clz32(count - 1)))
}

function bitsIn(byte: number): number {
  let count = 0
  for (let left = byte; left > 0; left &= left - 1) count += 1
  return count
}
