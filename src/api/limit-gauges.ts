import { inParallel } from "../limiter/in-parallel.js"
import type { LimitGauge, Metrics } from "../metrics/metrics.js"
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
  return inParallel(told, MOST_CALLS, async (limit) => {
    const [rule] = limit.policy.rules
    // Only a key's own limit has one state; asking for that of a shared one would tell of nobody.
    const state = isTold(limit, givenNames) ? null : await limits.status(limit.name)
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
}
