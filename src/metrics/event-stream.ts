import type { Decision } from "../types/decision.js"
import type { DecisionEvent } from "../types/decision-event.js"
import { reportUncaught } from "./report-uncaught.js"

export const DEFAULT_RETAIN = 10_000
export const MAX_RETAIN = 1_000_000

export interface EventStreamOptions {
  /** The share of decisions that is kept, 0 … 1; default 1. Denials and admissions are sampled alike. */
  readonly sample?: number
  /** How many events can be replayed, 1 … 1,000,000; default 10,000. */
  readonly retain?: number
  /** How long events can be replayed, in ms; default 1 hour. */
  readonly retainMs?: number
  /** Where chance comes from, 0 ≤ x < 1; for tests. */
  readonly random?: () => number
  /**
   * Told what a listener throws; must not throw. Default: as an uncaught error, as of a listener of an `EventTarget`.
   */
  readonly onError?: (error: unknown) => void
}

type Listener = (event: DecisionEvent) => void

/** Whether a reader wants an event. */
export type IsWanted = (event: DecisionEvent) => boolean

/** A place of the ring, which is written over. */
type Kept = { -readonly [Field in keyof DecisionEvent]: DecisionEvent[Field] }

/**
 * The last decisions, in bounded memory, and those to come for whoever listens. A ring: the newest event is written
 * over the oldest, since objects that live this long and then go are what costs a garbage collector most.
 */
export class EventStream {
  /** What this run of the stream is called, so that ids of another run are not taken for its own. */
  readonly epoch = randomEpoch()
  readonly #sample: number
  readonly #retain: number
  readonly #retainMs: number
  readonly #random: () => number
  readonly #onError: (error: unknown) => void
  readonly #ring: Kept[] = []
  readonly #listeners = new Set<Listener>()
  #nextId = 1

  /** @throws {RangeError} where an option is out of its range */
  constructor(options: EventStreamOptions = {}) {
    const { sample = 1, retain = DEFAULT_RETAIN, retainMs = 3_600_000, random = Math.random } = options
    requireOption("sample", sample, sample >= 0 && sample <= 1, "a number from 0 to 1")
    requireOption(
      "retain",
      retain,
      Number.isInteger(retain) && retain >= 1 && retain <= MAX_RETAIN,
      `a whole number from 1 to ${MAX_RETAIN}`,
    )
    requireOption("retainMs", retainMs, retainMs >= 0, "a number of ms from 0")
    this.#sample = sample
    this.#retain = retain
    this.#retainMs = retainMs
    this.#random = random
    this.#onError = options.onError ?? reportUncaught
  }

  /** The id of the newest event, 0 where there was none yet. */
  get lastId(): number {
    return this.#nextId - 1
  }

  /** Keeps a decision and tells it to whoever listens. Throws nothing: the decision stands, and was charged. */
  push(decision: Decision, limit: string, atMs: number): void {
    if (this.#sample < 1 && this.#random() >= this.#sample) return
    const id = this.#nextId++
    const place = id % this.#retain
    const kept = this.#ring[place]
    const { key, allowed, cost, remaining, retryAfterMs, reason } = decision
    if (kept === undefined) {
      this.#ring[place] = { id, atMs, key, limit, allowed, cost, remaining, retryAfterMs, reason }
    } else {
      kept.id = id
      kept.atMs = atMs
      kept.key = key
      kept.limit = limit
      kept.allowed = allowed
      kept.cost = cost
      kept.remaining = remaining
      kept.retryAfterMs = retryAfterMs
      kept.reason = reason
    }
    if (this.#listeners.size === 0) return
    const event = { ...this.#ring[place]! }
    for (const listener of this.#listeners) {
      try {
        listener(event)
      } catch (error) {
        this.#onError(error)
      }
    }
  }

  /** The events after `id` that are wanted and still kept, oldest first, at most `count` of the newest. */
  since(id: number, nowMs: number, count: number = this.#retain, isWanted: IsWanted = () => true): DecisionEvent[] {
    const events: DecisionEvent[] = []
    const first = Math.max(id + 1, this.#nextId - this.#retain, 1)
    for (let each = this.lastId; each >= first && events.length < count; each--) {
      const event = this.#ring[each % this.#retain]
      const isKept = event !== undefined && event.id === each && nowMs - event.atMs <= this.#retainMs
      if (isKept && isWanted(event)) events.push({ ...event })
    }
    return events.reverse()
  }

  /**
   * Calls the listener with every event to come, until the function that it returns is called. What it throws goes to
   * `onError`; the others hear the event all the same, and it hears the next.
   */
  listen(listener: Listener): () => void {
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }
}

function requireOption(field: string, value: number, isAllowed: boolean, allowed: string): void {
  if (!isAllowed) throw new RangeError(`Cannot keep events: ${field} is ${value}, allowed is ${allowed}.`)
}

function randomEpoch(): string {
  return Array.from(crypto.getRandomValues(new Uint32Array(2)), (word) => word.toString(36)).join("")
}
