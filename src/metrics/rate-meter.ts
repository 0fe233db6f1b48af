import { WORKER_STORAGE } from "../types/storage-report.js"

/** What a server adds up, and its time. */
export interface Sums {
  readonly atMs: number
  readonly allowed: number
  readonly denied: number
  readonly failures: number
}

/** What was counted per second between two looks at a server. */
export type Rates = Omit<Sums, "atMs">

/** What a server tells of itself. */
export interface Health {
  readonly storage: string
  readonly startedAtMs: number
}

const COUNTS = ["allowed", "denied", "failures"] as const satisfies readonly (keyof Rates)[]
const NOTHING: Rates = { allowed: 0, denied: 0, failures: 0 }

/**
 * How much older than the one before an answer of a Worker may be without its clock having gone back. Each isolate
 * keeps its own counts for some seconds, and whichever answers tells when it made them.
 */
const MAX_OLDER_MS = 30_000

/** Rates of a server, from the sums that it tells at each look. */
export class RateMeter {
  readonly #health: () => Promise<Health | null>
  #before: Sums | null = null

  /** @param health asks the server for its own; `null` where it does not answer */
  constructor(health: () => Promise<Health | null>) {
    this.#health = health
  }

  /**
   * @returns the rates since the look before, or why there are none: `first` of the first look, `stale` of sums that
   * are no newer than those before and stand for nothing, `set back` where the server's clock went back and rates begin
   * anew
   */
  async look(sums: Sums): Promise<Rates | "first" | "stale" | "set back"> {
    const before = this.#before
    if (before !== null && sums.atMs > before.atMs) {
      const from = (await this.#isAnew(before, sums)) ? NOTHING : before
      this.#before = sums
      return ratesBetween(from, sums, (sums.atMs - before.atMs) / 1000)
    }
    if (before !== null && !(await this.#isSetBack(before, sums))) return "stale"
    this.#before = sums
    return before === null ? "first" : "set back"
  }

  /**
   * Whether the server was started since, and counts from 0 again: asked only where one of its sums is lower than
   * before.
   */
  async #isAnew(before: Sums, after: Sums): Promise<boolean> {
    if (COUNTS.every((count) => after[count] >= before[count])) return false
    const startedAtMs = await this.#startedAtMs()
    return startedAtMs !== null && startedAtMs > before.atMs
  }

  /**
   * Whether sums that are no newer are of a clock that went back: a single process has no other reason to tell older
   * ones.
   */
  async #isSetBack(before: Sums, after: Sums): Promise<boolean> {
    if (after.atMs === before.atMs) return false
    return after.atMs < before.atMs - MAX_OLDER_MS || (await this.#startedAtMs()) !== null
  }

  /** When the process was started that counts; `null` of the isolates of a Worker, and where nobody tells. */
  async #startedAtMs(): Promise<number | null> {
    const health = await this.#health()
    return health === null || health.storage === WORKER_STORAGE ? null : health.startedAtMs
  }
}

function ratesBetween(before: Rates, after: Rates, seconds: number): Rates {
  const rate = (of: keyof Rates) => Math.max(0, after[of] - before[of]) / seconds
  return { allowed: rate("allowed"), denied: rate("denied"), failures: rate("failures") }
}
