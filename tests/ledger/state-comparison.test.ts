import { expect, test } from "vitest"
import { Core } from "../../src/engine/core.js"
import { LedgerState } from "../../src/ledger/ledger-state.js"
import type { OwnLimit } from "../../src/ledger/own-limit.js"
import type { OpenRecord } from "../../src/ledger/record.js"
import { SYNC_NUMBER } from "../../src/ledger/sync-mode.js"
import { parsePolicy } from "../../src/policy/parse-policy.js"
import { areSame } from "./same-states.js"

const T = 1_700_000_000_000
const core = new Core()

function newState(name = "api", policy = "5/minute") {
  const state = new LedgerState(core, [1, 2, 3, 4], "issuer", { names: true })
  const limit = state.define(name, parsePolicy(policy), T)
  limit.openKeys().check("a", 1, T)
  limit.skipCharges(9)
  state.noteUse(T)
  return { state, limit }
}

/** A state of a limit with 20 charges, of which these numbers are none. */
function stateOfGap(after: number, through: number): LedgerState {
  const { state, limit } = newState()
  limit.openKeys().skipChargesTo(after)
  limit.skipCharges(through)
  limit.openKeys().skipChargesTo(20)
  return state
}

const openRecord = (rest: Partial<OpenRecord>): OpenRecord => {
  return { op: "open", timeMs: T, limit: 0, sync: SYNC_NUMBER.always, chargesAfter: 0, ...rest }
}
const receipt = { key: "a", chargedAtMs: T, chargeNumber: 1 }

const CHANGES: Readonly<Record<string, (made: { state: LedgerState; limit: OwnLimit }) => void>> = {
  "the time": ({ state }) => state.noteUse(T + 1),
  "the sync mode": ({ state }) => state.noteStore(openRecord({ sync: SYNC_NUMBER.batch })),
  // As many as the limit skipped already.
  "the number above which new limits number their charges": ({ state }) =>
    state.noteStore(openRecord({ chargesAfter: 9 })),
  "another limit": ({ state }) => void state.define("other", parsePolicy("5/minute"), T),
  "the number of the next limit": ({ state }) => state.remove(state.define("gone", parsePolicy("5/minute"), T)),
  "a limit's charges": ({ limit }) => limit.openKeys().noteCharges(1),
  "what a limit skipped": ({ limit }) => limit.skipCharges(12),
  "until when receipts are closed": ({ limit }) => limit.receipts.closeBefore(T),
  "a settled receipt": ({ limit }) => void limit.settle(receipt, 0, T),
  "a key that was reset": ({ limit }) => limit.receipts.resets.add("a", { chargeNumber: 1, timeMs: T }),
  "a key that was reset a second time": ({ limit }) => {
    for (const charge of [1, 2]) limit.receipts.resets.add("a", { chargeNumber: charge, timeMs: T })
  },
  "up to which number resets that were forgotten closed charges": ({ limit }) => limit.receipts.resets.closeThrough(1),
  "an admission": ({ limit }) =>
    void limit.admissions.restore({ id: "x", key: "a", cost: 1, chargeNumber: 1, calledAtMs: T, chargedAtMs: T }),
  "an admission of a call that sluice named": ({ limit }) =>
    void limit.internalAdmissions.restore({
      id: "\tx",
      key: "a",
      cost: 1,
      chargeNumber: 1,
      calledAtMs: T,
      chargedAtMs: T,
    }),
  "units granted ahead": ({ limit }) => limit.grantAhead("a", 3),
  "a name": ({ limit }) => limit.noteName("a"),
  "a key's counts": ({ limit }) => limit.openKeys().charge("a", 1, T),
  "a block": ({ limit }) => limit.openKeys().block("a", T + 1_000, T),
  "a key": ({ limit }) => limit.openKeys().charge("b", 1, T),
}

test("compareStates() finds two states of the same acts the same", () => {
  expect(areSame(newState().state, newState().state)).toBe(true)
})

test.each(Object.entries(CHANGES))("compareStates() tells states apart by %s", (_, change) => {
  const [one, other] = [newState(), newState()]
  change(other)
  expect(areSame(one.state, other.state)).toBe(false)
  change(one)
  expect(areSame(one.state, other.state)).toBe(true)
})

test.each([
  [11, 15],
  [10, 16],
])("compareStates() tells states apart by where a gap in the charges begins and ends: %i to %i", (after, through) => {
  expect(areSame(stateOfGap(10, 15), stateOfGap(10, 15))).toBe(true)
  expect(areSame(stateOfGap(10, 15), stateOfGap(after, through))).toBe(false)
})

test("compareStates() tells states apart by which receipt of a limit was settled, and when it was charged", () => {
  const settled = (chargeNumber: number, chargedAtMs: number) => {
    const { state, limit } = newState()
    limit.openKeys().noteCharges(1)
    expect(limit.settle({ ...receipt, chargeNumber, chargedAtMs }, 0, T)).toBe(true)
    return state
  }
  expect(areSame(settled(1, T), settled(1, T))).toBe(true)
  expect(areSame(settled(1, T), settled(10, T))).toBe(false)
  expect(areSame(settled(1, T), settled(1, T - 1))).toBe(false)
})

test.each([
  ["name", newState("other").state],
  ["policy", newState("api", "6/minute").state],
])("compareStates() tells states apart by a limit's %s", (_, other) => {
  expect(areSame(newState().state, other)).toBe(false)
})
