import type { CallName } from "../src/ledger/call-name.js"
import type { Ledger, LedgerAnswer } from "../src/ledger/ledger.js"
import type { LedgerCheck } from "../src/ledger/ledger-input.js"
import { allDecision, leaveOutReceipt } from "../src/limiter/decide-all.js"
import { isHeldFor } from "../src/limiter/is-held-for.js"
import type { Policy } from "../src/policy/policy.js"
import type { AllDecision } from "../src/types/limiter.js"
import type { ChargeHolders } from "./charge-holders.js"
import type { ObjectCounts } from "./object-counts.js"
import type { LimitToChange } from "./object-limits.js"
import { toldDecision } from "./told-decision.js"

/** A check as it came. */
interface AskedCheck {
  readonly key: string
  readonly cost: number
  readonly id?: string | undefined
  readonly maxDelayMs?: number | undefined
}

/** One of the checks that are decided together. */
interface JointCheck extends LedgerCheck {
  readonly id: CallName
  /** Perhaps not the policy that the limit is under. */
  readonly sent: Policy
  readonly maxDelayMs: number | undefined
  /** Whether its id is known beyond its call. */
  readonly isNamedByCaller: boolean
}

/**
 * Decides checks in a Durable Object: alone, each of several by itself, or several all or nothing. It counts them, and
 * notes which calls were told a charge that others may be told again.
 */
export class ObjectChecks {
  readonly #counts: ObjectCounts
  readonly #holders: ChargeHolders

  constructor(counts: ObjectCounts, holders: ChargeHolders) {
    this.#counts = counts
    this.#holders = holders
  }

  /** A check that comes alone. @throws {CostError} {KeyError} {RangeError} */
  one(asked: LimitToChange, check: AskedCheck): LedgerAnswer {
    const answer = this.#decide(asked, check)
    this.#counts.check(asked.nowMs, answer)
    return answer
  }

  /** Checks that come in one call. The error of one is its own answer. */
  each(asked: LimitToChange, checks: readonly AskedCheck[]): (LedgerAnswer | Error)[] {
    const answers = checks.map((check) => {
      try {
        return this.#decide(asked, check)
      } catch (error) {
        return error as Error
      }
    })
    this.#counts.call(asked.nowMs, answers.filter(isDecided))
    return answers
  }

  #decide({ ledger, limit, nowMs }: LimitToChange, { key, cost, id, maxDelayMs }: AskedCheck): LedgerAnswer {
    if (maxDelayMs !== undefined) {
      const looked = ledger.peek(limit, key, cost, nowMs, id)
      if (isHeldFor(looked.decision, maxDelayMs)) return looked
    }
    const answer = ledger.check(limit, key, cost, nowMs, id)
    const { receipt } = answer.decision
    // What a call by itself was told under an id stands, also where one of several checks had charged it.
    if (id !== undefined && receipt !== undefined) this.#holders.keep(receipt.id)
    return answer
  }

  /**
   * Checks that are admitted all or not at all.
   *
   * @param call names the call that asks
   * @returns when what was charged is durable
   */
  async all(ledger: Ledger, nowMs: number, items: readonly JointCheck[], call: string): Promise<AllDecision> {
    if (items.some(({ maxDelayMs }) => maxDelayMs !== undefined)) {
      const looked = items.map(({ limit, key, cost, id }) => ledger.peek(limit, key, cost, nowMs, id))
      const looks = looked.map(({ decision }) => leaveOutReceipt(decision.toJSON()))
      const isHeld = looks.some((look, index) => isHeldFor(look, items[index]!.maxDelayMs))
      // A denial is to be decided, since it may begin a block.
      if (isHeld && looks.every(({ allowed }) => allowed)) {
        if (looked.some(({ needsCommit }) => needsCommit)) await ledger.commit()
        return { ...allDecision(looks), allowed: false }
      }
    }
    const isNew = items.map(({ limit, key, id, isNamedByCaller }) => {
      return isNamedByCaller && ledger.costUnder(limit, key, nowMs, id) === undefined
    })
    const answers = ledger.checkAll(items, nowMs)
    const all = allDecision(
      answers.map(({ decision }, index) => toldDecision(decision, items[index]!.limit, items[index]!.sent, nowMs)),
    )
    // Where one was denied, those that would have passed were not decided.
    this.#counts.call(nowMs, all.allowed ? answers : answers.filter(({ decision }) => !decision.allowed))
    for (const [index, { receipt }] of all.decisions.entries()) {
      // No other call knows an item that has no id of its own.
      if (receipt === undefined || !items[index]!.isNamedByCaller) continue
      if (isNew[index]) this.#holders.charged(receipt.id, call)
      else this.#holders.toldAgain(receipt.id, call)
    }
    if (answers.some(({ needsCommit }) => needsCommit)) await ledger.commit()
    return all
  }
}

function isDecided(answer: LedgerAnswer | Error): answer is LedgerAnswer {
  return !(answer instanceof Error)
}
