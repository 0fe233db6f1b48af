import { evictDurableObject } from "cloudflare:test"
import { env } from "cloudflare:workers"
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, test, vi } from "vitest"
import { Random } from "../../src/simulate/random.js"
import type { Decision } from "../../src/types/decision.js"
import { CostError, StoreUnavailable } from "../../src/types/errors.js"
import { DenialCache, EdgeLimiter, type EdgeLimiterOptions } from "../../worker/sluice-worker.js"
import { setClock } from "./clocked-limiter-object.js"
import { errorOf } from "./error-of.js"
import { type Fault, faultyBinding } from "./faulty-binding.js"
import { freshName, START_MS } from "./objects.js"

/** Scenarios; more by SLUICE_FAULT_RUNS. */
const RUNS = inject("faultRuns")

const times = <T>(count: number, make: (index: number) => T): T[] => Array.from({ length: count }, (_, at) => make(at))

/** The requests of these tests are one, so that each may wait for another's call: the flag that says so is off here. */
function allowSharing(): void {
  vi.stubGlobal("Cloudflare", { compatibilityFlags: { handle_cross_request_promise_resolution: true } })
}

beforeAll(allowSharing)
afterAll(() => vi.unstubAllGlobals())

/** A limiter that shares calls, whose n-th call meets a fault; and one that shares none and meets none. */
function sharing(policy: string, faultOf: (verb: string, call: number) => Fault, options: EdgeLimiterOptions = {}) {
  const name = freshName()
  const network = faultyBinding(env.LIMITER, faultOf)
  const work: Promise<unknown>[] = []
  const background = (promise: Promise<unknown>) => void work.push(promise)
  const common = { name, denialCache: false, ...options } as const
  return {
    network,
    limiter: new EdgeLimiter(network.binding, policy, { timeoutMs: 2_000, background, ...common }),
    sound: new EdgeLimiter(env.LIMITER, policy, common),
    object: () => env.LIMITER.getByName(`${name}\na`),
    work,
  }
}

const none = (): Fault => "none"
const sharedCall = (fault: Fault) => (verb: string) => (verb === "decideEach" ? fault : "none")
const remainingOf = (decisions: readonly Decision[]) => decisions.map(({ remaining }) => remaining)
const outcomesOf = async (checks: readonly Promise<Decision>[]) =>
  (await Promise.allSettled(checks)).map((each) => (each.status === "fulfilled" ? each.value : (each.reason as Error)))

