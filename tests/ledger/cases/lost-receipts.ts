import fc from "fast-check"
import { expect } from "vitest"
import { Ledger } from "../../../src/ledger/ledger.js"
import type { LedgerOptions } from "../../../src/ledger/ledger-options.js"
import type { LedgerPort } from "../../../src/ledger/sql-port.js"
import { parsePolicy } from "../../../src/policy/parse-policy.js"
import type { Receipt } from "../../../src/types/receipt.js"
import { type HandPort, handPort } from "../hand-port.js"
import { type LedgerCase, START_MS } from "../ledger-case.js"
import { core } from "../script-run.js"

/** A ledger of a process that can die, and be started again. Nothing is written that it is not told to write. */
class MortalLedger {
  readonly #disk: LedgerPort
  readonly #options: LedgerOptions
  #port: HandPort
  #ledger: Ledger | null = null

  constructor(disk: LedgerPort, options: LedgerOptions) {
    this.#disk = disk
    this.#options = { core, ...options }
    this.#port = handPort(disk)
  }

  get now(): Ledger {
    return this.#ledger!
  }

  async start(openedAtMs: number, options: LedgerOptions = {}): Promise<Ledger> {
    this.#port = handPort(this.#disk)
    this.#ledger = await Ledger.open(this.#port, { ...this.#options, ...options, openedAtMs })
    return this.#ledger
  }

  /** Dies, losing what was not written, and starts again. */
  crash(openedAtMs: number, options?: LedgerOptions): Promise<Ledger> {
    this.#port.die()
    this.#ledger?.abandon()
    return this.start(openedAtMs, options)
  }
}

/** What a caller was told, and what became of it. */
interface Told {
  readonly receipt: Receipt
  /** Whether the answer waits for a commit: then it dies with the process, and another charge may get its number. */
  waits: boolean
  /** Whether it is in the file, may be lost with the memory, or was lost. */
  charge: "held" | "durable" | "lost"
  settled: "no" | "held" | "durable"
}

type Step =
  | { readonly verb: "check"; readonly limit: number; readonly byMs: number }
  | { readonly verb: "settle"; readonly index: number; readonly units: number }
  | { readonly verb: "crash" | "replace"; readonly byMs: number }
  | { readonly verb: "commit" | "compact" | "close" }

/** The clock is set back as often as not. */
const byMs = fc.integer({ min: -50, max: 50 })
const steps = fc.array(
  fc.oneof(
    { weight: 8, arbitrary: fc.record({ verb: fc.constant("check" as const), limit: fc.nat({ max: 1 }), byMs }) },
    {
      weight: 6,
      arbitrary: fc.record({ verb: fc.constant("settle" as const), index: fc.nat(), units: fc.constantFrom(-2, 0, 1) }),
    },
    { weight: 2, arbitrary: fc.record({ verb: fc.constantFrom("crash" as const, "replace" as const), byMs }) },
    {
      weight: 2,
      arbitrary: fc.record({ verb: fc.constantFrom("commit" as const, "compact" as const, "close" as const) }),
    },
  ) as fc.Arbitrary<Step>,
  { maxLength: 80, size: "max" },
)

/**
 * Runs steps, none of which flushes by the clock, and looks at each receipt that is settled; all of them are at the
 * end.
 */
