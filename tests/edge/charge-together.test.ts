import { expect, test, vi } from "vitest"
import { chargeTogether, type Party } from "../../src/edge/charge-together.js"
import { allDecision } from "../../src/limiter/decide-all.js"
import { settled } from "../http/requests.js"
import { makeDecision } from "../make-decision.js"

const ADMITTED = allDecision([
  makeDecision({ receipt: { id: "x", key: "a", policy: "default", cost: 1, chargedAtMs: 0 } }),
])
const LEFT = allDecision([makeDecision({ remaining: 3 })])
const DENIED = allDecision([makeDecision({ allowed: false, reason: "limit" })])
/** What is told where the second of two parties is denied, and the first was only looked at. */
const LEFT_AND_DENIED = [
  { answer: LEFT, isDecided: false },
  { answer: DENIED, isDecided: true },
]

function partyOf(charge: Party["charge"], refund: Party["refund"] = async () => {}): Party {
  return { blocks: false, charge, peek: async () => LEFT, refund }
}

test.each([
  ["denied", async () => DENIED],
  ["not answered", () => Promise.reject(new Error("gone"))],
])("chargeTogether() ends only when the others have been given back where one is %s", async (_, charge) => {
  const refunded = Promise.withResolvers<void>()
  const refund = vi.fn(() => refunded.promise)
  const ended = vi.fn()
  const told = chargeTogether([partyOf(async () => ADMITTED, refund), partyOf(charge)]).catch(() => {})
  void told.then(ended)
  await settled()
  expect(refund).toHaveBeenCalledOnce()
  expect(ended).not.toHaveBeenCalled()
  refunded.resolve()
  await told
})

test("chargeTogether() tells what it found where a refund fails", async () => {
  const refund = () => Promise.reject(new Error("gone"))
  const answers = await chargeTogether([partyOf(async () => ADMITTED, refund), partyOf(async () => DENIED)])
  expect(answers).toEqual(LEFT_AND_DENIED)
})

test("chargeTogether() asks who admitted again beside a denial, once that was given back", async () => {
  const calls: string[] = []
  const admitting: Party = {
    ...partyOf(
      async () => ADMITTED,
      async () => void calls.push("refund"),
    ),
    async peek() {
      calls.push("peek")
      return LEFT
    },
  }
  expect(await chargeTogether([admitting, partyOf(async () => DENIED)])).toEqual(LEFT_AND_DENIED)
  expect(calls).toEqual(["refund", "peek"])
})
