import { DatabaseSync } from "node:sqlite"
import { describe, expect, test, vi } from "vitest"
import { Core } from "../../src/engine/core.js"
import { Ledger } from "../../src/ledger/ledger.js"
import type { LedgerLimit } from "../../src/ledger/own-limit.js"
import { SavedReceipts } from "../../src/ledger/saved-receipts.js"
import type { LedgerPort } from "../../src/ledger/sql-port.js"
import { sqliteLedgerPort } from "../../src/ledger/sqlite-port.node.js"
import { parsePolicy } from "../../src/policy/parse-policy.js"
import type { PolicyInput } from "../../src/policy/policy.js"
import { CostError } from "../../src/types/errors.js"
import { takeAll } from "../engine/take-all.js"
import { START_MS } from "./ledger-case.js"
import { logRecords } from "./log-records.js"
import { readRows } from "./rows.js"
import { steppedPort, turn } from "./watched-port.js"

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
      const keys = of.limit(name)!.openKeys()
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

/** Takes so many blocks of each size. Gives what gives them back. */
function takeBlocks(core: Core, count: number): () => void {
  const { memoryTake, memoryGive } = core.exports
  const taken: [block: number, bytes: number][] = []
  for (let bytes = 128; bytes <= 65_536; bytes += 128) {
    for (let block = 0; block < count; block++) taken.push([memoryTake(bytes), bytes])
  }
  return () => {
    for (const [block, bytes] of taken) memoryGive(block, bytes)
  }
}

/** A core that has so many blocks of each size left, and no more memory. */
function coreWithBlocks(count: number): Core {
  const core = new Core()
  const giveBack = takeBlocks(core, count)
  takeAll(core)
  giveBack()
  return core
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
    expect(unused.openKeys().stats("a").totalDenied).toBe(0)
    expect(await told()).toEqual([])
    await expectReplays()
  })

  test("check() throws where a denial cannot begin its block", async () => {
    const policy = { limit: 1, period: "1h", block: "2h" }
    const { ledger, unused, told, expectReplays } = await fullLedger(policy, (ledger, limit) => {
      ledger.check(limit, "a", 1, START_MS)
    })
    expect(() => ledger.check(unused, "a", 1, START_MS)).toThrow(full)
    expect(unused.openKeys().stats("a").totalDenied).toBe(0)
    expect(await told()).toEqual([])
    await expectReplays()
  })

  test("charge(), block() and settle() for more throw, and record nothing", async () => {
    const { ledger, used, unused, told, expectReplays } = await fullLedger()
    const receipt = ledger.check(used, "a", 1, START_MS).decision.receipt!
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
      expect([used, unused].map((limit) => limit.openKeys().peek("a", 0, START_MS).remaining)).toEqual([9, 10])
      expect(await told()).toEqual(["admit used", "settle used"])
      // What was given back is not told again: the cost may be another.
      expect(() => ask(2)).toThrow(full)
      await expectReplays()
    },
  )

  test("checkAll() charges nothing of limits that remember as many settled receipts as they can", async () => {
    const { ledger, used, unused, told, expectReplays } = await fullLedger()
    const isFull = vi.spyOn(SavedReceipts.prototype, "isFull", "get").mockReturnValue(true)
    const checks = [used, unused].map((limit) => ({ limit, key: "a", cost: 3 }))
    expect(() => ledger.checkAll(checks, START_MS)).toThrow(full)
    isFull.mockRestore()
    expect(used.openKeys().peek("a", 0, START_MS).remaining).toBe(9)
    expect(await told()).toEqual(["admit used", "settle used"])
    await expectReplays()
  })

  test("a log whose window has no place for another charge takes none, of no rule", async () => {
    const policy = ["1000/hour", { limit: 100, period: "1h", algorithm: "sliding_window_log" as const }]
    const { ledger, unused, told, expectReplays } = await fullLedger(policy, (ledger, limit) => {
      for (let ms = 0; ms < 4; ms++) ledger.check(limit, "a", 1, START_MS + ms)
    })
    const before = unused.openKeys().status("a", START_MS + 4)
    expect(() => ledger.check(unused, "a", 1, START_MS + 4)).toThrow(full)
    expect(() => ledger.charge(unused, "a", 1, START_MS + 4)).toThrow(full)
    expect(() => ledger.check(unused, "a", 200, START_MS + 4)).toThrow(CostError)
    expect(unused.openKeys().status("a", START_MS + 4)).toEqual(before)
    // There is a cell for another key, and no ring.
    expect(() => ledger.check(unused, "b", 1, START_MS + 4)).toThrow(full)
    expect(() => ledger.charge(unused, "b", 1, START_MS + 4)).toThrow(full)
    expect(unused.size).toBe(1)
    expect(await told()).toEqual([])
    // When its window has gone by, there is place again.
    expect(ledger.check(unused, "a", 100, START_MS + 3_600_004).decision.allowed).toBe(true)
    await expectReplays()
  })

  test.each(["check", "charge"] as const)(
    "a %s() that is refused heals no state of a clock that had jumped ahead",
    async (verb) => {
      const policy = { limit: 100, period: "1h", algorithm: "sliding_window_log" as const }
      const HOUR_MS = 3_600_000
      const { ledger, unused, expectReplays } = await fullLedger(policy, (ledger, limit) => {
        for (let ms = 0; ms < 4; ms++) ledger.check(limit, "a", 1, START_MS + 10 * HOUR_MS + ms)
      })
      expect(() => ledger[verb](unused, "a", 1, START_MS)).toThrow(full)
      // Had it been healed, its window would have gone by.
      expect(ledger.check(unused, "a", 100, START_MS + HOUR_MS + 1).decision.allowed).toBe(false)
      await expectReplays()
    },
  )

  test("a policy that cannot be changed stays", async () => {
    const { ledger, used, unused, expectReplays } = await fullLedger()
    const log = parsePolicy({ limit: 10, period: "1h", algorithm: "sliding_window_log" })
    expect(() => ledger.define("used", log, START_MS)).toThrow(full)
    expect(() => ledger.define("new", log, START_MS)).toThrow(full)
    expect(() => ledger.askUnder(used, log, START_MS, () => null)).toThrow(full)
    expect(used.policy.canonical).toBe(unused.policy.canonical)
    expect(used.openKeys().status("a", START_MS).remaining).toBe(9)
    await expectReplays()
  })
})

