import { describe, expect, test, vi } from "vitest"
import {
  limitMessages,
  type MessageKey,
  type MessageLimitOptions,
  type MessageSocket,
  UNIDENTIFIED_KEY,
} from "../../src/http/index.js"
import { RateLimiter } from "../../src/limiter/rate-limiter.js"
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

function listening(options: Partial<MessageLimitOptions> = {}, key: MessageKey = "user:1") {
  const clock = new ManualClock(0)
  const socket = new TestSocket()
  const heard: unknown[] = []
  const guard = limitMessages({ policy: "3/second", clock, ...options })
  guard.listen(socket, key, (message) => heard.push(message))
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

  test("tells no time where nobody knows one: for a cost that cannot be, and for a crowd", async () => {
    const costly = listening({ cost: () => 4 })
    await costly.receive(1)
    expect(costly.socket.closed).toEqual({ code: 1008, reason: "Too many messages." })
    const crowded = listening({ maxPending: 1 }, async () => "user:1")
    await crowded.receive(1, 2)
    expect(crowded.socket.closed).toEqual({ code: 1008, reason: "Too many messages." })
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
    const onDecision = vi.fn()
    const options = { limiter: () => limiter, maxPending: 2, timeoutMs: 2 ** 31 - 1, onDecision }
    const { receive } = listening({ ...options, onLimited: "drop" })
    await receive(1, 2, 3, 4)
    expect(limiter.checks).toHaveLength(2)
    // Those that were not asked for were denied as well.
    expect(onDecision.mock.calls.map(([{ allowed, reason }, data]) => [allowed, reason, data])).toEqual([
      [false, "limit", 3],
      [false, "limit", 4],
    ])
  })

  test("denies a crowd at once, and closes the socket when those before are handed on", async () => {
    const answers = [deferred<Decision>(), deferred<Decision>()]
    const waiting = [...answers]
    const options = { limiter: () => new FakeLimiter(() => waiting.shift()!.promise), maxPending: 1 }
    const [onLimited, onDecision] = [vi.fn(), vi.fn()]
    const told = listening({ ...options, onLimited })
    const closing = listening({ ...options, onDecision })
    for (const { receive } of [told, closing]) await receive("first", "second", "third")
    expect(onLimited.mock.calls.map(([, , message]) => message)).toEqual(["second", "third"])
    expect(closing.socket.closed).toBeUndefined()
    for (const answer of answers) answer.resolve(decisionOf())
    await settled()
    expect(told.heard).toEqual(["first"])
    expect(closing.heard).toEqual(["first"])
    expect(closing.socket.closed?.code).toBe(1008)
    // The third came after the one that closes the socket.
    expect(onDecision.mock.calls.map(([, message]) => message)).toEqual(["second", "first"])
  })

  test("counts as waiting only what is not decided yet", async () => {
    const { socket, heard, receive } = listening({ policy: "100/second", maxPending: 2 }, async () => "user:1")
    for (const message of [1, 2, 3, 4, 5]) await receive(message)
    expect(heard).toEqual([1, 2, 3, 4, 5])
    expect(socket.closed).toBeUndefined()
  })

  test("lets no message wait for a limiter in memory, however many come at once", async () => {
    const messages = Array.from({ length: 2_000 }, (_, index) => index)
    const { socket, heard, receive } = listening({ policy: "10000/second", maxPending: 1 })
    await receive(...messages)
    expect(heard).toEqual(messages)
    expect(socket.closed).toBeUndefined()
  })

  test("asks a limiter in memory for nothing after the message that closes the socket", async () => {
    const onDecision = vi.fn()
    const { socket, heard, receive } = listening({ onDecision })
    await receive(1, 2, 3, 4, 5, 6)
    expect(heard).toEqual([1, 2, 3])
    expect(onDecision.mock.calls.map(([{ allowed }]) => allowed)).toEqual([true, true, true, false])
    expect(socket.closed?.code).toBe(1008)
  })

  test("does as the fail mode says where a limiter in memory throws, and tells onError once", async () => {
    const onError = vi.fn()
    const limiter = Object.assign(new RateLimiter("1/second"), {
      check() {
        throw new Error("full")
      },
    })
    const { heard, receive } = listening({ limiter: () => limiter, onError })
    await receive(1)
    expect(heard).toEqual([1])
    expect(onError).toHaveBeenCalledOnce()
  })

  test("hands on nothing more once it has closed the socket, be it admitted", async () => {
    const answers = [deferred<Decision>(), deferred<Decision>()]
    const waiting = [...answers]
    const limiter = new FakeLimiter(() => waiting.shift()!.promise)
    const { socket, heard, receive } = listening({ limiter: () => limiter })
    await receive(1, 2)
    answers[0]!.resolve(denialOf())
    answers[1]!.resolve(decisionOf())
    await settled()
    expect(socket.closed?.code).toBe(1008)
    expect(heard).toEqual([])
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

  test("without onError warns on the console of the first key that cannot be had", async () => {
    const warn = vi.spyOn(console, "warn").mockReturnValue()
    try {
      const messages = limitMessages({ policy: "9/minute" })
      for (let message = 0; message < 3; message++) await messages.check(() => 5 as never, message)
      expect(warn.mock.calls).toEqual([
        [
          expect.stringMatching(
            /^Cannot limit messages by key: messages whose key cannot be had count together\. .* The first: TypeError: /,
          ),
        ],
      ])
    } finally {
      warn.mockRestore()
    }
  })

  test("without onError warns on the console of the first failure of the limiter", async () => {
    const warn = vi.spyOn(console, "warn").mockReturnValue()
    const limiter = new FakeLimiter(() => Promise.reject(new Error("out of reach")))
    const { heard, receive } = listening({ limiter: () => limiter })
    await receive(1, 2)
    expect(heard).toEqual([1, 2])
    expect(warn.mock.calls).toEqual([
      [
        expect.stringMatching(
          /^Cannot limit messages: messages pass unlimited \(failMode "open"\)\. .* The first: .*out of reach/,
        ),
      ],
    ])
    warn.mockRestore()
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

  test("counts a key that is no text against the one of all such, and tells onError", async () => {
    const onError = vi.fn()
    const keys: string[] = []
    const guard = limitMessages({
      policy: "1/second",
      clock: new ManualClock(0),
      onLimited: "drop",
      onDecision: ({ key }) => void keys.push(key),
      onError,
    })
    const socket = new TestSocket()
    const heard: unknown[] = []
    guard.listen(socket, 42 as unknown as string, (message) => heard.push(message))
    socket.receive("one")
    socket.receive("two")
    await settled()
    expect(await guard.check(Symbol("key") as unknown as string, "three")).toMatchObject({ allowed: false })
    expect(heard).toEqual(["one"])
    expect(keys).toEqual([UNIDENTIFIED_KEY, UNIDENTIFIED_KEY, UNIDENTIFIED_KEY])
    expect(onError.mock.calls.map(([error]) => String(error))).toEqual(Array(3).fill(expect.stringContaining("key")))
  })

  test.each<[string, unknown]>([
    ["throws", () => void JSON.parse("no JSON")],
    ["rejects", () => Promise.reject(new Error("own"))],
    ["gives a number", () => 42],
  ])("counts a message whose key function %s against the key of all such, and tells onError", async (_what, key) => {
    const unhandled = vi.fn()
    process.on("unhandledRejection", unhandled)
    const [onError, onDecision] = [vi.fn(), vi.fn()]
    const options = { policy: "1/second", onLimited: "drop", onError, onDecision } as const
    const { heard, receive } = listening(options, key as MessageKey)
    await receive("one", "two")
    await new Promise(setImmediate)
    process.off("unhandledRejection", unhandled)
    expect(unhandled).not.toHaveBeenCalled()
    expect(heard).toEqual(["one"])
    expect(onError.mock.calls.map(([, message]) => message)).toEqual(["one", "two"])
    expect(onDecision.mock.calls.map(([{ key }]) => key)).toEqual([UNIDENTIFIED_KEY, UNIDENTIFIED_KEY])
  })

  test("counts each message against the key that a function finds in it", async () => {
    const key = async (message: unknown) => String(message)[0]
    const { heard, receive } = listening({ policy: "1/second", onLimited: "drop" }, key)
    await receive("a1", "b1", "a2", "b2")
    await new Promise(setImmediate)
    expect(heard).toEqual(["a1", "b1"])
  })

  test.each(["onDecision", "onLimited", "onError", "close"] as const)(
    "leaves no rejection unhandled where %s fails, and denies still",
    async (failing) => {
      const unhandled = vi.fn()
      process.on("unhandledRejection", unhandled)
      const broken = vi.fn(async () => Promise.reject(new Error("hook")))
      const onError = vi.fn()
      const { socket, heard, receive } = listening({
        policy: "1/second",
        onError,
        ...(failing === "close" ? { onLimited: "close" } : { onLimited: "drop", [failing]: broken }),
        ...(failing === "onError" && { cost: broken }),
      })
      socket.close = () => {
        throw new Error("closed already")
      }
      await receive(1, 2)
      await settled()
      process.off("unhandledRejection", unhandled)
      expect(unhandled).not.toHaveBeenCalled()
      expect(heard).toEqual(failing === "onError" ? [] : [1])
      if (failing === "close") expect(onError).toHaveBeenCalledOnce()
      else expect(broken).toHaveBeenCalled()
    },
  )

  test("leaves no rejection unhandled where a socket that is closed for a crowd fails", async () => {
    const unhandled = vi.fn()
    process.on("unhandledRejection", unhandled)
    const onError = vi.fn()
    const { socket, heard, receive } = listening({ maxPending: 1, onError }, async () => "user:1")
    socket.close = () => {
      throw new Error("closed already")
    }
    await receive(1, 2)
    await settled()
    process.off("unhandledRejection", unhandled)
    expect(unhandled).not.toHaveBeenCalled()
    expect(onError).toHaveBeenCalledExactlyOnceWith(new Error("closed already"), 2)
    expect(heard).toEqual([1])
  })

  test.each<[string, unknown]>([
    ["cost", { cost: "1" }],
    ["cost", { cost: 2 }],
    ["cost", { cost: Number.NaN }],
    ["maxKeys", { maxKeys: 0 }],
    ["maxKeys", { maxKeys: Number.NaN }],
    ["onLimited", { onLimited: "Drop" }],
    ["limiter", { limiter: {} }],
    ["localLimiter", { localLimiter: "memory" }],
    ["localLimiter is given, allowed is that only with failMode", { localLimiter: () => new RateLimiter("1/day") }],
    ["clock", { clock: {} }],
    ["onDecision", { onDecision: true }],
    ["onError", { onError: "log" }],
    ['did you mean "failMode"', { failmode: "closed" }],
  ])("refuses a %s that no type would let by: %j", (field, options) => {
    const all = { policy: "1/second", ...(options as object) }
    expect(() => limitMessages(all)).toThrow(RangeError)
    expect(() => limitMessages(all)).toThrow(field)
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
