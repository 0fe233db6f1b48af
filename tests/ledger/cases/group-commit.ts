import { expect } from "vitest"
import { Ledger } from "../../../src/ledger/ledger.js"
import { parsePolicy } from "../../../src/policy/parse-policy.js"
import { type LedgerCase, START_MS } from "../ledger-case.js"
import { logRecords } from "../log-records.js"
import { readRows } from "../rows.js"
import { core } from "../script-run.js"
import { slowPort, turn, WatchedPort } from "../watched-port.js"

const CALLERS = 500

export const groupCommitCases: readonly LedgerCase[] = [
  {
    name: "commit() makes one row of all checks that are ready in one turn, at most the first of them alone before it",
    async run(makePort) {
      const port = new WatchedPort(makePort())
      const ledger = await Ledger.open(port, { core })
      const limit = ledger.define("l", parsePolicy("1000000/second"), START_MS)
      await ledger.commit()
      const { commits, writes } = port
      await Promise.all(
        Array.from({ length: CALLERS }, async (_, caller) => {
          const { needsCommit } = ledger.check(limit, `key ${caller}`, 1, START_MS)
          expect(needsCommit).toBe(true)
          await ledger.commit()
        }),
      )
      // A port whose last write is a while ago may write the first check at once, as it does a lone one.
      const lone = port.commits - commits - 1
      expect([0, 1]).toContain(lone)
      // What does not fit a page fills the open row; the row after it is empty.
      expect(port.writes - writes).toBe(2 + lone)
      expect((await logRecords(port)).filter(({ op }) => op === "admit")).toHaveLength(CALLERS)
      await ledger.close()
    },
  },
  {
    name: "commit() writes one row where the open segment has room",
    async run(makePort) {
      const port = new WatchedPort(makePort())
      const ledger = await Ledger.open(port, { core })
      const limit = ledger.define("l", parsePolicy("1000/second"), START_MS)
      await ledger.commit()
      for (let check = 1; check <= 20; check++) {
        const { writes } = port
        ledger.check(limit, "a", 1, START_MS + check)
        await ledger.commit()
        expect(port.writes - writes).toBe(1)
      }
      expect(ledger.commits).toBe(21)
      await ledger.close()
    },
  },
  {
    name: "commit() writes nothing where nothing was appended",
    async run(makePort) {
      const port = new WatchedPort(makePort())
      const ledger = await Ledger.open(port, { core })
      ledger.define("l", parsePolicy("1/second"), START_MS)
      await ledger.commit()
      const { writes } = port
      await ledger.commit()
      await ledger.close()
      const again = await Ledger.open(port, { core })
      await again.commit()
      await again.close()
      expect(port.writes).toBe(writes)
    },
  },
  {
    name: "commit() resolves only when the caller's record is in the file, while others come and hashes take turns",
    async run(makePort) {
      const port = new WatchedPort(slowPort(makePort()))
      const ledger = await Ledger.open(port, { core })
      const limit = ledger.define("l", parsePolicy("1000000/second"), START_MS)
      await ledger.commit()
      const { commits } = port
      const waves = 12
      const seen: Promise<void>[] = []
      for (let wave = 0; wave < waves; wave++) {
        for (let caller = 0; caller < 25; caller++) {
          const key = `${wave}/${caller}`
          ledger.check(limit, key, 1, START_MS + wave)
          const seeRow = async () => {
            await ledger.commit()
            const rows = readRows(port)
            const records = await logRecords(port, rows)
            expect(records.some((record) => record.op === "admit" && record.key === key)).toBe(true)
          }
          seen.push(seeRow())
        }
        await turn()
      }
      await Promise.all(seen)
      expect(port.commits - commits).toBeLessThanOrEqual(waves)
      expect((await ledger.verify()).replayEqualsLive).toBe(true)
      await ledger.close()
    },
  },
  {
    name: "compact(), verify() and commit() may be asked at once, while checks go on",
    async run(makePort) {
      const port = slowPort(makePort())
      const ledger = await Ledger.open(port, { core, compactBytes: 2_000, historySegments: 1 })
      const limit = ledger.define("l", parsePolicy("100/second"), START_MS)
      const asked: Promise<unknown>[] = []
      for (let round = 0; round < 30; round++) {
        for (let check = 0; check < 10; check++) ledger.check(limit, `key ${check * round}`, 1, START_MS + round * 100)
        asked.push(ledger.commit())
        if (round % 4 === 0) asked.push(ledger.compact())
        if (round % 5 === 0) asked.push(ledger.verify().then((found) => expect(found.replayEqualsLive).toBe(true)))
        if (round % 3 === 0) await turn()
      }
      await Promise.all(asked)
      const told = Array.from({ length: 300 }, (_, key) => limit.openKeys().stats(`key ${key}`))
      const again = await Ledger.open(port, { core })
      expect(Array.from({ length: 300 }, (_, key) => again.limit("l")!.openKeys().stats(`key ${key}`))).toEqual(told)
      await again.close()
      ledger.abandon()
    },
  },
  {
    name: "close() writes what was not committed and ends a compaction that is under way",
    async run(makePort) {
      const port = new WatchedPort(slowPort(makePort()))
      const ledger = await Ledger.open(port, { core, compactBytes: 1 })
      const limit = ledger.define("l", parsePolicy("3/minute"), START_MS)
      await ledger.verify()
      ledger.check(limit, "a", 2, START_MS)
      await ledger.close()
      const { writes } = port
      for (let turns = 0; turns < 20; turns++) await turn()
      expect(port.writes).toBe(writes)
      const again = await Ledger.open(port, { core })
      expect(again.limit("l")!.openKeys().peek("a", 1, START_MS).remaining).toBe(1)
      await again.close()
    },
  },
  {
    name: "abandon() lets a commit under way write nothing more",
    async run(makePort) {
      const port = slowPort(makePort())
      const ledger = await Ledger.open(port, { core })
      const limit = ledger.define("l", parsePolicy("3/minute"), START_MS)
      await ledger.commit()
      ledger.check(limit, "a", 1, START_MS)
      const lost = ledger.commit()
      await turn()
      ledger.abandon()
      const again = await Ledger.open(port, { core })
      again.check(again.limit("l")!, "b", 1, START_MS)
      await again.commit()
      await expect(lost).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" })
      for (let turns = 0; turns < 20; turns++) await turn()
      expect((await again.verify()).replayEqualsLive).toBe(true)
      await again.close()
    },
  },
]
