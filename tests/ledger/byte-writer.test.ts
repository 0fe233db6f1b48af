import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { ByteReader, MalformedBytes } from "../../src/ledger/byte-reader.js"
import { ByteWriter } from "../../src/ledger/byte-writer.js"

function written(write: (writer: ByteWriter) => void): Uint8Array {
  const writer = new ByteWriter()
  write(writer)
  return writer.copy()
}

describe("ByteWriter and ByteReader", () => {
  test("varint() gives back every whole number up to 2^53 − 1, in ⌈bits/7⌉ bytes", () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.maxSafeNat(),
          fc.nat(),
          fc.tuple(fc.nat({ max: 52 }), fc.constantFrom(-1, 0, 1)).map(([bit, by]) => Math.max(0, 2 ** bit + by)),
        ),
        (value) => {
          const bytes = written((writer) => writer.varint(value))
          expect(bytes).toHaveLength(Math.max(1, Math.ceil(value.toString(2).length / 7)))
          const reader = new ByteReader(bytes)
          expect(reader.varint()).toBe(value)
          expect(reader.atEnd).toBe(true)
        },
      ),
      { numRuns: 2_000 },
    )
  })

  test("signedVarint() gives back every whole number from −2^52 to 2^52 − 1", () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.integer(),
          fc.integer({ min: -(2 ** 52), max: 2 ** 52 - 1 }),
          fc.constantFrom(0, -1, -(2 ** 52), 2 ** 52 - 1),
        ),
        (value) => {
          expect(new ByteReader(written((writer) => writer.signedVarint(value))).signedVarint()).toBe(value)
        },
      ),
      { numRuns: 2_000 },
    )
  })

  test("text() gives back any well-formed text, a byte order mark included", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 1_000, size: "max" }), (value) => {
        expect(new ByteReader(written((writer) => writer.text(value))).text()).toBe(value)
      }),
    )
    expect(new ByteReader(written((writer) => writer.text("\ufeffa"))).text()).toBe("\ufeffa")
  })

  test("text() writes UTF-8 of any length around where the buffer grows and the length takes a byte more", () => {
    for (const unit of ["a", "é", "€", "🔑"]) {
      for (const length of [
        0, 1, 15, 31, 32, 42, 43, 63, 64, 126, 127, 128, 129, 250, 256, 4_095, 4_096, 16_383, 16_384,
      ]) {
        const value = unit.repeat(length)
        const bytes = written((writer) => {
          writer.u8(7)
          writer.text(value)
          writer.u8(9)
        })
        const reader = new ByteReader(bytes)
        expect([reader.u8(), reader.text(), reader.u8(), reader.atEnd]).toEqual([7, value, 9, true])
      }
    }
  })

  test("ByteReader throws MalformedBytes where bytes end too soon or a number is out of range", () => {
    const reads: ((reader: ByteReader) => unknown)[] = [
      (reader) => reader.u8(),
      (reader) => reader.u32(),
      (reader) => reader.f64(),
      (reader) => reader.varint(),
      (reader) => reader.text(),
      (reader) => reader.bytes(1),
    ]
    for (const read of reads) expect(() => read(new ByteReader(new Uint8Array(0)))).toThrow(MalformedBytes)
    for (const value of [-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53]) {
      expect(() => new ByteReader(written((writer) => writer.f64(value))).f64(), String(value)).toThrow(MalformedBytes)
    }
    expect(() => new ByteReader(Uint8Array.of(3, 0x61, 0x62)).text()).toThrow(MalformedBytes)
    expect(() => new ByteReader(Uint8Array.of(1, 0x80)).text()).toThrow(MalformedBytes)
  })
})
