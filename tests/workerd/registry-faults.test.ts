import { env } from "cloudflare:workers"
import { afterEach, describe, expect, test, vi } from "vitest"
import { workerApi } from "../../worker/api/worker-api.js"
import { readSettings } from "../../worker/settings.js"
import { type Fault, faultyBinding } from "./faulty-binding.js"
import { freshName } from "./objects.js"

const UNAVAILABLE = { status: 503, code: "STORE_UNAVAILABLE" }
const LIMIT = { rate: 5, per: "1d" }

/** Faults of calls to the registry and to the event hub, by verb. */
interface Faults {
  registry?: (verb: string) => Fault
  hub?: (verb: string) => Fault
  /** Lets the late calls to the registry arrive. */
  answer?: () => void
}

/** The API of a Worker of its own, and how the calls that it makes fail: nobody knows of a limit in the beginning. */
function apiWith(faults: Faults) {
  const settings = readSettings({ LIMITS: [{ name: "of the settings", paths: ["/api"], policy: "5/day" }] })
  const { binding: REGISTRY, answer } = faultyBinding(env.REGISTRY, (verb) => faults.registry?.(verb) ?? "none")
  faults.answer = answer
  const EVENT_HUB = faultyBinding(env.EVENT_HUB, (verb) => faults.hub?.(verb) ?? "none").binding
  const api = workerApi({ LIMITER: env.LIMITER, REGISTRY, EVENT_HUB }, settings)!
  return async (path: string, body?: unknown) => {
    const json = { "Content-Type": "application/json" }
    const init = body === undefined ? {} : { method: "POST", headers: json, body: JSON.stringify(body) }
    const request = new Request(`http://localhost${path}`, init)
    const response = await api.answer(request, new URL(request.url))!
    const text = await response.text()
    const isJson = response.headers.get("content-type")!.includes("json")
    return { status: response.status, text, ...(isJson && JSON.parse(text)) }
  }
}

/** Not restored: some reports are lost when their test is over. */
const logged = vi.spyOn(console, "error").mockReturnValue()

afterEach(() => {
  logged.mockClear()
  vi.useRealTimers()
})

