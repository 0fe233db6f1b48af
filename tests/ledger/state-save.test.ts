import { expect, test } from "vitest"
import { Core } from "../../src/engine/core.js"
import { LedgerState } from "../../src/ledger/ledger-state.js"
import type { OwnLimit } from "../../src/ledger/own-limit.js"
import { parsePolicy } from "../../src/policy/parse-policy.js"

const T = 1_700_000_000_000
const core = new Core()

/** What a compaction saves of three limits, where something is done with the last of them when it has begun. */
function savedAfter(act: (limit: OwnLimit) => unknown): Uint8Array {
  const state = new LedgerState(core, [1, 2, 3, 4], "issuer")
  for (const name of ["a", "b", "c"]) state.define(name, parsePolicy("5/minute"), T).openKeys().check("key", 1, T)
  const save = state.compact(state.compactRecord())
  act(state.limit("c")!)
  save.work(100_000, 100_000)
  expect(save.isDone).toBe(false)
  return save.next(100_000)
}

test("a limit is saved in its turn where only its policy and size were looked at, and before where its keys were", () => {
  const untouched = savedAfter(() => undefined)
  expect(savedAfter((limit) => [limit.policy, limit.size])).toEqual(untouched)
  const touched = savedAfter((limit) => limit.openKeys())
  expect(touched).not.toEqual(untouched)
  expect(touched.length).toBe(untouched.length)
})
