import { isTrue, same } from "../assert.js"
import type { CoreCase } from "../core-case.js"
import { CoreHost, type CoreRule } from "../core-host.js"

const NOW_MS = 1_699_999_200_000
const HOUR: CoreRule = { algorithm: 0, capacity: 3, unitsN: 1, periodP: 1_200_000, periodMs: 3_600_000 }
const LOG: CoreRule = { ...HOUR, algorithm: 5, capacity: 100 }
const STEPS: CoreRule = { ...HOUR, algorithm: 6, amount: 1, everyMs: 1_200_000 }

export const memoryCases: readonly CoreCase[] = [
  {
    name: "limitFree: gives back all memory",
    run(core) {
      const host = new CoreHost(core)
      const { exports } = host
      const before = exports.allocatedBytes()
      const policies: readonly (readonly CoreRule[])[] = [
        ...[0, 1, 2, 3, 4, 5].map((algorithm) => [{ ...HOUR, algorithm }]),
        [STEPS],
        [HOUR, LOG, STEPS, LOG],
      ]
      for (const rules of policies) {
        const limit = host.limit(rules, { keepsStats: 1, blockMs: 1_000 })
        for (let i = 0; i < 3_000; i++) {
          host.check(limit, `key ${i}`, 1 + (i % 3), NOW_MS + (i % 7))
          if (i % 5 === 0) host.check(limit, `key ${i}`, 2, NOW_MS + 10)
          if (i % 11 === 0) exports.reset(limit, host.key(`key ${i}`), NOW_MS + 10)
        }
        isTrue(exports.allocatedBytes() > before, "a limit to hold memory")
        exports.limitFree(limit)
        same(exports.allocatedBytes(), before, `the memory after algorithms ${rules.map((rule) => rule.algorithm)}`)
      }
    },
  },
  {
    name: "limitFree: limits of one seed and of others live and go in any order, and a carried one keeps its keys",
    run(core) {
      const host = new CoreHost(core)
      const { exports } = host
      const before = exports.allocatedBytes()
      const seeds = [
        [1, 2, 3, 4],
        [1, 2, 3, 4],
        [1, 2, 3, 5],
        [1, 2, 3, 4],
        [9, 2, 3, 4],
        [1, 2, 3, 5],
      ] as const
      const limits = seeds.map((seed) => host.limit([HOUR], { seed }))
      const remaining = (limit: number, key: string) => {
        host.peek(limit, key, 1, NOW_MS)
        return host.verdict().rules[0]![0]
      }
      for (const limit of limits) for (let i = 0; i < 50; i++) host.check(limit, `key ${i}`, 1 + (i % 3), NOW_MS)
      // What is carried over to a limit of another seed keeps its own.
      const carried = host.limit([HOUR], { seed: [7, 7, 7, 7] })
      same(exports.limitCarry(limits[0]!, carried, NOW_MS), 1, "what is carried")
      limits.push(carried)
      for (const gone of [0, 3, 1, 4]) {
        exports.limitFree(limits[gone]!)
        limits[gone] = 0
        for (const limit of limits.filter((each) => each !== 0)) {
          for (let i = 0; i < 50; i++) same(remaining(limit, `key ${i}`), 2 - (i % 3), `what is left of key ${i}`)
        }
      }
      limits.push(host.limit([HOUR], { seed: [1, 2, 3, 4] }))
      for (const limit of limits) exports.limitFree(limit)
      same(exports.allocatedBytes(), before, "the memory at last")
    },
  },
  {
    name: "limitNew: ten thousand limits of one seed hold little each",
    run(core) {
      const host = new CoreHost(core)
      const { exports } = host
      const before = exports.allocatedBytes()
      const limits = Array.from({ length: 10_000 }, () => host.limit([HOUR], { keepsStats: 1 }))
      isTrue(exports.allocatedBytes() - before < 640 * limits.length, "less than 640 bytes a limit")
      for (const limit of limits) exports.limitFree(limit)
      same(exports.allocatedBytes(), before, "the memory at last")
    },
  },
  {
    name: "limitFree: memory that was freed is used again",
    run(core) {
      const host = new CoreHost(core)
      let bytes = 0
      for (let round = 0; round < 20; round++) {
        const limit = host.limit([HOUR, LOG], { keepsStats: 1 })
        for (let i = 0; i < 2_000; i++) host.check(limit, `key ${i}`, 1, NOW_MS)
        host.exports.limitFree(limit)
        if (round === 0) bytes = host.exports.memory.buffer.byteLength
      }
      same(host.exports.memory.buffer.byteLength, bytes, "the size of the memory after 20 rounds")
    },
  },
  {
    name: "growth to 200,000 keys keeps every decision",
    run(core) {
      const host = new CoreHost(core)
      const limit = host.limit([HOUR])
      const keys = 200_000
      for (let i = 0; i < keys; i++) {
        if (host.check(limit, `key ${i}`, i % 4, NOW_MS) !== 1) throw new Error(`Expected key ${i} to be admitted.`)
        if (i % 1_000 === 999) {
          // Some of those that are there already, while the table grows around them.
          for (let j = 0; j < 5; j++) {
            const earlier = (i * 7_919 + j * 104_729) % i
            host.peek(limit, `key ${earlier}`, 0, NOW_MS)
            const [remaining] = host.verdict().rules[0]!
            if (remaining !== 3 - (earlier % 4)) throw new Error(`Expected key ${earlier} to be kept at ${i} keys.`)
          }
        }
      }
      same(host.exports.limitKeys(limit), (keys * 3) / 4, "the number of keys")
      for (let i = 0; i < keys; i++) {
        const outcome = host.peek(limit, `key ${i}`, 1, NOW_MS)
        const [remaining] = host.verdict().rules[0]!
        const expected = 3 - (i % 4)
        if (remaining !== expected || outcome !== (expected === 0 ? 0 : 1)) {
          throw new Error(`Expected ${expected} units to remain of key ${i}, it is ${remaining}.`)
        }
      }
      host.exports.limitFree(limit)
    },
  },
  {
    name: "limits of one instance share nothing but the memory",
    run(core) {
      const host = new CoreHost(core)
      const one = host.limit([HOUR])
      const other = host.limit([HOUR])
      same(host.check(one, "a", 3, NOW_MS), 1, "the outcome of the one")
      same(host.check(other, "a", 3, NOW_MS), 1, "the outcome of the other")
      host.exports.limitFree(one)
      same(host.check(other, "a", 1, NOW_MS), 0, "the outcome of the other when the one is gone")
      host.exports.limitFree(other)
    },
  },
  {
    name: "memoryTake: gives zeroed blocks that lie apart, and takes them back",
    run(core) {
      const host = new CoreHost(core)
      const { exports } = host
      const before = exports.allocatedBytes()
      const sizes = [1, 8, 63, 64, 65, 4_096, 65_536, 65_537, 1_000_000]
      for (let round = 0; round < 3; round++) {
        const blocks = sizes.map((bytes) => ({ bytes, start: exports.memoryTake(bytes) }))
        for (const { bytes, start } of blocks) {
          isTrue(start > 0 && start % 8 === 0, `an aligned block of ${bytes} bytes`)
          const view = host.bytes(start, bytes)
          isTrue(
            view.every((byte) => byte === 0),
            `a zeroed block of ${bytes} bytes`,
          )
          view.fill(0xa5)
        }
        const sorted = blocks.toSorted((a, b) => a.start - b.start)
        for (let i = 1; i < sorted.length; i++) {
          isTrue(sorted[i]!.start >= sorted[i - 1]!.start + sorted[i - 1]!.bytes, "blocks that do not overlap")
        }
        for (const { bytes, start } of blocks) exports.memoryGive(start, bytes)
        same(exports.allocatedBytes(), before, "the memory afterwards")
      }
    },
  },
  {
    name: "memoryTake: a block of no bytes harms no other block",
    run(core) {
      const host = new CoreHost(core)
      const { exports } = host
      const before = exports.allocatedBytes()
      const empty = exports.memoryTake(0)
      const block = exports.memoryTake(192)
      const view = () => host.bytes(block, 192)
      isTrue(
        view().every((byte) => byte === 0),
        "a zeroed block",
      )
      view().fill(0xa5)
      exports.memoryGive(empty, 0)
      isTrue(
        view().every((byte) => byte === 0xa5),
        "the block to be as it was written",
      )
      exports.memoryGive(block, 192)
      same(exports.allocatedBytes(), before, "the memory afterwards")
    },
  },
  {
    name: "memoryTake: more than there can be is 0, and takes nothing",
    run(core) {
      const { exports } = new CoreHost(core)
      const before = exports.allocatedBytes()
      for (const bytes of [2 ** 32 - 1, 2 ** 32 - 65_536, 3 * 2 ** 30, 2 ** 31 + 1]) {
        same(exports.memoryTake(bytes), 0, `a block of ${bytes} bytes`)
        same(exports.allocatedBytes(), before, `the memory after asking for ${bytes} bytes`)
      }
    },
  },
]
