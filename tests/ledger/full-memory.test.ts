import { DatabaseSync } from "node:sqlite"
import { describe, expect, test } from "vitest"
import { Core } from "../../src/engine/core.js"
import { Ledger } from "../../src/ledger/ledger.js"
import type { LedgerLimit } from "../../src/ledger/own-limit.js"
import { sqliteLedgerPort } from "../../src/ledger/sqlite-port.node.js"
import { parsePolicy } from "../../src/policy/parse-policy.js"
import type { PolicyInput } from "../../src/policy/policy.js"
import { takeAll } from "../engine/take-all.js"
import { START_MS } from "./ledger-case.js"
import { logRecords } from "./log-records.js"

const full = expect.objectContaining({
  name: "StoreUnavailable",
  message: "Cannot reach the store: the memory for keys is full.",
})

interface Full {
  readonly ledger: Ledger
  /** Has a table, with room for more keys. */
  readonly used: LedgerLimit
  /** Has no table, and there is no memory for one. */
  readonly unused: LedgerLimit
  /** What the log tells since the memory is full, as lines. */
  readonly told: () => Promise<string[]>
  /** Fails where the log does not repeat what is in memory, here or in a core that has memory. */
  readonly expectReplays: () => Promise<void>
}

/** A ledger whose core has no memory left. */
async function fullLedger(policy: PolicyInput = "10/hour", before?: (ledger: Ledger, limit: LedgerLimit) => void) {
  const port = sqliteLedgerPort(new DatabaseSync(":memory:"))
  const core = new Core()
  const ledger = await Ledger.open(port, { core })
  const used = ledger.define("used", parsePolicy("10/hour"), START_MS)
  const unused = ledger.define("unused", parsePolicy(policy), START_MS)
  ledger.check(used, "a", 1, START_MS)
  before?.(ledger, unused)
  await ledger.commit()
  const { length } = await logRecords(port)
  const seen = (of: Ledger) =>
    ["used", "unused"].map((name) => {
      const { keys } = of.limit(name)!
      return [keys.status("a", START_MS), keys.stats("a")]
    })
  takeAll(core)
  const made: Full = {
    ledger,
    used,
    unused,
    told: async () => {
      await ledger.commit()
      const records = (await logRecords(port)).slice(length)
      return records.map((record) => `${record.op} ${record.limit === used.number ? "used" : "unused"}`)
    },
    expectReplays: async () => {
      await ledger.commit()
      const live = seen(ledger)
      ledger.abandon()
      const again = await Ledger.open(port, { core: new Core() })
      expect(seen(again)).toEqual(live)
      await again.close()
    },
  }
  return made
}

describe("Ledger whose core has no memory for another key", () => {
  test("check() throws, counts no denial and records nothing", async () => {
    // A reset leaves the statistics of the key, so that a denial could be counted.
    const { ledger, unused, told, expectReplays } = await fullLedger("10/hour", (ledger, limit) => {
      ledger.reset(limit, "a", START_MS)
    })
    for (const id of [undefined, "call-1"]) {
      expect(() => ledger.check(unused, "a", 1, START_MS, id), id).toThrow(full)
      expect(() => ledger.check(unused, "a", 2, START_MS, id), id).toThrow(full)
    }
    expect(unused.keys.stats("a").totalDenied).toBe(0)
    expect(await told()).toEqual([])
    await expectReplays()
  })

  test("check() throws where a denial cannot begin its block", async () => {
    const policy = { limit: 1, period: "1h", block: "2h" }
    const { ledger, unused, told, expectReplays } = await fullLedger(policy, (ledger, limit) => {
      ledger.check(limit, "a", 1, START_MS)
    })
    expect(() => ledger.check(unused, "a", 1, START_MS)).toThrow(full)
    expect(unused.keys.stats("a").totalDenied).toBe(0)
    expect(await told()).toEqual([])
    await expectReplays()
  })

  test("charge(), block() and settle() for more throw, and record nothing", async () => {
    const { ledger, used, unused, told, expectReplays } = await fullLedger()
    const { receipt } = ledger.check(used, "a", 1, START_MS).decision
    expect(() => ledger.charge(unused, "a", 1, START_MS)).toThrow(full)
    expect(() => ledger.block(unused, "a", START_MS + 1, START_MS)).toThrow(full)
    let keys = 0
    const fill = () => {
      for (; keys < 1_000; keys++) ledger.charge(used, `key ${keys}`, 1, START_MS)
    }
    expect(fill).toThrow(full)
    expect(() => ledger.settle(used, { ...receipt, key: "new" }, -1, START_MS)).toThrow(full)
    // What could not be charged leaves the receipt open.
    expect(ledger.settle(used, receipt, -1, START_MS)).toBe(true)
    expect(await told()).toEqual(["admit used", ...Array(keys).fill("charge used"), "settle used"])
    await expectReplays()
  })

  test.each([false, true])(
    "checkAll() charges nothing, and the log tells of nothing more; with ids: %s",
    async (ids) => {
      const { ledger, used, unused, told, expectReplays } = await fullLedger()
      const ask = (cost: number) =>
        ledger.checkAll(
          [used, unused].map((limit) => ({ limit, key: "a", cost, ...(ids && { id: `${limit.name} 1` }) })),
          START_MS,
        )
      expect(() => ask(3)).toThrow(full)
      expect([used, unused].map(({ keys }) => keys.peek("a", 0, START_MS).remaining)).toEqual([9, 10])
      expect(await told()).toEqual(["admit used", "settle used"])
      // What was given back is not told again: the cost may be another.
      expect(() => ask(2)).toThrow(full)
      await expectReplays()
    },
  )
})
