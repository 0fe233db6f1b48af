import { expect, test } from "vitest"
import { Core } from "../../src/engine/core.js"
import { MemoryLimit } from "../../src/engine/memory-limit.js"
import { NamedAdmissions } from "../../src/engine/named-admissions.js"
import { parsePolicy } from "../../src/policy/parse-policy.js"
import { START_MS } from "../start-ms.js"
import { TABLE_OPTIONS } from "./make-limit.js"

const HOUR_MS = 3_600_000

function makeMemoryLimit(policy: string, ...shared: [admissions?: NamedAdmissions, keyPrefix?: string]): MemoryLimit {
  return new MemoryLimit(new Core(), parsePolicy(policy), TABLE_OPTIONS, ...shared)
}

test("toldAgain() tells limits that remember calls together apart by their prefixes", () => {
  const admissions = new NamedAdmissions()
  const [one, other] = [makeMemoryLimit("9/day", admissions, "1 "), makeMemoryLimit("9/day", admissions, "2 ")]
  const { receipt } = one.checkAnew("a", 1, START_MS, "call")
  expect(one.toldAgain("a", 1, START_MS, "call")?.receipt).toEqual(receipt)
  expect(other.toldAgain("a", 1, START_MS, "call")).toBeUndefined()
  expect(one.subjectOf("a")).not.toBe(other.subjectOf("a"))
})

test("toldAgain() tells no admission that was settled, nor a call without an id", () => {
  const limit = makeMemoryLimit("9/day")
  const receipt = limit.checkAnew("a", 1, START_MS, "call").receipt!
  expect(limit.toldAgain("a", 1, START_MS, undefined)).toBeUndefined()
  expect(limit.settle(receipt, 1, START_MS)).toBe(START_MS)
  expect(limit.toldAgain("a", 1, START_MS, "call")).toBeUndefined()
})

test("reset() closes the key's receipts, and no other's", () => {
  const limit = makeMemoryLimit("9/day")
  const [ofA, ofB] = ["a", "b"].map((key) => limit.check(key, 1, START_MS).receipt)
  expect(limit.reset("a", START_MS)).toBe(true)
  expect(limit.settle(ofA!, 1, START_MS)).toBeNull()
  expect(limit.settle(ofB!, 1, START_MS)).toBe(START_MS)
})

test("change() leaves receipts closed that were too old, where the new policy keeps them longer", () => {
  const limit = makeMemoryLimit("9/second")
  const receipt = limit.check("a", 1, START_MS).receipt!
  const lateMs = START_MS + 2 * HOUR_MS
  limit.change(parsePolicy("9/day"), lateMs)
  expect(limit.settle(receipt, 1, lateMs)).toBeNull()
})

test("change() to a policy that keeps receipts no longer closes none that are charged before a clock that is set back", () => {
  for (const [policy, settledAtMs] of [
    ["5/second", START_MS],
    ["9/day", null],
  ] as const) {
    const limit = makeMemoryLimit("9/second")
    limit.change(parsePolicy(policy), START_MS + 2 * HOUR_MS)
    const { receipt } = limit.check("a", 1, START_MS)
    expect(limit.settle(receipt!, 3, START_MS)).toBe(settledAtMs)
  }
})
