import { describe, expect, test } from "vitest"
import { Core } from "../../src/engine/core.js"
import type { StandaloneLimit } from "../../src/engine/standalone-limit.js"
import { START_MS } from "../start-ms.js"
import { makeLimit, makeStandaloneLimit } from "./make-limit.js"
import { Random, SEED } from "./random.js"

/** Runs what may fail, and tells how it ended. */
function outcomeOf(work: () => unknown): string {
  try {
    return JSON.stringify(work()) ?? "nothing"
  } catch (error) {
    return String(error)
  }
}

describe("a key that comes again", () => {
  test(`is decided as in a core that never saw it before, whatever comes between (SLUICE_ENGINE_SEED=${SEED})`, () => {
    const random = new Random(SEED)
    const shared = new Core()
    const policies = ["7/second burst 3", "50/minute sliding_window_log", "4/2s fixed_window"]
    const subjects = policies.map((policy) => makeStandaloneLimit(policy, {}, shared))
    // Each of these has a core of its own, and a key between every two checks: nothing comes again.
    const models = policies.map((policy) => makeStandaloneLimit(policy))
    const forget = (limit: StandaloneLimit) => limit.peek("between", 0, START_MS)
    let nowMs = START_MS
    for (let i = 0; i < 60_000; i++) {
      if (random.below(4) === 0) nowMs += random.below(200)
      const which = random.below(10) === 0 ? random.below(3) : 0
      // The same key for a while, so that it does come again.
      const key = random.pick(["a", "a", "a", "a", "a", "a", "b", "ü", "", "\ud800", "x".repeat(513)])
      const cost = random.pick([1, 1, 1, 1, 0, 2, -1, 0.5, 1_000])
      const roll = random.below(100)
      const act = (limit: StandaloneLimit) => {
        if (roll < 80) return limit.check(key, cost, nowMs)
        if (roll < 84) return limit.peek(key, cost, nowMs)
        if (roll < 87) return limit.reset(key, nowMs)
        if (roll < 89) return limit.sweep(nowMs, 1_000)
        if (roll < 91) return limit.block(key, nowMs + 100, nowMs)
        if (roll < 95) return limit.checkMany([key, "c", key], undefined, nowMs).remaining
        if (roll < 97) return limit.refund(key, cost, nowMs, nowMs)
        if (roll < 98) return limit.check(`many ${i % 3_000}`, 1, nowMs)
        return limit.allow(key, cost, nowMs)
      }
      const expected = outcomeOf(() => act(models[which]!))
      forget(models[which]!)
      const actual = outcomeOf(() => act(subjects[which]!))
      if (actual !== expected) expect(`call ${i}: ${actual}`).toBe(`call ${i}: ${expected}`)
    }
  })

  test("is looked for anew by a limit that was made where another one was freed", () => {
    const core = new Core()
    for (let i = 0; i < 5; i++) {
      const limit = makeLimit("2/minute", { seed: [i, 2, 3, 4] }, core)
      for (let check = 0; check < 20; check++) {
        expect(limit.check("a", 1, START_MS).allowed).toBe(check < 2)
      }
      limit.free()
    }
  })

  test("is looked for anew after its limit's policy changed", () => {
    const limit = makeLimit("5/minute", {}, new Core())
    for (let check = 0; check < 4; check++) limit.check("a", 1, START_MS)
    limit.change(makeLimit("6/minute").policy, START_MS)
    expect(limit.check("a", 1, START_MS).remaining).toBe(1)
    expect(limit.check("a", 1, START_MS).remaining).toBe(0)
    expect(limit.check("a", 1, START_MS).allowed).toBe(false)
  })
})
