import { inParallel } from "../lib/in-parallel.js"
import { DEFAULT_LIMIT, type NamedLimit, type NamedLimits } from "../limiter/named-limits.js"
import type { LimitGauge, Metrics } from "../metrics/metrics.js"
import { LimitNotFound } from "../types/errors.js"
import type { Awaitable, KeyStatus } from "../types/limiter.js"
import { bindingRule } from "./answers.js"
import type { ApiContext } from "./api-context.js"
import { isTold } from "./told-limit.js"

/**
 * More limits than this are not looked through for those that are told; a configuration's are found by their names, and
 * so is the default one.
 */
const MAX_LISTED = 10_000
/** Whoever tells fewer limits at a time than it is asked for tells at least as many as this. */
const FULL_PAGE = 1_000
/** More keys' own limits than this are not told: each is a time series. */
const MAX_OWN = 1_000
const MAX_CALLS = 8

/** The limits as `/metrics` tells them: those whose name may be a key only where that key is told. */
export async function limitGauges(
  { limits, clock, givenNames }: Pick<ApiContext, "limits" | "clock" | "givenNames">,
  metrics: Metrics,
): Promise<readonly LimitGauge[]> {
  const found = await listed(limits)
  const known = new Set(found.map(({ name }) => name))
  // Where not all limits were listed, these may come after: each is asked for, which the others are not worth.
  const beyond = found.length < MAX_LISTED ? [] : [DEFAULT_LIMIT, ...givenNames].filter((name) => !known.has(name))
  const given = await inParallel(beyond, MAX_CALLS, async (name) => (await limits.limit(name)) ?? [])
  const shared = [...given.flat(), ...found.filter((limit) => isTold(limit, givenNames))]
  const own = found.filter((limit) => !isTold(limit, givenNames) && metrics.tellsKey(limit.name)).slice(0, MAX_OWN)
  // Only a key's own limit has one state; asking for that of a shared one would tell of nobody.
  const gaugesOfOwn = await inParallel(own, MAX_CALLS, async (limit) => {
    const state = await unlessRemoved(() => limits.status(limit.name))
    return state === undefined ? [] : [gauge(limit, state, clock.now())]
  })
  return [...shared.map((limit) => gauge(limit, null, clock.now())), ...gaugesOfOwn.flat()]
}

/** The first limits in the order of their names. */
async function listed(limits: NamedLimits): Promise<readonly NamedLimit[]> {
  const found: NamedLimit[] = []
  for (;;) {
    const last = found.at(-1)
    const page = { count: MAX_LISTED - found.length, ...(last !== undefined && { after: last.name }) }
    const next = await limits.limits(page)
    found.push(...next)
    if (next.length < FULL_PAGE || found.length >= MAX_LISTED) return found
  }
}

function gauge({ name, policy }: NamedLimit, state: KeyStatus | null, nowMs: number): LimitGauge {
  // What is left is of one rule, and says nothing beside the rate of another.
  const rule = state === null ? policy.rules[0] : bindingRule(state)
  return {
    limit: name,
    isKey: state !== null,
    // A label, and one that changed with what was used would begin another time series each time.
    algorithm: policy.rules[0].algorithm,
    rate: rule.limit,
    perMillis: rule.periodMs,
    remaining: state?.remaining ?? 0,
    resetAtMs: nowMs + (state?.resetAfterMs ?? 0),
  }
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
