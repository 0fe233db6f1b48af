import { expect } from "vitest"
import { Ledger } from "../../../src/ledger/ledger.js"
import { parsePolicy } from "../../../src/policy/parse-policy.js"
import type { PolicyInput } from "../../../src/policy/policy.js"
import { type LedgerCase, START_MS } from "../ledger-case.js"
import { core } from "../script-run.js"

const MINUTE_MS = 60_000
const YEAR_MS = 31_536_000_000

/** Each algorithm: 5 units that take a minute or more to come back. */
const POLICIES: readonly PolicyInput[] = [
  "5/minute",
  { limit: 5, period: "1m", algorithm: "token_bucket" },
  { limit: 5, period: "1m", algorithm: "token_bucket", refill: { amount: 5, every: "1m" } },
  { limit: 5, period: "1m", algorithm: "leaky_bucket" },
  { limit: 5, period: "1m", algorithm: "fixed_window" },
  { limit: 5, period: "1m", algorithm: "fixed_window", anchor: "first" },
  { limit: 5, period: "1m", algorithm: "sliding_window" },
  { limit: 5, period: "1m", algorithm: "sliding_window_log" },
  ["5/minute", { limit: 9, period: "1h", algorithm: "sliding_window_log" }],
]

/** By how much a clock is ahead: less than a refill, more, and far more. */
const AHEAD_MS = [20_000, 3 * MINUTE_MS, YEAR_MS]

/** Opens the log anew as after a crash. */
async function crash(port: Parameters<typeof Ledger.open>[0], ledger: Ledger): Promise<Ledger> {
  const again = await Ledger.open(port, { core })
  ledger.abandon()
  return again
}