test("askUnder() that fails holds no more memory than before", async () => {
  const core = new Core()
  const ledger = await Ledger.open(sqliteLedgerPort(new DatabaseSync(":memory:")), { core })
  const limit = ledger.define("l", parsePolicy("10/hour"), START_MS)
  ledger.check(limit, "a", 1, START_MS)
  const before = core.exports.allocatedBytes()
  const fail = () => {
    throw new Error("own")
  }
  const policy = parsePolicy("5/minute")
  expect(() => ledger.askUnder(limit, policy, -1, () => null)).toThrow(RangeError)
  expect(() => ledger.askUnder(limit, policy, START_MS, fail)).toThrow("own")
  expect(core.exports.allocatedBytes()).toBe(before)
  ledger.abandon()
})

describe("compact() in a core whose memory is full", () => {
  const HOUR_MS = 3_600_000
  const names = (kind: string) => Array.from({ length: 600 }, (_, key) => `${kind} ${key}`)
  const notCompacted = expect.objectContaining({
    name: "StoreUnavailable",
    message: "Cannot reach the store: the memory for keys is full, and the log was not compacted.",
  })

  /** A ledger with keys that are used up, keys that are idle, and a limit that comes after theirs. */
  async function openUsed() {
    const port = steppedPort(sqliteLedgerPort(new DatabaseSync(":memory:")))
    const core = new Core()
    const ledger = await Ledger.open(port, { core, compactBytes: 1e12, partBytes: 4_096 })
    const limit = ledger.define("l", parsePolicy("10/hour"), START_MS)
    const later = ledger.define("later", parsePolicy("10/hour"), START_MS)
    for (const key of names("idle")) ledger.check(limit, key, 1, START_MS)
    await ledger.compact()
    for (const key of names("used")) ledger.check(limit, key, 10, START_MS + 2 * HOUR_MS)
    ledger.check(later, "used 0", 10, START_MS + 2 * HOUR_MS)
    await ledger.compact()
    await ledger.commit()
    return { port, core, ledger, limit, later }
  }

  const rowsOf = (port: LedgerPort) => readRows(port).map(({ id }) => id)

  const moments: readonly (readonly [string, (port: LedgerPort) => Promise<void>])[] = [
    ["when it begins", async () => undefined],
    [
      "after its first part",
      async (port) => {
        const before = rowsOf(port)[0]!
        while (rowsOf(port)[0] === before) await turn()
      },
    ],
  ]
  test.each(moments)("is given up, and checks go on: %s", async (_, moment) => {
    for (const checks of [false, true]) {
      const { port, core, ledger, limit, later } = await openUsed()
      const giveBack = takeBlocks(core, 20)
      const before = rowsOf(port).filter((id) => id < 0)
      const compaction = ledger.compact().catch((error: unknown) => error)
      await moment(port)
      takeAll(core)
      const nowMs = START_MS + 2 * HOUR_MS
      if (checks) {
        expect(ledger.check(later, "used 0", 1, nowMs).decision.allowed).toBe(false)
        for (const key of names("used")) expect(ledger.check(limit, key, 1, nowMs).decision.allowed, key).toBe(false)
      }
      expect(await compaction).toEqual(notCompacted)
      expect(ledger.compactionProblem).toEqual(notCompacted)
      // The snapshot before stays in force, and nothing is left of the new one.
      expect(rowsOf(port).filter((id) => id < 0)).toEqual(before)
      giveBack()
      // What the log tells as forgotten is forgotten here too.
      expect((await ledger.verify()).replayEqualsLive).toBe(true)
      const isUsedUp = (of: Ledger) =>
        [of.limit("later")!, ...names("used").map(() => of.limit("l")!)].every(
          (each, index) => !of.peek(each, `used ${Math.max(0, index - 1)}`, 1, nowMs).decision.allowed,
        )
      expect(isUsedUp(ledger)).toBe(true)
      const crashed = await Ledger.open(port, { core: new Core() })
      expect(isUsedUp(crashed)).toBe(true)
      crashed.abandon()
      await ledger.compact()
      expect(ledger.compactionProblem).toBe(null)
      expect((await ledger.verify()).replayEqualsLive).toBe(true)
      await ledger.close()
      const again = await Ledger.open(port, { core: new Core() })
      expect(isUsedUp(again)).toBe(true)
      await again.close()
    }
  })

  test("is not tried again by itself before the log has grown by as much again", async () => {
    const port = sqliteLedgerPort(new DatabaseSync(":memory:"))
    const core = new Core()
    const ledger = await Ledger.open(port, { core, compactBytes: 10_000 })
    const limit = ledger.define("l", parsePolicy("100000000/hour"), START_MS)
    const checkAll = (nowMs: number) => {
      for (let key = 0; key < 200; key++) ledger.check(limit, `key ${key}`, 1, nowMs)
    }
    checkAll(START_MS)
    takeAll(core)
    const begun: number[] = []
    const readBytes = () => readRows(port).reduce((sum, { id, body }) => sum + (id > 0 ? body.length : 0), 0)
    for (let commit = 0; commit < 60; commit++) {
      checkAll(START_MS + commit)
      await ledger.commit()
      await turn()
      if (begun.length < (await begunOf(port))) begun.push(readBytes())
    }
    expect(begun.length).toBeGreaterThan(1)
    for (const [index, bytes] of begun.entries()) expect(bytes - (begun[index - 1] ?? 0)).toBeGreaterThan(10_000)
    expect(ledger.compactionProblem).toEqual(notCompacted)
    ledger.abandon()
  })

  /** How many compactions were begun. */
  async function begunOf(port: LedgerPort): Promise<number> {
    return (await logRecords(port)).filter(({ op }) => op === "compact").length
  }
})

