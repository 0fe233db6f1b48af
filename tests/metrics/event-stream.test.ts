import { describe, expect, test, vi } from "vitest"
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

  test("is called otherwise than a stream that began in the same moment", () => {
    const [one, other] = [new EventStream(), new EventStream()]
    expect(one.epoch).not.toBe(other.epoch)
    // As ids that a reader sends back are read.
    expect(one.epoch).toMatch(/^[a-z0-9]+$/)
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

  test("push() tells the others where one who listens throws, and hands what it throws to onError", () => {
    const errors: unknown[] = []
    const heard: string[] = []
    const stream = new EventStream({ onError: (error) => errors.push(error) })
    const bad = new Error("bad listener")
    stream.listen(({ id }) => heard.push(`first ${id}`))
    stream.listen(() => {
      throw bad
    })
    stream.listen(({ id }) => heard.push(`last ${id}`))
    stream.push(decision, "api", 1)
    stream.push(decision, "api", 1)
    expect(heard).toEqual(["first 1", "last 1", "first 2", "last 2"])
    expect(errors).toEqual([bad, bad])
    expect(ids(stream.since(0, 1))).toEqual([1, 2])
  })

  test("push() reports what a listener throws as uncaught where nobody else is told", () => {
    const reported = vi.fn<(error: unknown) => void>()
    vi.stubGlobal("reportError", reported)
    const stream = new EventStream()
    const bad = new Error("bad listener")
    stream.listen(() => {
      throw bad
    })
    stream.push(decision, "api", 1)
    vi.unstubAllGlobals()
    expect(reported.mock.calls).toEqual([[bad]])
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
