import { closeSync, fstatSync, openSync, readSync, statSync } from "node:fs"
import { show } from "../types/errors.js"

/*
 * SQLite's write-ahead log (sqlite.org/fileformat2.html, "The Write-Ahead Log"): big-endian numbers of 4 bytes.
 *
 *   header   0 magic | 4 format | 8 page size | 12 checkpoints | 16 salt | 20 salt | 24 sum | 28 sum
 *   frame    0 page | 4 pages after a commit | 8 salt | 12 salt | 16 sum | 20 sum | 24 the page
 *
 * The sums of the header are of its first 24 bytes; those of a frame go on from the frame before, or the header, over
 * its first 8 bytes and the page. The magic's last bit says in which order of bytes the summed numbers are read. What
 * was written before the log was begun anew lies behind the last frame, under other salts.
 */
const HEADER_BYTES = 32
export const FRAME_HEAD_BYTES = 24
const MAGIC = 0x377f0682
const SALT_OF_HEADER = 16
const SALT_OF_FRAME = 8
const SUM_OF_HEADER = 24
const SUM_OF_FRAME = 16
const SUMMED_OF_FRAME = 8

interface Sums {
  first: number
  second: number
}

/** Goes on with the sums over so many bytes, a multiple of 8. */
function addTo(sums: Sums, bytes: DataView, from: number, to: number, isLittleEndian: boolean): void {
  let { first, second } = sums
  for (let at = from; at < to; at += 8) {
    first = (first + bytes.getUint32(at, isLittleEndian) + second) | 0
    second = (second + bytes.getUint32(at + 4, isLittleEndian) + first) | 0
  }
  sums.first = first
  sums.second = second
}

function hasSums(bytes: DataView, at: number, { first, second }: Sums): boolean {
  return bytes.getInt32(at) === first && bytes.getInt32(at + 4) === second
}

interface WalHeader {
  readonly pageBytes: number
  readonly isLittleEndian: boolean
  readonly salt: bigint
  readonly sums: Sums
}

/** `null` where a file does not begin as a log does. */
function readHeader(file: number): WalHeader | null {
  const bytes = readAt(file, 0, HEADER_BYTES)
  if (bytes === null || (bytes.getUint32(0) & ~1) !== MAGIC) return null
  const isLittleEndian = (bytes.getUint32(0) & 1) === 0
  const sums = { first: 0, second: 0 }
  addTo(sums, bytes, 0, SUM_OF_HEADER, isLittleEndian)
  if (!hasSums(bytes, SUM_OF_HEADER, sums)) return null
  return { pageBytes: bytes.getUint32(8), isLittleEndian, salt: bytes.getBigUint64(SALT_OF_HEADER), sums }
}

/** `null` where the file ends before. */
function readAt(file: number, at: number, length: number): DataView | null {
  const bytes = new Uint8Array(length)
  return readSync(file, bytes, 0, length, at) === length ? new DataView(bytes.buffer) : null
}

/** The frames from the first on that are what was written. */
function countFrames(file: number, { pageBytes, isLittleEndian, salt, sums }: WalHeader): number {
  const length = FRAME_HEAD_BYTES + pageBytes
  for (let frames = 0; ; frames++) {
    const bytes = readAt(file, HEADER_BYTES + frames * length, length)
    if (bytes === null || bytes.getBigUint64(SALT_OF_FRAME) !== salt) return frames
    addTo(sums, bytes, 0, SUMMED_OF_FRAME, isLittleEndian)
    addTo(sums, bytes, FRAME_HEAD_BYTES, length, isLittleEndian)
    if (!hasSums(bytes, SUM_OF_FRAME, sums)) return frames
  }
}

/** The length of a file; 0 where there is none. */
export function fileBytes(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0
}

/** The file of SQLite's write-ahead log, which SQLite has open and nobody else is to write to. */
export class WalFile {
  readonly path: string
  /** Another name for it, which takes no lock that closing it would end. */
  #file: number | null = null
  /** How long it was after the last commit or look, or when it was cut here. */
  #seenBytes = 0
  /** Whether it began as a log does then. */
  #hadHeader = false
  /** Whether it was ever found damaged: what SQLite writes on behind that does not mend it. */
  #isDamaged = false

  constructor(path: string) {
    this.path = path
  }

  /** Its length; 0 where there is none. Not by its path once it is open: privileges may have been given up since. */
  get bytes(): number {
    return this.#length ?? fileBytes(this.path)
  }

  /** Notes that SQLite has written to it, which has grown then, or was long enough and begins anew. */
  noteCommit(): void {
    const bytes = this.#length
    if (bytes === null || bytes <= this.#seenBytes) return
    this.#seenBytes = bytes
    // Before the first frame SQLite writes the header.
    this.#hadHeader = bytes >= HEADER_BYTES
  }

  /** Notes that this process has cut it: SQLite by itself never does, but begins anew within it. */
  noteCut(): void {
    this.#seenBytes = Math.min(this.#seenBytes, this.bytes)
    if (this.#seenBytes < HEADER_BYTES) this.#hadHeader = false
  }

  /** Notes that it is not what was written. @returns `damaged` */
  noteDamage(): string {
    this.#isDamaged = true
    return this.damaged
  }

  /** Whether it is shorter than it was, which takes some microseconds to tell. */
  get isCut(): boolean {
    const bytes = this.#length
    return bytes !== null && bytes < this.#seenBytes
  }

  /**
   * What became of it since SQLite wrote to it, or it was looked at, in words: whether it is shorter, or has lost its
   * beginning, or was found damaged before; `null` where none of that is, or it cannot be read. It takes some
   * microseconds. What was damaged behind its beginning is not seen.
   */
  findDamage(): string | null {
    if (this.#isDamaged) return this.damaged
    return this.#within((file) => {
      const { size } = fstatSync(file)
      const hasHeader = readHeader(file) !== null
      if (size < this.#seenBytes || (this.#hadHeader && !hasHeader)) return this.noteDamage()
      this.#seenBytes = size
      this.#hadHeader = hasHeader
      return null
    })
  }

  /** What is told of one that is not what was written. */
  get damaged(): string {
    return `the file ${show(this.path)} was cut or overwritten while it was open`
  }

  /** How many frames from the first on are what was written, all of which are read; `null` where it cannot be read. */
  countFrames(): number | null {
    return this.#within((file) => {
      const header = readHeader(file)
      return header === null ? 0 : countFrames(file, header)
    })
  }

  /** Lets the file go. */
  close(): void {
    if (this.#file !== null) closeSync(this.#file)
    this.#file = null
  }

  /** `null` where it cannot be read. */
  get #length(): number | null {
    return this.#within((file) => fstatSync(file).size)
  }

  /** `null` where it cannot be opened by its path: who gave up privileges since may have only SQLite's own. */
  #within<T>(work: (file: number) => T): T | null {
    try {
      this.#file ??= openSync(this.path, "r")
      return work(this.#file)
    } catch {
      return null
    }
  }
}
