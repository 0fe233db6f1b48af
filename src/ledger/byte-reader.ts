/** Up to this length ASCII is read without the decoder, which is slow to start. */
const MAX_LOOP = 32
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })

/** Thrown where bytes end too soon or cannot be what they should. The caller says which row. */
export class MalformedBytes extends Error {}

/** Reads what `ByteWriter` wrote, and nothing else. */
export class ByteReader {
  readonly source: Uint8Array
  readonly #view: DataView
  /** Where it reads on. */
  at = 0

  constructor(bytes: Uint8Array) {
    this.source = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  get atEnd(): boolean {
    return this.at === this.source.length
  }

  #take(count: number): number {
    const at = this.at
    if (count > this.source.length - at) throw new MalformedBytes("it ends too soon")
    this.at = at + count
    return at
  }

  u8(): number {
    const byte = this.source[this.at]
    if (byte === undefined) throw new MalformedBytes("it ends too soon")
    this.at += 1
    return byte
  }

  u32(): number {
    return this.#view.getUint32(this.#take(4), true)
  }

  f64(): number {
    const value = this.#view.getFloat64(this.#take(8), true)
    if (!Number.isSafeInteger(value) || value < 0) throw new MalformedBytes("a number is out of range")
    return value
  }

  varint(): number {
    const first = this.u8()
    return first < 0x80 ? first : this.varintAfter(first)
  }

  /** The rest of a number whose first byte, 0x80 or more, was read. */
  varintAfter(first: number): number {
    let value = first - 0x80
    let scale = 0x80
    for (;;) {
      const byte = this.u8()
      value += (byte & 0x7f) * scale
      if (!Number.isSafeInteger(value)) throw new MalformedBytes("a number is out of range")
      if (byte < 0x80) return value
      scale *= 0x80
    }
  }

  signedVarint(): number {
    const value = this.varint()
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2
  }

  bytes(count: number): Uint8Array {
    const at = this.#take(count)
    return this.source.subarray(at, at + count)
  }

  /** Everything that is left. */
  rest(): Uint8Array {
    return this.bytes(this.source.length - this.at)
  }

  block(): Uint8Array {
    return this.bytes(this.varint())
  }

  skip(count: number): void {
    this.#take(count)
  }

  text(): string {
    const length = this.varint()
    const start = this.#take(length)
    return this.textAt(start, start + length)
  }

  /** The text from `start` to `end`. It reads on where it did. */
  textAt(start: number, end: number): string {
    const bytes = this.source.subarray(start, end)
    if (bytes.length <= MAX_LOOP) {
      const text = ascii(bytes)
      if (text !== null) return text
    }
    try {
      return decoder.decode(bytes)
    } catch {
      throw new MalformedBytes("a text is no UTF-8")
    }
  }
}

/** The text of ASCII bytes; `null` where they are not. */
function ascii(bytes: Uint8Array): string | null {
  const codes = new Array<number>(bytes.length)
  for (let index = 0; index < bytes.length; index++) {
    const byte = bytes[index]!
    if (byte > 0x7f) return null
    codes[index] = byte
  }
  return String.fromCharCode(...codes)
}
