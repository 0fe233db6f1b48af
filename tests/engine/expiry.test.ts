import { describe, expect, test } from "vitest"
import type { PolicyInput } from "../../src/policy/policy.js"
import { START_MS } from "../start-ms.js"
import { makeLimit } from "./make-limit.js"
import { Random, SEED } from "./random.js"

const KEYS = 400

const POLICIES: Readonly<Record<string, PolicyInput>> = {
  gcra: "7/second burst 3",
  token_bucket: "50/minute token_bucket burst 20",
  "token_bucket with steps": {
    limit: 6,
    period: "3s",
    algorithm: "token_bucket",
    burst: 5,
    refill: { amount: 2, every: "1s" },
  },
  leaky_bucket: "3/second leaky_bucket burst 9",
  fixed_window: "4/2s fixed_window",
  "fixed_window from the first charge": { limit: 4, period: "2s", algorithm: "fixed_window", anchor: "first" },
  sliding_window: "5/second sliding_window",
  sliding_window_log: "6/second sliding_window_log",
  "several rules with a block": [
    { limit: 3, period: "1s", block: "700ms" },
    { limit: 9, period: "10s", algorithm: "sliding_window_log" },
    { limit: 6, period: "4s", algorithm: "sliding_window" },
  ],
}

describe("expiry", () => {
  test.each(Object.entries(POLICIES))(
    `never changes a decision while the clock moves on: %s (SLUICE_ENGINE_SEED=${SEED})`,
    (_, policy) => {
      const random = new Random(SEED)
      const swept = makeLimit(policy, { stats: true })
      const kept = makeLimit(policy, { stats: true })
      const receipts: { readonly key: string; readonly cost: number; readonly chargedAtMs: number }[] = []
      let nowMs = START_MS
      let removed = 0
      for (let i = 0; i < 15_000; i++) {
        if (random.below(3) === 0) nowMs += random.below(random.below(20) === 0 ? 6_000 : 60)
        const key = `key ${random.below(KEYS)}`
        const roll = random.below(100)
        if (roll < 70) {
          const cost = random.below(4)
          if (cost > 3) continue
          const decision = swept.check(key, cost, nowMs)
          same(decision, kept.check(key, cost, nowMs), i)
          if (decision.allowed && cost > 0) receipts.push({ key, cost, chargedAtMs: nowMs })
        } else if (roll < 80) {
          same(swept.status(key, nowMs), kept.status(key, nowMs), i)
        } else if (roll < 85) {
          const receipt = receipts.splice(random.below(receipts.length), 1)[0]
          if (receipt === undefined) continue
          swept.refund(receipt.key, receipt.cost, receipt.chargedAtMs, nowMs)
          kept.refund(receipt.key, receipt.cost, receipt.chargedAtMs, nowMs)
        } else if (roll < 88) {
          swept.charge(key, 5, nowMs)
          kept.charge(key, 5, nowMs)
        } else if (roll < 89) {
          swept.block(key, nowMs + random.below(3_000), nowMs)
          kept.block(key, swept.blockedUntilMs(key), nowMs)
        } else {
          removed += swept.sweep(nowMs, random.below(300))
        }
      }
      expect(removed).toBeGreaterThan(300)
      for (let key = 0; key < KEYS; key++) {
        expect(swept.stats(`key ${key}`)).toEqual(kept.stats(`key ${key}`))
      }
    },
  )
})

/** Compares what two limits say, faster than a matcher would. */
function same(actual: object, expected: object, i: number): void {
  const said = JSON.stringify(actual)
  if (said === JSON.stringify(expected)) return
  expect({ call: i, ...actual }).toEqual({ call: i, ...expected })
}
