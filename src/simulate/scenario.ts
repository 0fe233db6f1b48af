import { maximumCost } from "../policy/maximum-cost.js"
import { type DurationRange, parseDurationArgument } from "../policy/parse-duration.js"
import { parsePolicy } from "../policy/parse-policy.js"
import type { Duration, Policy, PolicyInput } from "../policy/policy.js"
import { MAX_UNITS } from "../policy/policy-range.js"
import { unfit } from "../policy/require-fields.js"
import { NO_LEASE, tellsDelay } from "../policy/tells-delay.js"
import { show } from "../types/errors.js"

/** Where requests come in. */
export interface Location {
  /** Isolates that serve it. */
  readonly isolates: number
  /** To a key's object, one way, ms. */
  readonly latencyMs: number
  /** Requests per second, over all of its isolates. */
  readonly requestsPerSecond: number
}

/** What `simulate` plays. All but `policy` and `locations` have defaults. */
export interface ScenarioInput {
  readonly policy: PolicyInput
  readonly locations: readonly Location[]
  /** How long requests come in; default `"10s"`. */
  readonly duration?: Duration
  /** How many keys they are about; default 1. */
  readonly keys?: number
  /** How unevenly: the n-th key is asked about 1 / n^skew as often as the first; default 0. */
  readonly skew?: number
  /** Units per key of a request; default 1. */
  readonly cost?: number
  /** How many keys a request needs together (`checkAll`); default 1. */
  readonly keysPerRequest?: number
  /** `"steady"` (default), or `"bursts"`: all requests of each second within its first tenth. */
  readonly traffic?: "steady" | "bursts"
  /** How long an object works on a call, ms; default 1. */
  readonly serviceMs?: number
  /** How long a commit takes, ms; default 2. Admissions that wait together share one. */
  readonly commitMs?: number
  /** `false` asks for every denial; default `true`. */
  readonly denialCache?: boolean
  /** Units drawn ahead at most, and how long they may be spent. Default: none. */
  readonly lease?: { readonly units: number; readonly ttl: Duration; readonly auto?: boolean }
  /** Keys into so many objects; default one object for each key. */
  readonly shards?: number
  /** The same seed plays the same; default 1. */
  readonly seed?: number
}

/** A scenario that can be played. */
export interface Scenario {
  readonly policy: Policy
  readonly locations: readonly Location[]
  readonly durationMs: number
  readonly keys: number
  readonly skew: number
  readonly cost: number
  readonly keysPerRequest: number
  readonly traffic: "steady" | "bursts"
  readonly serviceMs: number
  readonly commitMs: number
  readonly denialCache: boolean
  readonly lease: { readonly units: number; readonly ttlMs: number; readonly ifBusy: boolean } | null
  readonly shards: number | null
  readonly seed: number
}

const DURATION_RANGE: DurationRange = { minMs: 1, maxMs: 86_400_000 }
const TTL_RANGE: DurationRange = { minMs: 1, maxMs: 20_000 }
const MAX_REQUESTS = 50_000_000
const MAX_ISOLATES = 100_000
export const MAX_LOCATIONS = 1_000

/** @throws {PolicyError} {RangeError} naming the field, its value and what is allowed */
export function readScenario(input: ScenarioInput): Scenario {
  const { locations, keys = 1, skew = 0, cost = 1, keysPerRequest = 1, traffic = "steady", shards, lease } = input
  const { serviceMs = 1, commitMs = 2, denialCache = true, seed = 1, duration = "10s" } = input
  const policy = parsePolicy(input.policy)
  const durationMs = parseDurationArgument("simulate", "duration", duration, DURATION_RANGE)
  requireRange("locations.length", locations.length, { min: 1, max: MAX_LOCATIONS, isWhole: true })
  for (const [index, { isolates, latencyMs, requestsPerSecond }] of locations.entries()) {
    requireRange(`locations[${index}].isolates`, isolates, { min: 1, max: MAX_ISOLATES, isWhole: true })
    requireRange(`locations[${index}].latencyMs`, latencyMs, { min: 0, max: 60_000, isWhole: false })
    requireRange(`locations[${index}].requestsPerSecond`, requestsPerSecond, { min: 0, max: 1e8, isWhole: false })
  }
  const isolatesInAll = locations.reduce((sum, { isolates }) => sum + isolates, 0)
  requireRange("isolates in all", isolatesInAll, { min: 1, max: MAX_ISOLATES, isWhole: true })
  const requests = locations.reduce((sum, each) => sum + each.requestsPerSecond * (durationMs / 1_000), 0)
  requireRange("requests in all", requests, { min: 0, max: MAX_REQUESTS, isWhole: false })
  requireRange("keys", keys, { min: 1, max: 10_000_000, isWhole: true })
  requireRange("skew", skew, { min: 0, max: 10, isWhole: false })
  const capacity = maximumCost(policy.rules)
  requireRange("cost", cost, { min: 1, max: capacity, isWhole: true })
  requireRange("keysPerRequest", keysPerRequest, { min: 1, max: Math.min(keys, 100), isWhole: true })
  requireRange("serviceMs", serviceMs, { min: 0, max: 60_000, isWhole: false })
  requireRange("commitMs", commitMs, { min: 0, max: 60_000, isWhole: false })
  requireRange("seed", seed, { min: -(2 ** 31), max: 2 ** 31, isWhole: true })
  if (shards !== undefined) requireRange("shards", shards, { min: 1, max: 10_000, isWhole: true })
  if (traffic !== "steady" && traffic !== "bursts") {
    throw new RangeError(`Cannot simulate: traffic is ${show(traffic)}, allowed is "steady" or "bursts".`)
  }
  if (lease !== undefined && tellsDelay(policy)) throw unfit("simulate", "lease", lease, NO_LEASE)
  if (lease !== undefined) requireRange("lease.units", lease.units, { min: 1, max: MAX_UNITS, isWhole: true })
  return {
    ...{
      policy,
      locations,
      durationMs,
      keys,
      skew,
      cost,
      keysPerRequest,
      traffic,
      serviceMs,
      commitMs,
      denialCache,
      seed,
    },
    shards: shards ?? null,
    lease: lease
      ? {
          units: lease.units,
          ttlMs: parseDurationArgument("simulate", "lease.ttl", lease.ttl, TTL_RANGE),
          ifBusy: lease.auto ?? false,
        }
      : null,
  }
}

function requireRange(
  field: string,
  value: number,
  { min, max, isWhole }: { readonly min: number; readonly max: number; readonly isWhole: boolean },
): void {
  if (typeof value === "number" && value >= min && value <= max && (!isWhole || Number.isInteger(value))) return
  throw new RangeError(`Cannot simulate: ${field} is ${show(value)}, allowed is ${min} to ${max}.`)
}