describe("EdgeLimiter with background", () => {
  // While no time passes, nobody loses patience with a call under way: how many there are does not depend on the
  // machine.
  beforeEach(() => {
    vi.spyOn(Date, "now").mockReturnValue(START_MS)
  })
  afterEach(() => vi.restoreAllMocks())

  test("sends the checks that come while a call is under way in one, and decides them in their order", async () => {
    const { limiter, object, work } = sharing("1000/day", none)
    const decisions = await Promise.all(times(40, () => limiter.check("a")))
    expect(limiter.calls).toBe(2)
    expect(remainingOf(decisions)).toEqual(times(40, (at) => 999 - at))
    expect(new Set(decisions.map(({ receipt }) => receipt!.id)).size).toBe(40)
    const report = await object().report()
    expect(report).toMatchObject({ admitted: 40, calls: limiter.calls })
    expect(report.commits).toBeLessThanOrEqual(limiter.calls)
    expect(work).toHaveLength(limiter.calls - 1)
    await Promise.all(work)
  })

  test("sends at most 64 in a call", async () => {
    const { limiter } = sharing("1000/day", none)
    const decisions = await Promise.all(times(200, () => limiter.check("a")))
    expect(remainingOf(decisions).sort((a, b) => b - a)).toEqual(times(200, (at) => 999 - at))
    expect(limiter.calls).toBe(5)
  })

  test("shares none where a request cannot wait for another's call", async () => {
    vi.unstubAllGlobals()
    const { limiter } = sharing("1000/day", none)
    allowSharing()
    await Promise.all(times(10, () => limiter.check("a")))
    expect(limiter.calls).toBe(10)
  })

  test("sends a check at once where no call is under way, and shares none without background", async () => {
    const { limiter, sound } = sharing("1000/day", none)
    for (let check = 0; check < 3; check++) await limiter.check("a")
    expect(limiter.calls).toBe(3)
    await Promise.all(times(10, () => sound.check("a")))
    expect(sound.calls).toBe(10)
    const keys = await Promise.all(times(5, (key) => limiter.check(`key ${key}`)))
    expect(remainingOf(keys)).toEqual([999, 999, 999, 999, 999])
    expect(limiter.calls).toBe(8)
  })

  test("tells each check its own decision: keys of a shard, costs, and a limit that runs out", async () => {
    const { limiter } = sharing("10/day", none, { shards: 1 })
    const asked = times(30, (at) => ({ key: `key ${at % 3}`, cost: 1 + (at % 2) }))
    const decisions = await Promise.all(asked.map(({ key, cost }) => limiter.check(key, { cost })))
    expect(limiter.calls).toBe(2)
    expect(decisions.map(({ key, cost }) => ({ key, cost }))).toEqual(asked)
    for (const key of ["key 0", "key 1", "key 2"]) {
      const own = decisions.filter((each) => each.key === key && each.allowed)
      expect(own.reduce((sum, { cost }) => sum + cost, 0)).toBeLessThanOrEqual(10)
      expect(await limiter.status(key)).toMatchObject({
        remaining: 10 - own.reduce((sum, { cost }) => sum + cost, 0),
      })
    }
    expect(decisions.filter(({ allowed }) => !allowed).length).toBeGreaterThan(5)
  })

  test.each(["always", "ahead", "batch"] as const)("admits the policy and no more under sync %s", async (sync) => {
    const { limiter, object } = sharing("100/day", none, { sync })
    const decisions = await Promise.all(times(150, () => limiter.check("a")))
    expect(decisions.filter(({ allowed }) => allowed)).toHaveLength(100)
    expect(await object().verify()).toMatchObject({ replayEqualsLive: true })
  })

  test("an error of one check is its own, with its class", async () => {
    const { limiter, sound } = sharing("100/day", none)
    await sound.check("a", { id: "paid" })
    const outcomes = await outcomesOf([
      limiter.check("a"),
      limiter.check("a", { cost: 2 }),
      limiter.check("a", { cost: 9, id: "paid" }),
      limiter.check("a", { cost: 3 }),
    ])
    expect(limiter.calls).toBe(2)
    expect(outcomes[2]).toBeInstanceOf(RangeError)
    expect(outcomes.map((each) => "remaining" in each && each.remaining)).toEqual([98, 96, false, 93])
  })

  test("an error of one check that the policy in force makes is its own too, with its fields", async () => {
    const { limiter, sound } = sharing("100/day", none, { name: "in force" })
    await sound.check("a")
    await new EdgeLimiter(env.LIMITER, "10/day", { name: "in force" }).check("a")
    const outcomes = await outcomesOf([1, 1, 50, 1].map((cost) => limiter.check("a", { cost })))
    expect(outcomes[2]).toBeInstanceOf(CostError)
    expect(outcomes[2]).toMatchObject({ code: "COST_ABOVE_CAPACITY", key: "a", cost: 50, maximum: 10 })
    expect(outcomes.filter((each) => "allowed" in each && each.allowed)).toHaveLength(3)
  })

  test("a denial that a shared call told is remembered; not where the key was reset meanwhile", async () => {
    const { limiter } = sharing("5/day", none, { denialCache: new DenialCache() })
    await Promise.all(times(20, () => limiter.check("a")))
    const { calls } = limiter
    expect(await limiter.check("a")).toMatchObject({ allowed: false, reason: "cached" })
    expect(limiter.calls).toBe(calls)
    await limiter.reset("a")
    const checks = times(20, () => limiter.check("a"))
    await limiter.reset("a")
    await Promise.all(checks)
    await limiter.reset("a")
    expect(await limiter.check("a")).toMatchObject({ allowed: true })
  })

  test.each(["lost-answer", "lost-call", "overloaded"] as const)(
    "a shared call that meets %s is no other's, and is not made again",
    async (fault) => {
      const { limiter, sound, network } = sharing("1000/day", sharedCall(fault))
      const outcomes = await outcomesOf(times(20, () => limiter.check("a")))
      expect(outcomes[0]).toMatchObject({ allowed: true, remaining: 999 })
      for (const outcome of outcomes.slice(1)) expect(outcome).toBeInstanceOf(StoreUnavailable)
      expect(network.calls).toBe(2)
      // What a lost answer charged stands.
      expect(await sound.status("a")).toMatchObject({ remaining: fault === "lost-answer" ? 980 : 999 })
    },
  )

  test.each(["lost-answer", "lost-call", "duplicate", "late", "evicted"] as const)(
    "checks with an id charge once where their shared call meets %s",
    async (fault) => {
      let faults = 0
      const { limiter, sound, network } = sharing("1000/day", (verb) =>
        verb === "decideEach" && faults++ === 0 ? fault : "none",
      )
      const decisions = await Promise.all(times(20, (at) => limiter.check("a", { id: `call ${at}`, cost: 2 })))
      await network.settled()
      expect(decisions.every(({ allowed }) => allowed)).toBe(true)
      expect(network.calls).toBeLessThanOrEqual(3)
      expect(await sound.status("a")).toMatchObject({ remaining: 960 })
      const again = await Promise.all(times(20, (at) => sound.check("a", { id: `call ${at}`, cost: 2 })))
      expect(again.map(({ receipt }) => receipt)).toEqual(decisions.map(({ receipt }) => receipt))
    },
  )

  test("of a shared call that failed only what has an id is sent again, once", async () => {
    const { limiter, sound, network } = sharing("1000/day", sharedCall("lost-answer"))
    const checks = times(10, (at) => limiter.check("a", at % 2 === 0 ? {} : { id: `call ${at}` }))
    for (const outcome of (await outcomesOf(checks)).slice(1)) expect(outcome).toBeInstanceOf(StoreUnavailable)
    expect(network.calls).toBe(3)
    expect(await sound.status("a")).toMatchObject({ remaining: 990 })
  })

  test("a check that was told that its time is up is not sent any more", async () => {
    const { limiter, sound, network, work } = sharing(
      "1000/day",
      (_verb, call) => (call === 1 ? "late-answer" : "none"),
      {
        timeoutMs: 60_000,
      },
    )
    const first = limiter.check("a")
    const late = errorOf(limiter.check("a"))
    vi.mocked(Date.now).mockReturnValue(START_MS + 60_000)
    expect(await late).toBeInstanceOf(StoreUnavailable)
    network.answer()
    expect(await first).toMatchObject({ allowed: true })
    await Promise.all(work)
    expect(await sound.peek("a", { cost: 0 })).toMatchObject({ remaining: 999 })
  })

  test("what costs nothing and what is decided together shares no call", async () => {
    const { limiter } = sharing("1000/day", none)
    await Promise.all(times(5, () => limiter.check("a", { cost: 0 })))
    expect(limiter.calls).toBe(5)
    await Promise.all(times(5, (at) => limiter.checkAll([{ key: "a" }, { key: `key ${at}` }])))
    expect(limiter.calls).toBe(15)
  })
})

