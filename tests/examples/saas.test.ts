import { spawn } from "node:child_process"
import { once } from "node:events"
import { readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { ManualClock } from "sluice"
import { parseConfig } from "sluice/config"
import { describe, expect, onTestFinished, test } from "vitest"
import { makeService } from "../../examples/saas/service.ts"
import { exchange } from "../adapters/raw-exchange.js"

const text = readFileSync(new URL("../../examples/saas/sluice.toml", import.meta.url), "utf8")
const headers = (key: string) => ({ headers: { "X-API-Key": key } })

describe("examples/saas", () => {
  const make = () => {
    const service = makeService(parseConfig(text), new ManualClock(0))
    return {
      things: (key: string) => service.fetch(new Request("http://localhost/things", headers(key))),
      usage: async (key: string) => (await service.fetch(new Request("http://localhost/usage", headers(key)))).json(),
      upgrade: (key: string, tier: string) =>
        service.fetch(new Request(`http://localhost/upgrade?tier=${tier}`, { ...headers(key), method: "POST" })),
    }
  }

  test("limits each tenant by its plan, or by what was negotiated", async () => {
    const { things } = make()
    const limits = await Promise.all(["key-acme", "key-globex", "key-initech"].map(things))
    expect(limits.map((each) => each.headers.get("X-RateLimit-Limit"))).toEqual(["3", "10", "500"])
    expect(limits[1]?.headers.get("RateLimit-Policy")).toBe('"10-per-1s";q=10;w=1, "100-per-1m";q=100;w=60')
    expect((await things("key-nobody")).status).toBe(401)
  })

  test("an upgrade takes effect with the next request, and what was used stays used", async () => {
    const { things, usage, upgrade } = make()
    const statuses = []
    for (let index = 0; index < 4; index++) statuses.push((await things("key-acme")).status)
    expect(statuses).toEqual([200, 200, 200, 429])
    expect(await usage("key-acme")).toMatchObject({ tier: "free", remaining: 0, totalAllowed: 3, totalDenied: 1 })
    expect((await upgrade("key-acme", "platinum")).status).toBe(400)
    expect((await upgrade("key-acme", "pro")).status).toBe(200)
    expect((await things("key-acme")).status).toBe(200)
    const { tier, limits } = (await usage("key-acme")) as { tier: string; limits: { remaining: number }[] }
    expect(tier).toBe("pro")
    expect(limits[1]?.remaining).toBeLessThan(100)
    expect(await usage("key-globex")).toMatchObject({ totalAllowed: 0 })
  })

  test("an upgrade changes nothing for a tenant with limits of its own", async () => {
    const { upgrade } = make()
    expect(await (await upgrade("key-initech", "free")).json()).toMatchObject({ limits: [{ limit: 500 }] })
  })
})

test("examples/saas answers what no Request can be made of, and goes on", async () => {
  const script = fileURLToPath(new URL("../../examples/saas/index.ts", import.meta.url))
  const server = spawn(process.execPath, [script], { env: { ...process.env, PORT: "0" } })
  onTestFinished(() => void server.kill())
  const [line] = (await once(server.stdout, "data")) as [Buffer]
  const url = /http:\S+/.exec(line.toString())![0]
  const statusOf = async (target: string) => {
    const answer = await exchange(url, `${target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`)
    return /^HTTP\/1.1 (\d+)/.exec(answer)?.[1]
  }
  expect([await statusOf("GET //"), await statusOf("TRACE /"), await statusOf("GET /")]).toEqual(["400", "400", "401"])
})
