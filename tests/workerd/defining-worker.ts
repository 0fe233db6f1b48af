import { type LimitsToAsk, namedLimiters, rateLimit } from "../../src/http/index.js"
import { MemoryLimits } from "../../src/limiter/memory-limits.js"
import type { PolicyInput } from "../../src/policy/policy.js"

export { LimiterObject } from "../../worker/sluice-worker.js"

/** The first definition of a limit takes longer than any test. */
const HANGING_MS = 600_000

/** Limits elsewhere, of which the first definition goes with the request that makes it. */
class HangingLimits extends MemoryLimits {
  definitions = 0

  async defineLate(name: string, policy: PolicyInput) {
    this.definitions += 1
    if (this.definitions === 1) await new Promise((resolve) => setTimeout(resolve, HANGING_MS))
    return this.define(name, policy)
  }
}

function askedLimits(redefine: boolean) {
  const limits = new HangingLimits()
  const asked: LimitsToAsk = {
    define: (name, policy) => limits.defineLate(name, policy),
    check: (key, options) => limits.check(key, options),
    checkAll: (items) => limits.checkAll(items),
    refund: (receipt, units) => limits.refund(receipt, units),
    charge: (key, units, options) => limits.charge(key, units, options),
  }
  const limiter = namedLimiters(asked, { redefine })
  const answer = () => Response.json("answered")
  return {
    limits,
    limited: rateLimit(answer, { policy: "100/minute as api", key: () => "k", limiter, failMode: "closed" }),
  }
}

/** By when a limit is defined: when it is first seen, or when it is missed. */
const kinds = { define: askedLimits(true), miss: askedLimits(false) }

/**
 * The Worker whose requests are cancelled while they define a limit, at `/ask/<kind>`; `/definitions/<kind>` counts
 * them.
 */
export default {
  async fetch(request) {
    const [, verb, kind] = new URL(request.url).pathname.split("/") as [string, string, keyof typeof kinds]
    const { limits, limited } = kinds[kind]
    return verb === "ask" ? limited(request) : Response.json(limits.definitions)
  },
} satisfies ExportedHandler
