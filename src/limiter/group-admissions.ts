import { requireSameCost } from "../engine/call-id.js"
import { type NamedAdmission, NamedAdmissions, nameOf } from "../engine/named-admissions.js"
import type { Clock } from "../types/clock.js"
import type { Decision } from "../types/decision.js"
import type { AllDecision, Awaitable } from "../types/limiter.js"
import { isPromised, whenAnswered } from "./when-answered.js"

/** An admission of a group of limits that a caller named, with what each of them decided. */
export interface GroupAdmission extends NamedAdmission {
  readonly decisions: readonly Decision[]
}

/** A call of a group that a caller named. */
export type GroupCall = Pick<GroupAdmission, "id" | "key" | "cost">

/**
 * Idempotency for groups: their admissions that callers named by an id. One is told again whatever became of the receipts
 * in it, which are those of the single limits.
 */
export class GroupAdmissions extends NamedAdmissions<GroupAdmission> {
  readonly #pending = new Map<string, { readonly cost: number; readonly answer: Promise<AllDecision> }>()

  /**
   * Asks a group, and notes its admission. A call that comes again before it is answered gets the first one's answer.
   *
   * @throws {RangeError} where it comes with another cost
   */
  ask({ id, key, cost }: GroupCall, clock: Clock, ask: () => Awaitable<AllDecision>): Awaitable<AllDecision> {
    const name = nameOf(id, key)
    const first = this.#pending.get(name)
    if (first !== undefined) {
      requireSameCost(id, cost, first.cost)
      return first.answer
    }
    const answer = whenAnswered(ask(), (all) => {
      this.#note({ id, key, cost }, clock.now(), all)
      return all
    })
    if (!isPromised(answer)) return answer
    this.#pending.set(name, { cost, answer })
    return answer.finally(() => this.#pending.delete(name))
  }

  /** Notes what a group decided, where it charged. */
  #note(call: GroupCall, nowMs: number, { allowed, decisions }: AllDecision): void {
    if (!allowed || decisions.every(({ receipt }) => receipt === undefined)) return
    this.add({ ...call, chargedAtMs: nowMs, decisions }, nowMs)
  }
}

/**
 * What the limits of a group admitted, once more: charges and receipts of then, the rest as it is now.
 *
 * @param now what a question of cost 0 tells of each limit
 */
export function toldAgain({ decisions }: GroupAdmission, now: readonly Decision[]): Decision[] {
  return now.map((each, index) => {
    const { cost, receipt } = decisions[index]!
    const told = { ...each, allowed: true, reason: "ok", cost, retryAfterMs: 0, delayMs: 0 } as const
    return receipt === undefined ? told : { ...told, receipt }
  })
}
