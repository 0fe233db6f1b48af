import { env } from "cloudflare:workers"
import { expect, test } from "vitest"
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
    totals: verb([{ limit: "api", allowed: 1, denied: 0, allowedCost: 1, deniedCost: 0 }]),
    mostSeen: verb({ denied: [], allowed: [] }),
    page: verb([]),
  }
  return { counts, REGISTRY: { getByName: () => shard } as never }
}

test("a scraper makes the Worker ask its 80 shards once in a while, and few at a time, however often it comes", async () => {
  const { counts, REGISTRY } = countingRegistry()
  const settings = readSettings({ LIMITS: [{ name: "api", paths: ["/api"], policy: "5/day" }] })
  const api = workerApi({ LIMITER: env.LIMITER, REGISTRY, EVENT_HUB: {} as never, SLUICE_TOKEN: TOKEN }, settings)!
  const ask = async (path: string) => {
    const request = new Request(`http://localhost${path}`, { headers: { Authorization: `Bearer ${TOKEN}` } })
    const response = await api.answer(request, new URL(request.url))!
    expect(response.status).toBe(200)
    return response.text()
  }
  const paths = Array.from({ length: 20 }, (_, index) => (index % 2 === 0 ? "/metrics" : "/v1/totals"))
  const texts = await Promise.all(paths.map(ask))
  expect(texts[0]).toContain('sluice_requests_allowed_total{limit="api"} 16\n')
  expect(JSON.parse(texts[1]!)).toMatchObject({ allowed: 16 })
  // The counts of 16 shards of limits and 64 of keys, and the names of the limits.
  expect(counts.calls).toBe(16 + 64 + 16)
  for (const path of paths) await ask(path)
  expect(counts.calls).toBe(16 + 64 + 16)
  expect(counts.peak).toBeLessThanOrEqual(8)
})
