import { setImmediate as nextTurn } from "node:timers/promises"
import { expect, test } from "vitest"
import { Turn } from "../../src/api/turn.node.js"

test("Turn.add() has what arrives in a turn handled at its end, in its order", async () => {
  const handled: string[] = []
  const turn = new Turn<string>((arrival) => handled.push(arrival))
  turn.add("a")
  turn.add("b")
  await Promise.resolve()
  expect(handled).toEqual([])
  await nextTurn()
  expect(handled).toEqual(["a", "b"])
  await nextTurn()
  await nextTurn()
  turn.add("c")
  await nextTurn()
  expect(handled).toEqual(["a", "b", "c"])
})

test("Turn.add() has what arrives in the next turn handled before what the last one deferred to it", async () => {
  const order: string[] = []
  const done = Promise.withResolvers<void>()
  const turn = new Turn<string>((arrival) => {
    order.push(arrival)
    if (arrival !== "first") return
    setImmediate(() => {
      order.push("deferred")
      done.resolve()
    })
    process.nextTick(() => turn.add("second"))
  })
  turn.add("first")
  await done.promise
  expect(order).toEqual(["first", "second", "deferred"])
})

test("Turn.hold() has what arrives wait until release(), in its order", async () => {
  const handled: string[] = []
  const turn = new Turn<string>((arrival) => handled.push(arrival))
  turn.add("before")
  turn.hold()
  turn.add("a")
  await nextTurn()
  await nextTurn()
  turn.add("b")
  await nextTurn()
  expect(handled).toEqual([])
  turn.release()
  turn.add("after")
  await nextTurn()
  expect(handled).toEqual(["before", "a", "b", "after"])
})
