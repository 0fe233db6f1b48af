import { BoundedMap } from "../lib/bounded-map.js"
import type { QuotaFields } from "./quota-fields.js"

/** A quota as it was last told. */
interface Quota {
  remaining: number
  readonly limit: number | null
  readonly resetAtMs: number
  /** From when on a request asks anew, though the quota is not full by what was told. */
  readonly askAtMs: number
  /** What answers told that may be newer than one that is yet to come: of each only what is below those after it. */
  readonly told: readonly Told[]
}

/** What one answer told of a quota, while a request is out that went before it was heard. */
interface Told {
  /** The number of the answer. */
  readonly answer: number
  readonly remaining: number
  readonly resetAtMs: number
}

/** A request on its way. */
export interface Flight {
  readonly cost: number
  /** How many answers had been heard when it went. */
  readonly answersBefore: number
}

/** How long to wait after a refusal that says nothing of it. */
const UNTOLD_RETRY_MS = 1_000

/**
 * The longest that one answer keeps requests back. A quota of a month may be used up for longer, and then a request a
 * day finds that out; a server that took ms for seconds is asked again before this process ends.
 */
const MAX_WAIT_MS = 86_400_000

/** Refusals that say with `Retry-After` when requests are served again; elsewhere it is about one resource alone. */
const BUSY = [429, 503]

/** Quotas of a server that are remembered; the one told of least recently is forgotten. Servers tell of a few. */
const MAX_QUOTAS = 100

/** Whether requests go as long as there is quota, or evenly over the time until it is full. */
export type Pacing = "burst" | "even"

/**
 * What is known of the limits of one server, and when the next request may go. Times are ms since the epoch.
 *
 * Before anything is known, one request goes and the others wait for its answer. What is in flight counts as used, for
 * an answer may have been written before or after it. For the same reason the least counts of what was told while a
 * request was out: answers come in another order than they were written.
 */
export class Pace {
  readonly #pacing: Pacing
  /** By their names, those told of least recently first. */
  readonly #quotas = new BoundedMap<string, Quota>(MAX_QUOTAS)
  #blockedUntilMs = 0
  #nextAtMs = 0
  #inFlight = 0
  /** In the order in which they went. */
  readonly #flights = new Set<Flight>()
  #answers = 0
  /** `null` until an answer came: then whether the server tells of limits. */
  #tells: boolean | null = null

  constructor(pacing: Pacing) {
    this.#pacing = pacing
  }

  /** How long the next request must wait, 0 where it may go; infinite where an answer has to come first. */
  waitMs(cost: number, nowMs: number): number {
    let waitMs = Math.max(0, this.#blockedUntilMs - nowMs, this.#nextAtMs - nowMs)
    if (this.#tells === null && this.#inFlight > 0) return Number.POSITIVE_INFINITY
    for (const quota of this.#quotas.values()) {
      const freeAtMs = Math.min(quota.resetAtMs, quota.askAtMs)
      if (freeAtMs <= nowMs) {
        // It is full again, of as many units as was told. Where that is not known, or it is not full and asked anew,
        // one request finds out.
        const most = quota.resetAtMs <= nowMs ? (quota.limit ?? cost) : Math.max(quota.remaining, cost)
        const left = most - this.#inFlight
        if (left < cost && this.#inFlight > 0) return Number.POSITIVE_INFINITY
        continue
      }
      if (quota.remaining - this.#inFlight < cost) waitMs = Math.max(waitMs, freeAtMs - nowMs)
    }
    return waitMs
  }

  /** Notes that a request goes. Of what it returns, `hear`, `lose` or `recall` is told once. */
  send(cost: number, nowMs: number): Flight {
    if (this.#pacing === "even") this.#nextAtMs = nowMs + this.#gapMs(nowMs)
    this.#inFlight += cost
    const flight = { cost, answersBefore: this.#answers }
    this.#flights.add(flight)
    return flight
  }

  /** The time between requests at which what is left lasts until the quota is full; rounded up, a day at most. */
  #gapMs(nowMs: number): number {
    const gaps = [...this.#quotas.values()]
      .filter(({ resetAtMs }) => resetAtMs > nowMs)
      .map(({ remaining, resetAtMs }) => (resetAtMs - nowMs) / Math.max(1, remaining - this.#inFlight))
    return Math.min(Math.ceil(Math.max(0, ...gaps)), MAX_WAIT_MS)
  }

  /**
   * Notes what an answer told. Its `Retry-After` holds for all requests where its status says that they are refused.
   */
  hear(flight: Flight, { quotas, retryAfterMs }: QuotaFields, status: number, nowMs: number): void {
    this.recall(flight)
    const { cost, answersBefore } = flight
    const answer = ++this.#answers
    const [oldest] = this.#flights
    const heardBefore = oldest?.answersBefore ?? answer
    this.#tells = quotas.length > 0
    for (const { name, remaining, resetAfterMs, limit } of quotas) {
      const resetAtMs = nowMs + resetAfterMs
      const before = this.#quotas.get(name)?.told.filter((told) => told.resetAtMs > nowMs) ?? []
      const meanwhile = before.filter((told) => told.answer > answersBefore)
      const told = [...before.filter((each) => each.remaining < remaining), { answer, remaining, resetAtMs }]
      this.#quotas.set(name, {
        remaining: Math.min(remaining, ...meanwhile.map((each) => each.remaining)),
        limit,
        resetAtMs: Math.max(resetAtMs, ...meanwhile.map((each) => each.resetAtMs)),
        askAtMs: nowMs + MAX_WAIT_MS,
        told: told.filter((each) => each.answer > heardBefore),
      })
    }
    const untold = status === 429 && quotas.every(({ remaining }) => remaining >= cost) ? UNTOLD_RETRY_MS : 0
    const blockedMs = BUSY.includes(status) ? (retryAfterMs ?? untold) : 0
    this.#blockedUntilMs = Math.max(this.#blockedUntilMs, nowMs + Math.min(blockedMs, MAX_WAIT_MS))
  }

  /** Notes that a request got no answer: it may have been counted, so what was in flight stays used. */
  lose(flight: Flight): void {
    this.recall(flight)
    for (const quota of this.#quotas.values()) quota.remaining -= flight.cost
  }

  /** Notes that a request did not go after all. */
  recall(flight: Flight): void {
    if (this.#flights.delete(flight)) this.#inFlight -= flight.cost
  }
}
