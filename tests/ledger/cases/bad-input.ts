import { expect } from "vitest"
import { Ledger } from "../../../src/ledger/ledger.js"
import { LogTable } from "../../../src/ledger/log-table.js"
import type { LedgerPort } from "../../../src/ledger/sql-port.js"
import { parsePolicy } from "../../../src/policy/parse-policy.js"
import { type LedgerCase, START_MS } from "../ledger-case.js"
import { rowsText } from "../rows.js"
import { core, seenOf } from "../script-run.js"

const BAD_TIMES = [-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 47, "1" as unknown as number]
const BAD_KEYS = ["", "x".repeat(513), "\ud800", "é".repeat(257), 7 as unknown as string]
const BAD_UNITS = [-1, 0.5, Number.NaN, 2 ** 31 + 1]

export const badInputCases: readonly LedgerCase[] = [
  {
    name: "every verb refuses what it cannot take and changes nothing, neither in memory nor in the log",
    async run(makePort) {
      const port = makePort()
      const ledger = await Ledger.open(port, { core })
      const policy = parsePolicy("10/hour")
      const limit = ledger.define("l", policy, START_MS)
      ledger.check(limit, "a", 2, START_MS)
      ledger.block(limit, "__proto__", START_MS + 1_000, START_MS)
      await ledger.commit()
      const rows = rowsText(port)
      const seen = seenOf(ledger, START_MS)
      const other = parsePolicy("20/hour")
      for (const timeMs of BAD_TIMES) {
        expect(() => ledger.define("new", other, timeMs), String(timeMs)).toThrow("Cannot decide: nowMs is ")
        expect(() => ledger.define("l", other, timeMs), String(timeMs)).toThrow(RangeError)
        expect(() => ledger.unblock(limit, "__proto__", timeMs), String(timeMs)).toThrow(RangeError)
        if (typeof timeMs === "string") continue
        expect(() => ledger.check(limit, "a", 1, timeMs), String(timeMs)).toThrow(RangeError)
        expect(() => ledger.charge(limit, "a", 1, timeMs), String(timeMs)).toThrow(RangeError)
        expect(() => ledger.block(limit, "a", START_MS, timeMs), String(timeMs)).toThrow(RangeError)
        expect(() => ledger.block(limit, "a", timeMs, START_MS), String(timeMs)).toThrow(RangeError)
        expect(() => ledger.reset(limit, "a", timeMs), String(timeMs)).toThrow(RangeError)
      }
      for (const key of BAD_KEYS) {
        const invalid = expect.objectContaining({ code: "KEY_INVALID" })
        expect(() => ledger.check(limit, key, 1, START_MS)).toThrow(invalid)
        expect(() => ledger.charge(limit, key, 1, START_MS)).toThrow(invalid)
        expect(() => ledger.block(limit, key, START_MS, START_MS)).toThrow(invalid)
        expect(() => ledger.unblock(limit, key, START_MS)).toThrow(invalid)
        expect(() => ledger.reset(limit, key, START_MS)).toThrow(invalid)
      }
      for (const units of BAD_UNITS) {
        expect(() => ledger.check(limit, "a", units, START_MS), String(units)).toThrow(RangeError)
        expect(() => ledger.charge(limit, "a", units, START_MS), String(units)).toThrow(RangeError)
      }
      for (const name of ["", "\udfff", "x".repeat(513), 7 as unknown as string]) {
        expect(() => ledger.define(name, other, START_MS)).toThrow(RangeError)
      }
      expect(seenOf(ledger, START_MS)).toEqual(seen)
      await ledger.commit()
      expect(rowsText(port)).toBe(rows)
      await ledger.close()
    },
  },
  {
    name: "Ledger.open() refuses a time that cannot be, in every sync mode, and writes nothing",
    async run(makePort) {
      const refuse = async (port: LedgerPort) => {
        const refused = expect.objectContaining({ message: expect.stringContaining("Cannot decide: nowMs is ") })
        for (const sync of ["always", "ahead", "batch"] as const) {
          for (const openedAtMs of BAD_TIMES) {
            await expect(Ledger.open(port, { core, sync, openedAtMs }), sync).rejects.toEqual(refused)
          }
        }
      }
      const empty = makePort()
      await refuse(empty)
      expect(new LogTable(empty.sql).exists()).toBe(false)
      const port = makePort()
      const ledger = await Ledger.open(port, { core })
      ledger.check(ledger.define("l", parsePolicy("10/hour"), START_MS), "a", 2, START_MS)
      await ledger.close()
      const rows = rowsText(port)
      await refuse(port)
      expect(rowsText(port)).toBe(rows)
    },
  },
  {
    name: "every verb refuses a limit that was removed, and changes nothing",
    async run(makePort) {
      const port = makePort()
      const ledger = await Ledger.open(port, { core })
      const policy = parsePolicy("10/hour")
      const limit = ledger.define("l", policy, START_MS)
      const other = ledger.define("other", policy, START_MS)
      const receipt = ledger.check(limit, "a", 2, START_MS, "call-1").decision.receipt!
      ledger.remove(limit, START_MS)
      await ledger.commit()
      const rows = rowsText(port)
      const removed = expect.objectContaining({ code: "LIMIT_NOT_FOUND", limit: "l" })
      expect(() => ledger.settle(limit, receipt, 1, START_MS)).toThrow(removed)
      expect(() => ledger.costUnder(limit, "a", START_MS, "call-1")).toThrow(removed)
      expect(() => ledger.check(limit, "a", 2, START_MS, "call-1")).toThrow(removed)
      expect(() => ledger.askUnder(limit, policy, START_MS, () => 1)).toThrow(removed)
      for (const cost of [0, 1]) {
        expect(() => ledger.check(limit, "a", cost, START_MS)).toThrow(removed)
        expect(() => ledger.peek(limit, "a", cost, START_MS)).toThrow(removed)
        for (const id of [undefined, "call-2"]) {
          const checks = [other, limit].map((each) => ({ limit: each, key: "a", cost, ...(id && { id }) }))
          expect(() => ledger.checkAll(checks, START_MS)).toThrow(removed)
        }
      }
      expect(() => ledger.charge(limit, "a", 1, START_MS)).toThrow(removed)
      expect(() => ledger.block(limit, "a", START_MS + 1, START_MS)).toThrow(removed)
      expect(() => ledger.unblock(limit, "a", START_MS)).toThrow(removed)
      expect(() => ledger.reset(limit, "a", START_MS)).toThrow(removed)
      expect(() => ledger.remove(limit, START_MS)).toThrow(removed)
      await ledger.commit()
      expect(rowsText(port)).toBe(rows)
      // A new limit of the same name is another one.
      const next = ledger.define("l", policy, START_MS)
      expect(() => ledger.remove(limit, START_MS)).toThrow(removed)
      expect(ledger.check(next, "a", 1, START_MS).decision.remaining).toBe(9)
      expect((await ledger.verify()).replayEqualsLive).toBe(true)
      await ledger.close()
    },
  },
  {
    name: "hostile names and keys come back as they were",
    async run(makePort) {
      const port = makePort()
      const ledger = await Ledger.open(port, { core })
      const names = ["__proto__", "constructor", "", "a\u0000b", "é🔑", "x".repeat(512), "\ufeffbom", "'; DROP TABLE"]
      for (const [index, name] of names.filter((name) => name !== "").entries()) {
        const limit = ledger.define(name, parsePolicy(`${index + 3}/hour`), START_MS)
        for (const key of names.filter((key) => key !== "")) ledger.check(limit, key, index + 1, START_MS)
      }
      const told = (of: Ledger) =>
        of.limits.map((limit) => [
          limit.name,
          names.map((key) => key && limit.openKeys().peek(key, 1, START_MS).remaining),
        ])
      const before = told(ledger)
      await ledger.commit()
      const again = await Ledger.open(port, { core })
      expect(told(again)).toEqual(before)
      await again.compact()
      await again.close()
      const third = await Ledger.open(port, { core })
      expect(told(third)).toEqual(before)
      await third.close()
      ledger.abandon()
    },
  },
]
