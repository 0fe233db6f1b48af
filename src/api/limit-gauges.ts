import { inParallel } from "../limiter/in-parallel.js"
import type { LimitGauge, Metrics } from "../metrics/metrics.js"
import { LimitNotFound } from "../types/errors.js"
import type { Awaitable } from "../types/limiter.js"
import { bindingRule } from "./answers.js"
import type { ApiContext } from "./api-context.js"
import { isTold } from "./told-limit.js"

/** More limits than this are not told one by one: each is a time series. */
const MOST_LIMITS = 1_000
const MOST_CALLS = 8

/** The configured limits as `/metrics` tells them: those whose name may be a key only where that key is told. */
export async function limitGauges(
  { limits, clock, givenNames }: Pick<ApiContext, "limits" | "clock" | "givenNames">,
  metrics: Metrics,
): Promise<readonly LimitGauge[]> {
  const configured = await limits.limits({ count: MOST_LIMITS })
  const told = configured.filter((limit) => isTold(limit, givenNames) || metrics.tellsKey(limit.name))
  const gauges = await inParallel(told, MOST_CALLS, async (limit) => {
    // Only a key's own limit has one state; asking for that of a shared one would tell of nobody.
    const state = isTold(limit, givenNames) ? null : await unlessRemoved(() => limits.status(limit.name))
    if (state === undefined) return []
    // What is left is of one rule, and says nothing beside the rate of another.
    const rule = state === null ? limit.policy.rules[0] : bindingRule(state)
    return {
      limit: limit.name,
      isKey: state !== null,
      algorithm: rule.algorithm,
      rate: rule.limit,
      perMillis: rule.periodMs,
      remaining: state?.remaining ?? 0,
      resetAtMs: clock.now() + (state?.resetAfterMs ?? 0),
    }
  })
  return gauges.flat()
}

/** What a limit says; `undefined` where it was removed since it was listed. */
async function unlessRemoved<T>(ask: () => Awaitable<T>): Promise<T | undefined> {
  try {
    return await ask()
  } catch (error) {
    if (error instanceof LimitNotFound) return undefined
    throw error
  }
}
