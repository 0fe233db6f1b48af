import { setImmediate as nextTurn } from "node:timers/promises"
import { expect, test } from "vitest"
import { Turn } from "../../src/api/turn.node.js"

test("Turn.end is one promise for all who arrive in a turn, and none after it", async () => {
  const turn = new Turn()
  expect(turn.end).toBeNull()
  turn.begin()
  const { end } = turn
  turn.begin()
  expect(turn.end).toBe(end)
  const order: string[] = []
  void end?.then(() => order.push("answered"))
  await Promise.resolve()
  expect(order).toEqual([])
  await nextTurn()
  expect(order).toEqual(["answered"])
  expect(turn.end).toBeNull()
  turn.begin()
  expect(turn.end).not.toBe(end)
})
