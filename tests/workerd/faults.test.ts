import { env } from "cloudflare:workers"
import { describe, expect, test } from "vitest"
import { StoreUnavailable } from "../../src/types/errors.js"
import { EdgeLimiter } from "../../worker/sluice-worker.js"
import { errorOf } from "./error-of.js"
import { type Fault, faultyBinding } from "./faulty-binding.js"
import { freshName } from "./objects.js"

/** A limiter whose calls fail as listed, in their order; then none does. */
function faulty(policy: string, faults: readonly Fault[]) {
  const name = freshName()
  const network = faultyBinding(env.LIMITER, (_verb, call) => faults[call - 1] ?? "none")
  const options = { name, denialCache: false } as const
  return {
    network,
    limiter: new EdgeLimiter(network.binding, policy, { ...options, timeoutMs: 2_000 }),
    sound: new EdgeLimiter(env.LIMITER, policy, options),
  }
}

describe("EdgeLimiter, where calls fail", () => {
  test.each(["lost-call", "lost-answer", "duplicate", "late", "evicted"] as const)(
    "a check with an id charges once: %s",
    async (fault) => {
      const { network, limiter, sound } = faulty("10/day", [fault])
      const decision = await limiter.check("a", { cost: 3, id: "call" })
      expect(decision).toMatchObject({ allowed: true, cost: 3 })
      await network.settled()
      expect(await sound.status("a")).toMatchObject({ remaining: 7 })
      const again = await limiter.check("a", { cost: 3, id: "call" })
      expect(again).toMatchObject({ allowed: true, remaining: 7, receipt: decision.receipt })
      expect(network.calls).toBeLessThanOrEqual(3)
    },
  )

  test.each(["lost-call", "lost-answer", "duplicate", "late", "evicted"] as const)(
    "a refund gives back once: %s",
    async (fault) => {
      const { network, limiter, sound } = faulty("10/day", ["none", fault])
      const { receipt } = await limiter.check("a", { cost: 6 })
      await limiter.refund(receipt!, 4)
      await network.settled()
      expect(await sound.status("a")).toMatchObject({ remaining: 8 })
      await limiter.settle(receipt!, 10)
      expect(await sound.status("a")).toMatchObject({ remaining: 8 })
    },
  )

  test("a check without an id is asked once, and what a lost answer charged stands", async () => {
    const { network, limiter, sound } = faulty("10/day", ["lost-answer"])
    expect(await errorOf(limiter.check("a"))).toBeInstanceOf(StoreUnavailable)
    expect(network.calls).toBe(1)
    expect(await sound.status("a")).toMatchObject({ remaining: 9 })
  })

  test("a call is repeated once at most, and never to an object that is overloaded", async () => {
    const cut = faulty(
      "10/day",
      Array.from({ length: 50 }, () => "lost-call" as const),
    )
    expect(await errorOf(cut.limiter.check("a", { id: "call" }))).toBeInstanceOf(StoreUnavailable)
    expect(cut.network.calls).toBe(2)
    const busy = faulty("10/day", ["overloaded"])
    expect(await errorOf(busy.limiter.check("a", { id: "call" }))).toBeInstanceOf(StoreUnavailable)
    expect(busy.network.calls).toBe(1)
    expect(await busy.limiter.check("a", { id: "call" })).toMatchObject({ allowed: true, remaining: 9 })
  })

  test("an object that hangs is StoreUnavailable after timeoutMs", async () => {
    const name = freshName()
    const { binding } = faultyBinding(env.LIMITER, (_verb, call) => (call === 1 ? "hanging" : "none"))
    const limiter = new EdgeLimiter(binding, "10/day", { name, timeoutMs: 20 })
    expect(await errorOf(limiter.check("a"))).toBeInstanceOf(StoreUnavailable)
  })

  test("an error of the input is told as it is, and not repeated", async () => {
    const { network, limiter } = faulty("10/day", [])
    const receipt = { id: "none of ours", key: "a", policy: "default", cost: 1, chargedAtMs: 0 }
    expect(await errorOf(limiter.refund(receipt))).toBeInstanceOf(RangeError)
    expect(network.calls).toBe(1)
  })
})
