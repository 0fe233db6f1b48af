import { RateLimiter } from "../limiter/rate-limiter.js"
import { type Clock, ManualClock } from "../types/clock.js"
import type { Decision } from "../types/decision.js"
import type { Scenario } from "./scenario.js"
import type { VirtualObject } from "./virtual-object.js"

/** What came of a scenario. */
export interface SimulationReport {
  readonly requests: number
  readonly admitted: number
  readonly denied: number
  /** Denied though the quota, charged with nothing but what was admitted, had room. */
  readonly falselyDenied: number
  /** The largest share of what the policy admits in all that a key was admitted: never above 1. */
  readonly mostOfLimit: number
  readonly objects: number
  readonly objectCalls: number
  readonly callsPerRequest: number
  /** Storage rows, one per commit. */
  readonly rows: number
  readonly rowsPerRequest: number
  /** The work of the busiest object as a share of the time in which requests came; above 1 they queued up. */
  readonly busiestObject: number
  /** What requests waited for their decision, ms. */
  readonly addedLatencyMs: { readonly p50: number; readonly p99: number; readonly most: number }
}

interface Decided {
  readonly atMs: number
  readonly key: string
  readonly cost: number
  readonly allowed: boolean
  readonly request: number
}

/** Counts what was decided, and compares with a limiter that knows afterwards which requests were admitted. */
export class Tally {
  readonly #scenario: Scenario
  readonly #clock: Clock
  readonly #decisions: Decided[] = []
  readonly #isAdmitted: boolean[] = []
  readonly #latenciesMs: number[] = []

  constructor(scenario: Scenario, clock: Clock) {
    this.#scenario = scenario
    this.#clock = clock
  }

  /** A request came: its number. */
  start(): number {
    return this.#isAdmitted.push(false) - 1
  }

  /** A decision about one key was made now, by its object or by an isolate. */
  decided({ key, allowed }: Decision, cost: number, request: number): void {
    this.#decisions.push({ atMs: this.#clock.now(), key, cost, allowed, request })
  }

  /** A request was answered. */
  done(request: number, allowed: boolean, latencyMs: number): void {
    this.#isAdmitted[request] = allowed
    this.#latenciesMs.push(latencyMs)
  }

  /** Plays the decisions again, charging only those of requests that were admitted in the end. */
  #replay(): { readonly falselyDenied: number; readonly unitsByKey: ReadonlyMap<string, number> } {
    const clock = new ManualClock()
    const ideal = new RateLimiter(this.#scenario.policy, { clock, maxKeys: maxKeysOf(this.#scenario) })
    const falsely = new Set<number>()
    const unitsByKey = new Map<string, number>()
    for (const { atMs, key, cost, allowed, request } of this.#decisions) {
      clock.set(atMs)
      if (!allowed) {
        if (ideal.peek(key, { cost }).allowed) falsely.add(request)
      } else if (this.#isAdmitted[request]) {
        ideal.charge(key, cost)
        unitsByKey.set(key, (unitsByKey.get(key) ?? 0) + cost)
      }
    }
    return { falselyDenied: falsely.size, unitsByKey }
  }

  /** @param elapsedMs until the last answer */
  report(objects: readonly VirtualObject[], elapsedMs: number): SimulationReport {
    const { durationMs, policy } = this.#scenario
    const sum = (of: (object: VirtualObject) => number) => objects.reduce((total, object) => total + of(object), 0)
    const requests = this.#isAdmitted.length
    const admitted = this.#isAdmitted.filter(Boolean).length
    const { falselyDenied, unitsByKey } = this.#replay()
    const share = (count: number) => (requests === 0 ? 0 : count / requests)
    const most = Math.min(
      ...policy.rules.map(({ capacity, limit, periodMs, algorithm }) => {
        const windows = Math.ceil(elapsedMs / periodMs) + 1
        return algorithm.includes("window") ? limit * windows : capacity + Math.ceil((elapsedMs * limit) / periodMs)
      }),
    )
    const latencies = Float64Array.from(this.#latenciesMs).sort()
    const at = (quantile: number) =>
      latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * quantile))] ?? 0
    const objectCalls = sum(({ calls }) => calls)
    const rows = sum(({ commits }) => commits)
    return {
      requests,
      admitted,
      denied: requests - admitted,
      falselyDenied,
      mostOfLimit: mostOf(unitsByKey.values()) / most,
      objects: objects.length,
      objectCalls,
      callsPerRequest: share(objectCalls),
      rows,
      rowsPerRequest: share(rows),
      busiestObject: mostOf(objects.map(({ busyMs }) => busyMs)) / Math.max(durationMs, 1),
      addedLatencyMs: { p50: at(0.5), p99: at(0.99), most: at(1) },
    }
  }
}

/** The greatest of numbers from 0: more than a call takes as arguments. */
function mostOf(values: Iterable<number>): number {
  let most = 0
  for (const value of values) most = Math.max(most, value)
  return most
}

/** Room for every key, so that none is forgotten before it is full. */
export function maxKeysOf({ keys }: Scenario): number {
  return Math.max(1_024, keys * 2)
}