describe("EdgeLimiter with background, where calls never return", () => {
  test("a carrier that is lost fails those it carried in time, charges nobody twice, and holds nobody else up", async () => {
    let isLost = true
    const { limiter, sound } = sharing("1000/day", (verb) => (verb === "decideEach" && isLost ? "hanging" : "none"), {
      // Far longer than a sound call takes, on a busy machine too.
      timeoutMs: 1_000,
    })
    // All at one time: a machine that stalls for 5 ms between two of them would send the second alone, and not lose it.
    const clock = vi.spyOn(Date, "now").mockReturnValue(Date.now())
    const carried = outcomesOf(times(10, (at) => limiter.check("a", at % 2 === 0 ? {} : { id: `call ${at}` })))
    clock.mockRestore()
    expect((await carried)[0]).toMatchObject({ allowed: true })
    for (const outcome of (await carried).slice(1)) expect(outcome).toBeInstanceOf(StoreUnavailable)
    isLost = false
    const decisions = await Promise.all(times(10, () => limiter.check("a")))
    expect(decisions.every(({ allowed }) => allowed)).toBe(true)
    expect(await sound.status("a")).toMatchObject({ remaining: 989 })
  })

  test("a check goes out though the call before it never returns", async () => {
    const { limiter, sound } = sharing("1000/day", (_verb, call) => (call === 1 ? "hanging" : "none"), {
      timeoutMs: 1_000,
    })
    const [first, ...others] = times(10, () => limiter.check("a"))
    const lost = errorOf(first!)
    expect(remainingOf(await Promise.all(others))).toEqual(times(9, (at) => 999 - at))
    expect(await lost).toBeInstanceOf(StoreUnavailable)
    expect(await sound.status("a")).toMatchObject({ remaining: 991 })
  })

  test("refuses a check where 4,096 wait", async () => {
    const { limiter, network } = sharing("100000/day", () => "hanging", { timeoutMs: 500 })
    const outcomes = await outcomesOf(times(6_000, () => limiter.check("a")))
    expect(outcomes.every((outcome) => outcome instanceof StoreUnavailable)).toBe(true)
    const refused = outcomes.filter((outcome) => (outcome as Error).message.includes("too many checks wait"))
    expect(refused.length).toBeGreaterThan(500)
    expect(refused.length).toBeLessThanOrEqual(6_000 - 1 - 3 * 64 - 4_096)
    // One that hangs gets ever fewer calls.
    expect(network.calls).toBeLessThan(100)
  })
})

