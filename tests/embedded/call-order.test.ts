import { DatabaseSync } from "node:sqlite"
import { openLimiter } from "sluice/embedded"
import { afterAll, describe, expect, test } from "vitest"
import { EmbeddedLimiter } from "../../src/embedded/embedded-limiter.js"
import { Ledger } from "../../src/ledger/ledger.js"
import type { LedgerPort } from "../../src/ledger/sql-port.js"
import { sqliteLedgerPort } from "../../src/ledger/sqlite-port.node.js"
import { MemoryLimits } from "../../src/limiter/memory-limits.js"
import type { NamedLimits } from "../../src/limiter/named-limits.js"
import { ManualClock } from "../../src/types/clock.js"
import type { Receipt } from "../../src/types/receipt.js"
import { START_MS } from "../conformance/limiter-case.js"
import { removeFolders, temporaryFolder } from "./temporary-folder.js"

afterAll(removeFolders)

const LIMITS = { default: "9/hour", api: "5/hour" } as const

type Call = readonly [name: string, call: (limits: NamedLimits, receipts: readonly Receipt[]) => unknown]

/** Each changes what the next one is answered. */
const CALLS: readonly Call[] = [
  ["status", (limits) => limits.status("k")],
  ["stats", (limits) => limits.stats("k")],
  ["list", (limits) => limits.list()],
  ["peek", (limits) => limits.peek("k")],
  ["charge", (limits) => limits.charge("k", 2)],
  ["check", (limits) => limits.check("k")],
  ["checkAll", (limits) => limits.checkAll([{ key: "k", cost: 2 }, { key: "other" }])],
  ["explain", async (limits) => ({ ...(await limits.explain("k")), recent: [] })],
  ["allow", (limits) => limits.allow("k", { cost: 4 })],
  ["refund", (limits, [first]) => limits.refund(first!)],
  ["allow after the refund", (limits) => limits.allow("k", { cost: 2 })],
  ["settle", (limits, [, second]) => limits.settle(second!, 1)],
  ["status after the settlement", (limits) => limits.status("k")],
  ["block", (limits) => limits.block("k", "1m")],
  ["a check of a blocked key", (limits) => limits.check("k")],
  ["unblock", (limits) => limits.unblock("k")],
  ["a check of a key that is free again", (limits) => limits.check("k")],
  ["reset", (limits) => limits.reset("k")],
  ["a check of a key that is full", (limits) => limits.check("k", { cost: 9 })],
  ["top", (limits) => limits.top({ by: "allowed" })],
  ["limit", (limits) => limits.limit("new")],
  ["limits", (limits) => limits.limits()],
  ["define", (limits) => limits.define("new", "1/hour")],
  ["a check under the new limit", (limits) => limits.check("k", { limit: "new" })],
  ["remove", (limits) => limits.remove("new")],
  ["a check under the limit that was removed", (limits) => limits.check("k", { limit: "new" })],
  ["limits at last", (limits) => limits.limits()],
]

/** An answer without its receipts, whose ids are each limiter's own; or the code of an error. */
async function told(name: string, answer: () => unknown): Promise<readonly [string, unknown]> {
  try {
    const text = JSON.stringify(await answer(), (field, value) => (field === "receipt" ? undefined : value))
    return [name, text === undefined ? null : JSON.parse(text)]
  } catch (error) {
    return [name, (error as { code?: unknown }).code]
  }
}

async function receiptsOf(limits: NamedLimits): Promise<Receipt[]> {
  const receipts: Receipt[] = []
  for (const cost of [2, 2]) receipts.push((await limits.check("k", { cost })).receipt!)
  return receipts
}

/** A limiter whose disk can be full for a while. */
async function openOnDisk() {
  const inner = sqliteLedgerPort(new DatabaseSync(":memory:"))
  const disk = { isFull: false }
  const port: LedgerPort = {
    ...inner,
    sql: {
      run: (statement, ...values) => {
        if (disk.isFull) throw new Error("the disk is full")
        inner.sql.run(statement, ...values)
      },
      rows: (statement, ...values) => inner.sql.rows(statement, ...values),
      transaction: (work) => inner.sql.transaction(work),
    },
  }
  const openLedger = () => Ledger.open(port)
  const store = {
    path: "a folder",
    sync: "always",
    lastCommitAtMs: null,
    openLedger,
    findFileProblems: () => [],
    tryCommit: () => undefined,
    findProblems: () => [],
    close: async () => {},
  } as const
  return { limiter: new EmbeddedLimiter(await openLedger(), store, new ManualClock(START_MS)), disk }
}

