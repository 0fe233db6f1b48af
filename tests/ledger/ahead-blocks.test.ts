import { expect, test } from "vitest"
import { AheadBlocks } from "../../src/ledger/ahead-blocks.js"
import type { LogWriter } from "../../src/ledger/log-writer.js"
import type { LedgerLimit } from "../../src/ledger/own-limit.js"
import { parsePolicy } from "../../src/policy/parse-policy.js"

test("shrink() while a larger block is appended and not written: what is told from then on fits into the smaller one", () => {
  const writer = { made: 0, writeOfNext: 1 }
  const blocks = new AheadBlocks(writer as Partial<LogWriter> as LogWriter, null)
  const named = { name: "l", number: 0, policy: parsePolicy("100000/hour") }
  const limit = named as Partial<LedgerLimit> as LedgerLimit
  const granted: number[] = []
  const draw = (cost: number) => blocks.draw(limit, "a", cost, (units) => granted.push(units))
  const begin = () => {
    writer.writeOfNext += 1
  }
  for (let draws = 0; draws < 3; draws++) {
    draw(1_000)
    begin()
    writer.made = writer.writeOfNext - 1
  }
  expect(draw(65)).toBe("low")
  expect(granted).toEqual([64, 128, 256])
  named.policy = parsePolicy("200/hour")
  blocks.shrink(limit, (_, units) => granted.push(units))
  expect(granted.at(-1)).toBe(20)
  begin()
  // That write may be in the file before anybody knows: a crash would then take back 20.
  expect(draw(21)).toBe("uncovered")
})

/** A limit whose blocks are as large as its policy and their use have them. */
function blocksOf(policy: string) {
  const writer = { made: 0, writeOfNext: 1 }
  const blocks = new AheadBlocks(writer as Partial<LogWriter> as LogWriter, null)
  const named = { name: "l", number: 0, policy: parsePolicy(policy) }
  const limit = named as Partial<LedgerLimit> as LedgerLimit
  const drawTwice = (key: string) => {
    for (let draws = 0; draws < 2; draws++) blocks.draw(limit, key, 1, () => {})
  }
  return { blocks, named, limit, drawTwice }
}

test("shrink() makes the block of a key smaller too of which nothing was admitted lately", () => {
  const { blocks, named, limit, drawTwice } = blocksOf("100000/hour")
  drawTwice("a")
  blocks.forgetIdle(10)
  named.policy = parsePolicy("200/hour")
  const shrunk: [string, number][] = []
  blocks.shrink(limit, (key, units) => shrunk.push([key, units]))
  expect(shrunk).toEqual([["a", 20]])
})

test("forgetIdle() looks at so many keys at a time, and leaves those that are drawn on meanwhile", () => {
  const { blocks, limit, drawTwice } = blocksOf("100000/hour")
  for (const key of ["a", "b", "c", "d", "e"]) drawTwice(key)
  expect(blocks.forgetIdle(2)).toEqual({ idle: [], hasMore: false })
  const keysOf = ({ idle, hasMore }: ReturnType<AheadBlocks["forgetIdle"]>) => [idle.map(([, key]) => key), hasMore]
  expect(keysOf(blocks.forgetIdle(2))).toEqual([["a", "b"], true])
  drawTwice("d")
  expect(keysOf(blocks.forgetIdle(2))).toEqual([["c", "e"], false])
  expect(blocks.hasGranted).toBe(true)
  expect(keysOf(blocks.forgetIdle(2))).toEqual([["d"], false])
  expect([blocks.hasGranted, blocks.isEmpty]).toEqual([false, true])
  expect(blocks.draw(limit, "a", 1, () => {})).toBe("uncovered")
})
