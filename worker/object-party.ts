import type { Party } from "../src/edge/charge-together.js"
import { receiveDecision } from "../src/edge/denial-terms.js"
import { withDeadline } from "../src/http/with-deadline.js"
import { allDecision } from "../src/limiter/decide-all.js"
import type { AllDecision } from "../src/types/limiter.js"
import type { Receipt } from "../src/types/receipt.js"
import { lookBeside } from "./look-beside.js"
import { type ObjectStub, TOGETHER_TIMEOUT_MS } from "./object-calls.js"
import type { ObjectParts } from "./parts-by-object.js"

/** Checks of one object, charged together with those of others. */
export class ObjectParty implements Party {
  readonly blocks: boolean
  readonly #parts: ObjectParts["parts"]
  readonly #id: string
  readonly #timeoutMs: number

  /** @param id names the call that charges */
  constructor(parts: ObjectParts["parts"], id: string) {
    this.blocks = parts.some(({ policy }) => policy.blockMs > 0)
    this.#parts = parts
    this.#id = id
    this.#timeoutMs = parts[0].timeoutMs ?? TOGETHER_TIMEOUT_MS
  }

  async charge(): Promise<AllDecision> {
    const parts = this.#parts
    const [{ object, calls, background }] = parts
    const checks = parts.map(({ check }) => check)
    const ask = (stub: ObjectStub) => stub.checkAll(checks, this.#id) as Promise<AllDecision>
    const tickets = parts.map(({ denialCache }) => denialCache?.ticket())
    const answer = calls.call(object, ask, { repeatable: true })
    try {
      const told = await withDeadline(answer, this.#timeoutMs)
      const decisions = told.decisions.map(receiveDecision)
      for (const [index, { denialCache, cacheName, policy }] of parts.entries()) {
        denialCache?.note(cacheName, policy, decisions[index]!, tickets[index]!)
      }
      return { ...told, decisions }
    } catch (error) {
      // Where the answer was an error it tells of no charge.
      background(this.#giveBackLate(answer).catch(() => undefined))
      throw error
    }
  }

  /** What an object charged after its time, when nobody waited for it any more. */
  async #giveBackLate(answer: Promise<AllDecision>): Promise<void> {
    const { decisions } = await answer
    await Promise.allSettled(decisions.map(async ({ receipt }, item) => receipt && (await this.refund(receipt, item))))
  }

  async peek(): Promise<AllDecision> {
    return allDecision(await lookBeside(this.#parts, { repeatable: true, timeoutMs: this.#timeoutMs }))
  }

  async refund(receipt: Receipt, item: number): Promise<void> {
    const [{ object, calls }] = this.#parts
    const { check, denialCache, cacheName } = this.#parts[item]!
    // Under an id of its own it may have been told to another call meanwhile, which the object knows.
    const call = check.id === undefined ? undefined : this.#id
    const settle = (stub: ObjectStub) => stub.settle(check.subject, receipt, receipt.cost, call)
    // What was denied while the charge stood may pass now.
    denialCache?.forget(cacheName)
    try {
      await calls.call(object, settle, { repeatable: true, timeoutMs: this.#timeoutMs })
    } finally {
      denialCache?.forget(cacheName)
    }
  }
}
