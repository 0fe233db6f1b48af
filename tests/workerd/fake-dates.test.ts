import { exports } from "cloudflare:workers"
import { afterEach, expect, test, vi } from "vitest"

afterEach(() => void vi.useRealTimers())

test("a client over its limit is admitted when its wait is over", async () => {
  vi.useFakeTimers({ toFake: ["Date"] })
  const headers = { "CF-Connecting-IP": "192.0.2.77" }
  const ask = () => exports.default.fetch("http://localhost/hello", { headers })
  expect((await ask()).status).toBe(200)
  const denied = await ask()
  expect(denied.status).toBe(429)
  vi.setSystemTime(Date.now() + Number(denied.headers.get("Retry-After")) * 1_000)
  expect((await ask()).status).toBe(200)
})
