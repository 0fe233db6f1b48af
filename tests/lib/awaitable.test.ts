import { describe, expect, test } from "vitest"
import { isPromised, whenAllAnswered, whenAnswered, whenFailed } from "../../src/lib/awaitable.js"

const fail = (): never => {
  throw new Error("refused")
}

describe("whenAnswered()", () => {
  test("goes on now where the answer is there, else by promise", async () => {
    expect(whenAnswered(1, (answer) => answer + 1)).toBe(2)
    const later = whenAnswered(Promise.resolve(1), (answer) => answer + 1)
    expect(later).toBeInstanceOf(Promise)
    expect(await later).toBe(2)
  })

  test("fails as the answer does", async () => {
    await expect(whenAnswered(Promise.reject(new Error("refused")), () => 1)).rejects.toThrow("refused")
    expect(() => whenAnswered(1, fail)).toThrow("refused")
  })
})

test("whenAllAnswered() goes on now where all answers are there, else by promise", async () => {
  expect(whenAllAnswered([1, 2], ([a, b]) => a! + b!)).toBe(3)
  expect(await whenAllAnswered([1, Promise.resolve(2)], ([a, b]) => a! + b!)).toBe(3)
})

test("whenFailed() recovers from what fails now, and from what fails by promise", async () => {
  expect(whenFailed(() => 1, fail)).toBe(1)
  expect(whenFailed<number>(fail, () => 2)).toBe(2)
  expect(
    await whenFailed(
      () => Promise.reject<number>(new Error("refused")),
      () => 3,
    ),
  ).toBe(3)
})

test("isPromised() takes any object with then for a promise, as await does", () => {
  class Thenable {}
  Reflect.set(Thenable.prototype, "then", () => undefined)
  expect(isPromised(Promise.resolve())).toBe(true)
  expect(isPromised(new Thenable())).toBe(true)
  for (const answer of [undefined, null, 0, "then", {}]) expect(isPromised<unknown>(answer)).toBe(false)
})
