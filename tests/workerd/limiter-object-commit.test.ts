import { evictDurableObject, runInDurableObject } from "cloudflare:test"
import { describe, expect, test } from "vitest"
import { clockedLimiter, longPolicies, realLimiter, rowsOf, subjectTextOf } from "./objects.js"

const times = <T>(count: number, make: () => T): T[] => Array.from({ length: count }, make)

describe("LimiterObject", () => {
  test("admits exactly the limit of 200 checks that come at once", async () => {
    const { limiter, object } = realLimiter("50/day")
    const decisions = await Promise.all(times(200, () => limiter.check("a")))
    expect(decisions.filter(({ allowed }) => allowed)).toHaveLength(50)
    expect(await object().report()).toMatchObject({ admitted: 50, denied: 150 })
    expect(await limiter.check("a")).toMatchObject({ allowed: false, remaining: 0 })
    expect(await object().verify()).toMatchObject({ replayEqualsLive: true })
  })

  test("gives every admission of one commit its own receipt and its own remaining", async () => {
    const { limiter } = realLimiter("50/day fixed_window")
    const admitted = await Promise.all(times(50, () => limiter.check("a")))
    expect(new Set(admitted.map(({ receipt }) => receipt!.id)).size).toBe(50)
    expect(new Set(admitted.map(({ remaining }) => remaining)).size).toBe(50)
  })

  test("writes fewer than 0.2 rows per check where checks come together", async () => {
    const { limiter, object } = realLimiter("1000000/day")
    await limiter.check("a")
    const before = await object().report()
    for (let round = 0; round < 5; round++) await Promise.all(times(200, () => limiter.check("a")))
    const after = await object().report()
    expect(after.admitted - before.admitted).toBe(1_000)
    expect(after.rowsWritten - before.rowsWritten).toBeGreaterThan(0)
    expect(after.rowsWritten - before.rowsWritten).toBeLessThan(200)
  })

  test("writes at most 1.05 rows per check over 200 that come alone, its first rows included", async () => {
    const { limiter, object } = realLimiter("1000000/day")
    for (let check = 0; check < 200; check++) await limiter.check("a")
    const { admitted, commits, rowsWritten } = await object().report()
    expect({ admitted, commits }).toEqual({ admitted: 200, commits: 200 })
    expect(rowsWritten).toBeLessThanOrEqual(210)
  })

  test("writes at most 6 rows for the first check of a key", async () => {
    const { limiter, object } = realLimiter("10/day")
    await limiter.check("a")
    const { rowsWritten } = await object().report()
    expect(rowsWritten).toBeGreaterThan(0)
    expect(rowsWritten).toBeLessThanOrEqual(6)
  })

  test("writes one row per commit in the steady state", async () => {
    const { limiter, object } = realLimiter("1000000/day")
    await limiter.check("a")
    const before = await object().report()
    for (let check = 0; check < 50; check++) await limiter.check("a")
    const after = await object().report()
    expect(after.commits - before.commits).toBe(50)
    expect(after.rowsWritten - before.rowsWritten).toBe(50)
    // What the object says of itself is what its storage says.
    expect(await rowsOf(object())).toHaveLength(2)
  })

  test("writes nothing for a flood of denials, and tells them with the next commit", async () => {
    const { clock, limiter, object } = clockedLimiter("3/minute")
    for (let check = 0; check < 3; check++) await limiter.check("a")
    const before = await object().report()
    const stored = await rowsOf(object())
    const flood = await Promise.all(times(300, () => limiter.check("a")))
    for (let check = 0; check < 100; check++) flood.push(await limiter.check("a"))
    expect(flood.filter(({ allowed }) => allowed)).toEqual([])
    expect(await object().report()).toEqual({ ...before, denied: 400, calls: 403 })
    expect(await rowsOf(object())).toEqual(stored)
    clock.advance(20_000)
    expect(await limiter.check("a")).toMatchObject({ allowed: true })
    expect(await object().report()).toMatchObject({ rowsWritten: before.rowsWritten + 1 })
    expect(await object().verify()).toMatchObject({ replayEqualsLive: true, records: 6 })
  })

  test("a draw that is denied keeps what it gives back", async () => {
    const { limiter, object } = clockedLimiter("10/day fixed_window")
    const { receipt } = await limiter.check("a", { cost: 10 })
    const { decision } = await object().draw(
      { key: "a", policy: limiter.policy.canonical },
      { cost: 6, demand: 0, units: 0, ifBusy: false, giveBack: [{ receipt: receipt!, units: 5 }], id: "draw" },
    )
    expect(decision).toMatchObject({ allowed: false, remaining: 5 })
    await evictDurableObject(object())
    expect(await limiter.status("a")).toMatchObject({ remaining: 5 })
  })

  test("tells a peek under the id of a check no sooner than that check", async () => {
    const { limiter, object } = clockedLimiter("10/minute")
    const subject = { key: "a", policy: limiter.policy.canonical }
    const text = subjectTextOf(limiter.policy.canonical)
    await runInDurableObject(object(), async (instance) => {
      const told: string[] = []
      // While its commit is on its way, those of the others wait.
      await instance.decide("a", text, 1)
      const check = Promise.resolve(instance.decide("a", text, 1, "x")).then(() => told.push("check"))
      const again = instance
        .peek(subject, 1, "x")
        .then(({ receipt }) => told.push(receipt === undefined ? "none" : "peek"))
      await Promise.all([again, check])
      expect(told).toEqual(["check", "peek"])
    })
  })

  test.each(["settle", "charge", "block", "unblock", "reset"] as const)(
    "tells %s() no sooner than the check that was asked before it",
    async (verb) => {
      const { limiter, object } = clockedLimiter("10/minute")
      const subject = { key: "a", policy: limiter.policy.canonical }
      const text = subjectTextOf(limiter.policy.canonical)
      const { receipt } = await limiter.check("a")
      await runInDurableObject(object(), async (instance) => {
        const told: string[] = []
        const change = {
          settle: () => instance.settle(subject, receipt!, 1),
          charge: () => instance.charge(subject, 1),
          block: () => instance.block(subject, 1_000),
          unblock: () => instance.unblock(subject),
          reset: () => instance.reset(subject),
        }[verb]
        // While its commit is on its way, those of the others wait.
        await instance.decide("a", text, 1)
        const check = Promise.resolve(instance.decide("a", text, 1)).then(() => told.push("check"))
        const changed = change().then(() => told.push(verb))
        await Promise.all([changed, check])
        expect(told).toEqual(["check", verb])
      })
    },
  )

  test("a draw that is repeated is told what it was granted, though less is left", async () => {
    const { limiter, object } = clockedLimiter("1000/day fixed_window")
    const subject = { key: "a", policy: limiter.policy.canonical }
    const draw = () =>
      object().draw(subject, { cost: 1, demand: 0, units: 1_000, ifBusy: true, giveBack: [], id: "draw" })
    for (let check = 0; check < 200; check++) await limiter.check("a")
    const first = await draw()
    expect(first.decision).toMatchObject({ allowed: true, cost: 400, remaining: 400 })
    expect(await draw()).toEqual(first)
    expect(await limiter.status("a")).toMatchObject({ remaining: 400 })
  })

  test("writes nothing for questions", async () => {
    const { limiter, object } = clockedLimiter("3/minute")
    await limiter.check("a")
    const stored = await rowsOf(object())
    await limiter.peek("a")
    await limiter.check("a", { cost: 0 })
    await limiter.status("a")
    await limiter.stats("a")
    expect(await limiter.unblock("a")).toBe(false)
    expect(await rowsOf(object())).toEqual(stored)
  })

  test("compacts its log by itself, and all rows stay far below 2 MB", async () => {
    const { changePolicy, limiter, object } = longPolicies()
    const { sequence } = await object().verify()
    let covered = 0
    for (let change = 0; change < 120; change++) {
      await changePolicy()
      covered = Math.max(covered, (await rowsOf(object()))!.filter(({ id }) => id < 0).length)
    }
    expect(covered).toBe(1)
    const rows = (await rowsOf(object()))!
    expect(Math.max(...rows.map(({ body }) => body.length))).toBeLessThan(10_000)
    expect(rows.reduce((sum, { body }) => sum + body.length, 0)).toBeLessThan(100_000)
    const verification = await object().verify()
    expect(verification).toMatchObject({ replayEqualsLive: true })
    expect(verification.coveredSequence).toBeGreaterThan(sequence)
    await evictDurableObject(object())
    expect(await limiter.peek("a")).toMatchObject({ remaining: 1_000 - 120 })
  })
})
