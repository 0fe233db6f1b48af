import { same } from "../assert.js"
import type { CoreCase } from "../core-case.js"
import { CoreHost, type CoreLimitOptions, type CoreRule, TEN_A_SECOND } from "../core-host.js"

const NOW_MS = 1_699_999_200_000
const ADMITTED = 1
const HOUR: CoreRule = { algorithm: 0, capacity: 5, unitsN: 1, periodP: 720_000, periodMs: 3_600_000 }
const encoder = new TextEncoder()

interface Admission {
  readonly key: string
  readonly cost: number
  readonly timeMs: number
}

/** Lays admissions out as `admitMany` wants them, calls it, and reads which keys were new to the set. */
function admitMany(host: CoreHost, limit: number, admissions: readonly Admission[], seen = 0) {
  const { exports } = host
  const count = admissions.length
  const encoded = admissions.map(({ key }) => encoder.encode(key))
  // Each key lies apart from the others, the last one first.
  const keyBytes = (encoded.reduce((sum, bytes) => sum + bytes.length + 3, 0) + 16 + 7) & ~7
  const size = keyBytes + count * 20 + 8
  const block = exports.memoryTake(size)
  const times = block + keyBytes
  const spans = times + count * 8
  const costs = spans + count * 8
  let at = keyBytes - 16
  for (const [index, { cost, timeMs }] of admissions.entries()) {
    const bytes = encoded[index]!
    at -= bytes.length
    host.bytes(block + at, bytes.length).set(bytes)
    new Float64Array(exports.memory.buffer, times)[index] = timeMs
    new Uint32Array(exports.memory.buffer, spans).set([at, at + bytes.length], 2 * index)
    new Uint32Array(exports.memory.buffer, costs)[index] = cost
    at -= 3
  }
  const admitted = exports.admitMany(limit, block, spans, costs, times, count, seen)
  const areNew = [...new Uint32Array(exports.memory.buffer, costs, count)]
  exports.memoryGive(block, size)
  return { admitted, areNew }
}

const SUBJECTS: readonly {
  readonly name: string
  readonly rules: readonly CoreRule[]
  readonly options?: CoreLimitOptions
}[] = [
  ...[0, 1, 2, 3, 4, 5].map((algorithm) => ({ name: `algorithm ${algorithm}`, rules: [{ ...HOUR, algorithm }] })),
  { name: "tokens in steps", rules: [{ ...HOUR, algorithm: 6, amount: 2, everyMs: 1_000 }] },
  { name: "several rules", rules: [{ ...HOUR, algorithm: 4 }, TEN_A_SECOND, { ...HOUR, capacity: 20 }] },
  { name: "statistics", rules: [HOUR], options: { keepsStats: 1 } },
  { name: "no room for new keys", rules: [HOUR], options: { maxKeys: 30, onFull: 1 } },
]