export const clockCases: readonly LedgerCase[] = [
  {
    name: "compact() under a clock that is ahead frees no key that is spent when the clock comes back",
    async run(makePort) {
      for (const policy of POLICIES) {
        for (const aheadMs of AHEAD_MS) {
          for (const compactsBefore of [false, true]) {
            const port = makePort()
            const why = `${JSON.stringify(policy)} ${aheadMs} ms ahead, compacted before: ${compactsBefore}`
            let ledger = await Ledger.open(port, { core })
            ledger.define("l", parsePolicy(policy), START_MS)
            const remainingAt = (nowMs: number) => ledger.limit("l")!.openKeys().peek("spent", 0, nowMs).remaining
            ledger.check(ledger.limit("l")!, "spent", 5, START_MS)
            ledger.block(ledger.limit("l")!, "blocked", START_MS + MINUTE_MS, START_MS)
            if (compactsBefore) await ledger.compact()
            ledger.check(ledger.limit("l")!, "other", 1, START_MS + aheadMs)
            await ledger.compact()
            for (const reopens of [false, true]) {
              if (reopens) ledger = await crash(port, ledger)
              expect(remainingAt(START_MS + 10), why).toBe(0)
              const asked = ledger.check(ledger.limit("l")!, "spent", 5, START_MS + 10).decision
              expect(asked.allowed, why).toBe(false)
              expect(asked.retryAfterMs, why).toBeLessThanOrEqual(60 * MINUTE_MS)
              const blocked = ledger.check(ledger.limit("l")!, "blocked", 1, START_MS + 10).decision
              expect(blocked.reason, why).toBe("blocked")
            }
            expect((await ledger.verify()).replayEqualsLive, why).toBe(true)
            await ledger.close()
          }
        }
      }
    },
  },
  {
    name: "a refund of what was charged while the clock was ahead makes nothing of other keys older",
    async run(makePort) {
      const ledger = await Ledger.open(makePort(), { core, names: true, keepStatsMs: 24 * 60 * MINUTE_MS })
      const limit = ledger.define("l", parsePolicy("10/hour"), START_MS)
      const open = ledger.check(limit, "open", 4, START_MS).decision.receipt!
      const named = ledger.check(limit, "named", 4, START_MS, "call-1").decision.receipt!
      const ahead = ledger.check(limit, "ahead", 4, START_MS + YEAR_MS).decision.receipt!
      ledger.check(limit, "later", 1, START_MS + 1)
      expect(ledger.settle(limit, ahead, 4, START_MS + 2)).toBe(true)
      await ledger.compact()
      expect(limit.openKeys().stats("open").totalAllowed).toBe(1)
      expect([...ledger.namesOf(limit)].sort()).toEqual(["ahead", "later", "named", "open"])
      expect(ledger.check(limit, "named", 4, START_MS + 3, "call-1").decision.receipt).toEqual(named)
      expect(ledger.settle(limit, open, 4, START_MS + 3)).toBe(true)
      expect((await ledger.verify()).replayEqualsLive).toBe(true)
      await ledger.close()
    },
  },
  {
    name: "a key that was spent while the clock was ahead stays spent for one refill, whenever it is compacted",
    async run(makePort) {
      for (const policy of POLICIES) {
        for (const aheadMs of AHEAD_MS) {
          const port = makePort()
          const why = `${JSON.stringify(policy)} ${aheadMs} ms ahead`
          let ledger = await Ledger.open(port, { core })
          ledger.define("l", parsePolicy(policy), START_MS)
          ledger.check(ledger.limit("l")!, "spent", 5, START_MS + aheadMs)
          await ledger.compact()
          ledger.check(ledger.limit("l")!, "other", 1, START_MS + 10)
          await ledger.compact()
          const live = ledger.check(ledger.limit("l")!, "spent", 1, START_MS + 20).decision
          expect(live.allowed, why).toBe(false)
          await ledger.compact()
          ledger = await crash(port, ledger)
          const again = ledger.check(ledger.limit("l")!, "spent", 1, START_MS + 20).decision
          expect([again.allowed, again.retryAfterMs], why).toEqual([false, live.retryAfterMs])
          expect((await ledger.verify()).replayEqualsLive, why).toBe(true)
          const healed = ledger.check(ledger.limit("l")!, "spent", 1, START_MS + 20 + live.retryAfterMs).decision
          expect(healed.allowed, why).toBe(true)
          await ledger.close()
        }
      }
    },
  },
  {
    name: "check() asks for a commit where its denial moves a key back, so that the wait it tells is enough after a crash",
    async run(makePort) {
      for (const policy of POLICIES) {
        for (const how of ["check()", "checkAll()"]) {
          const port = makePort()
          const why = `${JSON.stringify(policy)} by ${how}`
          let ledger = await Ledger.open(port, { core })
          ledger.define("l", parsePolicy(policy), START_MS)
          ledger.check(ledger.limit("l")!, "spent", 5, START_MS + YEAR_MS)
          ledger.check(ledger.limit("l")!, "other", 5, START_MS + YEAR_MS)
          await ledger.commit()
          const ask = (nowMs: number) => {
            const limit = ledger.limit("l")!
            if (how === "check()") return ledger.check(limit, "spent", 1, nowMs)
            return ledger.checkAll(
              ["fresh", "spent"].map((key) => ({ limit, key, cost: 1 })),
              nowMs,
            )[1]!
          }
          const { decision, needsCommit } = ask(START_MS)
          expect([decision.allowed, needsCommit], why).toEqual([false, true])
          await ledger.commit()
          ledger = await crash(port, ledger)
          // It is moved back once.
          const later = ask(START_MS + 1)
          expect([later.decision.retryAfterMs, later.needsCommit], why).toEqual([decision.retryAfterMs - 1, false])
          // Another key was not.
          expect(ledger.check(ledger.limit("l")!, "other", 1, START_MS + 1).needsCommit, why).toBe(true)
          expect(ask(START_MS + decision.retryAfterMs).decision.allowed, why).toBe(true)
          expect((await ledger.verify()).replayEqualsLive, why).toBe(true)
          await ledger.close()
        }
      }
    },
  },
  {
    name: "what records nothing moves no key back",
    async run(makePort) {
      for (const policy of POLICIES) {
        const ledger = await Ledger.open(makePort(), { core })
        const why = JSON.stringify(policy)
        const limit = ledger.define("l", parsePolicy(policy), START_MS)
        const receipt = ledger.check(limit, "a", 2, START_MS + YEAR_MS).decision.receipt!
        ledger.check(limit, "a", 3, START_MS + YEAR_MS)
        ledger.check(limit, "spent", 5, START_MS)
        const { heals } = limit.openKeys()
        ledger.peek(limit, "a", 5, START_MS)
        ledger.check(limit, "a", 0, START_MS)
        ledger.checkAll(
          ["a", "spent"].map((key) => ({ limit, key, cost: key === "a" ? 0 : 1 })),
          START_MS,
        )
        ledger.costUnder(limit, "a", START_MS, "call-1")
        expect(ledger.settle(limit, { ...receipt, chargedAtMs: START_MS + 2 * YEAR_MS }, 2, START_MS), why).toBe(false)
        expect(ledger.unblock(limit, "a", START_MS), why).toBe(false)
        expect(limit.openKeys().fullAfterMs(START_MS), why).toBeGreaterThan(0)
        await ledger.compact()
        expect(limit.openKeys().heals, why).toBe(heals)
        // What does is in the log: no units, and those that come back.
        ledger.charge(limit, "a", 0, START_MS)
        expect(limit.openKeys().heals, why).toBeGreaterThan(heals)
        expect((await ledger.verify()).replayEqualsLive, why).toBe(true)
        await ledger.close()
      }
    },
  },
  {
    name: "compact() drops what is idle, also what it had kept for a clock that might come back",
    async run(makePort) {
      const ledger = await Ledger.open(makePort(), { core })
      const limit = ledger.define("l", parsePolicy("5/minute"), START_MS)
      for (let key = 0; key < 50; key++) ledger.check(limit, `key ${key}`, 1, START_MS)
      ledger.check(limit, "later", 1, START_MS + YEAR_MS)
      await ledger.compact()
      expect(limit.size).toBe(51)
      ledger.check(limit, "later", 1, START_MS + YEAR_MS + 1)
      await ledger.compact()
      expect(limit.size).toBe(1)
      await ledger.close()
    },
  },
]
