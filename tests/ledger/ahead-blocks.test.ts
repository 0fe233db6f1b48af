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
