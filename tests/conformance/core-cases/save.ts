import { isTrue, same } from "../assert.js"
import type { CoreCase } from "../core-case.js"
import { CoreHost, type CoreRule, TEN_A_SECOND } from "../core-host.js"

const NOW_MS = 1_699_999_200_000
const HOUR: CoreRule = { algorithm: 0, capacity: 20, unitsN: 1, periodP: 180_000, periodMs: 3_600_000 }
const STEPS: CoreRule = { ...HOUR, algorithm: 6, amount: 5, everyMs: 900_000 }
const CELLS = 0
const BLOCKS = 1
const STATS = 2

const POLICIES: readonly (readonly CoreRule[])[] = [
  ...[0, 1, 2, 3, 4, 5].map((algorithm) => [{ ...HOUR, algorithm }]),
  [{ ...HOUR, algorithm: 3, offsetMs: -1 }],
  [STEPS],
  [HOUR, { ...HOUR, algorithm: 5 }, { ...HOUR, algorithm: 4 }, STEPS, { ...HOUR, algorithm: 5, capacity: 30 }],
]

function isBefore(a: Uint8Array, b: Uint8Array): number {
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return a[i]! - b[i]!
  return 0
}

/** Gives a limit a life of its own: many keys, some with many charges, some blocked. */
function use(host: CoreHost, limit: number): void {
  for (let i = 0; i < 2_000; i++) {
    const key = `key ${(i * i) % 211}`
    host.check(limit, key, 1 + (i % 2), NOW_MS + i * 13)
    if (i % 97 === 0) host.exports.block(limit, host.key(key), NOW_MS + 100_000 + i, NOW_MS + i * 13)
  }
}

