import { afterEach, describe, expect, test } from "vitest"
import type { HitStoreOptions } from "../../src/adapters/express-rate-limit.js"
import { copyDecision } from "../../src/limiter/copy-decision.js"
import { RateLimiter } from "../../src/limiter/rate-limiter.js"
import type { Policy } from "../../src/policy/policy.js"
import { ManualClock } from "../../src/types/clock.js"
import type { CheckOptions } from "../../src/types/limiter.js"
import type { Receipt } from "../../src/types/receipt.js"
import type { RunningServer } from "./adapter-cases.js"

/** What the suite tells a middleware, beside the store. */
export interface MiddlewareSetup {
  readonly windowMs: number
  readonly limit: number | (() => number)
  readonly skipFailedRequests?: boolean
  readonly skipSuccessfulRequests?: boolean
  readonly store: HitStoreOptions
}

/** A peer's middleware with our store, in its own server: keys by `X-User`, answers `/status/N` with that status. */
export interface StoreSubject {
  readonly name: string
  start(setup: MiddlewareSetup): Promise<RunningServer>
}

/** A limiter that answers later, in another order than it was asked. */
class LaterLimiter {
  readonly #limiter: RateLimiter
  #turn = 0

  constructor(policy: Policy, clock: ManualClock) {
    this.#limiter = new RateLimiter(policy, { clock })
  }

  async #later(): Promise<void> {
    this.#turn = (this.#turn + 7) % 11
    for (let left = this.#turn; left > 0; left--) await new Promise(setImmediate)
  }

  async check(key: string, options?: CheckOptions) {
    await this.#later()
    return copyDecision(this.#limiter.check(key, options))
  }
  async peek(key: string, options?: CheckOptions) {
    await this.#later()
    return this.#limiter.peek(key, options)
  }
  async refund(receipt: Receipt) {
    await this.#later()
    this.#limiter.refund(receipt)
  }
  async reset(key: string) {
    await this.#later()
    return this.#limiter.reset(key)
  }
}

const MINUTE_MS = 60_000

/** Declares what holds for a peer's middleware with our store. */
export function declareStoreCases({ name, start }: StoreSubject): void {
  describe(`SluiceStore in ${name}`, () => {
    let running: RunningServer | undefined
    afterEach(async () => {
      await running?.close()
      running = undefined
    })

    async function serve(setup: Partial<MiddlewareSetup> & Pick<MiddlewareSetup, "store">) {
      running = await start({ windowMs: MINUTE_MS, limit: 10, ...setup })
      const { url } = running
      return async (user: string, path = "/") => {
        const response = await fetch(`${url}${path}`, { headers: { "x-user": user, connection: "close" } })
        await response.text()
        return response
      }
    }

    async function statusesOf(ask: Awaited<ReturnType<typeof serve>>, count: number, user: string, path?: string) {
      const statuses: number[] = []
      for (let asked = 0; asked < count; asked++) statuses.push((await ask(user, path)).status)
      return statuses
    }

    const clock = () => new ManualClock(Date.now())
    const stores: [string, () => HitStoreOptions][] = [
      ["counting in memory", () => ({})],
      ["gcra in memory", () => ({ algorithm: "gcra", clock: clock() })],
      ["sliding_window_log in memory", () => ({ algorithm: "sliding_window_log", clock: clock() })],
      ["a limiter that answers later", () => ({ limiter: (policy) => new LaterLimiter(policy, clock()) })],
      [
        "gcra of a limiter that answers later",
        () => ({ algorithm: "gcra", limiter: (policy) => new LaterLimiter(policy, clock()) }),
      ],
      ["a limiter of one's own", () => ({ limiter: new RateLimiter("10/minute", { clock: clock() }) })],
    ]

    test.each(stores)("admits exactly the limit under a concurrent load, with %s", async (_what, store) => {
      const ask = await serve({ store: store() })
      const users = ["ann", "bob", "cyd"]
      const asked = Array.from({ length: 120 }, (_, index) => users[index % users.length]!)
      const answers = await Promise.all(asked.map(async (user) => ({ user, status: (await ask(user)).status })))
      for (const user of users) {
        const own = answers.filter((answer) => answer.user === user)
        expect(own.filter(({ status }) => status === 200)).toHaveLength(10)
        expect(own.filter(({ status }) => status === 429)).toHaveLength(30)
      }
    })

    test.each(stores)("tells what is left in the middleware's own fields, with %s", async (_what, store) => {
      const ask = await serve({ store: store() })
      for (const left of ["9", "8"]) expect((await ask("ann")).headers.get("ratelimit-remaining")).toBe(left)
      expect(Number((await ask("ann")).headers.get("ratelimit-reset"))).toBeLessThanOrEqual(60)
    })

    test.each(stores)("takes failed requests back, with %s", async (_what, store) => {
      const ask = await serve({ store: store(), skipFailedRequests: true })
      expect(await statusesOf(ask, 12, "ann", "/status/500")).toEqual(Array(12).fill(500))
      const statuses = await statusesOf(ask, 12, "ann")
      expect(statuses).toEqual([...Array(10).fill(200), 429, 429])
    })

    test.each(stores)("takes successful requests back, with %s", async (_what, store) => {
      const ask = await serve({ store: store(), skipSuccessfulRequests: true, limit: 10 })
      expect(await statusesOf(ask, 12, "ann")).toEqual(Array(12).fill(200))
      // A denial takes back nothing of what failed, whatever the middleware calls it.
      expect(await statusesOf(ask, 14, "ann", "/status/400")).toEqual([...Array(10).fill(400), 429, 429, 429, 429])
    })

    test("starts a new window when the first is over, and not before", async () => {
      const time = clock()
      const ask = await serve({ limit: 2, store: { clock: time } })
      expect(await statusesOf(ask, 3, "ann")).toEqual([200, 200, 429])
      time.advance(MINUTE_MS - 1)
      expect(await statusesOf(ask, 1, "ann")).toEqual([429])
      time.advance(1)
      expect(await statusesOf(ask, 3, "ann")).toEqual([200, 200, 429])
    })

    test("with gcra a denied hit takes nothing: the next unit comes after a sixth of the window", async () => {
      const time = clock()
      const ask = await serve({ limit: 6, store: { clock: time, algorithm: "gcra" } })
      expect(await statusesOf(ask, 9, "ann")).toEqual([...Array(6).fill(200), 429, 429, 429])
      time.advance(10_000)
      expect(await statusesOf(ask, 2, "ann")).toEqual([200, 429])
    })

    test("counts for a limit that is a function", async () => {
      let limit = 1
      const ask = await serve({ limit: () => limit, store: {} })
      expect(await statusesOf(ask, 2, "ann")).toEqual([200, 429])
      limit = 4
      expect(await statusesOf(ask, 3, "ann")).toEqual([200, 200, 429])
    })
  })
}
