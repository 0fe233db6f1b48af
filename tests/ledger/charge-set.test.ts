import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { ByteReader, MalformedBytes } from "../../src/ledger/byte-reader.js"
import { ByteWriter } from "../../src/ledger/byte-writer.js"
import { CHUNK_CHARGES, ChargeChunk } from "../../src/ledger/charge-chunk.js"
import { ChargeSet } from "../../src/ledger/charge-set.js"

const T = 1_700_000_000_000
/** As many as are held as a list. */
const LISTED = 4_096
/** The last chunk whose numbers are all exact. */
const LAST_INDEX = 2 ** 53 / CHUNK_CHARGES - 1

/** The bytes of chunks, one after the other. */
function written(chunks: Iterable<ChargeChunk>): Uint8Array {
  const writer = new ByteWriter()
  for (const chunk of chunks) chunk.write(writer)
  return writer.copy()
}

function read(bytes: Uint8Array): ChargeSet {
  const set = new ChargeSet()
  const reader = new ByteReader(bytes)
  while (!reader.atEnd) set.append(ChargeChunk.read(reader))
  return set
}

function* heldBy(set: ChargeSet): Generator<ChargeChunk> {
  for (let chunk = set.takeHeld(); chunk !== undefined; chunk = set.takeHeld()) yield chunk
}

/** Every number of some chunks that a set has. */
function numbersOf(set: ChargeSet, indexes: Iterable<number>): number[] {
  const numbers: number[] = []
  for (const index of indexes) {
    for (let offset = 0; offset < CHUNK_CHARGES; offset++) {
      const charge = index * CHUNK_CHARGES + offset
      if (set.has(charge)) numbers.push(charge)
    }
  }
  return numbers
}

function setOf(charges: Iterable<number>, chargedAtMs = T): ChargeSet {
  const set = new ChargeSet()
  for (const charge of charges) set.add(charge, chargedAtMs)
  return set
}

const ascending = (numbers: Iterable<number>) => [...numbers].sort((one, other) => one - other)
const range = (from: number, count: number) => Array.from({ length: count }, (_, index) => from + index)

interface Run {
  readonly index: number
  readonly offset: number
  readonly count: number
  readonly step: number
  readonly byMs: number
  readonly after: "nothing" | "hold" | "take" | "end" | "reopen" | "forget"
}

const runs = fc.array(
  fc.record({
    index: fc.constantFrom(0, 1, 2, 3, 2 ** 21, LAST_INDEX),
    offset: fc.oneof(
      fc.constantFrom(0, 7, 8, CHUNK_CHARGES - 1, CHUNK_CHARGES - 8),
      fc.nat({ max: CHUNK_CHARGES - 1 }),
    ),
    count: fc.oneof(fc.constantFrom(1, 4, 5, LISTED - 1, LISTED, LISTED + 1, CHUNK_CHARGES), fc.nat({ max: 300 })),
    step: fc.constantFrom(1, 1, 2, 17, CHUNK_CHARGES - 1),
    byMs: fc.integer({ min: -1_000, max: 1_500 }),
    after: fc.constantFrom("nothing", "nothing", "hold", "take", "end", "reopen", "forget"),
  } satisfies { [K in keyof Run]: fc.Arbitrary<Run[K]> }),
  { maxLength: 14 },
)

