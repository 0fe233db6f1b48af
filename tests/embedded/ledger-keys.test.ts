import { DatabaseSync } from "node:sqlite"
import { afterAll, describe, expect, test, vi } from "vitest"
import { listOf, topOf } from "../../src/embedded/ledger-keys.js"
import { openLimiter } from "../../src/embedded/open-limiter.node.js"
import { Core } from "../../src/engine/core.js"
import { Ledger } from "../../src/ledger/ledger.js"
import type { LedgerPort } from "../../src/ledger/sql-port.js"
import { sqliteLedgerPort } from "../../src/ledger/sqlite-port.node.js"
import type { LimitChoice, Page, TopOptions } from "../../src/limiter/named-limits.js"
import { parsePolicy } from "../../src/policy/parse-policy.js"
import { removeFolders, temporaryFolder } from "./temporary-folder.js"

afterAll(removeFolders)

/** A ledger with a limit of so many keys that who goes through them lets others have their turn before the last. */
async function openLarge() {
  const inner = sqliteLedgerPort(new DatabaseSync(":memory:"))
  /** What goes on only when it is told to. */
  let held: (() => void)[] | null = null
  const port: LedgerPort = { ...inner, defer: (work) => (held === null ? inner.defer(work) : void held.push(work)) }
  /** What `tell` tells, up to the others' turn, and what lets it go on. */
  const begin = <T>(tell: () => Promise<T>) => {
    held = []
    const told = tell()
    const turns = held
    held = null
    expect(turns.length).toBe(1)
    return { told, goOn: () => turns[0]!() }
  }
  const beginTop = (options: TopOptions) => {
    const { told, goOn } = begin(() => topOf(ledger, options))
    return { top: told, goOn }
  }
  const beginList = (choice: LimitChoice & Page) => begin(() => listOf(ledger, choice))
  const ledger = await Ledger.open(port, { core: new Core(), names: true, partBytes: 2_000 })
  const limit = ledger.define("l", parsePolicy("5/minute"), 0)
  for (let key = 0; key < 5_100; key++) ledger.check(limit, `key ${key}`, 1, 0)
  const other = ledger.define("other", parsePolicy("5/minute"), 0)
  for (let key = 0; key < 3_000; key++) ledger.check(other, `key ${key}`, 1, 0)
  await ledger.commit()
  return { ledger, limit, other, beginTop, beginList }
}

test("topOf() tells what it found of a limit that is removed while others have their turn, also during a compaction", async () => {
  const { ledger, limit, beginTop } = await openLarge()
  const { top, goOn } = beginTop({ by: "allowed", count: 10_000 })
  ledger.remove(limit, 0)
  let isCompacting = true
  const compaction = ledger.compact().finally(() => {
    isCompacting = false
  })
  for (let turns = 0; turns < 6; turns++) await new Promise(setImmediate)
  goOn()
  const found = await top
  expect(isCompacting).toBe(true)
  expect(found.filter(({ limit }) => limit === "l").length).toBe(4_999)
  expect(found.filter(({ limit }) => limit === "other").length).toBe(3_000)
  await compaction
  await ledger.close()
})

test("topOf() of a ledger that is closed while others have their turn says so, and tells no part of it", async () => {
  const { ledger, beginTop } = await openLarge()
  const { top, goOn } = beginTop({ by: "allowed" })
  await ledger.close()
  goOn()
  expect(await top.catch((error: unknown) => error)).toMatchObject({
    name: "StoreUnavailable",
    message: "Cannot reach the store: the ledger is closed.",
  })
})

describe("listOf() lets others have their turn", () => {
  /** The names from one on, in their order. */
  const namesFrom = (first: string) =>
    Array.from({ length: 5_100 }, (_, key) => `key ${key}`)
      .sort()
      .filter((name) => name >= first)

  test("and tells each key of a page once, under whatever limits it was decided about", async () => {
    const { ledger, beginList } = await openLarge()
    const { told, goOn } = beginList({ after: "key 25", count: 300 })
    goOn()
    expect(await told).toEqual(namesFrom("key 250").slice(0, 300))
    await ledger.close()
  })

  test("and misses none that stays where others come and go, also by a compaction", async () => {
    const { ledger, limit, other, beginList } = await openLarge()
    const { told, goOn } = beginList({ after: "key 4" })
    ledger.remove(other, 0)
    for (let key = 0; key < 10; key++) ledger.check(limit, `later ${key}`, 1, 0)
    await ledger.compact()
    goOn()
    expect((await told).filter((name) => name.startsWith("key"))).toEqual(namesFrom("key 40"))
    await ledger.close()
  })

  test("and does not go on to those that come meanwhile, who may come without an end", async () => {
    const { ledger, limit, beginList } = await openLarge()
    const nextTurn = vi.spyOn(ledger, "nextTurn")
    const { told, goOn } = beginList({ limit: "l", count: 10 })
    for (let key = 0; key < 10_000; key++) ledger.check(limit, `later ${key}`, 1, 0)
    goOn()
    expect((await told).length).toBe(10)
    expect(nextTurn).toHaveBeenCalledTimes(1)
    await ledger.close()
  })

  test("and where the ledger is closed meanwhile says so, and tells no part", async () => {
    const { ledger, beginList } = await openLarge()
    const { told, goOn } = beginList({ count: 2 })
    await ledger.close()
    goOn()
    await expect(told).rejects.toThrow("Cannot reach the store: the ledger is closed.")
  })
})

test("a limiter's list() of many keys lets others have their turn", async () => {
  await using limiter = await openLimiter({ path: temporaryFolder(), policy: "9/day", sync: "batch" })
  const checks = Array.from({ length: 5_100 }, (_, key) => limiter.check(`key ${key}`))
  await Promise.all(checks)
  let isHeard = false
  setImmediate(() => {
    isHeard = true
  })
  expect(await limiter.list({ count: 2 })).toEqual(["key 0", "key 1"])
  expect(isHeard).toBe(true)
})