describe("the API of the Worker, where its registry fails", () => {
  const asked: [path: string, body?: unknown][] = [
    ["/v1/check", { key: "a" }],
    ["/v1/check-all", { items: [{ key: "a" }] }],
    ["/v1/limits"],
    ["/v1/limits", { key: "a", ...LIMIT }],
    ["/v1/keys"],
    ["/v1/top"],
    ["/v1/history/a?limit=of%20the%20settings"],
    ["/v1/totals"],
    ["/metrics"],
    ["/v1/log/verify", {}],
  ]
  test.each(asked)("%s is a 503", async (path, body) => {
    const ask = apiWith({ registry: () => "lost-call" })
    expect(await ask(path, body)).toMatchObject(UNAVAILABLE)
  })

  test("/v1/doctor says so", async () => {
    const ask = apiWith({ registry: () => "lost-call" })
    const diagnosis = await ask("/v1/doctor")
    expect(diagnosis).toMatchObject({ status: 200, ok: false })
    const { findings } = diagnosis as unknown as { findings: { name: string; ok: boolean; detail: string }[] }
    expect(findings.filter(({ ok }) => !ok)).toEqual([
      { name: "store", ok: false, detail: expect.stringContaining("the Durable Object failed") },
      { name: "limits", ok: false, detail: expect.stringContaining("the Durable Object failed") },
    ])
  })

  test("a check of a limit that was never heard of fails and is counted, one of a known limit goes on", async () => {
    const failures = async () => {
      const { text } = await apiWith({})("/metrics")
      return Number(/^sluice_failures_total\{mode="error"\} (\d+)$/m.exec(text)![1])
    }
    const before = await failures()
    const faults: Faults = {}
    const [name, other] = [freshName(), freshName()]
    const ask = apiWith(faults)
    expect((await ask("/v1/limits", { key: name, ...LIMIT })).status).toBe(200)
    expect(await ask("/v1/check", { key: "a", limit: name })).toMatchObject({ status: 200, remaining: 4 })
    faults.registry = (verb) => (verb === "directory" ? "lost-call" : "none")
    const now = vi.spyOn(Date, "now").mockReturnValue(Date.now() + 60_000)
    expect(await ask("/v1/check", { key: "a", limit: name })).toMatchObject({ status: 200, remaining: 3 })
    now.mockRestore()
    const anew = apiWith(faults)
    expect(await anew("/v1/check", { key: "a", limit: other })).toMatchObject(UNAVAILABLE)
    await anew("/v1/top")
    expect(await failures()).toBe(before + 1)
  })

  test("a check waits two seconds for limits that hang: one of a known limit goes on then", async () => {
    const [faults, others]: [Faults, Faults] = [{}, {}]
    const ask = apiWith(faults)
    const name = freshName()
    expect((await ask("/v1/limits", { key: name, ...LIMIT })).status).toBe(200)
    expect(await ask("/v1/check", { key: "a", limit: name })).toMatchObject({ status: 200, remaining: 4 })
    vi.useFakeTimers({ toFake: ["Date", "setTimeout", "clearTimeout"], now: Date.now() + 60_000 })
    const late = async (api: typeof ask, faults: Faults) => {
      const { promise, resolve } = Promise.withResolvers<void>()
      faults.registry = (verb) => {
        if (verb !== "directory") return "none"
        resolve()
        return "late-call"
      }
      const checked = api("/v1/check", { key: "a", limit: name })
      await promise
      await vi.advanceTimersByTimeAsync(2_000)
      const answer = await checked
      faults.answer!()
      return answer
    }
    expect(await late(ask, faults)).toMatchObject({ status: 200, remaining: 3 })
    expect(await late(apiWith(others), others)).toMatchObject(UNAVAILABLE)
  })

  test("what is lost of a report fails no question to those who can be asked", async () => {
    const name = freshName()
    const ask = apiWith({ registry: (verb) => (verb === "report" ? "lost-call" : "none") })
    await ask("/v1/limits", { key: name, ...LIMIT })
    for (const path of ["/v1/top", "/v1/keys", `/v1/history/a?limit=${encodeURIComponent(name)}`, "/metrics"]) {
      expect((await ask("/v1/check", { key: "a", limit: name })).status).toBe(200)
      expect((await ask(path)).status, path).toBe(200)
    }
    expect(logged).toHaveBeenCalledWith("Reports were lost:", expect.objectContaining({ code: "STORE_UNAVAILABLE" }))
  })
})

describe("the API of the Worker, where its event hub fails", () => {
  test("what it would be told is lost, which only /v1/log/flush tells who asks; the counts are not", async () => {
    // So that nothing is told beside the requests.
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] })
    const name = freshName()
    const ask = apiWith({ hub: () => "overloaded" })
    await ask("/v1/limits", { key: name, ...LIMIT, burst: 10 })
    const history = `/v1/history/a?limit=${encodeURIComponent(name)}`
    const paths = ["/v1/top", "/v1/keys", history, "/v1/totals", "/metrics", "/v1/doctor"]
    for (const path of paths) {
      expect((await ask("/v1/check", { key: "a", limit: name })).status).toBe(200)
      expect((await ask(path)).status, path).toBe(200)
    }
    await ask("/v1/check", { key: "a", limit: name })
    expect(await ask("/v1/log/flush", {})).toMatchObject(UNAVAILABLE)
    const entries: { event: string }[] = JSON.parse((await ask(history)).text)
    expect(entries.filter(({ event }) => event === "admit")).toHaveLength(paths.length + 1)
  })

  test("the event stream is a 503", async () => {
    expect(await apiWith({ hub: () => "lost-call" })("/v1/events")).toMatchObject(UNAVAILABLE)
  })
})
