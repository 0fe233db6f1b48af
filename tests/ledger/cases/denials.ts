import { expect } from "vitest"
import { Ledger } from "../../../src/ledger/ledger.js"
import { parsePolicy } from "../../../src/policy/parse-policy.js"
import { type LedgerCase, START_MS } from "../ledger-case.js"
import { logRecords } from "../log-records.js"
import { readRows } from "../rows.js"
import { core } from "../script-run.js"
import { turn, WatchedPort } from "../watched-port.js"

export const denialCases: readonly LedgerCase[] = [
  {
    name: "check() asks for no commit where it denies, and a flood of denials is one record",
    async run(makePort) {
      const port = new WatchedPort(makePort())
      const ledger = await Ledger.open(port, { core })
      const limit = ledger.define("l", parsePolicy("1/hour"), START_MS)
      ledger.check(limit, "a", 1, START_MS)
      await ledger.commit()
      const { writes } = port
      for (let denial = 1; denial <= 10_000; denial++) {
        const { decision, needsCommit } = ledger.check(limit, "a", 1, START_MS + denial)
        expect(decision.allowed || needsCommit).toBe(false)
      }
      for (let turns = 0; turns < 5; turns++) await turn()
      expect(port.writes).toBe(writes)
      ledger.check(limit, "b", 1, START_MS + 10_001)
      await ledger.commit()
      expect(port.writes).toBe(writes + 1)
      expect(await logRecords(port)).toMatchObject([
        { op: "define" },
        { op: "admit", key: "a" },
        { op: "deny", key: "a", cost: 1, count: 10_000, timeMs: START_MS + 1, lastMs: START_MS + 10_000 },
        { op: "admit", key: "b" },
      ])
      const told = limit.openKeys().stats("a")
      expect(told).toMatchObject({ totalDenied: 10_000, totalDeniedCost: 10_000, lastDeniedAt: START_MS + 10_000 })
      const again = await Ledger.open(port, { core })
      expect(again.limit("l")!.openKeys().stats("a")).toEqual(told)
      await again.close()
      ledger.abandon()
    },
  },
  {
    name: "check() keeps denials of another key, limit, cost or an earlier time apart",
    async run(makePort) {
      const port = makePort()
      const ledger = await Ledger.open(port, { core })
      const first = ledger.define("first", parsePolicy("2/hour"), START_MS)
      const second = ledger.define("second", parsePolicy("2/hour"), START_MS)
      for (const limit of [first, second]) for (const key of ["a", "b"]) ledger.check(limit, key, 2, START_MS)
      ledger.check(first, "a", 1, START_MS)
      ledger.check(first, "b", 1, START_MS)
      ledger.check(second, "b", 1, START_MS)
      ledger.check(second, "b", 2, START_MS)
      ledger.check(second, "b", 2, START_MS - 1)
      ledger.check(second, "b", 2, START_MS)
      await ledger.commit()
      const denials = (await logRecords(port)).filter(({ op }) => op === "deny")
      expect(denials).toMatchObject([
        { limit: 0, key: "a", cost: 1, count: 1 },
        { limit: 0, key: "b", cost: 1, count: 1 },
        { limit: 1, key: "b", cost: 1, count: 1 },
        { limit: 1, key: "b", cost: 2, count: 1 },
        { limit: 1, key: "b", cost: 2, count: 2, timeMs: START_MS - 1, lastMs: START_MS },
      ])
      expect((await ledger.verify()).replayEqualsLive).toBe(true)
      await ledger.close()
    },
  },
  {
    name: "check() asks for a commit where its denial starts a block, and not while the block lasts",
    async run(makePort) {
      const port = makePort()
      const ledger = await Ledger.open(port, { core })
      const limit = ledger.define("l", parsePolicy({ limit: 1, period: "1s", block: "1m" }), START_MS)
      ledger.check(limit, "a", 1, START_MS)
      const denial = ledger.check(limit, "a", 1, START_MS + 1)
      expect([denial.decision.reason, denial.needsCommit]).toEqual(["limit", true])
      await ledger.commit()
      const blocked = ledger.check(limit, "a", 1, START_MS + 2)
      expect([blocked.decision.reason, blocked.needsCommit]).toEqual(["blocked", false])
      const again = await Ledger.open(port, { core })
      ledger.abandon()
      expect(
        again
          .limit("l")!
          .openKeys()
          .peek("a", 1, START_MS + 59_000),
      ).toMatchObject({
        reason: "blocked",
        retryAfterMs: 1_001,
      })
      expect(
        again
          .limit("l")!
          .openKeys()
          .peek("a", 1, START_MS + 60_001).reason,
      ).toBe("ok")
      await again.close()
    },
  },
  {
    name: "check() at cost 0 and above the capacity appends nothing",
    async run(makePort) {
      const port = new WatchedPort(makePort())
      const ledger = await Ledger.open(port, { core })
      const limit = ledger.define("l", parsePolicy("5/minute"), START_MS)
      await ledger.commit()
      expect(ledger.check(limit, "a", 0, START_MS).needsCommit).toBe(false)
      expect(() => ledger.check(limit, "a", 6, START_MS)).toThrow(/exceeds the capacity 5/)
      const { writes } = port
      await ledger.close()
      expect(port.writes).toBe(writes)
    },
  },
  {
    name: "check() gives denials that no commit comes for to the file before they fill the memory",
    async run(makePort) {
      const port = new WatchedPort(makePort())
      const ledger = await Ledger.open(port, { core, compactBytes: Number.POSITIVE_INFINITY })
      const limit = ledger.define("l", parsePolicy("1/hour"), START_MS)
      const key = (number: number) => `${"k".repeat(500)}${number}`
      for (const number of [0, 1]) ledger.charge(limit, key(number), 1, START_MS)
      await ledger.commit()
      const { writes } = port
      const denials = 300_000
      for (let denial = 1; denial <= denials; denial++) {
        ledger.check(limit, key(denial % 2), 1, START_MS + denial)
        if (denial % 10_000 === 0) await turn()
      }
      await turn()
      expect(port.writes).toBeGreaterThan(writes)
      expect(port.writes).toBeLessThan(writes + 10)
      const longest = Math.max(...readRows(port).map(({ body }) => body.length))
      expect(longest).toBeLessThan(600_000)
      ledger.abandon()
    },
  },
  {
    name: "close() gives the denials that were held back to the file",
    async run(makePort) {
      const port = makePort()
      const ledger = await Ledger.open(port, { core })
      const limit = ledger.define("l", parsePolicy("1/hour"), START_MS)
      ledger.check(limit, "a", 1, START_MS)
      await ledger.commit()
      for (let denial = 1; denial <= 3; denial++) ledger.check(limit, "a", 1, START_MS + denial)
      await ledger.close()
      const again = await Ledger.open(port, { core })
      expect(again.limit("l")!.openKeys().stats("a").totalDenied).toBe(3)
      await again.close()
    },
  },
]
