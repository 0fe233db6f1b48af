import { describe, expect, test } from "vitest"
import { type ChargedAdmission, NamedAdmissions } from "../../src/engine/named-admissions.js"

function admitted(id: string, calledAtMs: number, cost = 1, charge = 1, key = "a"): ChargedAdmission {
  return { id, key, cost, chargeNumber: charge, calledAtMs, chargedAtMs: calledAtMs }
}

describe("NamedAdmissions", () => {
  test("find() tells what was added under the same id and key, for 5 minutes", () => {
    const told = new NamedAdmissions()
    const one = admitted("x", 1_000)
    expect(told.find("x", "a", null, 1_000)).toBeUndefined()
    told.add(one)
    expect(told.find("x", "a", null, 301_000)).toBe(one)
    expect(told.find("x", "a", null, 301_001)).toBeUndefined()
    expect(told.find("x", "b", null, 1_000)).toBeUndefined()
    expect(told.find("y", "a", null, 1_000)).toBeUndefined()
  })

  test("find() tells no call of a clock that was more than 5 minutes ahead", () => {
    const told = new NamedAdmissions()
    told.add(admitted("x", 1_000_000))
    expect(told.find("x", "a", null, 700_000)).toBeDefined()
    expect(told.find("x", "a", null, 699_999)).toBeUndefined()
    // Its cost may be another, since it is another call.
    expect(told.find("x", "a", 2, 0)).toBeUndefined()
    expect(told.find("x", "a", null, 1_000_000)).toBeDefined()
  })

  test("find() tells a call that a clock which was set back made of a key that had seen a later time", () => {
    const told = new NamedAdmissions()
    told.add({ ...admitted("x", 0), chargedAtMs: 1_000_000 })
    expect(told.find("x", "a", null, 10)).toBeDefined()
    // As long ago as it is, and not as the time of its charge is.
    expect(told.find("x", "a", null, 300_001)).toBeUndefined()
    told.add(admitted("y", 300_001))
    expect(told.find("x", "a", null, 10)).toBeUndefined()
  })

  test("find() refuses what cannot be an id, also while nothing was added", () => {
    for (const id of ["", "x".repeat(65), "é", "a\n", 7 as never]) {
      expect(() => new NamedAdmissions().find(id, "a", null, 0)).toThrow(RangeError)
    }
  })

  test("find() refuses another cost and names both, while it is remembered", () => {
    const told = new NamedAdmissions()
    told.add(admitted("x", 0, 4))
    const message = 'Cannot check under id "x": cost is 5, allowed is 4.'
    expect(() => told.find("x", "a", 5, 1)).toThrow(Object.assign(new RangeError(message), { admitted: 4 }))
    expect(told.find("x", "a", 4, 1)).toMatchObject({ cost: 4 })
    expect(told.find("x", "a", 5, 300_001)).toBeUndefined()
  })

  test("find() tells nothing that was settled, whatever its cost, and a later admission under the same id", () => {
    const told = new NamedAdmissions()
    const isSettled = ({ chargeNumber }: ChargedAdmission) => chargeNumber === 1
    told.add(admitted("x", 0))
    expect(told.find("x", "a", 2, 0, isSettled)).toBeUndefined()
    const second = admitted("x", 1, 1, 2)
    told.add(second)
    expect(told.find("x", "a", 1, 1, isSettled)).toBe(second)
  })

  test("add() drops what is too old, and at the bound the oldest", () => {
    const told = new NamedAdmissions(3)
    const known = (names: string[], nowMs: number) => names.map((id) => told.find(id, "a", null, nowMs) !== undefined)
    for (const [index, id] of ["a", "b", "c", "d"].entries()) told.add(admitted(id, index))
    expect(known(["a", "b", "c", "d"], 4)).toEqual([false, true, true, true])
    told.add(admitted("b", 5))
    told.add(admitted("e", 5))
    expect(known(["b", "c", "d", "e"], 5)).toEqual([true, false, true, true])
    for (const id of ["f", "g", "h"]) told.add(admitted(id, 305_006))
    // What was dropped for its age is not there for a clock that goes back.
    expect(known(["b", "d", "e", "f", "g", "h"], 10_000)).toEqual([false, false, false, true, true, true])
  })

  test("find() and add() keep keys apart whatever they hold", () => {
    const told = new NamedAdmissions()
    const one = admitted("x", 0, 1, 1, "\ny")
    told.add(one)
    expect(told.find("x", "y", null, 0)).toBeUndefined()
    expect(told.find("x", "\ny", null, 0)).toBe(one)
  })
})
