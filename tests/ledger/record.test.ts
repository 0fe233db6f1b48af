import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { ByteReader, MalformedBytes } from "../../src/ledger/byte-reader.js"
import { ByteWriter } from "../../src/ledger/byte-writer.js"
import type { LogRecord } from "../../src/ledger/record.js"
import { RecordDecoder } from "../../src/ledger/record-decoder.js"
import { RecordEncoder } from "../../src/ledger/record-encoder.js"

const MAX_TIME_MS = 2 ** 47 - 1

const timeMs = fc.oneof(
  fc.nat({ max: MAX_TIME_MS }),
  fc.constantFrom(0, 1, MAX_TIME_MS, 1_700_000_000_000, 1_700_000_000_001),
)
const limit = fc.oneof(fc.constantFrom(0, 1, 127, 128), fc.nat({ max: 2 ** 31 }))
const units = fc.oneof(fc.constantFrom(0, 1, 2, 127, 128, 2 ** 31), fc.nat({ max: 2 ** 31 }))
const count = fc.oneof(fc.constantFrom(1, 2, 127, 128, Number.MAX_SAFE_INTEGER), fc.integer({ min: 1, max: 1_000_000 }))
const text = fc.oneof(
  fc.string({ unit: "binary", maxLength: 40 }),
  fc.constantFrom("a", "", "__proto__", "constructor", "\u0000", "\ufeff", "é", "🔑", "k".repeat(512), "é".repeat(256)),
)

const records: Record<LogRecord["op"], fc.Arbitrary<LogRecord>> = {
  define: fc.record(
    { op: fc.constant("define"), timeMs, limit, name: text, policy: text, keepsCells: fc.constant(true as const) },
    { requiredKeys: ["op", "timeMs", "limit", "name", "policy"] },
  ),
  admit: fc.record(
    {
      op: fc.constant("admit"),
      timeMs,
      limit,
      key: text,
      cost: units,
      id: fc.constantFrom("1", "call 7", "~".repeat(64)),
    },
    { requiredKeys: ["op", "timeMs", "limit", "key", "cost"] },
  ),
  deny: fc.record({ op: fc.constant("deny"), timeMs, limit, key: text, cost: units, count, lastMs: timeMs }),
  charge: fc.record({ op: fc.constant("charge"), timeMs, limit, key: text, cost: units }),
  settle: fc.record({
    op: fc.constant("settle"),
    timeMs,
    limit,
    key: text,
    units: fc.oneof(
      units,
      units.map((some) => (some === 0 ? 0 : -some)),
    ),
    chargedAtMs: timeMs,
    chargeNumber: fc.oneof(fc.nat(), fc.constant(Number.MAX_SAFE_INTEGER)),
  }),
  block: fc.record({ op: fc.constant("block"), timeMs, limit, key: text, untilMs: timeMs }),
  unblock: fc.record({ op: fc.constant("unblock"), timeMs, limit, key: text }),
  reset: fc.record({ op: fc.constant("reset"), timeMs, limit, key: text }),
  ahead: fc.record({ op: fc.constant("ahead"), timeMs, limit, key: text, units }),
  remove: fc.record({ op: fc.constant("remove"), timeMs, limit }),
  open: fc.record({
    op: fc.constant("open"),
    timeMs,
    limit: fc.constant(0 as const),
    sync: fc.constantFrom(0, 1, 2),
    chargesAfter: fc.oneof(fc.nat(), fc.constant(Number.MAX_SAFE_INTEGER)),
  }),
  close: fc.record({ op: fc.constant("close"), timeMs, limit: fc.constant(0 as const), sync: fc.constant(0) }),
  compact: fc.record({
    op: fc.constant("compact"),
    timeMs,
    limit: fc.constant(0 as const),
    idleAtMs: timeMs,
    statsSinceMs: timeMs,
  }),
}
const anyRecord = fc.oneof(...Object.values(records))

function encode(all: readonly LogRecord[]): Uint8Array {
  const writer = new ByteWriter()
  const encoder = new RecordEncoder(writer)
  for (const record of all) encoder.write(record)
  return writer.copy()
}

function decode(bytes: Uint8Array): LogRecord[] {
  const reader = new ByteReader(bytes)
  const decoder = new RecordDecoder(reader)
  const all: LogRecord[] = []
  while (!reader.atEnd) all.push(decoder.read())
  return all
}

describe("RecordEncoder and RecordDecoder", () => {
  test.each(Object.entries(records))("give back any stream of %s records", (_, record) => {
    fc.assert(
      fc.property(fc.array(record, { maxLength: 12 }), (all) => {
        expect(decode(encode(all))).toEqual(all)
      }),
      { numRuns: 300 },
    )
  })

  test("give back any stream of any records", () => {
    fc.assert(
      fc.property(fc.array(anyRecord, { maxLength: 60, size: "max" }), (all) => {
        expect(decode(encode(all))).toEqual(all)
      }),
      { numRuns: 300 },
    )
  })

  test("write a key once, and a check of a known key in 3 bytes", () => {
    const admit = { op: "admit", timeMs: 1_700_000_000_000, limit: 0, key: "192.0.2.1", cost: 1 } as const
    const one = encode([admit]).length
    expect(encode([admit, admit]).length - one).toBe(3)
    expect(encode([admit, { ...admit, timeMs: admit.timeMs + 63 }]).length - one).toBe(3)
  })

  test("RecordDecoder.read() throws MalformedBytes or reads, whatever the bytes are", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        try {
          decode(bytes)
        } catch (error) {
          expect(error).toBeInstanceOf(MalformedBytes)
        }
      }),
      { numRuns: 5_000 },
    )
  })

  test("RecordDecoder.read() throws MalformedBytes wherever a stream is cut within a record", () => {
    fc.assert(
      fc.property(anyRecord, (record) => {
        const bytes = encode([record])
        for (let length = 1; length < bytes.length; length++) {
          expect(() => decode(bytes.subarray(0, length)), `${length} of ${bytes.length} bytes`).toThrow(MalformedBytes)
        }
      }),
      { numRuns: 100 },
    )
  })

  test.each([
    ["an unknown kind", [0x3c, 0x00]],
    ["an unknown flag", [0xa1, 0x00]],
    ["an id of what is no admission", [0x72, 0x00, 0x00, 0x01, 0x61, 0x01, 0x00, 0x01, 0x61]],
    ["a store that is opened under a limit", [0x0a, 0x00, 0x01, 0x00]],
    ["a time before 0", [0x31, 0x01, 0x00, 0x01, 0x61]],
    ["a key that was not told", [0x31, 0x00, 0x01]],
    ["a key that is no UTF-8", [0x31, 0x00, 0x00, 0x01, 0xff]],
    ["no denial", [0x32, 0x00, 0x00, 0x01, 0x61, 0x00, 0x00]],
    ["a number above 2^53", [0x31, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]],
    ["a number without an end", [0x31, ...new Array(40).fill(0x80)]],
  ])("RecordDecoder.read() refuses %s", (_, bytes) => {
    expect(() => decode(Uint8Array.from(bytes))).toThrow(MalformedBytes)
  })
})
