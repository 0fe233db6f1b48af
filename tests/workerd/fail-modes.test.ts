import { createExecutionContext, runInDurableObject, waitOnExecutionContext } from "cloudflare:test"
import { env } from "cloudflare:workers"
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest"
import { type EdgeRateLimitOptions, rateLimit } from "../../worker/sluice-worker.js"
import { type Fault, faultyBinding } from "./faulty-binding.js"
import { freshName } from "./objects.js"

const FAULTS = ["lost-call", "lost-answer", "overloaded", "hanging"] as const
const TIMEOUT_MS = 50

// Its requests are one, so that each may wait for another's call: the flag that says so is off here.
beforeAll(() => vi.stubGlobal("Cloudflare", { compatibilityFlags: { handle_cross_request_promise_resolution: true } }))
afterAll(() => vi.unstubAllGlobals())

/** A Worker whose way to its objects has a fault while `isCut`. */
function faultyWorker(fault: Fault, options: Partial<EdgeRateLimitOptions<Cloudflare.Env>> = {}) {
  const name = freshName()
  const state = { isCut: true }
  const network = faultyBinding(env.LIMITER, () => (state.isCut ? fault : "none"))
  const errors: unknown[] = []
  const handler = rateLimit<Cloudflare.Env>(() => new Response("ok"), {
    policy: "3/day",
    key: () => "client",
    name,
    binding: () => network.binding,
    timeoutMs: TIMEOUT_MS,
    onError: (error) => void errors.push(error),
    ...options,
  })
  async function ask(): Promise<Response> {
    const context = createExecutionContext()
    const response = await handler(new Request("http://localhost/"), env, context)
    // What hangs is waited for by nobody.
    if (fault !== "hanging") await waitOnExecutionContext(context)
    return response
  }
  const statuses = async (count: number) => {
    const found: number[] = []
    for (let asked = 0; asked < count; asked++) found.push((await ask()).status)
    return found
  }
  return { ask, statuses, state, network, errors, name }
}

describe.each(FAULTS)("rateLimit() while its objects are %s", (fault) => {
  test('"open" passes every request with one call each, and limits again when it is over', async () => {
    const { statuses, state, network, errors } = faultyWorker(fault, { failMode: "open" })
    expect(await statuses(5)).toEqual([200, 200, 200, 200, 200])
    expect(network.calls).toBe(5)
    expect(errors).toHaveLength(5)
    state.isCut = false
    // What a lost answer charged stands.
    expect(await statuses(5)).toEqual(fault === "lost-answer" ? [429, 429, 429, 429, 429] : [200, 200, 200, 429, 429])
  })

  test('"closed" refuses every request with 503 and Retry-After, and admits again when it is over', async () => {
    const { ask, statuses, state, network } = faultyWorker(fault, { failMode: "closed", policy: "30/day" })
    const refused = await ask()
    expect(refused.status).toBe(503)
    expect(refused.headers.get("Retry-After")).toBe("1")
    expect(await statuses(3)).toEqual([503, 503, 503])
    state.isCut = false
    const before = network.calls
    expect(await statuses(2)).toEqual([200, 200])
    expect(network.calls - before).toBeLessThanOrEqual(3)
  })

  test('"local" limits by itself, and its objects do when it is over', async () => {
    const { statuses, state, network } = faultyWorker(fault, { failMode: "local" })
    expect(await statuses(5)).toEqual([200, 200, 200, 429, 429])
    expect(network.calls).toBe(5)
    state.isCut = false
    expect((await statuses(4)).at(-1)).toBe(429)
  })
})

describe("rateLimit()", () => {
  test("asks an object that is evicted in the middle of a burst without a fault", async () => {
    const { statuses, errors } = faultyWorker("evicted", { policy: "10/day", timeoutMs: 5_000 })
    const found = await statuses(12)
    expect(errors).toEqual([])
    expect(found).toEqual([...Array.from({ length: 10 }, () => 200), 429, 429])
  })

  test("fails as its mode says where the storage is full, loses nothing, and recovers by itself", async () => {
    vi.spyOn(console, "error").mockImplementation(() => undefined)
    const { statuses, state, errors, name } = faultyWorker("none", { failMode: "closed", policy: "10/day" })
    state.isCut = false
    expect(await statuses(3)).toEqual([200, 200, 200])
    const object = () => env.LIMITER.getByName(`${name}\nclient`)
    await runInDurableObject(object(), (_object, { storage }) => {
      const exec = storage.sql.exec.bind(storage.sql)
      vi.spyOn(storage.sql, "exec").mockImplementation(((statement: string, ...values: SqlStorageValue[]) => {
        if (/^(INSERT|UPDATE|DELETE|CREATE|REPLACE)/i.test(statement))
          throw new Error("database or disk is full: SQLITE_FULL")
        return exec(statement, ...values)
      }) as typeof storage.sql.exec)
    })
    expect(await statuses(2)).toEqual([503, 503])
    expect(errors).toHaveLength(2)
    vi.restoreAllMocks()
    expect(await statuses(8)).toEqual([200, 200, 200, 200, 200, 200, 200, 429])
    expect(await object().verify()).toMatchObject({ replayEqualsLive: true })
  })

  test("limits through a deployment in the middle of a burst: the new policy takes over what was used", async () => {
    const name = freshName()
    const old = faultyWorker("none", { policy: "10/day", name })
    const next = faultyWorker("none", { policy: "12/day", name })
    expect(await old.statuses(6)).toEqual([200, 200, 200, 200, 200, 200])
    const mixed = []
    for (let turn = 0; turn < 4; turn++) mixed.push(...(await next.statuses(1)), ...(await old.statuses(1)))
    expect(mixed.filter((status) => status === 200).length).toBeLessThanOrEqual(6)
    expect(await next.statuses(8).then((found) => found.at(-1))).toBe(429)
  })
})
