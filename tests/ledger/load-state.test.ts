import { expect, test } from "vitest"
import { Core } from "../../src/engine/core.js"
import { MalformedBytes } from "../../src/ledger/byte-reader.js"
import { LedgerState } from "../../src/ledger/ledger-state.js"
import { loadState } from "../../src/ledger/load-state.js"
import type { OwnLimit } from "../../src/ledger/own-limit.js"
import { parsePolicy } from "../../src/policy/parse-policy.js"
import { areSame } from "./same-states.js"

const T = 1_700_000_000_000
const core = new Core()

function newState(): LedgerState {
  return new LedgerState(core, [1, 2, 3, 4], "issuer")
}

/** A state of a limit that has charged 70,000 times. */
function stateWith(settle: (limit: OwnLimit) => void): LedgerState {
  const state = newState()
  const limit = state.define("api", parsePolicy("5/minute"), T)
  limit.openKeys().noteCharges(70_000)
  settle(limit)
  return state
}

function saved(state: LedgerState): Uint8Array {
  const save = state.saveAll()
  save.work(1_000_000, 1_000_000)
  return save.next(1_000_000)
}

const settle = (limit: OwnLimit, charges: readonly number[]) => {
  for (const charge of charges) limit.receipts.add({ chargeNumber: charge, chargedAtMs: T + charge }, T, 0)
}

test("loadState() gives back every receipt that was settled", () => {
  const charges = [1, 2, 65_535, 65_536, 70_000]
  const state = stateWith((limit) => settle(limit, charges))
  const loaded = newState()
  loadState(loaded, saved(state))
  expect(areSame(state, loaded)).toBe(true)
  const { receipts } = loaded.limit("api")!
  expect([...charges, 3, 69_999].map((charge) => receipts.has(charge))).toEqual([
    ...charges.map(() => true),
    false,
    false,
  ])
})

test("loadState() refuses a settled receipt of a charge that was not made", () => {
  const state = stateWith((limit) => settle(limit, [70_001]))
  expect(() => loadState(newState(), saved(state))).toThrow(
    new MalformedBytes("a receipt was settled that was not given yet"),
  )
})

test("loadState() refuses receipts that are told twice", () => {
  const bytes = saved(stateWith((limit) => settle(limit, [5, 66_000])))
  const before = saved(stateWith(() => undefined)).length
  const twice = Uint8Array.of(...bytes, ...bytes.subarray(before))
  expect(() => loadState(newState(), twice)).toThrow(new MalformedBytes("chunks of charges go back"))
})
