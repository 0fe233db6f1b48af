import { openLimiter } from "sluice/embedded"
import { afterAll, afterEach, beforeEach, expect, test, vi } from "vitest"
import { removeFolders, temporaryFolder } from "./temporary-folder.js"

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})
afterAll(removeFolders)

test.each(["always", "ahead", "batch"] as const)("a store under %s waits for no timer of a test", async (sync) => {
  const path = temporaryFolder()
  const limiter = await openLimiter({ path, policy: "5/minute", sync, names: true })
  const decisions = await Promise.all(["a", "a", "b"].map((key) => limiter.check(key)))
  expect(decisions.map(({ remaining }) => remaining)).toEqual([4, 3, 4])
  await limiter.charge("a", 3)
  expect((await limiter.check("a")).allowed).toBe(false)
  vi.advanceTimersByTime(12_000)
  expect((await limiter.check("a")).allowed).toBe(true)
  // So many that they are looked at in turns.
  for (let key = 0; key < 10_000; key += 2_000) {
    await Promise.all(Array.from({ length: 2_000 }, (_, each) => limiter.check(`key ${key + each}`)))
  }
  expect((await limiter.top({ by: "allowed", count: 1 })).map(({ key }) => key)).toEqual(["a"])
  await limiter.flush()
  await limiter.compact()
  await limiter.close()
})