describe("EmbeddedLimiter, calls made without waiting for the answers", () => {
  test.each(["always", "ahead", "batch"] as const)("sync %s: are decided in the order of the calls", async (sync) => {
    const clock = new ManualClock(START_MS)
    const memory = new MemoryLimits({ limits: LIMITS, clock, stats: true, names: 100, history: 10 })
    const receipts = await receiptsOf(memory)
    const expected: unknown[] = []
    for (const [name, call] of CALLS) expected.push(await told(name, () => call(memory, receipts)))
    await using limiter = await openLimiter({ path: temporaryFolder(), limits: LIMITS, clock, sync })
    const own = await receiptsOf(limiter)
    expect(await Promise.all(CALLS.map(([name, call]) => told(name, () => call(limiter, own))))).toEqual(expected)
  })

  test("are decided before they return", async () => {
    const clock = new ManualClock(START_MS)
    await using limiter = await openLimiter({ path: temporaryFolder(), limits: LIMITS, clock })
    const [first, second] = await receiptsOf(limiter)
    let looks = 0
    const look = clock.now.bind(clock)
    clock.now = () => {
      looks += 1
      return look()
    }
    const calls: readonly (() => Promise<unknown>)[] = [
      () => limiter.check("k"),
      () => limiter.peek("k"),
      () => limiter.checkAll([{ key: "k" }, { key: "other" }]),
      () => limiter.refund(first!),
      () => limiter.settle(second!, 1),
      () => limiter.charge("k", 1),
      () => limiter.block("k", "1m"),
      () => limiter.unblock("k"),
      () => limiter.reset("k"),
      () => limiter.status("k"),
      () => limiter.explain("k"),
      () => limiter.define("new", "1/hour"),
      () => limiter.remove("new"),
    ]
    for (const call of calls) {
      looks = 0
      const answer = call()
      expect(looks, String(call)).toBe(1)
      await answer
    }
  })

  test("are decided in that order also while the store is opened anew, and right after", async () => {
    const { limiter, disk } = await openOnDisk()
    await limiter.define("default", "1000/hour")
    disk.isFull = true
    await expect(limiter.check("k")).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" })
    disk.isFull = false
    expect(limiter.keyCount).toBeNull()
    const answers: Promise<unknown>[] = []
    for (let calls = 1; calls <= 200; calls++) {
      if (calls % 2 === 0) answers.push(limiter.charge("k", 1))
      else answers.push(limiter.check("k").then(({ remaining }) => expect(remaining, `${calls}`).toBe(1_000 - calls)))
      // Lets the opening go on by as little as there is.
      if (calls % 4 === 0) await undefined
    }
    await Promise.all(answers)
    expect(limiter.keyCount).toBe(1)
    await limiter.close()
  })
})

describe("EmbeddedLimiter, a call repeated while the first is being committed", () => {
  const REPEATED: readonly Call[] = [
    ["refund", (limits, [first]) => limits.refund(first!)],
    ["settle", (limits, [, second]) => limits.settle(second!, 1)],
    ["charge", (limits) => limits.charge("k", 1)],
    ["unblock", (limits) => limits.unblock("blocked")],
    ["reset", (limits) => limits.reset("k")],
    ["remove", (limits) => limits.remove("api")],
  ]

  test.each(REPEATED)("%s: is told no sooner than it is in the file", async (_, call) => {
    const { limiter, disk } = await openOnDisk()
    for (const [name, policy] of Object.entries(LIMITS)) await limiter.define(name, policy)
    const receipts = await receiptsOf(limiter)
    await limiter.block("blocked", "1m")
    disk.isFull = true
    const both = await Promise.allSettled([call(limiter, receipts), call(limiter, receipts)])
    const refused = { status: "rejected", reason: expect.objectContaining({ code: "STORE_UNAVAILABLE" }) }
    expect(both).toEqual([refused, refused])
    disk.isFull = false
    await limiter.close()
  })

  test("peek under the id of a check: is told no sooner than that is in the file", async () => {
    const { limiter, disk } = await openOnDisk()
    await limiter.define("default", "100/hour")
    disk.isFull = true
    const named = { cost: 40, id: "x" }
    const both = await Promise.allSettled([limiter.check("k", named), limiter.peek("k", named)])
    expect(both.map(({ status }) => status)).toEqual(["rejected", "rejected"])
    disk.isFull = false
    expect(await limiter.peek("k", named)).toMatchObject({ allowed: true, remaining: 100 })
    await limiter.close()
  })
})
