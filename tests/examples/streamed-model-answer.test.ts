import { ManualClock, RateLimiter } from "sluice"
import { describe, expect, test } from "vitest"
import { answer, type Model } from "../../examples/streamed-model-answer.ts"

describe("examples/streamed-model-answer", () => {
  const pieces = ["a", "b", "c"]
  const model: Model = async function* () {
    for (const text of pieces) yield { text, tokens: 100 }
  }
  const make = () => new RateLimiter("10000/hour", { clock: new ManualClock(0) })

  test("settles what the stream used when it has ended", async () => {
    const limiter = make()
    const seen: string[] = []
    for await (const text of answer(limiter, "u", model, "?")) {
      seen.push(text)
      expect(limiter.peek("u").remaining).toBe(6_000)
    }
    expect(seen).toEqual(pieces)
    expect(limiter.peek("u").remaining).toBe(9_700)
  })

  test("settles what was used until the reader went away, or the model failed", async () => {
    const limiter = make()
    for await (const _ of answer(limiter, "u", model, "?")) break
    expect(limiter.peek("u").remaining).toBe(9_900)
    const failing: Model = async function* () {
      yield { text: "a", tokens: 50 }
      throw new Error("hung up")
    }
    const stream = answer(limiter, "u", failing, "?")
    await stream.next()
    await expect(stream.next()).rejects.toThrow("hung up")
    expect(limiter.peek("u").remaining).toBe(9_850)
  })
})
