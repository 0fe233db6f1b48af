import { describe, expect, test } from "vitest"
import type { Limit } from "../../src/engine/limit.js"
import { START_MS } from "../start-ms.js"
import { makeLimit } from "./make-limit.js"
import { Random, SEED } from "./random.js"

const LIMIT = 4
const WINDOW_MS = 1_000
const POLICY = { limit: LIMIT, period: WINDOW_MS, algorithm: "fixed_window", anchor: "first" } as const

interface Entry {
  readonly startMs: number
  count: number
}

/** What the table holds, as a `Map`: keys with a window that is open. */
class Model {
  readonly entries = new Map<number, Entry>()

  open(key: number, nowMs: number): Entry | undefined {
    const entry = this.entries.get(key)
    return entry !== undefined && nowMs - entry.startMs < WINDOW_MS ? entry : undefined
  }

  /** How many keys have an open window; forgets the others. */
  live(nowMs: number): number {
    for (const [key, { startMs }] of this.entries) if (nowMs - startMs >= WINDOW_MS) this.entries.delete(key)
    return this.entries.size
  }
}

/** A phase of a table's life: how many keys there are, and how often each thing happens, in percent. */
interface Phase {
  readonly name: string
  readonly keys: number
  readonly operations: number
  readonly removes: number
  readonly peeks: number
  readonly sweeps: number
  /** Time passes by 1 ms at every so many operations. */
  readonly operationsPerMs: number
}

const PHASES: readonly Phase[] = [
  { name: "a few keys", keys: 20, operations: 100_000, removes: 20, peeks: 10, sweeps: 5, operationsPerMs: 1 },
  { name: "growth", keys: 200_000, operations: 400_000, removes: 0, peeks: 20, sweeps: 0, operationsPerMs: 1_000_000 },
  {
    name: "much removed",
    keys: 200_000,
    operations: 500_000,
    removes: 60,
    peeks: 10,
    sweeps: 0,
    operationsPerMs: 1_000,
  },
  { name: "expiry", keys: 30_000, operations: 500_000, removes: 5, peeks: 10, sweeps: 2, operationsPerMs: 20 },
  {
    name: "new keys all the time",
    keys: 2 ** 31,
    operations: 500_000,
    removes: 1,
    peeks: 5,
    sweeps: 1,
    operationsPerMs: 10,
  },
]

describe("the table of a limit", () => {
  test(`equals a Map over 2 million random calls (SLUICE_ENGINE_SEED=${SEED})`, { timeout: 60_000 }, () => {
    const random = new Random(SEED)
    const limit = makeLimit(POLICY)
    const model = new Model()
    let nowMs = START_MS
    for (const phase of PHASES) {
      for (let i = 0; i < phase.operations; i++) {
        if (i % phase.operationsPerMs === 0) nowMs++
        operate(limit, model, phase, random, nowMs, i)
      }
      // Keys that nothing is used of may be held until they are swept, but no other.
      expect(limit.size, phase.name).toBeGreaterThanOrEqual(model.live(nowMs))
      // A sweep goes on from where the last one stopped, up to the table's end: two see everything.
      limit.sweep(nowMs, 2 ** 31)
      limit.sweep(nowMs, 2 ** 31)
      expect(limit.size, phase.name).toBe(model.live(nowMs))
      for (const [key, { count, startMs }] of model.entries) {
        const { remaining, resetAfterMs } = limit.peek(keyOf(key), 0, nowMs)
        if (remaining === LIMIT - count && resetAfterMs === startMs + WINDOW_MS - nowMs) continue
        throw new Error(`After ${phase.name}, ${remaining} remain of key ${key}, the model says ${LIMIT - count}.`)
      }
    }
  })

  test("visits every key once when it is saved, whatever its size", () => {
    const limit = makeLimit("10/hour")
    for (let size = 1; size <= 3_000; size++) {
      limit.check(`key ${size}`, 1, START_MS)
      if (size % 97 !== 0 && size > 40) continue
      const hashes = limit.save(0, START_MS).map((cell) => cell.slice(0, 8).join())
      expect(new Set(hashes).size).toBe(size)
      expect(hashes.length).toBe(size)
    }
  })
})

function keyOf(key: number): string {
  return `user:${key}`
}

function operate(limit: Limit, model: Model, phase: Phase, random: Random, nowMs: number, i: number): void {
  const key = random.below(phase.keys)
  const entry = model.open(key, nowMs)
  const used = entry?.count ?? 0
  const roll = random.below(100)
  const same = (actual: unknown, expected: unknown, what: string) => {
    if (actual === expected) return
    throw new Error(
      `${what} key ${key} is ${String(actual)}, the model says ${String(expected)} (${phase.name}, ${i}).`,
    )
  }
  if (roll < phase.removes) {
    same(limit.reset(keyOf(key), nowMs), entry !== undefined, "reset() of")
    model.entries.delete(key)
  } else if (roll < phase.removes + phase.peeks) {
    const { allowed, remaining } = limit.peek(keyOf(key), 1, nowMs)
    same(remaining, LIMIT - used, "remaining of")
    same(allowed, used < LIMIT, "peek() of")
  } else if (roll < phase.removes + phase.peeks + phase.sweeps) {
    limit.sweep(nowMs, random.below(2_000))
  } else {
    const cost = 1 + random.below(2)
    same(limit.allow(keyOf(key), cost, nowMs), used + cost <= LIMIT, "allow() of")
    if (used + cost > LIMIT) return
    if (entry === undefined) model.entries.set(key, { startMs: nowMs, count: cost })
    else entry.count += cost
  }
}
