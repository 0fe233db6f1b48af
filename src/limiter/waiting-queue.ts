import { TimeoutExceeded } from "../types/errors.js"
import type { Alarm, Alarms } from "./alarms.js"
import { noteWait } from "./key-waits.js"
import type { SettlingChecker } from "./permit.js"
import type { Waiter } from "./waiter.js"

/**
 * The calls that wait for one key under one limit, in the order in which they came. The first one asks the limiter,
 * until it is admitted or gives up; then the next one is the first.
 */
export class WaitingQueue {
  /** Equal where calls are counted together: by key, limit and for whom. */
  readonly id: string
  readonly key: string
  readonly waiters = new Set<Waiter>()
  /** Whether quota may have come back while the first asks: what denies it may be an answer of before. */
  hasHeard = false
  readonly #alarms: Alarms
  /** How to ask for the first. */
  readonly #ask: () => void
  /** Rings when the first may ask again; `null` while it asks. */
  #wake: Alarm | null = null
  /** What ends the hearing of quota that comes back, by the key as it is counted. */
  readonly #hearing = new Map<string, () => void>()

  constructor(id: string, key: string, { alarms, ask }: { alarms: Alarms; ask: (queue: WaitingQueue) => void }) {
    this.id = id
    this.key = key
    this.#alarms = alarms
    this.#ask = () => ask(this)
  }

  get first(): Waiter | undefined {
    const [first] = this.waiters
    return first
  }

  /** When the first asks again, in ms of the alarms; `null` while it asks. */
  get asksAtMs(): number | null {
    return this.#wake?.atMs ?? null
  }

  /** Has the first ask at a time. */
  askAt(atMs: number): void {
    this.#clearWake()
    this.#wake = this.#alarms.set(atMs, () => {
      this.#wake = null
      this.#ask()
    })
  }

  /** Has the first ask now. */
  ask(): void {
    this.#clearWake()
    this.#ask()
  }

  /** From now on it hears of quota of a key that comes back before its time. */
  hearOf(limiter: SettlingChecker, key: string): void {
    if (this.#hearing.has(key)) return
    // Not within the call that gives back: who makes it goes on as if nobody waited.
    const hear = () => {
      const nowMs = this.#alarms.now()
      if (this.#wake === null) this.hasHeard = true
      else if (this.#wake.atMs > nowMs) this.askAt(nowMs)
    }
    this.#hearing.set(key, noteWait(limiter, key, hear))
  }

  /** The error of one behind the first who would have to wait for too long: until that one may ask again, if it stays. */
  late(timeoutMs: number): TimeoutExceeded {
    const waitMs = this.#wake === null ? 0 : Math.max(0, Math.ceil(this.#wake.atMs - this.#alarms.now()))
    return new TimeoutExceeded(this.key, timeoutMs, waitMs)
  }

  /** Nobody waits here any more. */
  end(): void {
    this.#clearWake()
    for (const end of this.#hearing.values()) end()
  }

  #clearWake(): void {
    if (this.#wake !== null) this.#alarms.cancel(this.#wake)
    this.#wake = null
  }
}