test("verify() without memory to read the log says so, and the ledger goes on", async () => {
  const { ledger, used } = await fullLedger()
  await expect(ledger.verify()).rejects.toEqual(full)
  expect(ledger.check(used, "a", 1, START_MS).decision.allowed).toBe(true)
  await ledger.close()
})

describe("Ledger.open() in a core without memory", () => {
  const policies: [string, PolicyInput][] = [
    ["an arrival time", "10/hour"],
    ["a log", { limit: 10, period: "1h", algorithm: "sliding_window_log" }],
  ]
  test.each(policies)("says so, and calls nothing corrupt: %s", async (_, policy) => {
    for (const compacts of [false, true]) {
      const port = sqliteLedgerPort(new DatabaseSync(":memory:"))
      const written = await Ledger.open(port, { core: new Core() })
      const limit = written.define("l", parsePolicy(policy), START_MS)
      for (let key = 0; key < 1_000; key++) written.check(limit, `key ${key}`, 1, START_MS)
      if (compacts) await written.compact()
      await written.close()
      const refusals: string[] = []
      for (const blocks of [0, 1, 2, 4, 8]) {
        const opening = Ledger.open(port, { core: coreWithBlocks(blocks) })
        await opening.then(
          (ledger) => ledger.abandon(),
          (error: Error) => refusals.push(`${error.name}: ${error.message}`),
        )
      }
      expect(refusals.length).toBeGreaterThan(1)
      expect(new Set(refusals)).toEqual(
        new Set(["StoreUnavailable: Cannot reach the store: the memory for keys is full."]),
      )
      const again = await Ledger.open(port, { core: new Core() })
      expect(again.limit("l")!.size).toBe(1_000)
      await again.close()
    }
  })
})

test("settle() of a limit that remembers as many settled receipts as it can is refused before it gives anything back", async () => {
  const port = sqliteLedgerPort(new DatabaseSync(":memory:"))
  const ledger = await Ledger.open(port)
  const limit = ledger.define("l", parsePolicy("10/hour"), START_MS)
  const receipt = ledger.check(limit, "a", 4, START_MS).decision.receipt!
  const settled = ledger.check(limit, "b", 1, START_MS).decision.receipt!
  ledger.settle(limit, settled, 1, START_MS)
  const old = { ...receipt, chargedAtMs: START_MS - 100 * 3_600_000 }
  const isFull = vi.spyOn(SavedReceipts.prototype, "isFull", "get").mockReturnValue(true)
  expect(() => ledger.settle(limit, receipt, 4, START_MS)).toThrow(
    'Cannot reach the store: too many receipts of the limit "l" are settled.',
  )
  // These would give nothing back anyway.
  expect(ledger.settle(limit, settled, 1, START_MS)).toBe(false)
  expect(ledger.settle(limit, old, 4, START_MS)).toBe(false)
  isFull.mockRestore()
  expect(limit.openKeys().peek("a", 0, START_MS).remaining).toBe(6)
  expect(ledger.settle(limit, receipt, 4, START_MS)).toBe(true)
  await ledger.commit()
  expect((await logRecords(port)).map(({ op }) => op)).toEqual(["define", "admit", "admit", "settle", "settle"])
  expect((await ledger.verify()).replayEqualsLive).toBe(true)
  await ledger.close()
})
