import { isTrue, same } from "../assert.js"
import type { CoreCase } from "../core-case.js"
import { CoreHost, type CoreLimitOptions, type CoreRule, TEN_A_SECOND } from "../core-host.js"

const NOW_MS = 1_699_999_200_000
const BAD_ARGUMENT = -1
const ADMITTED = 1
const NO_ROOM = 4
const HOUR: CoreRule = { algorithm: 0, capacity: 5, unitsN: 1, periodP: 720_000, periodMs: 3_600_000 }

/** The answer to one check of many. */
interface Answer {
  readonly allowed: number
  readonly remaining: number
  readonly retryAfterMs: number
  readonly resetAfterMs: number
}

/** Lays keys, ends and costs out as `checkMany` wants them, calls it, and reads the columns. */
function checkMany(
  host: CoreHost,
  limit: number,
  keys: readonly string[],
  costs: readonly number[] | null,
  nowMs: number,
): { readonly outcome: number; readonly answers: readonly Answer[] } {
  const { exports } = host
  const count = keys.length
  const encoded = keys.map((key) => new TextEncoder().encode(key))
  const keyBytes = encoded.reduce((sum, bytes) => sum + bytes.length, 0)
  const words = count * 4
  const endsAt = (keyBytes + 16 + 7) & ~7
  const answersAt = (endsAt + 2 * words + 7) & ~7
  const size = answersAt + exports.manyBytes(count) + 8
  const block = exports.memoryTake(size)
  const ends = new Uint32Array(exports.memory.buffer, block + endsAt, count)
  let at = 0
  for (const [index, bytes] of encoded.entries()) {
    host.bytes(block + at, bytes.length).set(bytes)
    at += bytes.length
    ends[index] = at
  }
  const costsAt = costs === null ? 0 : block + endsAt + words
  if (costs !== null) new Uint32Array(exports.memory.buffer, costsAt, count).set(costs)
  const answer = block + answersAt
  const outcome = exports.checkMany(limit, block, block + endsAt, costsAt, count, nowMs, answer)
  const { buffer } = exports.memory
  const retries = new Float64Array(buffer, answer, count)
  const resets = new Float64Array(buffer, answer + count * 8, count)
  const remaining = new Uint32Array(buffer, answer + count * 16, count)
  const allowed = new Uint8Array(buffer, answer + count * 20, count)
  const answers = keys.map((_, index) => ({
    allowed: allowed[index]!,
    remaining: remaining[index]!,
    retryAfterMs: retries[index]!,
    resetAfterMs: resets[index]!,
  }))
  exports.memoryGive(block, size)
  return { outcome, answers }
}

/** What `check` says of one key, as a column of `checkMany` would. */
function checkOne(host: CoreHost, limit: number, rules: readonly CoreRule[], key: string, cost: number, nowMs: number) {
  const outcome = host.check(limit, key, cost, nowMs)
  const { retryAfterMs, binding, rules: told } = host.verdict(rules.length)
  if (outcome === NO_ROOM) return { allowed: 0, remaining: 0, retryAfterMs, resetAfterMs: retryAfterMs }
  const [remaining, , resetAfterMs] = told[binding]!
  return { allowed: Number(outcome === ADMITTED), remaining, retryAfterMs, resetAfterMs }
}

const SUBJECTS: readonly {
  readonly name: string
  readonly rules: readonly CoreRule[]
  readonly options?: CoreLimitOptions
}[] = [
  { name: "gcra", rules: [HOUR] },
  { name: "a leaky bucket", rules: [{ ...HOUR, algorithm: 2 }] },
  { name: "a log", rules: [{ ...HOUR, algorithm: 5 }] },
  { name: "several rules", rules: [{ ...HOUR, algorithm: 4 }, TEN_A_SECOND, HOUR] },
  { name: "statistics and a block", rules: [HOUR], options: { keepsStats: 1, blockMs: 1_000 } },
  { name: "no room for new keys", rules: [HOUR], options: { maxKeys: 100, onFull: 1 } },
  { name: "eviction", rules: [HOUR], options: { maxKeys: 100, onFull: 0 } },
]

