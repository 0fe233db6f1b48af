import { CallRate } from "../src/edge/call-rate.js"
import type { LedgerAnswer } from "../src/ledger/ledger.js"

/** What an object did since it was loaded. */
export interface ObjectReport {
  readonly admitted: number
  readonly denied: number
  /** Storage rows billed as written. */
  readonly rowsWritten: number
  readonly commits: number
  /**
   * Calls for checks, alone, several in one, together or as a lease: fewer than were admitted and denied where checks
   * share calls.
   */
  readonly calls: number
}

/** Counts what an object does. */
export class ObjectCounts {
  readonly #rate = new CallRate()
  #admitted = 0
  #denied = 0
  #calls = 0

  get admitted(): number {
    return this.#admitted
  }

  get denied(): number {
    return this.#denied
  }

  get calls(): number {
    return this.#calls
  }

  /** Whether the object is asked often. */
  isBusy(nowMs: number): boolean {
    return this.#rate.isBusy(nowMs)
  }

  /** Counts a call and what it was told. `checks` is for how many it came. */
  call(nowMs: number, answers: readonly LedgerAnswer[], checks = answers.length): void {
    this.#note(nowMs, checks)
    for (const answer of answers) this.#tally(answer)
  }

  /** `call` for a lone check, which is most of what is asked. */
  check(nowMs: number, answer: LedgerAnswer): void {
    this.#note(nowMs, 1)
    this.#tally(answer)
  }

  #note(nowMs: number, checks: number): void {
    this.#calls += 1
    this.#rate.note(nowMs, checks)
  }

  #tally({ decision }: LedgerAnswer): void {
    // One that was not charged, since it would be held for too long, was not let through.
    if (decision.allowed && (decision.receipt !== undefined || decision.cost === 0)) this.#admitted += 1
    else this.#denied += 1
  }
}
