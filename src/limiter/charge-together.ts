import type { Decision } from "../types/decision.js"
import type { AllDecision } from "../types/limiter.js"
import type { Receipt } from "../types/receipt.js"
import { allDecision, withoutReceipt } from "./decide-all.js"

/** Those of several checks that one writer keeps the counts of, and decides at once. */
export interface Party {
  /** Asks and charges, all of its items or none, under the call's id: repeating it charges once. */
  charge(): Promise<AllDecision>
  /** Gives the charge of one of its items back; a second time it does nothing. */
  refund(receipt: Receipt, item: number): Promise<void>
}

/**
 * Decides checks that several writers keep the counts of: all are charged at the same time, in one round trip where
 * all are admitted; where one is denied or does not answer, what the others charged is given back.
 *
 * A charge stands until it is given back. So wherever this is cut off, by a lost call, a lost answer or its own end, a
 * key has less quota than it could have, never more, and gets it back as time passes.
 *
 * @returns each party's decisions, in their order; receipts only where all were admitted
 * @throws what the first party that did not answer threw, when the others were given back
 */
export async function chargeTogether(parties: readonly Party[]): Promise<readonly AllDecision[]> {
  const outcomes = await Promise.allSettled(parties.map((party) => party.charge()))
  const failed = outcomes.find((outcome) => outcome.status === "rejected")
  const answers = outcomes.map((outcome) => (outcome.status === "fulfilled" ? outcome.value : null))
  if (failed === undefined && answers.every((answer) => answer!.allowed)) return answers as AllDecision[]
  const refunds = answers.flatMap((answer, index) =>
    answer?.allowed ? refundsOf(parties[index]!, answer.decisions) : [],
  )
  // A refund that is lost leaves a charge, which time gives back.
  await Promise.allSettled(refunds)
  if (failed !== undefined) throw failed.reason
  return answers.map((answer) => allDecision(answer!.decisions.map(withoutReceipt)))
}

function refundsOf(party: Party, decisions: readonly Decision[]): Promise<void>[] {
  return decisions.flatMap(({ receipt }, item) => (receipt === undefined ? [] : [party.refund(receipt, item)]))
}
