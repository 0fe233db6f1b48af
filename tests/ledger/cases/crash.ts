import { expect } from "vitest"
import { Ledger } from "../../../src/ledger/ledger.js"
import { recover } from "../../../src/ledger/recovery.js"
import { parsePolicy } from "../../../src/policy/parse-policy.js"
import { StoreUnavailable } from "../../../src/types/errors.js"
import { type LedgerCase, type MakePort, START_MS } from "../ledger-case.js"
import { readRows, rowsText } from "../rows.js"
import { core, seenOf } from "../script-run.js"
import { type Break, BrokenWrite, WatchedPort } from "../watched-port.js"

/** When what the ledger holds is looked at. */
const SEEN_MS = START_MS + 2_000
const OPTIONS = { core, partBytes: 300, historySegments: 1 }

/**
 * A life that makes every kind of write: new store, rows in place, sealed ones, policies, snapshots of several parts.
 */
async function live(ledger: Ledger, acknowledged: () => void): Promise<void> {
  const done = async (work: Promise<unknown>) => {
    await work
    acknowledged()
  }
  const first = ledger.define("first", parsePolicy("50/minute"), START_MS)
  await done(ledger.commit())
  const receipt = ledger.check(first, "a", 3, START_MS).decision.receipt!
  await done(ledger.commit())
  ledger.check(first, "b", 1, START_MS)
  ledger.settle(first, receipt, 2, START_MS + 1)
  await done(ledger.commit())
  for (let key = 0; key < 10; key++) ledger.check(first, `${"k".repeat(400)}${key}`, 1, START_MS + 2)
  await done(ledger.commit())
  await done(ledger.verify())
  await done(ledger.compact())
  const second = ledger.define(
    "second",
    parsePolicy({ limit: 3, period: "1m", algorithm: "sliding_window_log" }),
    START_MS + 3,
  )
  ledger.define("first", parsePolicy("40/minute"), START_MS + 3)
  ledger.check(second, "a", 2, START_MS + 4)
  await done(ledger.commit())
  ledger.block(first, "a", START_MS + 60_000, START_MS + 5)
  ledger.reset(first, "b", START_MS + 5)
  await done(ledger.compact())
  ledger.charge(second, "a", 4, START_MS + 6)
  await done(ledger.close())
}

/** A life in which every compaction meets checks and changes of all kinds between its steps. */
async function liveBeside(ledger: Ledger, acknowledged: () => void): Promise<void> {
  const limit = ledger.define("first", parsePolicy("50/minute"), START_MS)
  ledger.define("second", parsePolicy({ limit: 9, period: "1m", algorithm: "sliding_window_log" }), START_MS)
  for (let key = 0; key < 16; key++) ledger.check(limit, `key-${key}`, 1, START_MS, `id-${key}`)
  const receipt = ledger.check(limit, "a", 5, START_MS).decision.receipt!
  await ledger.commit()
  acknowledged()
  for (let compaction = 0; compaction < 2; compaction++) {
    let isOver = false
    const over = ledger.compact().finally(() => {
      isOver = true
    })
    // Who waits for a commit hears of it first.
    over.catch(() => undefined)
    const acts = [
      () => ledger.settle(limit, receipt, 2, START_MS + 1),
      () => ledger.block(limit, "key-3", START_MS + 60_000, START_MS + 1),
      () => ledger.check(ledger.limit("second")!, "a", 2, START_MS + 1),
      () => ledger.define("first", parsePolicy(`${40 - compaction}/minute`), START_MS + 2),
      () => ledger.reset(limit, "key-5", START_MS + 2),
      () => compaction === 1 && ledger.remove(ledger.limit("second")!, START_MS + 2),
    ]
    for (let step = 0; !isOver; step++) {
      if (step % 3 === 0) acts[step / 3]?.()
      else ledger.check(limit, `key-${step % 16}`, 1, START_MS + 2)
      await ledger.commit()
      acknowledged()
    }
    await over
  }
  await ledger.close()
}

