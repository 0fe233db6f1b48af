import { abortAllDurableObjects, evictDurableObject, runInDurableObject } from "cloudflare:test"
import { env } from "cloudflare:workers"
import { describe, expect, test, vi } from "vitest"
import { EdgeLimiter, type LimiterObject, type ObjectReport } from "../../worker/sluice-worker.js"
import { freshName, realLimiter } from "./objects.js"

/** Runs checks of an object under timers that wait for `pass`, which lets so much time pass for the object. */
async function withTimers(object: () => DurableObjectStub<LimiterObject>, run: (pass: Pass) => Promise<void>) {
  vi.useFakeTimers({ toFake: ["setTimeout"] })
  try {
    await run((ms) => runInDurableObject(object(), () => void vi.advanceTimersByTime(ms)))
  } finally {
    vi.useRealTimers()
  }
}

type Pass = (ms: number) => Promise<void>

const times = <T>(count: number, make: () => T): T[] => Array.from({ length: count }, make)
const CHECKS = 300

/** Rows per check of checks that come one after the other, the first of the object not counted. */
async function rowsPerLoneCheck(sync: "always" | "ahead" | "batch"): Promise<number> {
  const { limiter, object } = realLimiter("1000000/day", { sync })
  for (let check = 0; check < 50; check++) await limiter.check("a")
  const before = await object().report()
  for (let check = 0; check < CHECKS; check++) await limiter.check("a")
  const after: ObjectReport = await object().report()
  return (after.rowsWritten - before.rowsWritten) / CHECKS
}

