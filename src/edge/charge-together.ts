import type { Decision } from "../types/decision.js"
import type { AllDecision } from "../types/limiter.js"
import type { Receipt } from "../types/receipt.js"

/** Those of several checks that one writer keeps the counts of, and decides at once. */
export interface Party {
  /** Whether a policy of its checks has a `block`, which a denial begins. */
  readonly blocks: boolean
  /** Asks and charges, all of its items or none, under the call's id: repeating it charges once. */
  charge(): Promise<AllDecision>
  /**
   * What `charge` would find, charging nothing and beginning no block, without receipts. Never fails: it decides
   * nothing.
   */
  peek(): Promise<AllDecision>
  /** Gives the charge of one of its items back; a second time it does nothing. */
  refund(receipt: Receipt, item: number): Promise<void>
}

/** What a party is told to have answered. */
export interface PartyAnswer {
  readonly answer: AllDecision
  /** Whether it is what `charge` said, and so a decision; else what `peek` found beside the denial of another. */
  readonly isDecided: boolean
}

/**
 * Decides checks that several writers keep the counts of. Those without a `block` are charged at the same time, in one
 * round trip; then those with one, each after the other. Where one is denied or does not answer, what the others
 * charged is given back, and who was not asked yet is not charged. Of either it is told what `peek` finds afterwards.
 *
 * A charge stands until it is given back. So wherever this is cut off, by a lost call, a lost answer or its own end, a
 * key has less quota than it could have, never more, and gets it back as time passes. Meanwhile somebody else may be
 * denied for it. That denial would begin a block, where there is one, which stays when the charge is given back: so a
 * party with a `block` is charged when all without one have admitted.
 *
 * @returns each party's answer, in their order; receipts only where all were admitted
 * @throws what the first party that did not answer threw, when the others were given back
 */
export async function chargeTogether(parties: readonly Party[]): Promise<readonly PartyAnswer[]> {
  const answers = new Map<Party, AllDecision>()
  for (const turn of turnsOf(parties)) {
    const outcomes = await Promise.allSettled(turn.map(async (party) => answers.set(party, await party.charge())))
    const failed = outcomes.find((outcome) => outcome.status === "rejected")
    if (failed === undefined && turn.every((party) => answers.get(party)!.allowed)) continue
    // A refund that is lost leaves a charge, which time gives back.
    await Promise.allSettled([...answers].flatMap(([party, answer]) => refundsOf(party, answer)))
    if (failed !== undefined) throw failed.reason
    return Promise.all(parties.map((party) => besideDenial(party, answers.get(party))))
  }
  return parties.map((party) => ({ answer: answers.get(party)!, isDecided: true }))
}

/** Who is charged at the same time, in the order in which they are. */
function turnsOf(parties: readonly Party[]): readonly (readonly Party[])[] {
  const together = parties.filter(({ blocks }) => !blocks)
  const alone = parties.filter(({ blocks }) => blocks)
  return [together, ...alone.map((party) => [party])]
}

/** A denial as it was. An admission is asked for anew: what of it was given back, only who keeps the counts knows. */
async function besideDenial(party: Party, charged: AllDecision | undefined): Promise<PartyAnswer> {
  if (charged !== undefined && !charged.allowed) return { answer: charged, isDecided: true }
  return { answer: await party.peek(), isDecided: false }
}

function refundsOf(party: Party, { allowed, decisions }: AllDecision): Promise<void>[] {
  if (!allowed) return []
  return decisions.flatMap(({ receipt }: Decision, item) =>
    receipt === undefined ? [] : [party.refund(receipt, item)],
  )
}
