import { expect } from "vitest"
import { type CallName, InternalCall } from "../../../src/ledger/call-name.js"
import { Ledger } from "../../../src/ledger/ledger.js"
import { parsePolicy } from "../../../src/policy/parse-policy.js"
import { type LedgerCase, START_MS } from "../ledger-case.js"
import { core } from "../script-run.js"

const FIVE_MINUTES_MS = 300_000
const YEAR_MS = 365 * 86_400_000

/** The error of a call that is repeated at another cost than it was admitted at. */
const admittedAt = (admitted: number, message: string) => Object.assign(new RangeError(message), { admitted })

export const repeatCases: readonly LedgerCase[] = [
  {
    name: "check() with an id: an admission is told again with its receipt, after a crash and a compaction too",
    async run(makePort) {
      const port = makePort()
      let ledger = await Ledger.open(port, { core })
      ledger.define("l", parsePolicy("100/hour"), START_MS)
      const ask = (key: string, id: string, nowMs: number) =>
        ledger.check(ledger.limit("l")!, key, 7, nowMs, id).decision
      const receipt = ask("a", "call-1", START_MS).receipt!
      await ledger.commit()
      for (const after of ["a crash", "a compaction"]) {
        const crashed = ledger
        if (after === "a compaction") await ledger.compact()
        ledger = await Ledger.open(port, { core })
        crashed.abandon()
        expect(ask("a", "call-1", START_MS + FIVE_MINUTES_MS).receipt, after).toEqual(receipt)
        expect(ledger.limit("l")!.openKeys().stats("a").totalAllowed, after).toBe(1)
      }
      expect(ask("b", "call-1", START_MS).receipt!.id).not.toBe(receipt.id)
      expect(ask("a", "call-2", START_MS).receipt!.id).not.toBe(receipt.id)
      expect(ask("a", "call-1", START_MS + FIVE_MINUTES_MS + 1).receipt!.id).not.toBe(receipt.id)
      expect((await ledger.verify()).replayEqualsLive).toBe(true)
      await ledger.close()
    },
  },
  {
    name: "check() with an id: told again after a compaction too, where the clock had been set back before the call",
    async run(makePort) {
      const port = makePort()
      const policy = parsePolicy("100/hour")
      let ledger = await Ledger.open(port, { core })
      const check = (id?: string) => ledger.check(ledger.define("l", policy, START_MS), "a", 10, START_MS, id).decision
      ledger.check(ledger.define("l", policy, START_MS), "a", 10, START_MS + 600_000)
      const receipt = check("order-7").receipt!
      expect(receipt.chargedAtMs).toBe(START_MS + 600_000)
      await ledger.compact()
      await ledger.close()
      ledger = await Ledger.open(port, { core })
      expect(check("order-7").receipt).toEqual(receipt)
      await ledger.close()
    },
  },
  {
    name: "check() with an id: of a clock that was ahead it is a call of its own, after a crash and a compaction too",
    async run(makePort) {
      const policy = parsePolicy("100/hour")
      for (const compacts of [false, true]) {
        for (const aheadMs of [FIVE_MINUTES_MS, FIVE_MINUTES_MS + 1, 86_400_000]) {
          const port = makePort()
          let ledger = await Ledger.open(port, { core })
          const limit = ledger.define("l", policy, START_MS)
          const receipt = ledger.check(limit, "a", 1, START_MS + aheadMs, "job").decision.receipt!
          // The time of a charge may be that of the clock of before, and that of its call be now.
          const second = ledger.check(limit, "a", 1, START_MS, "other").decision
          if (compacts) await ledger.compact()
          else await ledger.commit()
          const crashed = ledger
          ledger = await Ledger.open(port, { core })
          crashed.abandon()
          const cost = (id: string, nowMs: number) => ledger.costUnder(ledger.limit("l")!, "a", nowMs, id)
          const why = `${aheadMs} ms ahead, compacted: ${compacts}`
          expect(cost("job", START_MS), why).toBe(aheadMs > FIVE_MINUTES_MS ? undefined : 1)
          expect(cost("job", START_MS + aheadMs), why).toBe(1)
          expect(cost("other", START_MS + FIVE_MINUTES_MS), why).toBe(1)
          expect(cost("other", START_MS + FIVE_MINUTES_MS + 1), why).toBeUndefined()
          const again = ledger.check(ledger.limit("l")!, "a", 1, START_MS, "other").decision
          expect(again.receipt, why).toEqual(second.receipt)
          const anew = ledger.check(ledger.limit("l")!, "a", 1, START_MS, "job").decision
          expect(anew.receipt!.id === receipt.id, why).toBe(aheadMs === FIVE_MINUTES_MS)
          expect((await ledger.verify()).replayEqualsLive, why).toBe(true)
          await ledger.close()
        }
      }
    },
  },
  {
    name: "check() with an id: one that was settled is not told again, after a crash and a compaction too",
    async run(makePort) {
      const port = makePort()
      let ledger = await Ledger.open(port, { core })
      const limit = ledger.define("l", parsePolicy("100/hour"), START_MS)
      const receipt = ledger.check(limit, "a", 7, START_MS, "x").decision.receipt!
      ledger.check(limit, "a", 7, START_MS, "y")
      expect(() => ledger.check(limit, "a", 8, START_MS, "x")).toThrow(
        admittedAt(7, 'Cannot check under id "x": cost is 8, allowed is 7.'),
      )
      ledger.settle(limit, receipt, 7, START_MS)
      await ledger.commit()
      for (const after of ["a crash", "a compaction"]) {
        const crashed = ledger
        if (after === "a compaction") await ledger.compact()
        ledger = await Ledger.open(port, { core })
        crashed.abandon()
        expect(ledger.costUnder(ledger.limit("l")!, "a", START_MS, "x"), after).toBeUndefined()
        expect(ledger.costUnder(ledger.limit("l")!, "a", START_MS, "y"), after).toBe(7)
      }
      expect(ledger.check(ledger.limit("l")!, "a", 8, START_MS, "x").decision.remaining).toBe(85)
      expect((await ledger.verify()).replayEqualsLive).toBe(true)
      await ledger.close()
    },
  },
  {
    name: "check() with an id: one that was settled is not told again where a clock that was ahead closed its time",
    async run(makePort) {
      const ledger = await Ledger.open(makePort(), { core })
      ledger.define("l", parsePolicy("5/minute"), START_MS)
      const receipt = ledger.check(ledger.limit("l")!, "a", 5, START_MS, "x").decision.receipt!
      expect(ledger.settle(ledger.limit("l")!, receipt, 5, START_MS + 1)).toBe(true)
      ledger.define("l", parsePolicy("5/hour"), START_MS + YEAR_MS)
      ledger.check(ledger.limit("l")!, "z", 1, START_MS + 10)
      await ledger.compact()
      const { decision } = ledger.check(ledger.limit("l")!, "a", 5, START_MS + 20, "x")
      expect(decision).toMatchObject({ allowed: true, remaining: 0 })
      expect(decision.receipt!.id).not.toBe(receipt.id)
      await ledger.close()
    },
  },
  {
    name: "check() with an id: a limit remembers the last 65,536, also where the log is replayed",
    async run(makePort) {
      const port = makePort()
      let ledger = await Ledger.open(port, { core })
      const limit = ledger.define("l", parsePolicy("1000000/hour"), START_MS)
      for (let call = 0; call < 65_536; call++) ledger.check(limit, "a", 1, START_MS, `${call}`)
      await ledger.compact()
      for (let call = 65_536; call < 65_540; call++) ledger.check(limit, "a", 1, START_MS, `${call}`)
      expect((await ledger.verify()).replayEqualsLive).toBe(true)
      for (const after of ["live", "a crash"]) {
        if (after === "a crash") {
          const crashed = ledger
          ledger = await Ledger.open(port, { core })
          crashed.abandon()
        }
        const known = ["0", "3", "4", "65539"].map((id) => ledger.costUnder(ledger.limit("l")!, "a", START_MS, id))
        expect(known, after).toEqual([undefined, undefined, 1, 1])
      }
      await ledger.close()
    },
  },
  {
    name: "check() of a call that sluice names: a limit remembers the last 8,192 apart, and they push out no caller's",
    async run(makePort) {
      const port = makePort()
      let ledger = await Ledger.open(port, { core })
      const limit = ledger.define("l", parsePolicy("1000000/hour"), START_MS)
      ledger.check(limit, "a", 1, START_MS, "0")
      for (let call = 0; call < 8_194; call++) ledger.check(limit, "a", 1, START_MS, new InternalCall(`${call}`))
      await ledger.compact()
      for (let call = 8_194; call < 70_000; call++) ledger.check(limit, "a", 1, START_MS, new InternalCall(`${call}`))
      expect(() => ledger.check(limit, "a", 1, START_MS, "\t0")).toThrow(RangeError)
      expect(() => ledger.check(limit, "a", 1, START_MS, 69_999 as never)).toThrow(RangeError)
      expect(() => ledger.check(limit, "a", 1, START_MS, new InternalCall(""))).toThrow(RangeError)
      expect((await ledger.verify()).replayEqualsLive).toBe(true)
      for (const after of ["live", "a crash", "a compaction"]) {
        if (after !== "live") {
          const crashed = ledger
          if (after === "a compaction") await ledger.compact()
          ledger = await Ledger.open(port, { core })
          crashed.abandon()
        }
        const costOf = (name: CallName) => ledger.costUnder(ledger.limit("l")!, "a", START_MS, name)
        expect(["0", "1"].map(costOf), after).toEqual([1, undefined])
        const internal = [61_807, 61_808, 69_999].map((call) => costOf(new InternalCall(`${call}`)))
        expect(internal, after).toEqual([undefined, 1, 1])
      }
      await ledger.close()
    },
  },
  {
    name: "check() with an id: a repeated call waits for the first one's commit",
    async run(makePort) {
      const ledger = await Ledger.open(makePort(), { core })
      const limit = ledger.define("l", parsePolicy("100/hour"), START_MS)
      ledger.check(limit, "a", 1, START_MS, "x")
      expect(ledger.check(limit, "a", 1, START_MS, "x").needsCommit).toBe(true)
      // Also beside a denial.
      ledger.charge(limit, "b", 100, START_MS)
      const group = [
        { limit, key: "a", cost: 1, id: "x" },
        { limit, key: "b", cost: 1, id: "y" },
      ]
      expect(ledger.checkAll(group, START_MS).map(({ needsCommit }) => needsCommit)).toEqual([true, false])
      await ledger.commit()
      expect(limit.openKeys().stats("a").totalAllowed).toBe(1)
      await ledger.close()
    },
  },
  ...(["ahead", "batch"] as const).map(
    (sync): LedgerCase => ({
      name: `sync ${sync}: what is told again waits for the first one's commit, where the first waited for nothing`,
      async run(makePort) {
        const ledger = await Ledger.open(makePort(), { core, sync })
        const limit = ledger.define("l", parsePolicy("100/hour"), START_MS)
        // The second check of a key is granted units.
        for (let checks = 0; checks < 2; checks++) {
          ledger.check(limit, "a", 1, START_MS)
          await ledger.commit()
        }
        expect(ledger.check(limit, "a", 1, START_MS, "x").needsCommit).toBe(false)
        const again = { limit, key: "a", cost: 1, id: "x" }
        expect(ledger.check(limit, "a", 1, START_MS, "x").needsCommit).toBe(true)
        expect(ledger.checkAll([again], START_MS)[0]!.needsCommit).toBe(true)
        await ledger.close()
      },
    }),
  ),
  {
    name: "checkAll() with ids: a group is told again with its receipts, after a crash and a compaction too",
    async run(makePort) {
      const port = makePort()
      let ledger = await Ledger.open(port, { core })
      ledger.define("l", parsePolicy("10/hour"), START_MS)
      const ask = (...keys: string[]) => {
        const limit = ledger.limit("l")!
        return ledger.checkAll(
          keys.map((key) => ({ limit, key, cost: 7, id: `call:${key}` })),
          START_MS,
        )
      }
      const receiptsOf = (answers: ReturnType<typeof ask>) => answers.map(({ decision }) => decision.receipt!)
      const told = receiptsOf(ask("a", "b"))
      expect(new Set(told.map(({ id }) => id)).size).toBe(2)
      expect(ask("a", "b").map(({ needsCommit }) => needsCommit)).toEqual([true, true])
      await ledger.commit()
      for (const after of ["a crash", "a compaction"]) {
        const crashed = ledger
        if (after === "a compaction") await ledger.compact()
        ledger = await Ledger.open(port, { core })
        crashed.abandon()
        expect(receiptsOf(ask("a", "b")), after).toEqual(told)
        expect(ledger.limit("l")!.openKeys().stats("b").totalAllowed, after).toBe(1)
      }
      // Of a group of which some were admitted before, the others are charged.
      expect(receiptsOf(ask("a", "c"))[0]).toEqual(told[0])
      expect(ledger.limit("l")!.openKeys().status("c", START_MS).rules[0]!.remaining).toBe(3)
      const limit = ledger.limit("l")!
      const denied = [
        { limit, key: "a", cost: 7, id: "call:a" },
        { limit, key: "b", cost: 7, id: "another" },
        { limit, key: "d", cost: 7, id: "another" },
      ]
      expect(ledger.checkAll(denied, START_MS).map(({ decision }) => decision.allowed)).toEqual([true, false, true])
      expect(ledger.limit("l")!.openKeys().status("d", START_MS).rules[0]!.remaining).toBe(10)
      expect(() => ledger.checkAll([{ limit, key: "a", cost: 8, id: "call:a" }], START_MS)).toThrow(
        admittedAt(7, 'Cannot check under id "call:a": cost is 8, allowed is 7.'),
      )
      expect((await ledger.verify()).replayEqualsLive).toBe(true)
      await ledger.close()
    },
  },
  {
    name: "checkAll(): a group is in one segment, also where one segment is full and another is being written",
    async run(makePort) {
      const port = makePort()
      const ledger = await Ledger.open(port, { core, compactBytes: Number.POSITIVE_INFINITY })
      const limit = ledger.define("l", parsePolicy("1000000000/hour"), START_MS)
      const long = (name: string) => `${name}${"x".repeat(500)}`
      const groups = 40
      for (let group = 0; group < groups; group++) {
        const checks = Array.from({ length: 30 }, (_, item) => ({ limit, key: long(`${group}/${item}/`), cost: 1 }))
        const answers = ledger.checkAll(checks, START_MS)
        expect(answers.every(({ decision, needsCommit }) => decision.allowed && needsCommit)).toBe(true)
        if (group % 7 === 0) void ledger.commit()
        if (group % 13 === 0) await ledger.commit()
      }
      const segmentsOf = new Map<string, Set<number>>()
      for await (const { sequence, record } of ledger.records()) {
        if (record.op !== "admit") continue
        const group = record.key.split("/")[0]!
        segmentsOf.set(group, (segmentsOf.get(group) ?? new Set()).add(sequence))
      }
      expect(segmentsOf.size).toBe(groups)
      for (const [group, segments] of segmentsOf) expect(segments.size, `group ${group}`).toBe(1)
      expect((await ledger.verify()).replayEqualsLive).toBe(true)
      await ledger.close()
    },
  },
  {
    name: "remove(): the limit's number is not given again, also after a compaction and a crash",
    async run(makePort) {
      const port = makePort()
      let ledger = await Ledger.open(port, { core })
      const first = ledger.define("a", parsePolicy("5/hour"), START_MS)
      ledger.define("b", parsePolicy("5/hour"), START_MS)
      const receipt = ledger.check(first, "k", 2, START_MS).decision.receipt!
      ledger.remove(first, START_MS + 1)
      for (const after of ["now", "a compaction", "a crash"]) {
        if (after === "a compaction") await ledger.compact()
        else await ledger.commit()
        if (after === "a crash") {
          const crashed = ledger
          ledger = await Ledger.open(port, { core })
          crashed.abandon()
        }
        expect(ledger.limit("a"), after).toBeUndefined()
        expect(
          ledger.limits.map(({ name, number }) => [name, number]),
          after,
        ).toEqual([["b", 1]])
        expect(ledger.limitOf(receipt), after).toBeNull()
      }
      const next = ledger.define("a", parsePolicy("5/hour"), START_MS + 2)
      expect(next.number).toBe(2)
      expect(next.openKeys().peek("k", 1, START_MS + 2).remaining).toBe(5)
      expect((await ledger.verify()).replayEqualsLive).toBe(true)
      await ledger.close()
    },
  },
  {
    name: "records() and lastRecords() tell what the log still has, from a place on and from its end",
    async run(makePort) {
      const ledger = await Ledger.open(makePort(), { core, historySegments: 3 })
      const limit = ledger.define("l", parsePolicy("1000/hour"), START_MS)
      for (let check = 0; check < 12; check++) {
        ledger.check(limit, check % 2 === 0 ? "even" : "odd", check + 1, START_MS + check)
        if (check % 2 === 1) await ledger.compact()
      }
      const all: { sequence: number; index: number; cost: number }[] = []
      for await (const { sequence, index, record } of ledger.records()) {
        if (record.op === "admit") all.push({ sequence, index, cost: record.cost })
      }
      expect(all.map(({ cost }) => cost)).toEqual([7, 8, 9, 10, 11, 12])
      const { sequence, index } = all[3]!
      const rest: number[] = []
      for await (const { record } of ledger.records({ sequence, index })) {
        if (record.op === "admit") rest.push(record.cost)
      }
      expect(rest).toEqual([10, 11, 12])
      const last = await ledger.lastRecords(2, (record) => record.op === "admit" && record.key === "even")
      expect(last.map((record) => record.op === "admit" && record.cost)).toEqual([11, 9])
      await ledger.close()
    },
  },
  {
    name: "names and statistics go with a compaction when nothing was decided about a key for long enough",
    async run(makePort) {
      const port = makePort()
      const options = { core, names: true, keepStatsMs: 10_000 }
      const ledger = await Ledger.open(port, options)
      const limit = ledger.define("l", parsePolicy("5/second"), START_MS)
      const own = ledger.define("own", parsePolicy("5/second"), START_MS)
      const long = ledger.define("long", parsePolicy("5/day"), START_MS)
      ledger.check(limit, "old", 1, START_MS)
      ledger.check(own, "own", 1, START_MS)
      ledger.charge(long, "used", 1, START_MS)
      ledger.check(limit, "young", 1, START_MS + 15_000)
      await ledger.compact()
      for (const opened of [ledger, await Ledger.open(port, options)]) {
        expect([...opened.namesOf(opened.limit("l")!)]).toEqual(["young"])
        expect([...opened.namesOf(opened.limit("own")!)]).toEqual(["own"])
        expect([...opened.namesOf(opened.limit("long")!)]).toEqual(["used"])
        expect(opened.limit("l")!.openKeys().stats("old").totalAllowed).toBe(0)
        expect(opened.limit("l")!.openKeys().stats("young").totalAllowed).toBe(1)
        expect(opened.limit("own")!.openKeys().stats("own").totalAllowed).toBe(1)
      }
      ledger.abandon()
    },
  },
  {
    name: "names go with a compaction after the time that statistics are kept, to the millisecond",
    async run(makePort) {
      const ledger = await Ledger.open(makePort(), { core, names: true, keepStatsMs: 10_000 })
      const limit = ledger.define("l", parsePolicy("5/second"), START_MS)
      for (const [index, key] of ["old", "last"].entries()) {
        ledger.check(limit, key, 1, START_MS)
        ledger.reset(limit, key, START_MS + 1 + index)
      }
      ledger.check(limit, "young", 1, START_MS + 10_002)
      await ledger.compact()
      expect([...ledger.namesOf(limit)]).toEqual(["last", "young"])
      expect(limit.openKeys().stats("last").lastResetAt).toBe(START_MS + 2)
      await ledger.close()
    },
  },
]
