import { whenAnswered } from "../lib/awaitable.js"
import type { Decision } from "../types/decision.js"
import { isDecision } from "../types/is-decision.js"
import type { AskLimiter } from "./ask-within.js"

/** How long an answer may take. */
const ANSWER_MS = 60_000
/** One that should have asked again so long ago is lost. */
const OVERDUE_MS = 5_000

/** A call that waits by itself. */
interface LoneWait {
  /** When it is to be heard of again. */
  dueMs: number
}

/**
 * Counts calls that each wait by themselves. One whose request has ended says nothing any more, so it is counted until
 * it is overdue.
 */
export class LoneWaits {
  readonly #waits = new Set<LoneWait>()

  /** At the cost of the number of all. */
  get size(): number {
    const nowMs = Date.now()
    for (const wait of this.#waits) if (nowMs > wait.dueMs + OVERDUE_MS) this.#waits.delete(wait)
    return this.#waits.size
  }

  /** How many there are below `most`, maybe with some that are lost; from there on exactly, at the cost of `size`. */
  countBelow(most: number): number {
    const { size } = this.#waits
    return size < most ? size : this.size
  }

  /** Counts a call for as long as it waits, by what it asks. */
  async during<Result>(ask: AskLimiter, wait: (ask: AskLimiter) => Promise<Result>): Promise<Result> {
    const lone: LoneWait = { dueMs: 0 }
    const due = (afterMs: number) => {
      lone.dueMs = Date.now() + afterMs
    }
    this.#waits.add(lone)
    due(ANSWER_MS)
    try {
      return await wait((key, options, maxDelayMs) => {
        due(ANSWER_MS)
        return whenAnswered(ask(key, options, maxDelayMs), (decision: Decision) => {
          // What is no decision is for who waits to refuse.
          if (isDecision(decision)) due(decision.allowed ? decision.delayMs : decision.retryAfterMs)
          return decision
        })
      })
    } finally {
      this.#waits.delete(lone)
    }
  }
}
