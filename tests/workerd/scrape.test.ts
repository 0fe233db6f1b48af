import { env } from "cloudflare:workers"
import { afterEach, expect, test, vi } from "vitest"
import { workerApi } from "../../worker/api/worker-api.js"
import { readSettings } from "../../worker/settings.js"

const TOKEN = "a-token-for-the-tests"

/** Shards that hold nothing, and count the calls to them. */
function countingRegistry() {
  const counts = { calls: 0, running: 0, peak: 0 }
  const verb = (answer: unknown) => async () => {
    counts.calls += 1
    counts.running += 1
    counts.peak = Math.max(counts.peak, counts.running)
    await new Promise((resolve) => setTimeout(resolve, 1))
    counts.running -= 1
    return answer
  }
  const shard = {
    totals: verb({
      limits: [{ limit: "api", allowed: 1, denied: 0, allowedCost: 1, deniedCost: 0 }],
      aside: [{ what: "cached", count: 2 }],
      times: { counts: [2, ...Array(17).fill(0)], count: 3, sum: 0.5 },
    }),
    mostSeen: verb({ denied: [], allowed: [] }),
    page: verb([]),
    top: verb([]),
    recent: verb([]),
  }
  return { counts, REGISTRY: { getByName: () => shard } as never }
}

function apiOver(REGISTRY: never) {
  const settings = readSettings({ LIMITS: [{ name: "api", paths: ["/api"], policy: "5/day" }] })
  const api = workerApi({ LIMITER: env.LIMITER, REGISTRY, EVENT_HUB: {} as never, SLUICE_TOKEN: TOKEN }, settings)!
  return async (path: string) => {
    const request = new Request(`http://localhost${path}`, { headers: { Authorization: `Bearer ${TOKEN}` } })
    const response = await api.answer(request, new URL(request.url))!
    expect(response.status).toBe(200)
    return response.text()
  }
}

afterEach(() => {
  vi.restoreAllMocks()
})

test("dashboards that poll make the Worker ask its shards once in a while, for each question of theirs", async () => {
  const nowMs = Date.now()
  const now = vi.spyOn(Date, "now").mockReturnValue(nowMs)
  const { counts, REGISTRY } = countingRegistry()
  const ask = apiOver(REGISTRY)
  for (let round = 0; round < 3; round++) {
    await Promise.all(Array.from({ length: 10 }, () => ask("/v1/top?by=denied&limit=10")))
    expect(counts.calls).toBe(64)
  }
  await ask("/v1/top?by=allowed&limit=10")
  await ask("/v1/top?by=denied&limit=9")
  await ask("/v1/top?by=denied&limit=10&name=api")
  expect(counts.calls).toBe(4 * 64)
  now.mockReturnValue(nowMs + 4_999)
  await ask("/v1/top?by=denied&limit=10")
  expect(counts.calls).toBe(4 * 64)
  now.mockReturnValue(nowMs + 5_000)
  await ask("/v1/top?by=denied&limit=10")
  expect(counts.calls).toBe(5 * 64)
  expect(counts.peak).toBeLessThanOrEqual(8)
  // More questions than are remembered: none grows old there, and the first is asked anew.
  for (let limit = 100; limit < 132; limit++) await ask(`/v1/top?limit=${limit}`)
  expect(counts.calls).toBe((5 + 32) * 64)
  await ask("/v1/top?by=denied&limit=10")
  expect(counts.calls).toBe((5 + 33) * 64)
})

test("the doctor reads the logs once in a while, however often it is asked", async () => {
  const nowMs = Date.now()
  const now = vi.spyOn(Date, "now").mockReturnValue(nowMs)
  const { counts, REGISTRY } = countingRegistry()
  const ask = apiOver(REGISTRY)
  const limits = 16
  await Promise.all(Array.from({ length: 10 }, () => ask("/v1/doctor")))
  expect(counts.calls).toBe(64 + 10 * limits)
  now.mockReturnValue(nowMs + 5_000)
  await ask("/v1/doctor")
  expect(counts.calls).toBe(2 * 64 + 11 * limits)
})

test("a scraper makes the Worker ask its 80 shards once in a while, and few at a time, however often it comes", async () => {
  const { counts, REGISTRY } = countingRegistry()
  const ask = apiOver(REGISTRY)
  const paths = Array.from({ length: 20 }, (_, index) => (index % 2 === 0 ? "/metrics" : "/v1/totals"))
  const texts = await Promise.all(paths.map(ask))
  expect(texts[0]).toContain('sluice_requests_allowed_total{limit="api"} 16\n')
  expect(texts[0]).toContain("sluice_denial_cache_hits_total 32\n")
  expect(texts[0]).toContain('sluice_decision_duration_seconds_bucket{le="0.00001"} 32\n')
  expect(texts[0]).toContain("sluice_decision_duration_seconds_sum 8\nsluice_decision_duration_seconds_count 48\n")
  expect(JSON.parse(texts[1]!)).toMatchObject({ allowed: 16 })
  // The counts of 16 shards of limits and 64 of keys, and the names of the limits.
  expect(counts.calls).toBe(16 + 64 + 16)
  for (const path of paths) await ask(path)
  expect(counts.calls).toBe(16 + 64 + 16)
  expect(counts.peak).toBeLessThanOrEqual(8)
})
