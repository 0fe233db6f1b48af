const encoder = new TextEncoder()
const FIRST_BYTES = 256
/** Up to this length a loop is the fastest way for ASCII; one byte tells it. */
const MAX_LOOP = 127

/** Appends numbers and texts to a buffer that grows. Integers are little-endian; `varint` is LEB128 up to 2^53. */
export class ByteWriter {
  #bytes = new Uint8Array(FIRST_BYTES)
  #view = new DataView(this.#bytes.buffer)
  #length = 0

  get length(): number {
    return this.#length
  }

  #need(count: number): number {
    const at = this.#length
    const length = at + count
    if (length > this.#bytes.length) {
      const larger = new Uint8Array(Math.max(length, this.#bytes.length * 2))
      larger.set(this.#bytes)
      this.#bytes = larger
      this.#view = new DataView(larger.buffer)
    }
    this.#length = length
    return at
  }

  u8(value: number): void {
    const at = this.#need(1)
    this.#bytes[at] = value
  }

  u32(value: number): void {
    const at = this.#need(4)
    this.#view.setUint32(at, value, true)
  }

  /** A whole number up to 2^53, as an f64. */
  f64(value: number): void {
    const at = this.#need(8)
    this.#view.setFloat64(at, value, true)
  }

  /** A whole number from 0 to 2^53 − 1 in one to eight bytes. */
  varint(value: number): void {
    // Bits are quick, and there are 31 of them; what is above goes by division.
    while (value > 0x7fff_ffff) {
      this.u8((value % 0x80) | 0x80)
      value = Math.floor(value / 0x80)
    }
    while (value >= 0x80) {
      this.u8((value & 0x7f) | 0x80)
      value >>>= 7
    }
    this.u8(value)
  }

  /** A whole number of either sign, small magnitudes in few bytes. */
  signedVarint(value: number): void {
    this.varint(value < 0 ? -2 * value - 1 : 2 * value)
  }

  bytes(value: Uint8Array): void {
    const at = this.#need(value.length)
    this.#bytes.set(value, at)
  }

  /** A length and as many bytes. */
  block(value: Uint8Array): void {
    this.varint(value.length)
    this.bytes(value)
  }

  /** A text as a block of UTF-8. */
  text(value: string): void {
    if (value.length > MAX_LOOP || !this.#ascii(value)) this.block(encoder.encode(value))
  }

  /** Writes a short text if it is ASCII, the commonest of keys; else nothing. */
  #ascii(value: string): boolean {
    const { length } = value
    const at = this.#need(1 + length)
    const bytes = this.#bytes
    bytes[at] = length
    for (let index = 0; index < length; index++) {
      const code = value.charCodeAt(index)
      if (code > 0x7f) {
        this.#length = at
        return false
      }
      bytes[at + 1 + index] = code
    }
    return true
  }

  /** What was written, with `room` bytes after it, not copied: the writer must not be used any more. */
  end(room: number): Uint8Array {
    const at = this.#need(room)
    return this.#bytes.subarray(0, at + room)
  }

  /** What was written, not copied: it may change with what is written next. */
  get written(): Uint8Array {
    return this.#bytes.subarray(0, this.#length)
  }

  /** Takes back all that was written after so many bytes. */
  rewind(length: number): void {
    this.#length = length
  }

  /** Writes over bytes that were written before. */
  replace(at: number, value: Uint8Array): void {
    this.#bytes.set(value, at)
  }

  /** A copy of what was written. */
  copy(): Uint8Array {
    return this.#bytes.slice(0, this.#length)
  }
}
