import { cpSync, mkdtempSync, rmSync } from "node:fs"
import { createServer as createHttpServer } from "node:http"
import { join } from "node:path"
import type { RequestEvent } from "@sveltejs/kit"
import type { Handle } from "@sveltejs/kit/hooks"
import { sveltekit } from "@sveltejs/kit/vite"
import { createServer as createViteServer } from "vite"
import { afterAll, describe, expect, test, vi } from "vitest"
import { rateLimit } from "../../src/adapters/sveltekit.js"
import { answerTo, declareAdapterCases, listening } from "./adapter-cases.js"

const dist = join(import.meta.dirname, "..", "..", "dist")
// SvelteKit writes beside the app that it serves.
const app = mkdtempSync(join(dist, ".sveltekit-"))
cpSync(join(import.meta.dirname, "sveltekit-app"), app, { recursive: true })
afterAll(() => rmSync(app, { recursive: true, force: true }))

declareAdapterCases({
  name: "sluice/sveltekit",
  failsAt: ["TRACE"],
  async start(options) {
    const sluiceHandles: Handle[] = options.map((each) => rateLimit(each))
    Object.assign(globalThis, { sluiceHandles, answerTo })
    const before = process.cwd()
    process.chdir(app)
    const vite = await createViteServer({
      root: app,
      configFile: false,
      logLevel: "silent",
      plugins: [sveltekit()],
      server: { middlewareMode: true, ws: false, watch: null },
    })
    process.chdir(before)
    const { url, close } = await listening(createHttpServer(vite.middlewares))
    return {
      url,
      async close() {
        await close()
        await vite.close()
      },
    }
  },
})

describe("rateLimit() of sluice/sveltekit", () => {
  const eventOf = (told: Partial<RequestEvent>) =>
    ({ request: new Request("http://localhost/"), getClientAddress: () => "192.0.2.1", ...told }) as RequestEvent
  const resolve = async () => new Response("hello")

  test("does not count what the app asks itself", async () => {
    const handle = rateLimit({ policy: "1/minute" })
    const statuses: number[] = []
    for (const isSubRequest of [false, true, true, false]) {
      statuses.push((await handle({ event: eventOf({ isSubRequest }), resolve })).status)
    }
    expect(statuses).toEqual([200, 200, 200, 429])
  })

  test("goes on where there is no address, and tells the platform of work that goes on", async () => {
    const keys: string[] = []
    const onDecision = async ({ key }: { key: string }) => void keys.push(key)
    const getClientAddress = () => {
      throw new Error("prerendering")
    }
    const handle = rateLimit({ policy: "1/minute", onDecision })
    const ctx = {
      waits: 0,
      waitUntil() {
        this.waits += 1
      },
    }
    const platform = { ctx } as unknown as NonNullable<RequestEvent["platform"]>
    await handle({ event: eventOf({ getClientAddress, platform }), resolve })
    expect([keys, ctx.waits]).toEqual([["unidentified"], 1])
  })

  test("gives the charge back where resolve() throws", async () => {
    const handle = rateLimit({ policy: "1/minute", skipFailedRequests: true })
    const failing = vi.fn(() => Promise.reject(new Error("own")))
    await expect(handle({ event: eventOf({}), resolve: failing })).rejects.toThrow("own")
    expect((await handle({ event: eventOf({}), resolve })).status).toBe(200)
  })
})
