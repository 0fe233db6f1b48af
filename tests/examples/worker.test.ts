import { mkdtempSync, rmSync } from "node:fs"
import { join } from "node:path"
import type { Miniflare } from "miniflare"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { startWorker, type WorkerBindings } from "../start-worker.js"

const root = join(import.meta.dirname, "..", "..")
const folder = mkdtempSync(join(root, "dist", ".example-worker-"))
let miniflare: Miniflare

function startExample(options: Pick<WorkerBindings, "compatibilityDate"> = {}): Promise<Miniflare> {
  return startWorker(join(root, "examples", "worker", "index.ts"), folder, {
    objects: { LIMITER: "LimiterObject" },
    variables: { ADMIN_TOKEN: "local" },
    ...options,
  })
}

beforeAll(async () => {
  miniflare = await startExample()
}, 60_000)

afterAll(async () => {
  await miniflare?.dispose()
  rmSync(folder, { recursive: true, force: true })
})

async function ask(path: string, headers: Record<string, string> = {}, method = "GET") {
  const response = await miniflare.dispatchFetch(`http://localhost${path}`, { method, headers })
  return { status: response.status, headers: response.headers, body: await response.text() }
}

const statusesOf = async (count: number, ...request: Parameters<typeof ask>) => {
  const statuses: number[] = []
  for (let asked = 0; asked < count; asked++) statuses.push((await ask(...request)).status)
  return statuses
}
const ANN = { "X-API-Key": "key-ann" }
const BOB = { "X-API-Key": "key-bob" }
const ADMIN = { Authorization: "Bearer local" }

describe("the example Worker", () => {
  test("limits by address", async () => {
    expect(await statusesOf(4, "/public", { "CF-Connecting-IP": "192.0.2.1" })).toEqual([200, 200, 200, 429])
    expect(await statusesOf(1, "/public", { "CF-Connecting-IP": "192.0.2.2" })).toEqual([200])
  })

  test("limits by user and tenant together, by cost", async () => {
    const first = await ask("/export", ANN)
    expect([first.status, first.body]).toEqual([200, "hello, ann"])
    expect(first.headers.get("RateLimit")).toMatch(/^"user";r=10;t=\d+, "tenant";r=20;t=\d+$/)
    expect(await statusesOf(2, "/export", ANN)).toEqual([200, 429])
    // Ann's denial cost the tenant nothing: Bob has its last ten, less what came back meanwhile.
    expect(await statusesOf(2, "/export", BOB)).toEqual([200, 429])
  })

  test("limits the guessing of keys", async () => {
    const headers = { "X-API-Key": "guess", "CF-Connecting-IP": "192.0.2.3" }
    expect(await statusesOf(2, "/things", headers)).toEqual([401, 429])
  })

  test("tells, blocks and resets for whoever has the token", async () => {
    expect((await ask("/admin/user/ann")).status).toBe(401)
    expect((await ask("/admin/user/ann", { Authorization: "Bearer wrong" })).status).toBe(401)
    expect((await ask("/admin/none/ann", ADMIN)).status).toBe(404)
    const told = await ask("/admin/tenant/acme", ADMIN)
    expect(JSON.parse(told.body)).toMatchObject({ policy: "tenant", key: "acme" })
    for (const path of ["/admin/user/bob/reset", "/admin/tenant/acme/reset"]) await ask(path, ADMIN, "POST")
    expect(await statusesOf(1, "/things", BOB)).toEqual([200])
    const blocked = await ask("/admin/user/bob/block?for=10m", ADMIN, "POST")
    expect(JSON.parse(blocked.body).blockedForMs).toBeGreaterThan(590_000)
    expect(await statusesOf(1, "/things", BOB)).toEqual([429])
    await ask("/admin/user/bob/unblock", ADMIN, "POST")
    expect(await statusesOf(1, "/things", BOB)).toEqual([200])
    expect((await ask("/admin/user/bob/block?for=soon", ADMIN, "POST")).status).toBe(400)
  })
})

// Durable Objects take calls from 2024-04-03 on, wait for each other's from 2024-10-14 on, and there are references
// that do not keep what they refer to from 2025-05-05 on.
test.each(["2024-04-03", "2024-10-14", "2025-05-05"])(
  "the example Worker limits with the compatibility date %s",
  async (compatibilityDate) => {
    const dated = await startExample({ compatibilityDate })
    const statusOf = async (path: string, headers: Record<string, string>) =>
      (await dated.dispatchFetch(`http://localhost${path}`, { headers })).status
    try {
      const client = { "CF-Connecting-IP": "192.0.2.1" }
      for (const status of [200, 200, 200, 429]) expect(await statusOf("/public", client)).toBe(status)
      for (const status of [200, 200, 429]) expect(await statusOf("/export", ANN)).toBe(status)
    } finally {
      await dated.dispose()
    }
  },
)