const FAULTS: readonly Fault[] = ["lost-call", "lost-answer", "duplicate", "late", "evicted", "overloaded", "hanging"]
const LIMIT = 40
const PERIOD_MS = 60_000

/** Bursts of checks of one object, some with ids that are used again, while calls, answers and the object fail. */
async function play(seed: number): Promise<void> {
  // A scenario is its seed.
  const numbers = new Random(seed)
  const random = () => numbers.next()
  const below = (count: number) => numbers.below(count)
  const name = freshName()
  setClock(name, { now: () => nowMs })
  let nowMs = START_MS
  const rate = random() * 0.6
  const network = faultyBinding(env.CLOCKED_LIMITER, () => (random() < rate ? FAULTS[below(FAULTS.length)]! : "none"))
  const options = { name, denialCache: false, shards: 1 } as const
  const limiter = new EdgeLimiter(
    network.binding as typeof env.CLOCKED_LIMITER,
    { limit: LIMIT, period: PERIOD_MS },
    { ...options, timeoutMs: 60, background: () => undefined },
  )
  const sound = new EdgeLimiter(env.CLOCKED_LIMITER, { limit: LIMIT, period: PERIOD_MS }, options)
  const told: { readonly key: string; readonly atMs: number; readonly cost: number; readonly id: string }[] = []
  const receipts = new Map<string, string>()
  for (let burst = 0; burst < 8; burst++) {
    nowMs += below(PERIOD_MS * 0.2)
    const asked = times(1 + below(20), () => {
      const id = random() < 0.4 ? `call ${below(12)}` : undefined
      // A call under one id is the same call.
      const key = id === undefined ? `key ${below(2)}` : `key ${id.length % 2}`
      return { key, cost: id === undefined ? 1 + below(4) : 2, ...(id !== undefined && { id }) }
    })
    const outcomes = await outcomesOf(asked.map(({ key, ...check }) => limiter.check(key, check)))
    for (const [at, outcome] of outcomes.entries()) {
      const { key, cost, id } = asked[at]!
      if (outcome instanceof Error) {
        expect(outcome, `seed ${seed}`).toBeInstanceOf(StoreUnavailable)
        continue
      }
      expect(outcome, `seed ${seed}: another's decision`).toMatchObject({ key, cost })
      if (!outcome.allowed) continue
      const receipt = outcome.receipt!.id
      if (id === undefined) expect(receipts.has(receipt), `seed ${seed}: one charge told twice`).toBe(false)
      else if (receipts.has(receipt)) {
        expect(receipts.get(receipt), `seed ${seed}: the charge of another id`).toBe(id)
        continue
      }
      receipts.set(receipt, id ?? "")
      // A call under an id may be told again what was charged when its answer was lost.
      told.push({ key, atMs: outcome.receipt!.chargedAtMs, cost, id: receipt })
    }
  }
  await network.settled()
  for (const key of ["key 0", "key 1"]) {
    const own = told.filter((each) => each.key === key).sort((a, b) => a.atMs - b.atMs)
    for (const [first, { atMs: fromMs }] of own.entries()) {
      let units = 0
      for (const { atMs, cost } of own.slice(first)) {
        units += cost
        const most = LIMIT + Math.floor(((atMs - fromMs) * LIMIT) / PERIOD_MS)
        expect(units, `seed ${seed}: over-admitted ${key}`).toBeLessThanOrEqual(most)
      }
    }
    const { remaining } = await sound.status(key)
    // Whatever was told at the last moment is charged now.
    const last = own.filter(({ atMs }) => atMs === nowMs).reduce((sum, { cost }) => sum + cost, 0)
    expect(remaining, `seed ${seed}: a charge of ${key} was lost`).toBeLessThanOrEqual(LIMIT - last)
  }
  // It recovers by itself.
  nowMs += 2 * PERIOD_MS
  expect(await sound.check("key 0")).toMatchObject({ allowed: true, remaining: LIMIT - 1 })
  const object = () => env.CLOCKED_LIMITER.getByName(`\nshard\n${name}\n0 of 1`)
  await evictDurableObject(object())
  expect(await object().verify()).toMatchObject({ replayEqualsLive: true })
}

describe("shared calls where calls, answers and objects fail", () => {
  test(
    `never admit more than the policy in ${RUNS} scenarios, and tell each check its own decision`,
    async () => {
      const firstSeed = inject("faultSeed")
      for (let run = 0; run < RUNS; run++) await play(firstSeed + run)
    },
    60_000 + RUNS * 2_000,
  )
})