async function settleAnyhow(all: readonly Step[], disk: LedgerPort, options: LedgerOptions): Promise<void> {
  const policy = parsePolicy("1000000/52w")
  const process = new MortalLedger(disk, options)
  await process.start(START_MS)
  let told: Told[] = []
  const ids = new Set<string>()
  let nowMs = START_MS
  let names = ["first", "second"]
  let made = 2
  const noteDurable = () => {
    for (const each of told) {
      each.waits = false
      if (each.charge === "held") each.charge = "durable"
      if (each.settled === "held") each.settled = "durable"
    }
  }
  const noteLost = () => {
    for (const { receipt, waits } of told) if (waits) ids.delete(receipt.id)
    told = told.filter(({ waits }) => !waits)
    for (const each of told) {
      if (each.charge === "held") each.charge = "lost"
      if (each.settled === "held") each.settled = "no"
    }
  }
  const settle = (each: Told, units: number) => {
    const isOpen = each.charge !== "lost" && each.settled === "no"
    const issuer = process.now.limitOf(each.receipt)
    // Its limit's definition is lost too, and no other limit has its number yet.
    if (issuer == null) return expect(each.charge).toBe("lost")
    expect(process.now.settle(issuer, each.receipt, units, nowMs), JSON.stringify(each)).toBe(isOpen)
    if (isOpen) each.settled = "held"
  }
  for (const step of all) {
    if ("byMs" in step) nowMs = Math.max(START_MS, nowMs + step.byMs)
    if (step.verb === "check") {
      const limit = process.now.define(names[step.limit]!, policy, nowMs)
      const { decision, needsCommit } = process.now.check(limit, "a", 1, nowMs)
      const receipt = decision.receipt!
      expect(ids.has(receipt.id), receipt.id).toBe(false)
      ids.add(receipt.id)
      told.push({ receipt, waits: needsCommit, charge: "held", settled: "no" })
    } else if (step.verb === "settle") {
      const known = told.filter(({ waits }) => !waits)
      if (known.length > 0) settle(known[step.index % known.length]!, step.units)
    } else if (step.verb === "crash") {
      await process.crash(nowMs)
      noteLost()
    } else if (step.verb === "replace") {
      // From here on other limits are defined, whose numbers those of before may have had.
      names = [`limit ${made++}`, `limit ${made++}`]
    } else if (step.verb === "close") {
      await process.now.close()
      noteDurable()
      await process.start(nowMs)
    } else {
      await process.now[step.verb]()
      noteDurable()
    }
  }
  await process.crash(nowMs)
  noteLost()
  for (const each of told) settle(each, 1)
  expect((await process.now.verify()).replayEqualsLive).toBe(true)
  await process.now.close()
}