describe("ChargeSet", () => {
  test("holds what a plain set does, whatever is added, saved meanwhile, put back and forgotten", () => {
    fc.assert(
      fc.property(runs, (steps) => {
        let set = new ChargeSet()
        // By chunk: its numbers and its latest time.
        let plain = new Map<number, { charges: Set<number>; latestMs: number }>()
        let held: Uint8Array | null = null
        let told: ChargeChunk[] = []
        let nowMs = T
        const end = () => {
          if (held === null) return
          expect(written([...told, ...heldBy(set)])).toEqual(held)
          held = null
        }
        for (const { index, offset, count, step, byMs, after } of steps) {
          nowMs += byMs
          for (let added = 0; added < count; added++) {
            const charge = index * CHUNK_CHARGES + ((offset + added * step) % CHUNK_CHARGES)
            const chunk = plain.get(index) ?? { charges: new Set(), latestMs: nowMs }
            const isThere = chunk.charges.has(charge)
            // Asked of so many that the assertion itself would take most of the time.
            if (set.has(charge) !== isThere) expect.fail(`${charge} is ${isThere ? "not " : ""}there`)
            if (isThere) continue
            set.add(charge, nowMs)
            chunk.charges.add(charge)
            chunk.latestMs = Math.max(chunk.latestMs, nowMs)
            plain.set(index, chunk)
          }
          if (after === "hold") {
            end()
            held = written(set.chunks)
            told = []
            set.hold()
          } else if (after === "take") {
            const chunk = set.takeHeld()
            // It is told at once: it may change after it.
            if (chunk !== undefined) told.push(ChargeChunk.read(new ByteReader(written([chunk]))))
          } else if (after === "end") {
            end()
          } else if (after === "reopen") {
            end()
            const { bytes } = set
            set = read(written(set.chunks))
            expect(set.bytes).toBe(bytes)
          } else if (after === "forget") {
            const old = [...plain.values()].filter(({ latestMs }) => latestMs < nowMs)
            const latestMs = old.length === 0 ? null : Math.max(...old.map((chunk) => chunk.latestMs))
            expect(set.forgetBefore(nowMs)).toBe(latestMs)
            plain = new Map([...plain].filter(([, chunk]) => chunk.latestMs >= nowMs))
          }
        }
        end()
        expect(set.chunks.map(({ index, latestMs }) => [index, latestMs])).toEqual(
          ascending(plain.keys()).map((index) => [index, plain.get(index)!.latestMs]),
        )
        expect(numbersOf(set, plain.keys())).toEqual([...plain.values()].flatMap(({ charges }) => ascending(charges)))
      }),
      { numRuns: 60 },
    )
  })

  test.each([
    ["in their order", (charges: number[]) => charges],
    ["the last one first", (charges: number[]) => charges.toReversed()],
    [
      "from both ends",
      (charges: number[]) => charges.map((_, at) => charges.at(at % 2 === 0 ? at / 2 : -(at + 1) / 2)!),
    ],
  ])("add() takes numbers over the ends of chunks, however many, %s", (_, order) => {
    for (const count of [1, 2, 4, 5, LISTED, LISTED + 1, LISTED + 2, CHUNK_CHARGES, CHUNK_CHARGES + LISTED + 3]) {
      const charges = range(CHUNK_CHARGES - 2, count)
      const set = setOf(order(charges))
      expect(numbersOf(set, [0, 1, 2])).toEqual(charges)
      expect(set.chunks.at(-1)!.lastCharge).toBe(charges.at(-1))
    }
  })

  test("numbers up to the largest safe integer are told apart", () => {
    const charges = [2 ** 31, 2 ** 32 + 1, 2 ** 52 + 3, Number.MAX_SAFE_INTEGER - 1, Number.MAX_SAFE_INTEGER]
    const set = read(written(setOf(charges).chunks))
    for (const charge of charges) expect(set.has(charge)).toBe(true)
    for (const charge of [0, 2 ** 31 - 1, 2 ** 32, 2 ** 52 + 2, Number.MAX_SAFE_INTEGER - 2]) {
      expect(set.has(charge)).toBe(false)
    }
    expect(set.chunks.map(({ lastCharge }) => lastCharge)).toEqual([...charges.slice(0, 3), Number.MAX_SAFE_INTEGER])
  })

  test("a bit or two bytes are taken for each of many, in memory and written", () => {
    const dense = setOf(range(1, 1_000_000))
    expect(dense.bytes).toBeLessThan(140_000)
    expect(written(dense.chunks).length).toBeLessThan(132_000)
    const sparse = setOf(range(1, 10_000).map((number) => number * 100))
    expect(sparse.bytes).toBeLessThan(40_000)
    expect(written(sparse.chunks).length).toBeLessThan(11_000)
  })

  test("latestBeyond() tells the time until which chunks must go for the others to be small enough", () => {
    const set = new ChargeSet()
    // Numbers follow each other, their times do not: the clock was set back.
    for (const [index, chargedAtMs] of [T + 2, T, T + 3, T + 1].entries()) set.add(index * CHUNK_CHARGES, chargedAtMs)
    const one = set.bytes / 4
    expect([4, 3.9, 3, 2, 1.5, 0].map((chunks) => set.latestBeyond(chunks * one))).toEqual([
      null,
      T,
      T,
      T + 1,
      T + 2,
      T + 3,
    ])
    expect(set.forgetBefore(T + 1 + 1)).toBe(T + 1)
    expect(set.bytes).toBe(2 * one)
    expect(set.chunks.map(({ index }) => index)).toEqual([0, 2])
    expect(set.forgetBefore(T)).toBe(null)
  })
})

