import { describe, expect, test, vi } from "vitest"
import { limitMessages, type MessageLimitOptions, type MessageSocket } from "../../src/http/index.js"
import { ManualClock } from "../../src/types/clock.js"
import type { Decision } from "../../src/types/decision.js"
import { decisionOf, denialOf, FakeLimiter } from "./fake-limiter.js"
import { deferred, settled } from "./requests.js"

/** A socket that notes how it was closed. */
class TestSocket extends EventTarget implements MessageSocket {
  closed: { code: number | undefined; reason: string | undefined } | undefined

  override addEventListener(type: string, listener: never): void {
    super.addEventListener(type, listener)
  }

  close(code?: number, reason?: string): void {
    this.closed = { code, reason }
  }

  receive(data: unknown): void {
    this.dispatchEvent(new MessageEvent("message", { data }))
  }
}

function listening(options: Partial<MessageLimitOptions> = {}) {
  const clock = new ManualClock(0)
  const socket = new TestSocket()
  const heard: unknown[] = []
  const guard = limitMessages({ policy: "3/second", clock, ...options })
  guard.listen(socket, "user:1", (message) => heard.push(message))
  const receive = async (...messages: unknown[]) => {
    for (const message of messages) socket.receive(message)
    await settled()
  }
  return { clock, socket, heard, guard, receive }
}

describe("limitMessages()", () => {
  test("hands on what is within the limit, and closes the socket with 1008 beyond", async () => {
    const { socket, heard, receive } = listening()
    await receive(1, 2, 3)
    expect(socket.closed).toBeUndefined()
    await receive(4, 5)
    expect(heard).toEqual([1, 2, 3])
    expect(socket.closed).toEqual({ code: 1008, reason: "Too many messages: try again in 334 ms." })
  })

  test("drops instead, and hears the socket again when it is time", async () => {
    const { clock, socket, heard, receive } = listening({ onLimited: "drop" })
    await receive(1, 2, 3, 4)
    clock.advance(334)
    await receive(5, 6)
    expect(heard).toEqual([1, 2, 3, 5])
    expect(socket.closed).toBeUndefined()
  })

  test("leaves it to a function, with the decision", async () => {
    const onLimited = vi.fn()
    const { socket, receive } = listening({ onLimited })
    await receive(1, 2, 3, "four")
    expect(onLimited).toHaveBeenCalledExactlyOnceWith(socket, expect.objectContaining({ retryAfterMs: 334 }), "four")
  })

  test("counts sockets of one key together, and costs by message", async () => {
    const guard = limitMessages({
      policy: "10/second",
      cost: (message) => String(message).length,
      clock: new ManualClock(0),
    })
    expect(await guard.check("a", "12345678")).toMatchObject({ allowed: true, remaining: 2 })
    expect(await guard.check("a", "123")).toMatchObject({ allowed: false })
    expect(await guard.check("b", "123")).toMatchObject({ allowed: true })
  })

  test("keeps the order while the limiter answers late and out of it", async () => {
    const answers = [deferred<Decision>(), deferred<Decision>()]
    const waiting = [...answers]
    const limiter = new FakeLimiter(() => waiting.shift()!.promise)
    const { heard, receive } = listening({ limiter: () => limiter })
    await receive(1, 2)
    answers[1]!.resolve(decisionOf())
    await settled()
    expect(heard).toEqual([])
    answers[0]!.resolve(decisionOf())
    await settled()
    expect(heard).toEqual([1, 2])
  })

  test("lets no more messages wait than maxPending", async () => {
    const limiter = new FakeLimiter(() => new Promise<Decision>(() => {}))
    const { receive } = listening({ limiter: () => limiter, maxPending: 2, timeoutMs: 2 ** 31 - 1 })
    await receive(1, 2, 3, 4)
    expect(limiter.checks).toHaveLength(2)
  })

  test.each([
    ["open", [1]],
    ["closed", []],
    ["local", [1]],
  ] as const)("does as failMode %s says when the limiter fails", async (failMode, expected) => {
    const onError = vi.fn()
    const limiter = new FakeLimiter(() => Promise.reject(new Error("gone")))
    const { heard, receive } = listening({ limiter: () => limiter, failMode, onError })
    await receive(1)
    expect(heard).toEqual(expected)
    expect(onError).toHaveBeenCalledOnce()
  })

  test.each([
    ["throws", () => Promise.reject(new Error("own"))],
    ["is too large", () => 4],
    ["is none", () => Number.NaN],
  ])("denies a message whose cost %s", async (_what, cost) => {
    const onError = vi.fn()
    const { heard, receive } = listening({ cost, onError, onLimited: "drop" })
    await receive(1)
    expect(heard).toEqual([])
    expect(onError).toHaveBeenCalledOnce()
  })

  test("tells the hooks, whatever they do", async () => {
    const onDecision = vi.fn(() => {
      throw new Error("hook")
    })
    const limiter = new FakeLimiter(() => denialOf())
    const { receive, socket } = listening({ limiter: () => limiter, onDecision })
    await receive("hello")
    expect(onDecision).toHaveBeenCalledExactlyOnceWith(expect.objectContaining({ allowed: false }), "hello")
    expect(socket.closed?.code).toBe(1008)
  })

  test.each<[string, Partial<MessageLimitOptions>]>([
    ["maxPending", { maxPending: 0 }],
    ["failMode", { failMode: "ajar" as "open" }],
    ["timeoutMs", { timeoutMs: 0 }],
    ["maxKeys", { maxKeys: -1 }],
    ["period", { policy: "1/fortnight" }],
  ])("refuses a bad %s", (field, options) => {
    expect(() => limitMessages({ policy: "1/second", ...options })).toThrow(field)
  })
})
