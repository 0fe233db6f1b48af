import { afterEach, beforeEach, describe, expect, test, vi } from "vitest"
import { createApi } from "../../src/api/create-api.js"
import { SluiceClient } from "../../src/client/index.js"
import { acquire, LimitNotFound, type NamedLimits, TimeoutExceeded } from "../../src/index.js"
import { MemoryLimits } from "../../src/limiter/memory-limits.js"

beforeEach(() => vi.useFakeTimers({ now: 1_700_000_000_000 }))
afterEach(() => vi.useRealTimers())

const make = () => new MemoryLimits({ limits: { default: "1/hour", mail: "1/second", post: "1/minute" } })

/** Several named limits, here and behind a server. */
const LIMITS: Record<string, () => NamedLimits> = {
  MemoryLimits: make,
  SluiceClient: () => {
    const api = createApi({ limits: make(), token: "a-token-for-the-tests" })
    return new SluiceClient("http://limits.test", {
      token: "a-token-for-the-tests",
      fetch: (url, init) => api.fetch(new Request(url, init)),
    })
  },
}

describe.each(Object.keys(LIMITS))("acquire() of %s", (name) => {
  test("waits for the limit that is named, and charges no other", async () => {
    const limits = LIMITS[name]!()
    await limits.check("a")
    const first = await acquire(limits, "a", { limit: "mail", timeout: 0 })
    expect(first.decision).toMatchObject({ allowed: true, limit: 1, remaining: 0 })
    const second = acquire(limits, "a", { limit: "mail", timeout: "2s" })
    await vi.advanceTimersByTimeAsync(1_100)
    await expect(second).resolves.toMatchObject({ key: "a" })
    expect(await limits.peek("a", { limit: "post" })).toMatchObject({ remaining: 1 })
  })

  test("lets nobody wait for the same key under another limit, or for a key that only reads the same", async () => {
    const limits = LIMITS[name]!()
    await limits.check("a", { limit: "post" })
    const slow = acquire(limits, "a", { limit: "post" }).catch(() => {})
    await expect(acquire(limits, "a", { limit: "mail", timeout: 0 })).resolves.toMatchObject({ key: "a" })
    await expect(acquire(limits, "a", { timeout: 0 })).resolves.toMatchObject({ key: "a" })
    await expect(acquire(limits, '["a","post"]', { timeout: 0 })).resolves.toMatchObject({ key: '["a","post"]' })
    await vi.advanceTimersByTimeAsync(61_000)
    await slow
  })

  test("tells of a limit that there is not, and asks the default one where none is named", async () => {
    const limits = LIMITS[name]!()
    await expect(acquire(limits, "a", { limit: "fax" })).rejects.toBeInstanceOf(LimitNotFound)
    await acquire(limits, "a")
    await expect(acquire(limits, "a", { timeout: "1m" })).rejects.toBeInstanceOf(TimeoutExceeded)
  })
})
