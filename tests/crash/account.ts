import { expect } from "vitest"
import type { Decision } from "../../src/types/decision.js"
import type { KeyStatus } from "../../src/types/limiter.js"
import type { WorkerdProcess } from "./workerd-process.js"

/** Periods of ten years, so that nothing comes back while the test runs: each unit that is used stays used. */
const LIMITS = {
  window: { limit: 1_000_000, period: "520w", algorithm: "fixed_window", anchor: "first" },
  arrival: { limit: 20_000, period: "520w" },
  log: { limit: 1_000_000, period: "520w", algorithm: "sliding_window_log" },
  few: { limit: 500, period: "520w", algorithm: "token_bucket" },
} as const
export type LimitName = keyof typeof LIMITS

/** The policies of the limits by their names, as JSON: what the Worker is told. */
export const POLICIES = JSON.stringify(
  Object.fromEntries(Object.entries(LIMITS).map(([name, policy]) => [name, JSON.stringify(policy)])),
)

/** What the clients of a key know of it, to hold against what its object says. */
export class Account {
  readonly name: LimitName
  readonly #key: string
  /** Units that are used, by the word of the last recovery. */
  #used = 0
  /** Since then: admissions that a client was told of, and checks that nobody was told of. */
  #admitted = 0
  #unanswered = 0
  #admittedEver = 0
  readonly #receipts = new Set<string>()

  constructor(name: LimitName, key: string) {
    this.name = name
    this.#key = key
  }

  /** Units that are left, by the word of the last recovery. */
  get left(): number {
    return LIMITS[this.name].limit - this.#used
  }

  #path(verb: string): string {
    return `/${verb}/${this.name}/${this.#key}`
  }

  /** Asks for a unit. `null` where no answer came. */
  async check(workerd: WorkerdProcess): Promise<Decision | null> {
    const decision = await workerd.ask<Decision>(this.#path("check"))
    if (decision === null) this.#unanswered += 1
    else if (decision.allowed) {
      this.#admitted += 1
      this.#admittedEver += 1
      this.#receipts.add(decision.receipt!.id)
    }
    return decision
  }

  /** What the object says of the key now. */
  async status(workerd: WorkerdProcess): Promise<KeyStatus> {
    const status = await workerd.ask<KeyStatus>(this.#path("status"))
    if (status === null) throw new Error(`workerd ended: ${workerd.complaint}`)
    return status
  }

  /** Compares what the object says with what the clients were told, and goes on from there. */
  async audit(workerd: WorkerdProcess, when: string): Promise<void> {
    const { limit } = LIMITS[this.name]
    const used = limit - (await this.status(workerd)).remaining
    const least = this.#used + this.#admitted
    const most = Math.min(limit, least + this.#unanswered)
    expect(used, `${this.name}, ${when}: an admission was lost`).toBeGreaterThanOrEqual(least)
    expect(used, `${this.name}, ${when}: more is used than was asked for`).toBeLessThanOrEqual(most)
    expect(this.#admittedEver, `${this.name}, ${when}: admitted in all`).toBeLessThanOrEqual(used)
    expect(this.#receipts.size, `${this.name}, ${when}: different receipts`).toBe(this.#admittedEver)
    const verification = await workerd.ask<{ replayEqualsLive: boolean }>(this.#path("verify"))
    expect(verification, `${this.name}, ${when}`).toMatchObject({ replayEqualsLive: true })
    this.#used = used
    this.#admitted = 0
    this.#unanswered = 0
  }
}
