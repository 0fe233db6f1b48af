import { chargeTogether, type Party } from "../edge/charge-together.js"
import { DenialCache } from "../edge/denial-cache.js"
import type { DrawRequest, UnusedUnits } from "../edge/lease-draw.js"
import { GIVE_BACK_SHARE, LEASE_TURNS, LeasePool, type Waited } from "../edge/lease-pool.js"
import { type CallUnderWay, MAX_WAITING, SharedCalls } from "../edge/shared-calls.js"
import { allDecision } from "../limiter/decide-all.js"
import { RateLimiter } from "../limiter/rate-limiter.js"
import { ManualClock } from "../types/clock.js"
import type { Decision } from "../types/decision.js"
import { EventQueue } from "./event-queue.js"
import { Random, zipf } from "./random.js"
import { type Location, readScenario, type Scenario, type ScenarioInput } from "./scenario.js"
import { maxKeysOf, type SimulationReport, Tally } from "./tally.js"
import { type SharingCheck, VirtualObject } from "./virtual-object.js"

interface Isolate {
  readonly location: Location
  readonly cache: DenialCache | null
  readonly leases: LeasePool | null
  readonly shared: SharedCalls<WaitingCheck>
}

/** A check that waits to be sent with others. */
interface WaitingCheck extends SharingCheck {
  readonly answered: (decision: Decision) => void
}

/** A check of one key, for a request. */
interface VirtualCheck {
  readonly key: number
  readonly cost: number
  readonly group: number
}

/** An hour's first millisecond. */
const START_MS = 1_699_999_200_000
/** Turns of the microtask queue that a promise's chain in `chargeTogether` needs at most. */
const SETTLING_TURNS = 24

/**
 * Plays traffic of many locations against one limit: a discrete-event model whose decisions, denial caches, leases,
 * shared calls and checks of several keys are the real ones, and whose network, isolates and objects are virtual. The
 * same scenario gives the same report on every machine.
 *
 * @throws {PolicyError} {RangeError} where the scenario cannot be
 */
export async function simulate(input: ScenarioInput): Promise<SimulationReport> {
  const simulation = new Simulation(readScenario(input))
  return simulation.run()
}

class Simulation {
  readonly #scenario: Scenario
  readonly #queue = new EventQueue()
  readonly #clock = new ManualClock(START_MS)
  /** Events happen at fractions of a ms; limiters are told the whole ones. */
  #nowMs = START_MS
  readonly #random: Random
  readonly #drawKey: (random: Random) => number
  readonly #limiter: RateLimiter
  readonly #objects = new Map<number, VirtualObject>()
  readonly #tally: Tally

  constructor(scenario: Scenario) {
    this.#scenario = scenario
    this.#random = new Random(scenario.seed)
    this.#drawKey = zipf(scenario.keys, scenario.skew)
    this.#limiter = new RateLimiter(scenario.policy, { clock: this.#clock, maxKeys: maxKeysOf(scenario) })
    this.#tally = new Tally(scenario, this.#clock)
  }