export const manyCases: readonly CoreCase[] = [
  ...SUBJECTS.map(
    ({ name, rules, options = {} }): CoreCase => ({
      name: `checkMany: says and does what one check after the other would: ${name}`,
      run(core) {
        const host = new CoreHost(core)
        const many = host.limit(rules, options)
        const single = host.limit(rules, options)
        let state = 1
        const below = (end: number) => {
          state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
          return Math.floor((state / 2 ** 32) * end)
        }
        let nowMs = NOW_MS
        for (let round = 0; round < 40; round++) {
          // Batches around the 256 that are looked up together, the same key several times in one of them.
          const count = [0, 1, 2, 255, 256, 257, 600][below(7)]!
          const keys = Array.from({ length: count }, () => `key ${below(round < 20 ? 40 : 900)}`)
          const costs = round % 3 === 0 ? null : keys.map(() => below(4))
          nowMs += below(200_000) - (round % 7 === 6 ? 100_000 : 0)
          const { outcome, answers } = checkMany(host, many, keys, costs, nowMs)
          same(outcome, ADMITTED, "the outcome")
          for (const [index, key] of keys.entries()) {
            const expected = checkOne(host, single, rules, key, costs?.[index] ?? 1, nowMs)
            same(answers[index], expected, `answer ${index} of round ${round}`)
          }
          if (options.keepsStats === 1) {
            for (const key of keys) same(host.stats(many, key), host.stats(single, key), `the statistics of ${key}`)
          }
        }
        for (const kind of [0, 1, 2]) same(host.save(many, kind, nowMs), host.save(single, kind, nowMs), "the cells")
        host.exports.limitFree(many)
        host.exports.limitFree(single)
      },
    }),
  ),
  {
    name: "checkMany: keys and costs out of range are BAD_ARGUMENT, and nothing is charged",
    run(core) {
      const host = new CoreHost(core)
      const { exports } = host
      const limit = host.limit([TEN_A_SECOND])
      const good = ["a", "b", "c"]
      for (const keys of [
        ["a", "", "c"],
        ["a", "b", "x".repeat(513)],
        ["", "b", "c"],
      ]) {
        same(checkMany(host, limit, keys, null, NOW_MS).outcome, BAD_ARGUMENT, `keys ${JSON.stringify(keys)}`)
      }
      for (const cost of [11, 2 ** 31 + 1, 2 ** 32 - 1]) {
        same(checkMany(host, limit, good, [1, 1, cost], NOW_MS).outcome, BAD_ARGUMENT, `cost ${cost}`)
      }
      for (const nowMs of [-1, 0.5, Number.NaN, 2 ** 47]) {
        same(checkMany(host, limit, good, null, nowMs).outcome, BAD_ARGUMENT, `time ${nowMs}`)
      }
      same(checkMany(host, 0, good, null, NOW_MS).outcome, BAD_ARGUMENT, "no limit")
      same(exports.checkMany(limit, 0, 0, 0, -1, NOW_MS, 0), BAD_ARGUMENT, "a count of -1")
      same(exports.limitKeys(limit), 0, "the number of keys")
      const longest = ["x".repeat(512), "y"]
      same(checkMany(host, limit, longest, [10, 10], NOW_MS).outcome, ADMITTED, "the longest key and the largest cost")
      same(exports.limitKeys(limit), 2, "the number of keys at last")
      exports.limitFree(limit)
    },
  },
  {
    name: "checkMany: a table that grows within a batch loses nothing",
    run(core) {
      const host = new CoreHost(core)
      const limit = host.limit([HOUR])
      const keys = Array.from({ length: 30_000 }, (_, i) => `key ${(i * 7_919) % 20_000}`)
      const { outcome, answers } = checkMany(host, limit, keys, null, NOW_MS)
      same(outcome, ADMITTED, "the outcome")
      isTrue(
        answers.every(({ allowed }) => allowed === 1),
        "every check to be admitted",
      )
      same(host.exports.limitKeys(limit), 20_000, "the number of keys")
      same(answers.filter(({ remaining }) => remaining === 3).length, 10_000, "keys that came twice")
      host.exports.limitFree(limit)
    },
  },
]
