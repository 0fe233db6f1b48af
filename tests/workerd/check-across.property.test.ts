import { evictDurableObject } from "cloudflare:test"
import { env } from "cloudflare:workers"
import { describe, expect, inject, test } from "vitest"
import { Random } from "../../src/simulate/random.js"
import { ManualClock } from "../../src/types/clock.js"
import { checkAcross, DenialCache, EdgeLimiter } from "../../worker/sluice-worker.js"
import { setClock } from "./clocked-limiter-object.js"
import { type Fault, faultyBinding } from "./faulty-binding.js"
import { freshName, START_MS } from "./objects.js"

/** Scenarios; more by SLUICE_FAULT_RUNS. */
const RUNS = inject("faultRuns")
const STEPS = 14
const KEYS = ["a", "b", "c"]
const LIMIT = 12
const PERIOD_MS = 60_000
const FAULTS: readonly Fault[] = ["lost-call", "lost-answer", "duplicate", "late", "evicted", "overloaded"]

/** How often a call under an id is made. */
const MOST_TIMES = 3

/**
 * Coordinators that charge several keys of two limits at once, some under ids more than once, while calls, answers,
 * objects and coordinators fail.
 */
async function play(seed: number): Promise<void> {
  // A scenario is its seed.
  const numbers = new Random(seed)
  const random = () => numbers.next()
  const pick = <T>(choices: readonly T[]): T => choices[Math.floor(random() * choices.length)]!
  const clock = new ManualClock(START_MS)
  const [one, two, owner] = [freshName(), freshName(), freshName()]
  for (const name of [one, two, owner]) setClock(name, clock)
  const rate = random() * 0.6
  /** The coordinator dies: whatever it sends from here on does not arrive. */
  let isDead = false
  let callsLeft = Number.POSITIVE_INFINITY
  const network = faultyBinding(env.CLOCKED_LIMITER, () => {
    if (isDead || callsLeft-- <= 0) {
      isDead = true
      return "hanging"
    }
    return random() < rate ? pick(FAULTS) : "none"
  })
  const policy = pick([
    { limit: LIMIT, period: PERIOD_MS },
    { limit: LIMIT, period: PERIOD_MS, algorithm: "sliding_window_log" },
  ] as const)
  const hasIds = random() < 0.5
  const options = { denialCache: random() < 0.5 && new DenialCache({ clock }), timeoutMs: 50 }
  const shared = random() < 0.4 ? { owner } : {}
  const make = (binding: typeof env.CLOCKED_LIMITER) =>
    [one, two].map((name) => new EdgeLimiter(binding, policy, { ...options, ...shared, name }))
  const limiters = make(network.binding as typeof env.CLOCKED_LIMITER)
  const sound = make(env.CLOCKED_LIMITER)

  const told: { readonly subject: string; readonly atMs: number; readonly cost: number }[] = []
  for (let step = 0; step < STEPS; step++) {
    clock.advance(Math.floor(random() * PERIOD_MS * 0.2))
    isDead = false
    callsLeft = random() < 0.25 ? Math.floor(random() * 6) : Number.POSITIVE_INFINITY
    const items = limiters.flatMap((limiter) =>
      KEYS.filter(() => random() < 0.5).map((key) => ({ limiter, key, cost: 1 + Math.floor(random() * 4) })),
    )
    if (items.length === 0) continue
    const named = hasIds ? items.map((item) => ({ ...item, id: `call ${step}` })) : items
    const times = hasIds ? 1 + Math.floor(random() * MOST_TIMES) : 1
    const ask = () => checkAcross(named).catch(() => null)
    const answers = [ask()]
    for (let again = 1; again < times; again++) {
      // Some come again when the first is answered, or its coordinator is dead; others beside it.
      if (random() < 0.5) {
        await answers.at(-1)
        isDead = false
        callsLeft = Number.POSITIVE_INFINITY
      }
      answers.push(ask())
    }
    const charged = new Map<string, (typeof told)[number]>()
    for (const answer of await Promise.all(answers)) {
      if (answer?.allowed !== true) continue
      for (const [index, { receipt }] of answer.decisions.entries()) {
        const { limiter, key, cost } = items[index]!
        const subject = `${limiters.indexOf(limiter)} ${key}`
        charged.set(`${subject} ${receipt!.id}`, { subject, atMs: clock.now(), cost })
      }
    }
    expect(charged.size, `seed ${seed}: a call was charged twice`).toBeLessThanOrEqual(items.length)
    told.push(...charged.values())
  }
  await network.settled()

  for (const [number, limiter] of sound.entries()) {
    for (const key of KEYS) {
      const own = told.filter(({ subject }) => subject === `${number} ${key}`)
      for (const [first, { atMs: fromMs }] of own.entries()) {
        let units = 0
        for (const { atMs, cost } of own.slice(first)) {
          units += cost
          const most =
            "algorithm" in policy
              ? LIMIT * (1 + Math.floor((atMs - fromMs) / PERIOD_MS))
              : LIMIT + Math.floor(((atMs - fromMs) * LIMIT) / PERIOD_MS)
          expect(units, `seed ${seed}: over-admitted ${number} ${key}`).toBeLessThanOrEqual(most)
        }
      }
      // What is charged covers what was told, at every moment: so also now.
      const { remaining } = await limiter.status(key)
      const recent = own.filter(({ atMs }) => atMs > clock.now() - (LIMIT * 1_000 * PERIOD_MS) / 1e9)
      const cost = recent.reduce((sum, admitted) => sum + admitted.cost, 0)
      expect(remaining, `seed ${seed}: a charge of ${number} ${key} was lost`).toBeLessThanOrEqual(LIMIT - cost)
    }
  }
  // What a failed coordinator left behind heals by itself.
  clock.advance(2 * PERIOD_MS)
  for (const limiter of sound) {
    for (const key of KEYS) expect(await limiter.status(key)).toMatchObject({ remaining: LIMIT })
  }
  if ("owner" in shared) return
  for (const key of KEYS) await evictDurableObject(env.CLOCKED_LIMITER.getByName(`${one}\n${key}`))
  for (const key of KEYS) {
    expect(await env.CLOCKED_LIMITER.getByName(`${one}\n${key}`).verify()).toMatchObject({ replayEqualsLive: true })
  }
}

describe("checkAcross() where calls, answers, objects and coordinators fail", () => {
  test(
    `never over-admits in ${RUNS} scenarios, and what was charged in vain comes back`,
    async () => {
      const firstSeed = inject("faultSeed")
      for (let run = 0; run < RUNS; run++) await play(firstSeed + run)
    },
    60_000 + RUNS * 2_000,
  )
})
