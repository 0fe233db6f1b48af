import { DatabaseSync } from "node:sqlite"
import { describe, expect, test } from "vitest"
import { Ledger } from "../../src/ledger/ledger.js"
import type { LedgerOptions } from "../../src/ledger/ledger-options.js"
import { sqliteLedgerPort } from "../../src/ledger/sqlite-port.node.js"
import type { SyncMode } from "../../src/ledger/sync-mode.js"
import { parsePolicy } from "../../src/policy/parse-policy.js"
import { Random } from "../../src/simulate/random.js"
import { START_MS } from "./ledger-case.js"
import { PowerLossPort } from "./power-loss-port.js"
import { core } from "./script-run.js"
import { turn } from "./watched-port.js"

const LIVES = 50
const STEPS = 300
const KEYS = ["a", "b", "c", "a key that is somewhat longer"]
const CAPACITY = 10_000
const FLUSH_EVERY_RECORDS = 20

interface Life {
  /** Units of each key that a caller was told of, and that were decided. */
  readonly told: Map<string, number>
  readonly decided: Map<string, number>
  /** Units of each key that are used when the power is back. */
  readonly used: Map<string, number>
  readonly compactions: number
  readonly beside: number
}

const makePort = () => sqliteLedgerPort(new DatabaseSync(":memory:"))
const add = (units: Map<string, number>, key: string, more: number) => units.set(key, (units.get(key) ?? 0) + more)
const sum = (units: Map<string, number>) => [...units.values()].reduce((all, each) => all + each, 0)

/** Asks and compacts until the power goes, and opens what is left. */
async function live(seed: number, sync: SyncMode): Promise<Life> {
  const random = new Random(seed)
  const port = new PowerLossPort(makePort(), makePort(), random)
  const options: LedgerOptions = {
    core,
    sync,
    compactBytes: 2_000,
    partBytes: 300,
    flushEveryRecords: FLUSH_EVERY_RECORDS,
  }
  const ledger = await Ledger.open(port, options)
  const limit = ledger.define("l", parsePolicy(`${CAPACITY}/day`), START_MS)
  await ledger.commit()
  const [told, decided, used] = [new Map<string, number>(), new Map<string, number>(), new Map<string, number>()]
  let isOn = true
  let compactions = 0
  let failure: unknown = null
  const noteFailure = (error: unknown) => {
    if (isOn) failure = error
  }
  for (let step = random.below(STEPS); step >= 0; step--) {
    const roll = random.below(100)
    if (roll < 70) {
      const key = KEYS[random.below(KEYS.length)]!
      const cost = sync === "batch" ? 1 : 1 + random.below(5)
      const { needsCommit } = ledger.check(limit, key, cost, START_MS)
      add(decided, key, cost)
      if (!needsCommit) add(told, key, cost)
      else void ledger.commit().then(() => isOn && add(told, key, cost), noteFailure)
    } else if (roll < 74) void ledger.commit()
    else if (roll < 77) {
      const compacted = () => {
        compactions += 1
      }
      void ledger.compact().then(compacted, noteFailure)
    } else await turn()
  }
  isOn = false
  expect(failure, `seed ${seed}`).toBe(null)
  const disk = port.lose()
  ledger.abandon()
  const again = await Ledger.open(disk, options)
  for (const key of KEYS) used.set(key, CAPACITY - again.limit("l")!.openKeys().peek(key, 0, START_MS).remaining)
  expect((await again.verify()).replayEqualsLive, `seed ${seed}`).toBe(true)
  await again.close()
  return { told, decided, used, compactions, beside: port.beside }
}

async function lives(sync: SyncMode, holds: (life: Life, seed: number) => void): Promise<void> {
  const firstSeed = Math.floor(Math.random() * 2 ** 31)
  let compactions = 0
  let beside = 0
  for (let seed = firstSeed; seed < firstSeed + LIVES; seed++) {
    const life = await live(seed, sync)
    holds(life, seed)
    compactions += life.compactions
    beside += life.beside
  }
  // Else nothing was shown.
  expect(compactions).toBeGreaterThan(LIVES / 2)
  expect(beside).toBeGreaterThan(LIVES)
}

describe("a ledger whose commits become durable beside the thread, when the power goes", () => {
  test("sync always: has charged for all that was told, and for no more than was decided", async () => {
    await lives("always", ({ told, decided, used }, seed) => {
      for (const key of KEYS) {
        expect(used.get(key), `seed ${seed}, ${key}`).toBeGreaterThanOrEqual(told.get(key) ?? 0)
        expect(used.get(key), `seed ${seed}, ${key}`).toBeLessThanOrEqual(decided.get(key) ?? 0)
      }
    })
  })

  test("sync ahead: has charged for all that was told, as what was granted counts as used", async () => {
    await lives("ahead", ({ told, used }, seed) => {
      for (const key of KEYS) expect(used.get(key), `seed ${seed}, ${key}`).toBeGreaterThanOrEqual(told.get(key) ?? 0)
    })
  })

  test("sync batch: has lost no more records than it may", async () => {
    await lives("batch", ({ told, used }, seed) => {
      expect(sum(told) - sum(used), `seed ${seed}`).toBeLessThanOrEqual(FLUSH_EVERY_RECORDS)
    })
  })
})
