import { expect } from "vitest"
import { Ledger } from "../../../src/ledger/ledger.js"
import { parsePolicy } from "../../../src/policy/parse-policy.js"
import type { Receipt } from "../../../src/types/receipt.js"
import { type LedgerCase, START_MS } from "../ledger-case.js"
import { rowsText } from "../rows.js"
import { core } from "../script-run.js"

const HOUR_MS = 3_600_000

export const receiptCases: readonly LedgerCase[] = [
  {
    name: "settle() settles a receipt once, across a crash and across a compaction",
    async run(makePort) {
      const port = makePort()
      let ledger = await Ledger.open(port, { core })
      const receipts: Receipt[] = []
      ledger.define("l", parsePolicy("10/hour"), START_MS)
      for (const key of ["a", "b", "c"]) {
        receipts.push(ledger.check(ledger.limit("l")!, key, 6, START_MS).decision.receipt!)
      }
      const settle = (index: number, units: number) =>
        ledger.settle(ledger.limit("l")!, receipts[index]!, units, START_MS + 1)
      expect(settle(0, 6)).toBe(true)
      expect(settle(0, 6)).toBe(false)
      await ledger.commit()

      ledger.abandon()
      ledger = await Ledger.open(port, { core })
      expect(settle(0, 6)).toBe(false)
      expect(settle(1, -3)).toBe(true)
      await ledger.compact()
      expect(settle(0, 6)).toBe(false)
      expect(settle(1, 6)).toBe(false)

      ledger.abandon()
      ledger = await Ledger.open(port, { core })
      expect(settle(0, 6)).toBe(false)
      expect(settle(1, 6)).toBe(false)
      expect(settle(2, 0)).toBe(true)
      expect(settle(2, 6)).toBe(false)
      const remaining = ["a", "b", "c"].map(
        (key) =>
          ledger
            .limit("l")!
            .openKeys()
            .peek(key, 1, START_MS + 1).remaining,
      )
      expect(remaining).toEqual([10, 1, 4])
      expect((await ledger.verify()).replayEqualsLive).toBe(true)
      await ledger.close()
    },
  },
  {
    name: "reset() closes the receipts of its key, across a crash and across a compaction",
    async run(makePort) {
      const port = makePort()
      let ledger = await Ledger.open(port, { core })
      ledger.define("l", parsePolicy("10/hour"), START_MS)
      const charge = (key: string) => ledger.check(ledger.limit("l")!, key, 3, START_MS).decision.receipt!
      const before = [charge("a"), charge("a"), charge("a")]
      const other = charge("b")
      ledger.reset(ledger.limit("l")!, "a", START_MS + 1)
      const after = charge("a")
      const settle = (receipt: Receipt, units: number) =>
        ledger.settle(ledger.limit("l")!, receipt, units, START_MS + 2)
      expect(settle(before[0]!, 3)).toBe(false)
      await ledger.commit()

      ledger.abandon()
      ledger = await Ledger.open(port, { core })
      expect(settle(before[1]!, 3)).toBe(false)
      expect(ledger.isClosed(ledger.limit("l")!, before[1]!)).toBe(true)
      await ledger.compact()
      expect((await ledger.verify()).replayEqualsLive).toBe(true)
      expect(settle(before[1]!, -3)).toBe(false)

      ledger.abandon()
      ledger = await Ledger.open(port, { core })
      expect(settle(before[2]!, 3)).toBe(false)
      expect(ledger.isClosed(ledger.limit("l")!, after)).toBe(false)
      expect([settle(after, 1), settle(other, 3)]).toEqual([true, true])
      const remaining = (key: string) =>
        ledger
          .limit("l")!
          .openKeys()
          .peek(key, 1, START_MS + 2).remaining
      expect([remaining("a"), remaining("b")]).toEqual([8, 10])
      expect((await ledger.verify()).replayEqualsLive).toBe(true)
      await ledger.close()
    },
  },
  {
    name: "reset() closes them where a compaction has forgotten it, also where the clock goes back",
    async run(makePort) {
      const port = makePort()
      let ledger = await Ledger.open(port, { core })
      let limit = ledger.define("l", parsePolicy("10/hour"), START_MS)
      const receipt = ledger.check(limit, "a", 6, START_MS).decision.receipt!
      ledger.reset(limit, "a", START_MS + 1)
      ledger.check(limit, "b", 1, START_MS + 3 * HOUR_MS + 2)
      await ledger.compact()
      ledger.abandon()
      ledger = await Ledger.open(port, { core })
      limit = ledger.limit("l")! as typeof limit
      ledger.check(limit, "a", 10, START_MS)
      expect(ledger.settle(limit, receipt, 6, START_MS)).toBe(false)
      expect((await ledger.verify()).replayEqualsLive).toBe(true)
      await ledger.close()
    },
  },
  {
    name: "reset() closes them where the clock was ahead at their charge, and a compaction has forgotten it",
    async run(makePort) {
      const ledger = await Ledger.open(makePort(), { core })
      const limit = ledger.define("l", parsePolicy("5/10s"), START_MS)
      const aheadMs = START_MS + 3 * HOUR_MS
      const receipt = ledger.check(limit, "a", 5, aheadMs).decision.receipt!
      ledger.reset(limit, "a", START_MS)
      ledger.check(limit, "a", 5, aheadMs + 1)
      await ledger.compact()
      expect(ledger.settle(limit, receipt, 5, aheadMs + 1)).toBe(false)
      expect(ledger.check(limit, "a", 1, aheadMs + 1).decision.allowed).toBe(false)
      expect((await ledger.verify()).replayEqualsLive).toBe(true)
      await ledger.close()
    },
  },
  {
    name: "settle() of a charge that the clock was set back before counts at the last time that its key has seen",
    async run(makePort) {
      const port = makePort()
      const ledger = await Ledger.open(port, { core })
      const limit = ledger.define("l", parsePolicy("8/100ms"), START_MS)
      const receipt = ledger.check(limit, "a", 3, START_MS).decision.receipt!
      ledger.check(limit, "a", 4, START_MS + 87)
      expect(ledger.settle(limit, receipt, 3, START_MS - 6)).toBe(true)
      expect(ledger.check(limit, "a", 5, START_MS - 6).decision.allowed).toBe(false)
      expect((await ledger.lastRecords(9, ({ op }) => op === "settle"))[0]).toMatchObject({ timeMs: START_MS + 87 })
      expect((await ledger.verify()).replayEqualsLive).toBe(true)
      await ledger.close()
    },
  },
  {
    name: "settle() records nothing while the clock is before a charge that its key was moved back before",
    async run(makePort) {
      const ledger = await Ledger.open(makePort(), { core })
      const limit = ledger.define("l", parsePolicy("8/100ms sliding_window_log"), START_MS)
      const receipt = ledger.check(limit, "a", 3, START_MS).decision.receipt!
      ledger.check(limit, "a", 4, START_MS - 1)
      expect(ledger.settle(limit, receipt, 3, START_MS - 1)).toBe(false)
      expect(await ledger.lastRecords(9, ({ op }) => op === "settle")).toEqual([])
      expect(ledger.settle(limit, receipt, 3, START_MS)).toBe(true)
      expect((await ledger.verify()).replayEqualsLive).toBe(true)
      await ledger.close()
    },
  },
  {
    name: "settle() refuses a receipt that is too old, before and after a compaction dropped it",
    async run(makePort) {
      const port = makePort()
      const ledger = await Ledger.open(port, { core })
      const limit = ledger.define("l", parsePolicy("10/hour"), START_MS)
      const receipt = ledger.check(limit, "a", 6, START_MS).decision.receipt!
      const settled = ledger.check(limit, "b", 6, START_MS).decision.receipt!
      expect(ledger.settle(limit, settled, 1, START_MS)).toBe(true)
      const lateMs = START_MS + 3 * HOUR_MS + 1
      expect(ledger.settle(limit, receipt, 6, lateMs)).toBe(false)
      // All that were charged in an hour are forgotten together.
      ledger.check(limit, "c", 1, lateMs + HOUR_MS)
      await ledger.compact()
      expect(ledger.settle(limit, settled, 6, lateMs)).toBe(false)
      // The clock goes back: what was settled and is forgotten stays settled, so nothing as old can be.
      expect(ledger.settle(limit, settled, 6, START_MS + 3 * HOUR_MS)).toBe(false)
      expect(ledger.settle(limit, receipt, 6, START_MS + 3 * HOUR_MS)).toBe(false)
      expect((await ledger.verify()).replayEqualsLive).toBe(true)
      await ledger.close()
    },
  },
  {
    name: "settle() settles a receipt once where a longer policy comes after it was forgotten",
    async run(makePort) {
      const port = makePort()
      const ledger = await Ledger.open(port, { core })
      const limit = ledger.define("l", parsePolicy("10/minute"), START_MS)
      const receipt = ledger.check(limit, "a", 6, START_MS).decision.receipt!
      const open = ledger.check(limit, "b", 6, START_MS + HOUR_MS + 120_000).decision.receipt!
      expect(ledger.settle(limit, receipt, 1, START_MS)).toBe(true)
      const laterMs = START_MS + HOUR_MS + 120_001
      ledger.check(limit, "c", 1, laterMs)
      await ledger.compact()
      ledger.define("l", parsePolicy("10/day"), laterMs)
      expect(ledger.settle(limit, receipt, 5, laterMs)).toBe(false)
      expect(ledger.settle(limit, open, 6, laterMs)).toBe(true)
      expect((await ledger.verify()).replayEqualsLive).toBe(true)
      await ledger.close()
    },
  },
  {
    name: "settle() refuses what no receipt can be and changes nothing: the receipt can still be settled, the log opened",
    async run(makePort) {
      const port = makePort()
      const ledger = await Ledger.open(port, { core })
      const limit = ledger.define("l", parsePolicy("10/hour"), START_MS)
      const other = ledger.define("other", parsePolicy("10/hour"), START_MS)
      const receipt = ledger.check(limit, "a", 6, START_MS).decision.receipt!
      await ledger.commit()
      const before = rowsText(port)
      const bad: readonly (readonly [change: object, units: number, nowMs: number])[] = [
        [{}, 0.5, START_MS],
        [{}, Number.NaN, START_MS],
        [{}, 2 ** 31 + 1, START_MS],
        [{}, -(2 ** 31) - 1, START_MS],
        [{}, Number.NEGATIVE_INFINITY, START_MS],
        [{}, 1, -1],
        [{}, 0, Number.NaN],
        [{}, 0, START_MS + 0.5],
        [{}, 0, 2 ** 47],
        [{ chargedAtMs: -1 }, 0, START_MS],
        [{ chargedAtMs: Number.NaN }, 0, START_MS],
        [{ chargedAtMs: START_MS + 0.5 }, 1, START_MS],
        [{ chargedAtMs: undefined }, -1, START_MS],
        [{ chargedAtMs: 2 ** 60 }, 0, START_MS],
        [{ key: "" }, 0, START_MS],
        [{ key: "x".repeat(513) }, 0, START_MS],
        [{ key: "\ud800" }, 1, START_MS],
        [{ key: 7 }, 0, START_MS],
        [{ id: `${receipt.id}0` }, 1, START_MS],
        [{ id: "nobody's-1" }, 1, START_MS],
      ]
      for (const [change, units, nowMs] of bad) {
        const label = JSON.stringify([change, units, nowMs])
        expect(() => ledger.settle(limit, { ...receipt, ...change } as Receipt, units, nowMs), label).toThrow()
      }
      expect(() => ledger.settle(other, receipt, 1, START_MS)).toThrow(/is not of this limiter\.$/)
      await ledger.commit()
      expect(rowsText(port)).toBe(before)
      expect(ledger.settle(limit, receipt, 6, START_MS)).toBe(true)
      await ledger.close()
      const again = await Ledger.open(port, { core })
      expect(again.limit("l")!.openKeys().peek("a", 1, START_MS).remaining).toBe(10)
      await again.close()
    },
  },
]