describe("LimiterObject in each sync mode", () => {
  test("writes one row per lone check under always, far fewer under ahead and batch", async () => {
    const [always, ahead, batch] = [
      await rowsPerLoneCheck("always"),
      await rowsPerLoneCheck("ahead"),
      await rowsPerLoneCheck("batch"),
    ]
    expect(always).toBeGreaterThanOrEqual(1)
    expect(always).toBeLessThanOrEqual(1.05)
    expect(ahead).toBeLessThanOrEqual(0.2)
    expect(batch).toBeLessThanOrEqual(0.2)
  })

  test("ahead writes a row for each check that comes by itself, and few for those that follow each other", async () => {
    const { limiter, object } = realLimiter("1000000/day", { sync: "ahead" })
    const rowsOf = async (checks: number, everyMs: number) => {
      const before = await object().report()
      await withTimers(object, async (pass) => {
        for (let check = 0; check < checks; check++) {
          await limiter.check("a")
          await pass(everyMs)
        }
        await pass(10_000)
      })
      return (await object().report()).rowsWritten - before.rowsWritten
    }
    await limiter.check("a")
    expect(await rowsOf(5, 10_000)).toBe(5)
    const rows = await rowsOf(50, 200)
    expect(rows).toBeGreaterThanOrEqual(2)
    // The first two, each five seconds, and when the grant is taken back.
    expect(rows).toBeLessThanOrEqual(7)
  })

  test("ahead loses nothing with an object that rests", async () => {
    const { limiter, object } = realLimiter("1000/day fixed_window", { sync: "ahead" })
    await withTimers(object, async (pass) => {
      for (let check = 0; check < 20; check++) await limiter.check("a")
      await pass(5_000)
    })
    await evictDurableObject(object())
    expect(await limiter.status("a")).toMatchObject({ remaining: 980 })
  })

  test("always keeps every admission through an eviction", async () => {
    const { limiter, object } = realLimiter("1000/day fixed_window")
    await Promise.all(times(200, () => limiter.check("a")))
    await evictDurableObject(object())
    expect(await limiter.status("a")).toMatchObject({ remaining: 800 })
  })

  test("ahead counts at least what was told after an abort, and at most a grant of a tenth more", async () => {
    const { limiter, object } = realLimiter("1000/day fixed_window", { sync: "ahead" })
    for (let round = 0; round < 5; round++) await Promise.all(times(50, () => limiter.check("a")))
    await abortAllDurableObjects()
    const { remaining } = await limiter.status("a")
    expect(remaining).toBeLessThanOrEqual(750)
    expect(remaining).toBeGreaterThanOrEqual(750 - 100 - 1)
    expect(await object().verify()).toMatchObject({ replayEqualsLive: true })
  })

  test("batch forgets at most what was not flushed, and admits no more than the limit while it lives", async () => {
    const { limiter, object } = realLimiter("100/day fixed_window", { sync: "batch" })
    const decisions = await Promise.all(times(300, () => limiter.check("a")))
    expect(decisions.filter(({ allowed }) => allowed)).toHaveLength(100)
    // A look commits what is left.
    expect(await object().verify()).toMatchObject({ replayEqualsLive: true })
    await evictDurableObject(object())
    expect(await limiter.status("a")).toMatchObject({ remaining: 0 })
  })

  test.each([
    ["always", 0],
    ["ahead", 0],
    ["batch", 1],
  ] as const)("%s: the first question after an eviction writes %i rows, and the next ones none", async (sync, rows) => {
    const { limiter, object } = realLimiter("10/day", { sync })
    await limiter.check("a")
    expect(await object().verify()).toMatchObject({ replayEqualsLive: true })
    await evictDurableObject(object())
    for (let question = 0; question < 3; question++) {
      expect(await limiter.status("a")).toMatchObject({ remaining: 9 })
      expect(await object().report()).toMatchObject({ rowsWritten: rows })
    }
  })

  test("is not changed by checks that are decided together", async () => {
    for (const sync of ["always", "ahead", "batch"] as const) {
      const { limiter, object } = realLimiter("1000/day fixed_window", { sync })
      await limiter.check("a")
      await object().verify()
      const before = await object().report()
      await limiter.checkAll([{ key: "a" }])
      const after = await object().report()
      // The check's own, or that of a batch whose time was up; none that closes the log and opens it in another mode.
      expect({ sync, few: after.commits - before.commits <= 1 }).toEqual({ sync, few: true })
    }
  })

  test("is the strictest of those of the checks that are decided together", async () => {
    const { limiter, object } = realLimiter("1000/day fixed_window")
    const policy = limiter.policy.canonical
    const checks = [
      { subject: { key: "a", policy, sync: "batch" }, cost: 1 },
      { subject: { key: "b", policy, sync: "always" }, cost: 1 },
    ] as const
    await object().checkAll(checks, "first")
    const { commits } = await object().report()
    await object().checkAll(checks, "second")
    expect(await object().report()).toMatchObject({ commits: commits + 1 })
  })

  test("changes with the caller: the strictest that asked counts, and nothing is lost", async () => {
    const name = freshName()
    const under = (sync: "always" | "ahead" | "batch") =>
      new EdgeLimiter(env.LIMITER, "1000/day fixed_window", { name, sync, denialCache: false })
    for (let check = 0; check < 10; check++) await under("batch").check("a")
    for (let check = 0; check < 10; check++) await under("ahead").check("a")
    const decisions = await Promise.all(times(10, () => under("always").check("a")))
    expect(Math.min(...decisions.map(({ remaining }) => remaining))).toBe(970)
    const object = () => env.LIMITER.getByName(`${name}\na`)
    const { commits, rowsWritten } = await object().report()
    for (const sync of ["batch", "ahead", "always"] as const) await under(sync).check("a")
    // Each its own: none is put off, and none closes the log and opens it in another mode.
    expect(await object().report()).toMatchObject({ commits: commits + 3, rowsWritten: rowsWritten + 3 })
    await evictDurableObject(object())
    expect(await under("always").status("a")).toMatchObject({ remaining: 967 })
  })

  test.each(["always", "ahead", "batch"] as const)(
    "%s: refund() and settle() of what is in the log count after evictions, once",
    async (sync) => {
      const { limiter, object } = realLimiter("100/day fixed_window", { sync })
      const { receipt: more } = await limiter.check("a", { cost: 1 })
      const { receipt: all } = await limiter.check("a", { cost: 40 })
      // A look commits what is left.
      await object().verify()
      await evictDurableObject(object())
      const { remaining } = await limiter.status("a")
      await limiter.settle(more!, 30)
      expect(await limiter.status("a")).toMatchObject({ remaining: remaining - 29 })
      await object().verify()
      await evictDurableObject(object())
      await limiter.settle(more!, 30)
      await limiter.refund(all!)
      await limiter.refund(all!)
      expect(await limiter.status("a")).toMatchObject({ remaining: remaining - 29 + 40 })
      expect(await object().verify()).toMatchObject({ replayEqualsLive: true })
    },
  )

  test("batch: a receipt whose charge an abort lost gives nothing back, and is no later one's", async () => {
    const { limiter, object } = realLimiter("100/day fixed_window", { sync: "batch" })
    // It would be written in a tenth of a second, by the timer or by the clock.
    vi.useFakeTimers({ toFake: ["setTimeout", "Date"] })
    const { receipt: lost } = await limiter
      .check("a")
      .then(() => object().verify())
      .then(() => limiter.check("a", { cost: 40 }))
      .finally(() => vi.useRealTimers())
    await abortAllDurableObjects()
    const { receipt: later } = await limiter.check("a", { cost: 40 })
    expect(later!.id).not.toBe(lost!.id)
    expect(await limiter.status("a")).toMatchObject({ remaining: 59 })
    await limiter.refund(lost!)
    expect(await limiter.status("a")).toMatchObject({ remaining: 59 })
    await limiter.refund(later!)
    expect(await limiter.status("a")).toMatchObject({ remaining: 99 })
  })
})
