import { inParallel } from "../limiter/in-parallel.js"
import type { LimitGauge, Metrics } from "../metrics/metrics.js"
import { isNamed } from "./answers.js"
import type { ApiContext } from "./api-context.js"

/** More limits than this are not told one by one: each is a time series. */
const MOST_LIMITS = 1_000
const MOST_CALLS = 8

/** The configured limits as `/metrics` tells them: of keys' own limits those whose key is told. */
export async function limitGauges(
  { limits, clock }: Pick<ApiContext, "limits" | "clock">,
  metrics: Metrics,
): Promise<readonly LimitGauge[]> {
  const configured = await limits.limits({ count: MOST_LIMITS })
  const told = configured.filter((limit) => isNamed(limit) || metrics.tellsKey(limit.name))
  return inParallel(told, MOST_CALLS, async (limit) => {
    const [rule] = limit.policy.rules
    // Only a key's own limit has one state; asking for that of a shared one would tell of nobody.
    const state = isNamed(limit) ? null : await limits.status(limit.name)
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