export const lostReceiptCases: readonly LedgerCase[] = [
  ...(["batch", "ahead"] as const).map((sync) => ({
    name: `sync ${sync}: a receipt settles once after any crashes if its charge is in the log, and else never`,
    run: (makePort: () => LedgerPort) =>
      fc.assert(
        fc.asyncProperty(steps, (all) =>
          settleAnyhow(all, makePort(), { sync, aheadUnits: 1_000, flushEveryMs: 3_600_000 }),
        ),
        { numRuns: 150 },
      ),
  })),
  {
    name: "a receipt whose charge a crash lost gives nothing back, and is no later one's, also where the clock was set back",
    async run(makePort) {
      const process = new MortalLedger(makePort(), { sync: "batch" })
      const ledger = await process.start(START_MS)
      const limit = ledger.define("l", parsePolicy("10/hour"), START_MS)
      const kept = ledger.check(limit, "a", 1, START_MS).decision.receipt!
      await ledger.commit()
      const lost = ledger.check(limit, "a", 6, START_MS + 5).decision.receipt!
      const again = await process.crash(START_MS - 1_000)
      const remaining = () =>
        again
          .limit("l")!
          .openKeys()
          .peek("a", 0, START_MS + 5).remaining
      const settle = (receipt: Receipt) => again.settle(again.limit("l")!, receipt, receipt.cost, START_MS + 5)
      const charged = again.check(again.limit("l")!, "a", 6, START_MS + 5).decision.receipt!
      expect(charged.chargedAtMs).toBe(lost.chargedAtMs)
      expect(charged.id).not.toBe(lost.id)
      expect(settle(lost)).toBe(false)
      expect(remaining()).toBe(3)
      expect(settle(kept)).toBe(true)
      expect(settle(kept)).toBe(false)
      expect(remaining()).toBe(4)
      expect(settle(charged)).toBe(true)
      expect(remaining()).toBe(10)
      expect((await again.verify()).replayEqualsLive).toBe(true)
      await again.close()
    },
  },
  {
    name: "a receipt of a limit whose definition a crash lost is none of the limit that gets its number",
    async run(makePort) {
      const process = new MortalLedger(makePort(), { sync: "batch" })
      const ledger = await process.start(START_MS)
      const lost = ledger.check(ledger.define("lost", parsePolicy("10/hour"), START_MS), "a", 6, START_MS).decision
        .receipt!
      let again = await process.crash(START_MS)
      // Nobody has its number yet: it is gone as if it had been removed, and its receipts give nothing back.
      expect(again.limitOf(lost)).toBe(null)
      expect(again.limitOf({ ...lost, id: `x${lost.id}` })).toBe(undefined)
      // The number from which new limits go on is in the snapshot too.
      await again.compact()
      await again.close()
      again = await process.start(START_MS)
      const limit = again.define("l", parsePolicy("10/hour"), START_MS)
      const charged = again.check(limit, "a", 6, START_MS).decision.receipt!
      expect(charged.id.split("-")[0]).toBe(lost.id.split("-")[0])
      expect(again.settle(limit, lost, 6, START_MS)).toBe(false)
      expect(again.settle(limit, charged, 6, START_MS)).toBe(true)
      expect((await again.verify()).replayEqualsLive).toBe(true)
      await again.close()
    },
  },
  {
    name: "a settlement that a crash lost can be made again, once",
    async run(makePort) {
      const process = new MortalLedger(makePort(), { sync: "batch" })
      const ledger = await process.start(START_MS)
      const limit = ledger.define("l", parsePolicy("10/hour"), START_MS)
      const receipt = ledger.check(limit, "a", 6, START_MS).decision.receipt!
      await ledger.commit()
      expect(ledger.settle(limit, receipt, 6, START_MS)).toBe(true)
      const again = await process.crash(START_MS + 1)
      expect(again.settle(again.limit("l")!, receipt, 6, START_MS + 1)).toBe(true)
      expect(again.settle(again.limit("l")!, receipt, 6, START_MS + 1)).toBe(false)
      expect(
        again
          .limit("l")!
          .openKeys()
          .peek("a", 0, START_MS + 1).remaining,
      ).toBe(10)
      await again.close()
    },
  },
  {
    name: "receipts settle after many crashes with nothing charged in between, and after 63 with something",
    async run(makePort) {
      const process = new MortalLedger(makePort(), { sync: "batch" })
      await process.start(START_MS)
      const receipts: Receipt[] = []
      const checkAndCrash = async () => {
        const limit = process.now.define("l", parsePolicy("1000000/52w"), START_MS)
        receipts.push(process.now.check(limit, "a", 1, START_MS).decision.receipt!)
        await process.now.commit()
        for (let crash = 0; crash < 3; crash++) await process.crash(START_MS)
      }
      for (let charge = 0; charge < 66; charge++) await checkAndCrash()
      await process.now.compact()
      const settled = receipts.map((receipt) => process.now.settle(process.now.limit("l")!, receipt, 0, START_MS))
      // Of the gaps beyond 64 the oldest were made one.
      expect(settled).toEqual([false, false, false, ...new Array(63).fill(true)])
      expect((await process.now.verify()).replayEqualsLive).toBe(true)
      await process.now.close()
    },
  },
  {
    name: "a store that was closed, granted nothing ahead, or is opened under always again and again skips no number of a charge",
    async run(makePort) {
      const process = new MortalLedger(makePort(), { sync: "ahead" })
      await process.start(START_MS)
      const checkOnce = () => {
        const limit = process.now.define("l", parsePolicy("10/hour"), START_MS)
        process.now.check(limit, "a", 1, START_MS)
        return limit.openKeys().charges
      }
      expect([checkOnce(), checkOnce()]).toEqual([1, 2])
      await process.now.close()
      await process.start(START_MS)
      expect(checkOnce()).toBe(3)
      await process.now.commit()
      // No units are granted, so nothing was told that may be lost.
      await process.crash(START_MS)
      expect([checkOnce(), checkOnce()]).toEqual([4, 5])
      await process.now.commit()
      await process.crash(START_MS, { sync: "always" })
      expect(checkOnce()).toBe(5 + 2 ** 24 + 1)
      await process.now.commit()
      await process.crash(START_MS, { sync: "always" })
      expect(checkOnce()).toBe(5 + 2 ** 24 + 2)
      await process.now.close()
    },
  },
]