export const crashCases: readonly LedgerCase[] = [
  {
    name: "a write that breaks off, any of them, before or after it is made, leaves the state before it or after it",
    async run(makePort) {
      for (const life of [live, liveBeside]) await breakAll(makePort, life)
    },
  },
  {
    name: "a commit that fails rejects its callers and everything after with StoreUnavailable, and loses nothing acknowledged",
    async run(makePort) {
      for (const when of ["before", "after"] as const) {
        const port = makePort()
        const broken = new WatchedPort(port, { atWrite: 6, when })
        const ledger = await Ledger.open(broken, { core })
        const limit = ledger.define("l", parsePolicy("100/minute"), START_MS)
        await ledger.commit()
        const acknowledged: string[] = []
        const refused: unknown[] = []
        for (let round = 0; round < 4; round++) {
          await Promise.all(
            ["a", "b", "c"].map(async (key) => {
              try {
                ledger.check(limit, `${round} ${key}`, 1, START_MS)
                await ledger.commit()
                acknowledged.push(`${round} ${key}`)
              } catch (error) {
                refused.push(error)
              }
            }),
          )
        }
        expect(acknowledged).toEqual(["0 a", "0 b", "0 c"])
        expect(refused).toHaveLength(9)
        for (const error of refused) expect(error).toBeInstanceOf(StoreUnavailable)
        expect((refused[0] as Error).cause).toBeInstanceOf(BrokenWrite)
        expect(ledger.isOpen).toBe(false)
        const rows = rowsText(port)
        for (const verb of [() => ledger.commit(), () => ledger.compact(), () => ledger.verify()]) {
          await expect(verb()).rejects.toBeInstanceOf(StoreUnavailable)
        }
        const { receipt } = { receipt: { id: "x", key: "a", policy: "l", cost: 1, chargedAtMs: START_MS } }
        for (const verb of [
          () => ledger.define("other", parsePolicy("1/minute"), START_MS),
          () => ledger.check(limit, "a", 1, START_MS),
          () => ledger.charge(limit, "a", 1, START_MS),
          () => ledger.settle(limit, receipt, 1, START_MS),
          () => ledger.block(limit, "a", START_MS, START_MS),
          () => ledger.unblock(limit, "a", START_MS),
          () => ledger.reset(limit, "a", START_MS),
        ]) {
          expect(verb).toThrow(StoreUnavailable)
        }
        await ledger.close()
        await ledger.close()
        expect(rowsText(port)).toBe(rows)
        const again = await Ledger.open(port, { core })
        const told = (key: string) => again.limit("l")!.openKeys().stats(key).totalAllowed
        expect(acknowledged.map(told)).toEqual([1, 1, 1])
        // Who was refused may have been written where the write was made and its answer lost.
        expect(["1 a", "1 b", "1 c"].map(told)).toEqual(when === "before" ? [0, 0, 0] : [1, 1, 1])
        expect(["2 a", "3 c"].map(told)).toEqual([0, 0])
        await again.close()
      }
    },
  },
  {
    name: "a hash that fails closes the ledger, and a compaction that fails loses nothing",
    async run(makePort) {
      const port = makePort()
      let hashes = 0
      const failing = {
        ...port,
        sql: port.sql,
        sha256: (bytes: Uint8Array) => {
          hashes += 1
          if (hashes > 1) throw new Error("no hash")
          return port.sha256(bytes)
        },
      }
      const ledger = await Ledger.open(failing, { core })
      const limit = ledger.define("l", parsePolicy("100/minute"), START_MS)
      ledger.check(limit, "a", 7, START_MS)
      await ledger.commit()
      await expect(ledger.compact()).rejects.toBeInstanceOf(StoreUnavailable)
      expect(() => ledger.check(limit, "a", 1, START_MS)).toThrow(StoreUnavailable)
      const again = await Ledger.open(port, { core })
      expect(again.limit("l")!.openKeys().peek("a", 1, START_MS).remaining).toBe(93)
      await again.close()
      ledger.abandon()
    },
  },
]

type Life = (ledger: Ledger, acknowledged: () => void) => Promise<void>

async function breakAll(makePort: MakePort, life: Life): Promise<void> {
  const calm = new WatchedPort(makePort())
  await life(await Ledger.open(calm, OPTIONS), () => {})
  expect(calm.writes).toBeGreaterThan(25)
  const found = { before: 0, after: 0 }
  for (let atWrite = 1; atWrite <= calm.writes; atWrite++) {
    for (const when of ["before", "after"] as const) {
      const port = makePort()
      const state = await crash(new WatchedPort(port, { atWrite, when }), { atWrite, when }, life)
      const again = await Ledger.open(port, { core })
      const seen = seenOf(again, SEEN_MS)
      const label = `write ${atWrite} breaks off ${when} it`
      expect([state.acknowledged, state.atBreak], label).toContainEqual(seen)
      found[seen.join() === state.acknowledged.join() ? "before" : "after"] += 1
      const { replayEqualsLive } = await again.verify()
      expect(replayEqualsLive, label).toBe(true)
      // Nothing is left of a compaction that was not finished.
      expect((await recover(port, core, readRows(port))).leftIds, label).toEqual([])
      // Life goes on.
      const limit = again.define("first", parsePolicy("50/minute"), SEEN_MS)
      again.check(limit, "later", 1, SEEN_MS)
      await again.close()
    }
  }
  // Both happen, so the test can tell them apart.
  expect(found.before).toBeGreaterThan(20)
  expect(found.after).toBeGreaterThan(1)
}

/** Lives until the write breaks off. What was acknowledged last, and what the memory held then. */
async function crash(
  port: WatchedPort,
  { atWrite, when }: Break,
  life: Life,
): Promise<{ acknowledged: readonly string[]; atBreak: readonly string[] }> {
  let ledger: Ledger | null = null
  let acknowledged: readonly string[] = []
  let atBreak: readonly string[] = []
  const see = () => (ledger === null ? [] : seenOf(ledger, SEEN_MS))
  const watched = {
    sql: {
      ...port.sql,
      run: (statement: string, ...values: (number | Uint8Array)[]) => {
        if (port.writes + 1 === atWrite) atBreak = see()
        port.sql.run(statement, ...values)
      },
    },
    sha256: (bytes: Uint8Array) => port.sha256(bytes),
    defer: (work: () => void) => port.defer(work),
    after: (ms: number, work: () => void) => port.after(ms, work),
  }
  try {
    ledger = await Ledger.open(watched, OPTIONS)
    await life(ledger, () => {
      acknowledged = see()
    })
  } catch (error) {
    const cause = error instanceof StoreUnavailable ? error.cause : error
    expect(cause, `write ${atWrite} ${when}`).toBeInstanceOf(BrokenWrite)
    ;(ledger as Ledger | null)?.abandon()
    return { acknowledged, atBreak }
  }
  throw new Error(`Write ${atWrite} did not break off.`)
}