  async run(): Promise<SimulationReport> {
    const { locations, lease, denialCache, keysPerRequest } = this.#scenario
    for (const location of locations) {
      const isolates = Array.from({ length: location.isolates }, () => ({
        location,
        cache: denialCache ? new DenialCache({ clock: this.#clock }) : null,
        leases: lease && new LeasePool(lease),
        shared: new SharedCalls<WaitingCheck>(),
      }))
      if (location.requestsPerSecond > 0) this.#arrive(location, isolates, START_MS)
    }
    for (let event = this.#queue.next(); event !== undefined; event = this.#queue.next()) {
      this.#nowMs = event.atMs
      this.#clock.set(Math.floor(event.atMs))
      event.run()
      // What several keys decide together goes on by promises.
      if (keysPerRequest > 1) for (let turn = 0; turn < SETTLING_TURNS; turn++) await null
    }
    return this.#tally.report([...this.#objects.values()], this.#nowMs - START_MS)
  }

  /** Requests of a location, one after the other. */
  #arrive(location: Location, isolates: readonly Isolate[], fromMs: number): void {
    const { durationMs, traffic } = this.#scenario
    const atMs = fromMs + this.#random.exponential(1_000 / location.requestsPerSecond)
    if (atMs >= START_MS + durationMs) return
    const shownMs = traffic === "steady" ? atMs : Math.floor(atMs / 1_000) * 1_000 + (atMs % 1_000) / 10
    this.#queue.schedule(shownMs, () => this.#request(isolates[this.#random.below(isolates.length)]!))
    // The next one is drawn when this one comes, so that the queue stays short.
    this.#queue.schedule(shownMs, () => this.#arrive(location, isolates, atMs))
  }

  #request(isolate: Isolate): void {
    const { keysPerRequest, cost } = this.#scenario
    const startMs = this.#nowMs
    const keys = new Set<number>()
    while (keys.size < keysPerRequest) keys.add(this.#drawKey(this.#random))
    const group = this.#tally.start()
    const done = (allowed: boolean) => this.#tally.done(group, allowed, this.#nowMs - startMs)
    const [key] = keys
    if (keysPerRequest === 1) {
      this.#check(isolate, { key: key!, cost, group }, ({ allowed }) => done(allowed))
      return
    }
    const known = [...keys].flatMap((each) => isolate.cache?.find(String(each), this.#scenario.policy, cost) ?? [])
    if (known.length > 0) {
      for (const denial of known) this.#tally.decided(denial, cost, group)
      done(false)
      return
    }
    const parties = [...keys].map((each) => this.#partyOf(isolate, { key: each, cost, group }))
    void chargeTogether(parties).then((answers) => done(answers.every(({ answer }) => answer.allowed)))
  }

  /** What an isolate does with a check, as `EdgeLimiter` does it. */
  #check(
    isolate: Isolate,
    check: VirtualCheck,
    done: (decision: Decision) => void,
    turn = 0,
    waited: Waited = "answered",
  ): void {
    const { cache, location } = isolate
    const { key, cost, group } = check
    const { policy } = this.#scenario
    const leases = turn < LEASE_TURNS && isolate.leases?.takes(cost) ? isolate.leases : null
    const name = String(key)
    const tell = (decision: Decision) => {
      this.#tally.decided(decision, cost, group)
      done(decision)
    }
    const known = cache?.find(name, policy, cost)
    if (known) return void tell(known)
    if (leases === null) return void this.#ask(isolate, check, done)
    const { told, request } = leases.turn(name, cost, this.#clock.now(), policy, waited)
    this.#giveBack(location, leases.takeEvicted())
    if (told !== null) tell(told)
    if (request !== null) this.#draw(isolate, check, request, told === null ? done : null)
    if (told !== null || request !== null) return
    if (!leases.knows(name)) return void this.#ask(isolate, check, done)
    leases.wait(name, cost, (found) => {
      // The model has one policy, under which the cost can pass.
      if (!(found instanceof Error)) this.#check(isolate, check, done, turn + 1, found)
    })
  }

  #ask(isolate: Isolate, { key, cost, group }: VirtualCheck, done: (decision: Decision) => void): void {
    const { cache, shared } = isolate
    const name = String(key)
    const ticket = cache?.ticket()
    const check: WaitingCheck = {
      key: name,
      cost,
      decided: (decision) => this.#tally.decided(decision, cost, group),
      answered: (decision) => {
        if (ticket !== undefined) cache?.note(name, this.#scenario.policy, decision, ticket)
        done(decision)
      },
    }
    const object = String(this.#placeOf(key))
    const alone = shared.begin(object, this.#nowMs)
    if (alone !== null) {
      this.#carry(isolate, key, [check], alone)
      return
    }
    const place = shared.wait(object, check, this.#nowMs)
    // The model has no fail mode: what may not wait goes alone.
    if (place > MAX_WAITING) this.#carry(isolate, key, [check], null)
    this.#send(isolate, key)
    if (place > 1) return
    const patienceMs = Math.max(1, shared.patienceMs(object, this.#nowMs))
    this.#queue.schedule(this.#nowMs + patienceMs, () => this.#send(isolate, key))
  }

  /** Sends the checks that wait for a key's object, if there is room for a call. */
  #send(isolate: Isolate, key: number): void {
    const load = isolate.shared.take(String(this.#placeOf(key)), this.#nowMs)
    if (load !== null) this.#carry(isolate, key, load.waiting, load.call)
  }

  #carry(
    isolate: Isolate,
    key: number,
    checks: readonly WaitingCheck[],
    call: CallUnderWay<WaitingCheck> | null,
  ): void {
    this.#call(isolate.location, key, (object, answer) =>
      object.checkEach(checks, (decisions) =>
        answer(() => {
          if (call !== null) isolate.shared.end(call)
          for (const [index, { answered }] of checks.entries()) answered(decisions[index]!)
          this.#send(isolate, key)
        }),
      ),
    )
  }

  /** @param done `null` where the check was answered already */
  #draw(
    { location, cache, leases }: Isolate,
    { key, cost, group }: VirtualCheck,
    request: DrawRequest,
    done: ((decision: Decision) => void) | null,
  ): void {
    const name = String(key)
    const askedAtMs = this.#clock.now()
    const ticket = cache?.ticket()
    this.#call(location, key, (object, answer) => {
      const decided = (decision: Decision) => {
        if (done !== null) this.#tally.decided(decision, cost, group)
      }
      object.draw(name, request, decided, (drawn) =>
        answer(() => {
          const denied = drawn.decision.allowed ? drawn.denial : drawn.decision
          if (ticket !== undefined && denied !== null) cache?.note(name, this.#scenario.policy, denied, ticket)
          const own = leases!.end(name, request, drawn, askedAtMs)
          done?.(own)
          if (leases!.leftOf(name, this.#clock.now()) > 0) this.#giveBackLater(location, leases!, key)
        }),
      )
    })
  }

  #giveBackLater(location: Location, leases: LeasePool, key: number): void {
    this.#queue.schedule(this.#nowMs + this.#scenario.lease!.ttlMs * GIVE_BACK_SHARE, () => {
      this.#giveBack(location, leases.idle(String(key), this.#clock.now()))
    })
  }

  #giveBack(location: Location, unused: readonly UnusedUnits[]): void {
    for (const { receipt, units } of unused) {
      this.#call(location, Number(receipt.key), (object, answer) =>
        object.refund(receipt, units, () => answer(() => undefined)),
      )
    }
  }

  #partyOf({ location, cache }: Isolate, { key, cost, group }: VirtualCheck): Party {
    const name = String(key)
    const ticket = cache?.ticket()
    const decided = (decision: Decision) => this.#tally.decided(decision, cost, group)
    return {
      blocks: this.#scenario.policy.blockMs > 0,
      charge: () =>
        new Promise((resolve) => {
          this.#call(location, key, (object, answer) =>
            object.check(name, cost, decided, (decision) =>
              answer(() => {
                if (ticket !== undefined) cache?.note(name, this.#scenario.policy, decision, ticket)
                resolve(allDecision([decision]))
              }),
            ),
          )
        }),
      peek: () =>
        new Promise((resolve) => {
          this.#call(location, key, (object, answer) =>
            object.peek(name, cost, (decision) => answer(() => resolve(allDecision([decision])))),
          )
        }),
      refund: (receipt) =>
        new Promise((resolve) => {
          cache?.forget(name)
          this.#call(location, key, (object, answer) =>
            object.refund(receipt, receipt.cost, () =>
              answer(() => {
                cache?.forget(name)
                resolve()
              }),
            ),
          )
        }),
    }
  }

  /** Which object holds a key. */
  #placeOf(key: number): number {
    const { shards } = this.#scenario
    return shards === null ? key : key % shards
  }

  /** Sends a call to a key's object and its answer back. */
  #call(
    { latencyMs }: Location,
    key: number,
    ask: (object: VirtualObject, answer: (heard: () => void) => void) => void,
  ): void {
    const { serviceMs, commitMs } = this.#scenario
    const place = this.#placeOf(key)
    const object =
      this.#objects.get(place) ??
      new VirtualObject(this.#limiter, this.#queue, () => this.#nowMs, { serviceMs, commitMs })
    this.#objects.set(place, object)
    this.#queue.schedule(this.#nowMs + latencyMs, () => {
      ask(object, (heard) => this.#queue.schedule(this.#nowMs + latencyMs, heard))
    })
  }
}
