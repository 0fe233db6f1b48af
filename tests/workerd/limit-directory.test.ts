import { afterEach, beforeEach, describe, expect, test, vi } from "vitest"
import { StoreUnavailable } from "../../src/types/errors.js"
import { LimitDirectory } from "../../worker/api/limit-directory.js"
import type { Registry } from "../../worker/api/registry.js"
import type { DirectoryEntry } from "../../worker/api/registry-limits.js"

const OLD: DirectoryEntry = { name: "api", policy: "old", generation: 1, version: 1 }
const NEW: DirectoryEntry = { name: "api", policy: "new", generation: 1, version: 2 }

/** A registry whose answer a test sets, told as a whole or limit by limit. */
function registryOf(told: "whole" | "single") {
  const known = { entry: OLD as DirectoryEntry | null, reads: 0, told: null as Promise<void> | null, fails: false }
  const shard = {
    directory: async () => {
      if (told === "single") return null
      known.reads += 1
      if (known.fails) throw new StoreUnavailable("the Durable Object failed")
      const { entry } = known
      if (known.told !== null) await known.told
      return entry === null ? [] : [entry]
    },
    find: async () => {
      known.reads += 1
      if (known.fails) throw new StoreUnavailable("the Durable Object failed")
      const { entry } = known
      if (known.told !== null) await known.told
      return entry
    },
  }
  const registry = { limitShard: () => shard, ofLimit: () => shard } as unknown as Registry
  return { known, directory: new LimitDirectory(registry) }
}

describe.each(["whole", "single"] as const)("LimitDirectory, a shard told %s", (told) => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ["Date"] })
  })
  afterEach(() => {
    vi.useRealTimers()
  })

  test("find() answers from memory for 30 s, and reads beside it what is older than 5 s", async () => {
    const { known, directory } = registryOf(told)
    expect(await directory.find("api")).toEqual(OLD)
    known.entry = NEW
    vi.advanceTimersByTime(5_000)
    expect(await directory.find("api")).toEqual(OLD)
    expect(known.reads).toBe(1)
    vi.advanceTimersByTime(25_000)
    expect(await directory.find("api")).toEqual(OLD)
    expect(await directory.find("api")).toEqual(NEW)
    expect(known.reads).toBe(2)
  })

  test.each([OLD, null])("find() believes what was noted more than what was read before that: %o", async (before) => {
    const { known, directory } = registryOf(told)
    const { promise, resolve } = Promise.withResolvers<void>()
    Object.assign(known, { entry: before, told: promise })
    const found = directory.find("api")
    await vi.waitFor(() => expect(known.reads).toBe(1))
    known.entry = NEW
    directory.note("api", NEW)
    resolve()
    expect(await found).toEqual(NEW)
    expect(await directory.find("api")).toEqual(NEW)
  })

  test("find() reads anew when the clock was set back", async () => {
    const { known, directory } = registryOf(told)
    expect(await directory.find("api")).toEqual(OLD)
    known.entry = NEW
    vi.setSystemTime(Date.now() - 3_600_000)
    expect(await directory.find("api")).toEqual(NEW)
    expect(await directory.find("api")).toEqual(NEW)
    expect(known.reads).toBe(2)
  })

  test.each([NEW, null])("find() waits where what is held is older than 30 s: it tells %o", async (entry) => {
    const { known, directory } = registryOf(told)
    expect(await directory.find("api")).toEqual(OLD)
    known.entry = entry
    vi.advanceTimersByTime(30_001)
    expect(await directory.find("api")).toEqual(entry)
    expect(known.reads).toBe(2)
  })

  test("find() and refresh() wait two seconds for a shard that hangs, and what it answers later is known", async () => {
    vi.useFakeTimers({ toFake: ["Date", "setTimeout", "clearTimeout"] })
    const logged = vi.spyOn(console, "error").mockReturnValue()
    const { known, directory } = registryOf(told)
    const { promise, resolve } = Promise.withResolvers<void>()
    known.told = promise
    const first = Promise.allSettled([directory.find("api"), directory.refresh("api")])
    await vi.advanceTimersByTimeAsync(2_000)
    expect(await first).toMatchObject(Array(2).fill({ status: "rejected", reason: { code: "STORE_UNAVAILABLE" } }))
    resolve()
    await promise
    expect(await directory.find("api")).toEqual(OLD)
    const later = Promise.withResolvers<void>()
    Object.assign(known, { told: later.promise, entry: NEW })
    vi.advanceTimersByTime(30_001)
    const waiting = directory.find("api")
    await vi.advanceTimersByTimeAsync(2_000)
    expect(await waiting).toEqual(OLD)
    // While others ask beside it, and hear nothing either, nobody waits.
    for (let seconds = 0; seconds < 100; seconds++) {
      await vi.advanceTimersByTimeAsync(1_000)
      expect(await directory.find("api")).toEqual(OLD)
    }
    later.resolve()
    await vi.advanceTimersByTimeAsync(0)
    expect(logged).toHaveBeenCalled()
    logged.mockRestore()
  })

  test("find() goes on with what is known for half an hour in which it cannot be read, and reads it once in 5 s", async () => {
    const logged = vi.spyOn(console, "error").mockReturnValue()
    const { known, directory } = registryOf(told)
    known.fails = true
    await expect(directory.find("api")).rejects.toThrow(StoreUnavailable)
    known.fails = false
    expect(await directory.find("api")).toEqual(OLD)
    Object.assign(known, { fails: true, reads: 0 })
    vi.advanceTimersByTime(30_001)
    for (let times = 0; times < 3; times++) expect(await directory.find("api")).toEqual(OLD)
    // The first waited, and one more asked beside the others.
    await vi.waitFor(() => expect(logged).toHaveBeenCalledTimes(2))
    for (let seconds = 0; seconds < 100; seconds += 1) {
      vi.advanceTimersByTime(1_000)
      expect(await directory.find("api")).toEqual(OLD)
    }
    expect(known.reads).toBeLessThanOrEqual(2 + 100 / 5)
    await vi.waitFor(() => expect(logged).toHaveBeenCalledTimes(known.reads))
    Object.assign(known, { entry: NEW, fails: false })
    // It was not asked for half a minute, so it waits for what may be heard again.
    vi.advanceTimersByTime(30_001)
    expect(await directory.find("api")).toEqual(NEW)
    known.fails = true
    vi.advanceTimersByTime(1_800_001)
    await expect(directory.find("api")).rejects.toThrow(StoreUnavailable)
    logged.mockRestore()
  })
})
