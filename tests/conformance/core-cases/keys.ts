import { same } from "../assert.js"
import type { CoreCase } from "../core-case.js"
import { CoreHost, TEN_A_SECOND } from "../core-host.js"

const NOW_MS = 1_699_999_200_000

export const keyCoreCases: readonly CoreCase[] = [
  {
    name: "keys: any bytes, of every length from 1 to 512, and only those count",
    run(core) {
      const host = new CoreHost(core)
      const limit = host.limit([TEN_A_SECOND])
      const patterns = [0x00, 0xff, 0x61]
      // What an earlier, longer key left in the buffer must not matter: long keys come first.
      for (let length = 512; length >= 1; length--) {
        for (const byte of patterns) {
          same(host.check(limit, new Uint8Array(length).fill(byte), 10, NOW_MS), 1, `${length} × ${byte}`)
        }
      }
      same(host.exports.limitKeys(limit), 512 * patterns.length, "the number of keys")
      for (let length = 1; length <= 512; length++) {
        host.bytes(host.exports.keyBuffer(), 528).fill(length & 0xff)
        for (const byte of patterns) {
          same(host.check(limit, new Uint8Array(length).fill(byte), 1, NOW_MS), 0, `${length} × ${byte} again`)
        }
      }
      host.exports.limitFree(limit)
    },
  },
  {
    name: "keys: one bit anywhere makes another key",
    run(core) {
      const host = new CoreHost(core)
      const limit = host.limit([TEN_A_SECOND])
      const key = new Uint8Array(512)
      host.check(limit, key, 10, NOW_MS)
      for (let bit = 0; bit < 512 * 8; bit++) {
        key[bit >> 3] = 1 << (bit & 7)
        same(host.check(limit, key, 10, NOW_MS), 1, `bit ${bit}`)
        key[bit >> 3] = 0
      }
      same(host.exports.limitKeys(limit), 1 + 512 * 8, "the number of keys")
      host.exports.limitFree(limit)
    },
  },
  {
    name: "seed: the same calls under the same seed give the same bytes, under another one others",
    run(core) {
      const host = new CoreHost(core)
      const run = (seed: readonly [number, number, number, number]) => {
        const limit = host.limit([TEN_A_SECOND], { seed })
        for (let i = 0; i < 200; i++) host.check(limit, `key ${i}`, 1 + (i % 3), NOW_MS + i)
        const cells = host.save(limit, 0, NOW_MS + 200).map((cell) => cell.join())
        host.exports.limitFree(limit)
        return cells
      }
      const cells = run([1, 2, 3, 4])
      same(run([1, 2, 3, 4]), cells, "the cells under the same seed")
      for (const seed of [
        [2, 2, 3, 4],
        [1, 3, 3, 4],
        [1, 2, 7, 4],
        [1, 2, 3, 5],
        [0, 0, 0, 0],
      ] as const) {
        const others = new Set(run(seed))
        same(cells.filter((cell) => others.has(cell)).length, 0, `cells in common with seed ${seed}`)
      }
    },
  },
]