describe("ChargeChunk", () => {
  const chunkOf = (charges: readonly number[], chargedAtMs = T) => setOf(charges, chargedAtMs).chunks[0]!

  test.each([3, LISTED, LISTED + 1])("isSame() tells chunks of %i apart by all that they hold", (count) => {
    const charges = range(10, count)
    const chunk = chunkOf(charges)
    expect(chunk.isSame(chunkOf(charges.toReversed()))).toBe(true)
    expect(chunk.isSame(chunkOf(charges, T + 1))).toBe(false)
    expect(chunk.isSame(chunkOf(range(10, count + 1)))).toBe(false)
    expect(chunk.isSame(chunkOf(range(10, count - 1)))).toBe(false)
    expect(chunk.isSame(chunkOf([...range(10, count - 1), 60_000]))).toBe(false)
    expect(chunk.isSame(chunkOf(charges.map((charge) => charge + CHUNK_CHARGES)))).toBe(false)
  })

  const raw = (count: number, rest: (writer: ByteWriter) => void, index = 0) => {
    const writer = new ByteWriter()
    writer.varint(index)
    writer.f64(T)
    writer.varint(count)
    rest(writer)
    return writer.copy()
  }
  const bits = (...ones: readonly (readonly [byte: number, value: number])[]) => {
    const bytes = new Uint8Array(CHUNK_CHARGES / 8)
    for (const [byte, value] of ones) bytes[byte] = value
    return bytes
  }
  const full = bits().fill(255)

  test("read() takes the most and the least that there can be", () => {
    expect(read(raw(1, (writer) => writer.varint(65_535))).has(65_535)).toBe(true)
    const all = read(raw(CHUNK_CHARGES, (writer) => writer.bytes(full)))
    expect(numbersOf(all, [0])).toHaveLength(CHUNK_CHARGES)
  })

  test.each<[string, Uint8Array, string]>([
    ["has no charge", raw(0, () => undefined), "a chunk of charges is empty"],
    ["lists a charge beyond its end", raw(1, (writer) => writer.varint(65_536)), "a charge is beyond its chunk"],
    [
      "lists a charge beyond its end after another",
      raw(2, (writer) => [65_000, 535].forEach((gap) => void writer.varint(gap))),
      "a charge is beyond its chunk",
    ],
    ["lists fewer than it tells", raw(2, (writer) => writer.varint(1)), "it ends too soon"],
    [
      "has fewer bits than it tells",
      raw(LISTED + 1, (writer) => writer.bytes(bits([0, 255]))),
      "charges are not as many as they should be",
    ],
    [
      "has more bits than it tells",
      raw(CHUNK_CHARGES - 1, (writer) => writer.bytes(full)),
      "charges are not as many as they should be",
    ],
    [
      "tells more than there can be",
      raw(CHUNK_CHARGES + 1, (writer) => writer.bytes(full)),
      "charges are not as many as they should be",
    ],
    ["ends within its bits", raw(LISTED + 1, (writer) => writer.bytes(full.subarray(1))), "it ends too soon"],
  ])("read() refuses a chunk that %s", (_, bytes, message) => {
    expect(() => read(bytes)).toThrow(new MalformedBytes(message))
  })

  test.each([
    ["twice", 5],
    ["after a later one", 4],
  ])("append() refuses a chunk that comes %s", (_, index) => {
    const one = (at: number) => ChargeChunk.read(new ByteReader(raw(1, (writer) => writer.varint(0), at)))
    const set = new ChargeSet()
    set.append(one(5))
    expect(() => set.append(one(index))).toThrow(new MalformedBytes("chunks of charges go back"))
    set.append(one(6))
    expect(set.chunks).toHaveLength(2)
  })
})