export const admitCases: readonly CoreCase[] = [
  ...SUBJECTS.map(
    ({ name, rules, options = {} }): CoreCase => ({
      name: `admitMany: does what one check after the other would, up to the first that is not admitted: ${name}`,
      run(core) {
        const host = new CoreHost(core)
        let many = host.limit(rules, options)
        let single = host.limit(rules, options)
        let state = 7
        const below = (end: number) => {
          state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
          return Math.floor((state / 2 ** 32) * end)
        }
        let nowMs = NOW_MS
        let ended = 0
        for (let round = 0; round < 200; round++) {
          const admissions = Array.from({ length: below(12) }, () => {
            // Mostly the clock is set back by little, or much, or stands.
            nowMs += [-1, -1, 0, 0, -300_000, below(400_000), below(400_000), below(1_000_000)][below(8)]!
            return { key: `key ${below(below(2) === 0 ? 3 : 40)}`, cost: below(7) === 0 ? below(7) : 1, timeMs: nowMs }
          })
          const { admitted } = admitMany(host, many, admissions)
          let expected = 0
          for (const { key, cost, timeMs } of admissions) {
            // A denial is one of a peek: it stores nothing.
            if (host.peek(single, key, cost, timeMs) !== ADMITTED) break
            same(host.check(single, key, cost, timeMs), ADMITTED, "what was peeked")
            expected += 1
          }
          same(admitted, expected, `how many of round ${round}`)
          for (const { key } of admissions) {
            same(host.stats(many, key), host.stats(single, key), `the statistics of ${key}`)
          }
          if (admitted === admissions.length) {
            for (const kind of [0, 1, 2]) same(host.save(many, kind, 0), host.save(single, kind, 0), "the cells")
            continue
          }
          // A denial may heal a state that lies too far ahead, which a peek does not.
          ended += 1
          host.exports.limitFree(many)
          host.exports.limitFree(single)
          many = host.limit(rules, options)
          single = host.limit(rules, options)
        }
        same(ended > 10 && ended < 190, true, "rounds of either kind")
        host.exports.limitFree(many)
        host.exports.limitFree(single)
      },
    }),
  ),
  {
    name: "admitMany: a blocked key, a key or a time out of range, and no limit admit nothing more",
    run(core) {
      const host = new CoreHost(core)
      const { exports } = host
      const limit = host.limit([TEN_A_SECOND])
      const good = { key: "a", cost: 1, timeMs: NOW_MS }
      exports.block(limit, host.key("b"), NOW_MS + 1_000, NOW_MS)
      for (const wrong of [
        { ...good, key: "b" },
        { ...good, key: "" },
        { ...good, key: "x".repeat(513) },
        { ...good, cost: 11 },
        { ...good, cost: 2 ** 32 - 1 },
        ...[-1, 0.5, Number.NaN, 2 ** 47].map((timeMs) => ({ ...good, timeMs })),
      ]) {
        exports.reset(limit, host.key("a"), NOW_MS)
        same(admitMany(host, limit, [good, wrong, good]).admitted, 1, JSON.stringify(wrong))
        same(exports.limitKeys(limit), 1, "the number of keys")
      }
      same(admitMany(host, limit, [{ ...good, key: "b", timeMs: NOW_MS + 1_000 }]).admitted, 1, "after the block")
      same(admitMany(host, limit, [{ ...good, key: "x".repeat(512), cost: 10 }]).admitted, 1, "the longest key")
      same(admitMany(host, 0, [good]).admitted, 0, "no limit")
      same(exports.admitMany(limit, 0, 0, 0, 0, -1, 0), 0, "a count of -1")
      exports.limitFree(limit)
    },
  },
  {
    name: "admitMany: tells which keys a set had not seen, and keySetFree gives all of it back",
    run(core) {
      const host = new CoreHost(core)
      const { exports } = host
      const limit = host.limit([HOUR], { maxKeys: 2 ** 32 - 1, onFull: 2 })
      const admissions = (from: number, count: number) =>
        Array.from({ length: count }, (_, index) => ({ key: `key ${from + index}`, cost: 1, timeMs: NOW_MS }))
      admitMany(host, limit, admissions(0, 1_500))
      const before = exports.allocatedBytes()
      const set = exports.keySetNew()
      same(
        admitMany(host, limit, [...admissions(0, 3), ...admissions(1, 3)], set).areNew,
        [1, 1, 1, 0, 0, 1],
        "a first look",
      )
      const { admitted, areNew } = admitMany(host, limit, admissions(0, 1_500), set)
      same(admitted, 1_500, "admissions")
      same(areNew.indexOf(1), 4, "the first that is new")
      same(
        areNew.reduce((sum, isNew) => sum + isNew, 0),
        1_496,
        "how many are new",
      )
      const other = exports.keySetNew()
      same(admitMany(host, limit, admissions(3, 1), other).areNew, [1], "another set")
      exports.keySetFree(set)
      exports.keySetFree(other)
      exports.keySetFree(0)
      same(exports.allocatedBytes(), before, "the bytes that are held")
      exports.limitFree(limit)
    },
  },
]
