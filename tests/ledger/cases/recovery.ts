import fc from "fast-check"
import { expect } from "vitest"
import { Ledger } from "../../../src/ledger/ledger.js"
import { parsePolicy } from "../../../src/policy/parse-policy.js"
import { anyScripts, forwardScripts, isHousekeeping } from "../acts.js"
import { type LedgerCase, START_MS } from "../ledger-case.js"
import { core, fromNowOn, ScriptRun } from "../script-run.js"

const YEAR_MS = 31_536_000_000

export const recoveryCases: readonly LedgerCase[] = [
  {
    name: "Ledger.open() gives the state of the last commit, whatever was done, wherever the clock went",
    run: (makePort) =>
      fc.assert(
        fc.asyncProperty(anyScripts, fc.constantFrom(0, 2), async (script, historySegments) => {
          const keepStatsMs = historySegments === 0 ? 5_000 : Number.POSITIVE_INFINITY
          const run = new ScriptRun(makePort(), script, { historySegments, keepStatsMs, partBytes: 150 })
          await run.open()
          await run.run(script.steps)
          await run.run([
            { byMs: 0, act: { verb: "verify" } },
            { byMs: 0, act: { verb: "crash" } },
            { byMs: 0, act: { verb: "verify" } },
          ])
          await run.close()
        }),
        { numRuns: 150 },
      ),
  },
  {
    name: "commit(), verify(), compact() and close() change no answer under a clock that does not go back",
    run: (makePort) =>
      fc.assert(
        fc.asyncProperty(forwardScripts, async (script) => {
          const kept = new ScriptRun(makePort(), script, { compactBytes: 300, partBytes: 200 })
          await kept.open()
          await kept.run(script.steps)
          const keptSeen = kept.seen()
          await kept.close()
          const plain = new ScriptRun(makePort(), script, { compactBytes: Number.POSITIVE_INFINITY })
          await plain.open()
          // The clock moves where the housekeeping is left out.
          await plain.run(
            script.steps.map(({ byMs, act }) => ({
              byMs,
              act: isHousekeeping(act) ? { verb: "flood", limit: 0, key: 0, times: 0, everyMs: 0 } : act,
            })),
          )
          expect(kept.answers).toEqual(plain.answers)
          expect(fromNowOn(keptSeen, kept.nowMs)).toEqual(fromNowOn(plain.seen(), plain.nowMs))
          await plain.close()
        }),
        { numRuns: 120 },
      ),
  },
  {
    name: "compact() forgets no charge after the clock had jumped a year ahead and came back",
    async run(makePort) {
      const port = makePort()
      const ledger = await Ledger.open(port, { core })
      const limit = ledger.define("l", parsePolicy("3/minute"), START_MS)
      ledger.check(limit, "a", 1, START_MS)
      ledger.check(limit, "other", 1, START_MS + YEAR_MS)
      ledger.check(limit, "a", 1, START_MS + 1)
      const before = limit.openKeys().peek("a", 1, START_MS + 1).remaining
      await ledger.compact()
      expect(limit.openKeys().peek("a", 1, START_MS + 1).remaining).toBe(before)
      await ledger.close()
      const again = await Ledger.open(port, { core })
      expect(before).toBe(1)
      expect(
        again
          .limit("l")!
          .openKeys()
          .peek("a", 1, START_MS + 1).remaining,
      ).toBe(1)
      await again.close()
    },
  },
  {
    name: "unblock() of a block that has ended by itself is false, waits for no commit, and is repeated by a replay",
    async run(makePort) {
      const port = makePort()
      const ledger = await Ledger.open(port, { core })
      const limit = ledger.define("l", parsePolicy("3/minute"), START_MS)
      for (const key of ["a", "b"]) ledger.block(limit, key, START_MS + 10_000, START_MS)
      await ledger.commit()
      const { commits } = ledger
      expect(ledger.unblock(limit, "a", START_MS + 10_000)).toBe(false)
      expect(ledger.unblock(limit, "b", START_MS + 9_999)).toBe(true)
      expect(ledger.commits).toBe(commits)
      expect((await ledger.verify()).replayEqualsLive).toBe(true)
      await ledger.close()
      const again = await Ledger.open(port, { core })
      // At a time of the block: it is gone, not only over.
      for (const key of ["a", "b"]) {
        expect(
          again
            .limit("l")!
            .openKeys()
            .peek(key, 1, START_MS + 5_000).allowed,
          key,
        ).toBe(true)
        expect(again.unblock(again.limit("l")!, key, START_MS + 5_000), key).toBe(false)
      }
      expect((await again.verify()).replayEqualsLive).toBe(true)
      await again.close()
    },
  },
  {
    name: "Ledger.open() repeats what was decided when the clock was set back to before a compaction",
    async run(makePort) {
      const port = makePort()
      const ledger = await Ledger.open(port, { core })
      const limit = ledger.define("l", parsePolicy("2/minute"), START_MS)
      ledger.check(limit, "a", 2, START_MS)
      ledger.check(limit, "b", 1, START_MS + 90_000)
      await ledger.compact()
      const { decision } = ledger.check(limit, "a", 1, START_MS + 10_000)
      expect((await ledger.verify()).replayEqualsLive).toBe(true)
      const again = await Ledger.open(port, { core })
      expect(again.limit("l")!.openKeys().stats("a").totalAllowed).toBe(decision.allowed ? 2 : 1)
      await again.close()
      ledger.abandon()
    },
  },
]
