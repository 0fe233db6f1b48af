import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { type CallUnderWay, MAX_WAITING, SharedCalls } from "../../src/edge/shared-calls.js"
import { assertProperty, propertyOf } from "../property/assert-property.js"
import { PROPERTY_RUNS, PROPERTY_TIMEOUT_MS } from "../property/budget.js"

const NOW_MS = 1_000_000

/** Lets so many checks wait behind a call of their own. */
function withWaiting(count: number) {
  const shared = new SharedCalls<number>()
  const first = shared.begin("a", NOW_MS)!
  for (let check = 0; check < count; check++) expect(shared.wait("a", check, NOW_MS)).toBe(check + 1)
  return { shared, first }
}

describe("SharedCalls", () => {
  test("begin() lets a check go alone where no call of its object is under way", () => {
    const shared = new SharedCalls<number>()
    const call = shared.begin("a", NOW_MS)
    expect(call).not.toBeNull()
    expect(shared.begin("a", NOW_MS)).toBeNull()
    expect(shared.begin("b", NOW_MS)).not.toBeNull()
    shared.end(call!)
    expect(shared.begin("a", NOW_MS)).not.toBeNull()
  })

  test("take() sends all that wait when the call has returned, in their order", () => {
    const { shared, first } = withWaiting(3)
    expect(shared.take("a", NOW_MS)).toBeNull()
    shared.end(first)
    expect(shared.begin("a", NOW_MS), "nobody overtakes those who wait").toBeNull()
    expect(shared.take("a", NOW_MS)?.waiting).toEqual([0, 1, 2])
    expect(shared.take("a", NOW_MS)).toBeNull()
  })

  test("take() waits 5 ms beside one call, 10 beside two, 20 beside three, and no longer", () => {
    const { shared } = withWaiting(1)
    expect(shared.patienceMs("a", NOW_MS + 1)).toBe(4)
    expect(shared.take("a", NOW_MS + 4)).toBeNull()
    expect(shared.take("a", NOW_MS + 5)?.waiting).toEqual([0])
    shared.wait("a", 1, NOW_MS + 5)
    expect(shared.patienceMs("a", NOW_MS + 5)).toBe(10)
    expect(shared.take("a", NOW_MS + 14)).toBeNull()
    expect(shared.take("a", NOW_MS + 15)?.waiting).toEqual([1])
    shared.wait("a", 2, NOW_MS + 15)
    expect(shared.take("a", NOW_MS + 34)).toBeNull()
    expect(shared.take("a", NOW_MS + 35)?.waiting).toEqual([2])
  })

  test("take() sends 64 at a time, four full calls at once, and what is left when one returns", () => {
    const { shared } = withWaiting(64 * 5 + 1)
    const loads = Array.from({ length: 3 }, () => shared.take("a", NOW_MS)!)
    expect(loads.map(({ waiting }) => waiting.length)).toEqual([64, 64, 64])
    expect(loads[2]!.waiting[0]).toBe(128)
    expect(shared.take("a", NOW_MS)).toBeNull()
    for (const { call } of loads) shared.end(call)
    expect(shared.take("a", NOW_MS)?.waiting).toHaveLength(64)
    expect(shared.take("a", NOW_MS)?.waiting).toHaveLength(64)
    expect(shared.take("a", NOW_MS), "the last one is no full call").toBeNull()
    expect(shared.take("a", NOW_MS + 20)?.waiting).toEqual([320])
  })

  test("an object that hangs is asked ever less often", () => {
    const shared = new SharedCalls<number>()
    let calls = 0
    for (let nowMs = NOW_MS; nowMs < NOW_MS + 10_000; nowMs++) {
      if (shared.begin("a", nowMs) !== null) calls += 1
      else {
        shared.wait("a", nowMs, nowMs)
        if (shared.take("a", nowMs) !== null) calls += 1
      }
    }
    expect(calls).toBeLessThan(100)
    expect(calls).toBeGreaterThan(10)
  })

  test("end() of a call makes those that were sent before it count no more", () => {
    const { shared } = withWaiting(2)
    const { call } = shared.take("a", NOW_MS + 5)!
    shared.wait("a", 2, NOW_MS + 5)
    expect(shared.take("a", NOW_MS + 6)).toBeNull()
    shared.end(call)
    expect(shared.take("a", NOW_MS + 6)?.waiting).toEqual([2])
  })

  test("wait() refuses a check where 4,096 wait already, until one is gone", () => {
    const { shared, first } = withWaiting(MAX_WAITING)
    expect(shared.wait("a", -1, NOW_MS)).toBe(MAX_WAITING + 1)
    shared.leave("a", 7)
    expect(shared.wait("a", -1, NOW_MS)).toBe(MAX_WAITING)
    shared.end(first)
    expect(shared.take("a", NOW_MS)?.waiting.slice(6, 9)).toEqual([6, 8, 9])
  })

  test("keeps nothing of a million keys whose calls have returned", () => {
    const shared = new SharedCalls<number>()
    for (let key = 0; key < 1_000_000; key++) {
      const call = shared.begin(`key ${key}`, NOW_MS)!
      if (key % 1_000 === 0) {
        shared.wait(`key ${key}`, key, NOW_MS)
        shared.end(call)
        shared.end(shared.take(`key ${key}`, NOW_MS)!.call)
      } else shared.end(call)
      if (key % 100_000 === 0) expect(shared.size).toBe(0)
    }
    expect(shared.size).toBe(0)
  })

  test("forgets keys whose calls never return, as when their requests are cancelled", () => {
    const shared = new SharedCalls<number>()
    for (let key = 0; key < 100_000; key++) shared.begin(`key ${key}`, NOW_MS + key * 100)
    expect(shared.size).toBeLessThan(2_100)
  })

  test(
    "sends each check that waits once, in order, unless it left",
    async () => {
      const act = fc.oneof(
        fc.record({ act: fc.constant("check" as const) }),
        fc.record({ act: fc.constantFrom("end" as const, "leave" as const), at: fc.nat() }),
        fc.record({ act: fc.constant("pass" as const), ms: fc.nat(30) }),
      )
      await assertProperty(
        propertyOf(fc.array(act, { maxLength: 200 }), (acts) => {
          const shared = new SharedCalls<number>()
          const calls: CallUnderWay<number>[] = []
          const [waiting, sent]: [number[], number[]] = [[], []]
          let nowMs = NOW_MS
          let checks = 0
          const send = () => {
            for (let load = shared.take("a", nowMs); load !== null; load = shared.take("a", nowMs)) {
              calls.push(load.call)
              sent.push(...load.waiting)
              expect(waiting.splice(0, load.waiting.length)).toEqual(load.waiting)
            }
          }
          for (const each of acts) {
            if (each.act === "pass") nowMs += each.ms
            else if (each.act === "check") {
              const call = shared.begin("a", nowMs)
              if (call !== null) calls.push(call)
              else {
                shared.wait("a", checks, nowMs)
                waiting.push(checks)
              }
              checks += 1
            } else if (each.act === "end") {
              const [call] = calls.splice(each.at % Math.max(1, calls.length), 1)
              if (call) shared.end(call)
            } else {
              const [left] = waiting.splice(each.at % Math.max(1, waiting.length), 1)
              if (left !== undefined) shared.leave("a", left)
            }
            send()
            if (calls.length === 0) expect(waiting).toEqual([])
          }
          while (calls.length > 0) {
            shared.end(calls.shift()!)
            send()
          }
          expect(waiting).toEqual([])
          expect(sent).toEqual([...new Set(sent)].sort((a, b) => a - b))
          expect(shared.size).toBe(0)
        }),
        PROPERTY_RUNS,
      )
    },
    PROPERTY_TIMEOUT_MS,
  )
})
