import { describe, expect, test } from "vitest"
import { EventStream } from "../../src/metrics/event-stream.js"
import { makeDecision } from "../make-decision.js"

const decision = makeDecision()

const ids = (events: readonly { id: number }[]) => events.map(({ id }) => id)

describe("EventStream", () => {
  test("keeps the newest, and tells those after an id", () => {
    const stream = new EventStream({ retain: 3 })
    for (let times = 0; times < 5; times++) stream.push(decision, "api", 1_000)
    expect(ids(stream.since(0, 1_000))).toEqual([3, 4, 5])
    expect(ids(stream.since(4, 1_000))).toEqual([5])
    expect(ids(stream.since(5, 1_000))).toEqual([])
    expect(ids(stream.since(99, 1_000))).toEqual([])
    expect(ids(stream.since(0, 1_000, 2))).toEqual([4, 5])
    expect(stream.lastId).toBe(5)
  })

  test("forgets what is older than its retention", () => {
    const stream = new EventStream({ retainMs: 100 })
    stream.push(decision, "api", 1_000)
    stream.push(decision, "api", 1_050)
    expect(ids(stream.since(0, 1_100))).toEqual([1, 2])
    expect(ids(stream.since(0, 1_101))).toEqual([2])
  })

  test("samples", () => {
    const draws = [0.1, 0.9, 0.2, 0.5]
    const stream = new EventStream({ sample: 0.5, random: () => draws.shift()! })
    for (let times = 0; times < 4; times++) stream.push(decision, "api", 1)
    expect(stream.lastId).toBe(2)
  })

  test("calls who listens until it is told to stop", () => {
    const stream = new EventStream()
    const heard: number[] = []
    const stop = stream.listen(({ id }) => heard.push(id))
    stream.push(decision, "api", 1)
    stop()
    stream.push(decision, "api", 1)
    expect(heard).toEqual([1])
  })

  test("leaves what it told as it was when newer events take its place", () => {
    const stream = new EventStream({ retain: 1 })
    const heard: unknown[] = []
    stream.listen((event) => heard.push(event))
    stream.push(makeDecision({ key: "first" }), "api", 1)
    const [told] = stream.since(0, 1)
    stream.push(makeDecision({ key: "second" }), "login", 2)
    expect(told).toMatchObject({ id: 1, atMs: 1, key: "first", limit: "api" })
    expect(heard).toMatchObject([{ key: "first" }, { id: 2, atMs: 2, key: "second", limit: "login" }])
    expect(stream.since(0, 2)).toEqual(heard.slice(1))
  })

  test.each([{ sample: 2 }, { sample: Number.NaN }, { retain: 0 }, { retain: 1.5 }, { retainMs: -1 }])(
    "refuses %j",
    (options) => {
      expect(() => new EventStream(options)).toThrow(RangeError)
    },
  )
})
