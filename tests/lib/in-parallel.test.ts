import { describe, expect, test } from "vitest"
import { inParallel } from "../../src/lib/in-parallel.js"

const turn = () => new Promise<void>((resolve) => setImmediate(resolve))

describe("inParallel()", () => {
  test.each([
    [20, 3, 3],
    [2, 8, 2],
    [0, 8, 0],
    [5, 1, 1],
  ])("does %d items, %d at most at a time, and keeps their order", async (count, most, seen) => {
    let [running, peak] = [0, 0]
    const items = [...Array(count).keys()]
    const results = await inParallel(items, most, async (item) => {
      running += 1
      peak = Math.max(peak, running)
      for (let wait = item % 3; wait >= 0; wait--) await turn()
      running -= 1
      return item * 2
    })
    expect(results).toEqual(items.map((item) => item * 2))
    expect(peak).toBe(seen)
  })

  test("throws what failed first, and begins with nothing else", async () => {
    const begun: number[] = []
    const work = inParallel([...Array(20).keys()], 2, async (item) => {
      begun.push(item)
      await turn()
      if (item === 3) throw new Error("third")
      return item
    })
    await expect(work).rejects.toThrow("third")
    for (let wait = 0; wait < 5; wait++) await turn()
    expect(begun.length).toBeLessThanOrEqual(5)
  })

  test("fails only once what has begun is done", async () => {
    const done: number[] = []
    const work = inParallel([0, 1, 2], 3, async (item) => {
      if (item === 0) throw new Error("first")
      for (let wait = item; wait >= 0; wait--) await turn()
      done.push(item)
    })
    await expect(work).rejects.toThrow("first")
    expect(done).toEqual([1, 2])
  })
})
