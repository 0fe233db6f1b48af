import { describe, expect, test } from "vitest"
import { SavedAdmissions } from "../../src/ledger/saved-admissions.js"

function told(chargeNumber: number, calledAtMs = 0, id = `call-${chargeNumber}`) {
  return { id, key: "a", cost: 1, chargeNumber, calledAtMs, chargedAtMs: calledAtMs }
}

describe("SavedAdmissions", () => {
  test("add() drops the oldest at the bound, and none for one that it replaces", () => {
    const admissions = new SavedAdmissions(3)
    const all = [told(1), told(2), told(3), told(4, 0, "call-2"), told(5)]
    const held = () => all.filter((admission) => admissions.holds(admission)).map(({ chargeNumber }) => chargeNumber)
    for (const admission of all.slice(0, 4)) admissions.add(admission)
    expect(held()).toEqual([1, 3, 4])
    admissions.add(told(5))
    expect(held()).toEqual([3, 4, 5])
    expect(admissions.size).toBe(3)
    expect(admissions.find("call-1", "a", null, 0)).toBeUndefined()
  })

  test.each(["cost", "chargeNumber", "calledAtMs", "chargedAtMs"])("holds() tells two apart by %s", (field) => {
    const admissions = new SavedAdmissions()
    admissions.add(told(1))
    expect(admissions.holds(told(1))).toBe(true)
    expect(admissions.holds({ ...told(1), [field]: 7 })).toBe(false)
  })

  test("add() remembers 65,536 if not told otherwise", () => {
    const admissions = new SavedAdmissions()
    for (let charge = 0; charge < 65_537; charge++) admissions.add(told(charge))
    expect(admissions.size).toBe(65_536)
    expect(admissions.find("call-0", "a", null, 0)).toBeUndefined()
  })
})
