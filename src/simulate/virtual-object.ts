import { CallRate } from "../edge/call-rate.js"
import { noteTerms } from "../edge/denial-terms.js"
import { type Drawn, type DrawRequest, unitsToCharge } from "../edge/lease-draw.js"
import { copyDecision } from "../limiter/copy-decision.js"
import type { RateLimiter } from "../limiter/rate-limiter.js"
import type { Decision } from "../types/decision.js"
import type { Receipt } from "../types/receipt.js"
import type { EventQueue } from "./event-queue.js"

type Hear = (decision: Decision) => void

/** A check that comes with others in one call. */
export interface SharingCheck {
  readonly key: string
  readonly cost: number
  /** Hears the decision at once. */
  readonly decided: Hear
}

/** Of the work on a call with one check, what each further check in it adds. Measured less, in a local workerd. */
const FURTHER_CHECK = 1 / 50

/** How fast an object is. */
interface Pace {
  readonly serviceMs: number
  readonly commitMs: number
}

/**
 * An object of the model: it works on one call after the other, decides by the real core, and answers an admission when
 * the commit that it shares with others is made.
 */
export class VirtualObject {
  readonly #limiter: RateLimiter
  readonly #queue: EventQueue
  readonly #now: () => number
  readonly #pace: Pace
  readonly #rate = new CallRate()
  #freeAtMs = 0
  #commit: { readonly startMs: number; readonly doneMs: number } | null = null
  calls = 0
  commits = 0
  busyMs = 0

  /** @param limiter that of all objects: a key is one object's alone */
  constructor(limiter: RateLimiter, queue: EventQueue, now: () => number, pace: Pace) {
    this.#limiter = limiter
    this.#queue = queue
    this.#now = now
    this.#pace = pace
  }

  /** Takes a call that arrives now. `decided` hears the decision at once, `answer` when it leaves. */
  check(key: string, cost: number, decided: Hear, answer: Hear): void {
    this.checkEach([{ key, cost, decided }], ([decision]) => answer(decision!))
  }

  /** Takes a call with several checks, each decided on its own. */
  checkEach(checks: readonly SharingCheck[], answer: (decisions: readonly Decision[]) => void): void {
    this.#work(
      () => {
        this.#rate.note(this.#now(), checks.length)
        return checks.map(({ key, cost, decided }) => {
          const decision = this.#check(key, cost)
          decided(decision)
          return decision
        })
      },
      answer,
      1 + (checks.length - 1) * FURTHER_CHECK,
    )
  }

  draw(key: string, request: DrawRequest, decided: Hear, answer: (drawn: Drawn) => void): void {
    let denial: Decision | null = null

    this.#work(
      () => {
        for (const { receipt, units } of request.giveBack) this.#limiter.refund(receipt, units)
        const { remaining, rules } = this.#limiter.peek(key, { cost: 0 })
        const left = rules === undefined ? remaining : Math.min(...rules.map((rule) => rule.remaining))
        const units = unitsToCharge(request, left, this.#rate.isBusy(this.#now()))
        const decision = this.#check(key, units)
        this.#rate.note(this.#now(), Math.max(1, units / Math.max(1, request.cost)))
        decided(decision)
        // As `LimiterObject` does it: a denial that no check was told begins no block.
        const { blockMs } = this.#limiter.policy
        if (decision.allowed && units < request.cost + request.demand && blockMs === 0) {
          const next = this.#limiter.peek(key, { cost: Math.max(1, request.cost) })
          if (!next.allowed) denial = { ...next }
        }
        return [decision]
      },
      ([decision]) => answer({ decision: decision!, denial }),
    )
  }

  peek(key: string, cost: number, answer: Hear): void {
    let decision: Decision | null = null

    this.#work(
      () => {
        decision = { ...this.#limiter.peek(key, { cost }) }
        // Nothing is to be committed.
        return []
      },
      () => answer(decision!),
    )
  }

  refund(receipt: Receipt, units: number, answer: () => void): void {
    this.#work(() => {
      this.#limiter.refund(receipt, units)
      return null
    }, answer)
  }

  #check(key: string, cost: number): Decision {
    const decision = copyDecision(this.#limiter.check(key, { cost }))
    if (!decision.allowed && this.#limiter.policy.blockMs > 0) {
      noteTerms(decision, { blockedForMs: this.#limiter.status(key).blockedForMs })
    }
    return decision
  }

  /** @param work as a share of that on a call with one check */
  #work<T extends readonly Decision[] | null>(decide: () => T, answer: (decisions: T) => void, work = 1): void {
    this.calls += 1
    const startMs = Math.max(this.#now(), this.#freeAtMs)
    this.#freeAtMs = startMs + this.#pace.serviceMs * work
    this.busyMs += this.#pace.serviceMs * work
    this.#queue.schedule(this.#freeAtMs, () => {
      const decisions = decide()
      if (decisions?.every(({ allowed }) => !allowed)) answer(decisions)
      else this.#queue.schedule(this.#committedAtMs(), () => answer(decisions))
    })
  }

  /** When what was decided now is durable: with the commit that is being gathered, after the one under way. */
  #committedAtMs(): number {
    const nowMs = this.#now()
    const { commitMs } = this.#pace
    if (this.#commit === null || this.#commit.startMs < nowMs) {
      const startMs = Math.max(nowMs, this.#commit?.doneMs ?? 0)
      this.#commit = { startMs, doneMs: startMs + commitMs }
      this.commits += 1
    }
    return this.#commit.doneMs
  }
}