export const saveCases: readonly CoreCase[] = [
  {
    name: "dump and restore: a table's records make the same table, in pieces of any size",
    run(core) {
      const host = new CoreHost(core)
      const { exports } = host
      for (const rules of [[HOUR], [HOUR, STEPS]]) {
        for (const room of [30_000, 65_536]) {
          const limit = host.limit(rules, { keepsStats: 1 })
          use(host, limit)
          const copy = host.limit(rules, { keepsStats: 1 })
          const block = exports.memoryTake(room)
          for (const kind of [CELLS, BLOCKS, STATS]) {
            let left = exports.dumpBytes(limit, kind)
            isTrue(left > 0, `bytes of kind ${kind}`)
            const records: Uint8Array[] = []
            exports.dumpStart()
            for (let bytes = -1; bytes !== 0; left -= bytes) {
              bytes = exports.dumpNext(limit, kind, block, room)
              for (let at = 0; at < bytes; ) {
                const [length] = new Uint32Array(host.bytes(block + at, 8).slice().buffer, 4)
                records.push(host.bytes(block + at, length!).slice())
                at += length!
              }
            }
            same(left, 0, `bytes of kind ${kind} that did not come`)
            const restore = (record: Uint8Array, wrongKind = kind) => {
              host.bytes(block, record.length).set(record)
              return exports.restoreRecord(copy, wrongKind, block, record.length)
            }
            same(restore(records[0]!.subarray(0, -1)), 0, "a record that is cut")
            same(restore(records[0]!, (kind + 1) % 3), 0, "a record of another kind")
          }
          exports.limitFree(copy)
          const whole = host.limit(rules, { keepsStats: 1 })
          for (const kind of [CELLS, BLOCKS, STATS]) {
            exports.dumpStart()
            for (;;) {
              const bytes = exports.dumpNext(limit, kind, block, room)
              if (bytes === 0) break
              for (let at = 0; at < bytes; ) {
                const [length] = new Uint32Array(host.bytes(block + at, 8).slice().buffer, 4)
                same(exports.restoreRecord(whole, kind, block + at, length!), 1, "restoreRecord")
                at += length!
              }
            }
            same(exports.restoreEnd(whole, kind), 1, "restoreEnd")
            const cells = host.save(limit, kind, NOW_MS).sort(isBefore)
            same(host.save(whole, kind, NOW_MS).sort(isBefore), cells, `the cells of kind ${kind}`)
          }
          exports.memoryGive(block, room)
          exports.limitFree(limit)
          exports.limitFree(whole)
        }
      }
    },
  },
  {
    name: "save and load: cells, blocks and statistics come back, byte for byte and in every decision",
    run(core) {
      const host = new CoreHost(core)
      const { exports } = host
      for (const rules of POLICIES) {
        const limit = host.limit(rules, { keepsStats: 1 })
        use(host, limit)
        const nowMs = NOW_MS + 26_000
        const copy = host.limit(rules, { keepsStats: 1 })
        for (const kind of [CELLS, BLOCKS, STATS]) {
          const cells = host.save(limit, kind, nowMs)
          isTrue(cells.length > 0, `cells of kind ${kind}`)
          for (const cell of cells) same(host.load(copy, kind, cell), 1, "loadCells")
          const again = host.save(copy, kind, nowMs).sort(isBefore)
          same(again, cells.sort(isBefore), `the cells of kind ${kind}`)
        }
        for (let i = 0; i < 1_000; i++) {
          const key = `key ${(i * 31) % 230}`
          const atMs = nowMs + i * 977
          const cost = i % 4
          same(host.check(copy, key, cost, atMs), host.check(limit, key, cost, atMs), `outcome ${i}`)
          same(host.peek(copy, key, 1, atMs), host.peek(limit, key, 1, atMs), `second outcome ${i}`)
          const verdict = host.verdict(rules.length)
          host.peek(copy, key, 1, atMs)
          same(host.verdict(rules.length), verdict, `verdict ${i}`)
          same(host.stats(copy, key), host.stats(limit, key), `statistics ${i}`)
        }
        exports.limitFree(limit)
        exports.limitFree(copy)
      }
    },
  },
  {
    name: "save: what says nothing at that time is left out",
    run(core) {
      const host = new CoreHost(core)
      const { exports } = host
      const limit = host.limit([TEN_A_SECOND])
      host.check(limit, "a", 1, NOW_MS)
      host.check(limit, "b", 2, NOW_MS)
      exports.block(limit, host.key("c"), NOW_MS + 150, NOW_MS)
      same(host.save(limit, CELLS, NOW_MS + 99).length, 2, "cells at 99 ms")
      same(host.save(limit, CELLS, NOW_MS + 100).length, 1, "cells at 100 ms")
      same(host.save(limit, CELLS, NOW_MS + 200).length, 0, "cells at 200 ms")
      same(host.save(limit, BLOCKS, NOW_MS + 149).length, 1, "blocks at 149 ms")
      same(host.save(limit, BLOCKS, NOW_MS + 150).length, 0, "blocks at 150 ms")
      same(exports.limitKeys(limit), 2, "the number of keys: saving removes none")
      exports.limitFree(limit)
    },
  },
  {
    name: "saveCell: without enough room it only tells how much it needs",
    run(core) {
      const host = new CoreHost(core)
      const { exports } = host
      const limit = host.limit([{ ...HOUR, algorithm: 5 }])
      for (let i = 0; i < 20; i++) host.check(limit, "a", 1, NOW_MS + i)
      const output = exports.memoryTake(1_024)
      exports.saveStart()
      const cell = exports.saveNext(limit, CELLS, NOW_MS + 20)
      // hash 8, state 16, length 4, total before the first entry 8, and 16 for each of the 20 entries.
      const bytes = 8 + 16 + 4 + 8 + 20 * 16
      for (const room of [0, 1, bytes - 1]) {
        same(exports.saveCell(limit, CELLS, cell, output, room), bytes, `what it needs in ${room} bytes`)
        isTrue(
          host.bytes(output, 1_024).every((byte) => byte === 0),
          `nothing to be written into ${room} bytes`,
        )
      }
      same(exports.saveCell(limit, CELLS, cell, output, bytes), bytes, "what it writes")
      isTrue(
        host.bytes(output + bytes, 1_024 - bytes).every((byte) => byte === 0),
        "nothing to be written behind the cell",
      )
      exports.memoryGive(output, 1_024)
      exports.limitFree(limit)
    },
  },
  {
    name: "loadCells: refuses what cannot be a cell and a key that is there, and changes nothing",
    run(core) {
      const host = new CoreHost(core)
      const { exports } = host
      const rules = [HOUR, { ...HOUR, algorithm: 5 }, { ...HOUR, algorithm: 5 }]
      const from = host.limit(rules, { keepsStats: 1 })
      for (let i = 0; i < 5; i++) host.check(from, "a", 1, NOW_MS + i)
      exports.block(from, host.key("a"), NOW_MS + 1_000, NOW_MS)
      for (const kind of [CELLS, BLOCKS, STATS]) {
        const to = host.limit(rules, { keepsStats: 1 })
        // A first cell makes the table, so that the memory can be compared.
        host.check(to, "b", 1, NOW_MS)
        exports.block(to, host.key("b"), NOW_MS + 1_000, NOW_MS)
        const before = exports.allocatedBytes()
        const [cell] = host.save(from, kind, NOW_MS + 5)
        for (let length = 1; length < cell!.length; length++) {
          same(host.load(to, kind, cell!.slice(0, length)), 0, `loadCells of ${length} bytes of kind ${kind}`)
        }
        for (const more of [1, 4, 16]) {
          const longer = new Uint8Array(cell!.length + more)
          longer.set(cell!)
          same(host.load(to, kind, longer), 0, `loadCells of ${more} bytes more of kind ${kind}`)
        }
        const noHash = cell!.slice()
        noHash.fill(0, 0, 8)
        same(host.load(to, kind, noHash), 0, `loadCells without a hash of kind ${kind}`)
        same(host.save(to, kind, NOW_MS + 5).length, 1, `cells of kind ${kind} after what was refused`)
        same(exports.allocatedBytes(), before, `the memory after what was refused of kind ${kind}`)
        same(host.load(from, kind, cell!), 0, `loadCells where the key is, of kind ${kind}`)
        same(host.load(to, kind, cell!), 1, `loadCells of a whole cell of kind ${kind}`)
        same(host.load(to, kind, cell!), 0, `loadCells of the same cell again, of kind ${kind}`)
        same(host.save(to, kind, NOW_MS + 5).length, 2, `cells of kind ${kind} at last`)
        exports.limitFree(to)
      }
      exports.limitFree(from)
    },
  },
]
