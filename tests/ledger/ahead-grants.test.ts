import { expect, test } from "vitest"
import { AheadGrants } from "../../src/ledger/ahead-grants.js"
import type { LogWriter } from "../../src/ledger/log-writer.js"
import type { LedgerLimit } from "../../src/ledger/own-limit.js"
import { parsePolicy } from "../../src/policy/parse-policy.js"

test("shrink() while a larger grant is appended and not written: what is told from then on fits into the smaller one", () => {
  const writer = { made: 0, writeOfNext: 1 }
  const grants = new AheadGrants(writer as Partial<LogWriter> as LogWriter, null)
  const named = { name: "l", number: 0, policy: parsePolicy("100000/hour") }
  const limit = named as Partial<LedgerLimit> as LedgerLimit
  const granted: number[] = []
  const draw = (cost: number) => grants.draw(limit, "a", cost, (units) => granted.push(units))
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
  grants.shrink(limit, (_, units) => granted.push(units))
  expect(granted.at(-1)).toBe(20)
  begin()
  // That write may be in the file before anybody knows: a crash would then take back 20.
  expect(draw(21)).toBe("uncovered")
})

/** A limit whose grants are as large as its policy and their use have them. */
function grantsOf(policy: string) {
  const writer = { made: 0, writeOfNext: 1 }
  const grants = new AheadGrants(writer as Partial<LogWriter> as LogWriter, null)
  const named = { name: "l", number: 0, policy: parsePolicy(policy) }
  const limit = named as Partial<LedgerLimit> as LedgerLimit
  const drawTwice = (key: string) => {
    for (let draws = 0; draws < 2; draws++) grants.draw(limit, key, 1, () => {})
  }
  return { grants, named, limit, drawTwice }
}

test("shrink() makes the grant of a key smaller too of which nothing was admitted lately", () => {
  const { grants, named, limit, drawTwice } = grantsOf("100000/hour")
  drawTwice("a")
  grants.forgetIdle(10)
  named.policy = parsePolicy("200/hour")
  const shrunk: [string, number][] = []
  grants.shrink(limit, (key, units) => shrunk.push([key, units]))
  expect(shrunk).toEqual([["a", 20]])
})

test("forgetIdle() looks at so many keys at a time, and leaves those that are drawn on meanwhile", () => {
  const { grants, limit, drawTwice } = grantsOf("100000/hour")
  for (const key of ["a", "b", "c", "d", "e"]) drawTwice(key)
  expect(grants.forgetIdle(2)).toEqual({ idle: [], hasMore: false })
  const keysOf = ({ idle, hasMore }: ReturnType<AheadGrants["forgetIdle"]>) => [idle.map(([, key]) => key), hasMore]
  expect(keysOf(grants.forgetIdle(2))).toEqual([["a", "b"], true])
  drawTwice("d")
  expect(keysOf(grants.forgetIdle(2))).toEqual([["c", "e"], false])
  expect(grants.hasGranted).toBe(true)
  expect(keysOf(grants.forgetIdle(2))).toEqual([["d"], false])
  expect([grants.hasGranted, grants.isEmpty]).toEqual([false, true])
  expect(grants.draw(limit, "a", 1, () => {})).toBe("uncovered")
})
