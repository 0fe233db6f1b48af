import { createServer, type RequestListener } from "node:http"
import { serve } from "@hono/node-server"
import type { RequestEvent } from "@sveltejs/kit"
import { expect, test } from "vitest"
import { app as expressApp } from "../../examples/adapters/express.ts"
import { app as fastifyApp } from "../../examples/adapters/fastify.ts"
import { app as honoApp } from "../../examples/adapters/hono.ts"
import { router } from "../../examples/adapters/itty-router.ts"
import { proxy } from "../../examples/adapters/next.ts"
import { listener } from "../../examples/adapters/node.ts"
import { handle } from "../../examples/adapters/sveltekit.ts"
import { listening, type RunningServer } from "../adapters/adapter-cases.js"
import { serving } from "../adapters/serving.js"

const onNode = (own: RequestListener) => listening(createServer(own))
const served = (fetch: (request: Request, ...rest: never[]) => unknown) =>
  serving((listen) => serve({ fetch: fetch as never, hostname: "127.0.0.1", port: 0 }, listen))

const servers: [string, () => Promise<RunningServer>][] = [
  ["node", () => onNode(listener)],
  ["express", () => onNode(expressApp)],
  ["hono", () => served(honoApp.fetch as never)],
  ["itty-router", () => served(router.fetch as never)],
  [
    "fastify",
    async () => ({
      url: await fastifyApp.listen({ port: 0, host: "127.0.0.1" }),
      close: () => fastifyApp.close(),
    }),
  ],
]

test.each(servers)("the example for %s limits each client to three requests", async (_name, start) => {
  const { url, close } = await start()
  const statuses: number[] = []
  for (let asked = 0; asked < 4; asked++) {
    const response = await fetch(url, { headers: { connection: "close" } })
    statuses.push(response.status)
    expect(response.headers.get("ratelimit-policy")).toBe('"default";q=3;w=60')
    if (asked === 0) expect(await response.text()).toBe("hello")
  }
  await close()
  expect(statuses).toEqual([200, 200, 200, 429])
})

test("the example for SvelteKit limits each client to three requests", async () => {
  const event = { request: new Request("http://localhost/"), getClientAddress: () => "192.0.2.1" } as RequestEvent
  const statuses: number[] = []
  for (let asked = 0; asked < 4; asked++) {
    statuses.push((await handle({ event, resolve: async () => new Response("hello") })).status)
  }
  expect(statuses).toEqual([200, 200, 200, 429])
})

test("the example for Next limits each client to three requests", async () => {
  const request = new Request("http://localhost/api/a", { headers: { "X-Real-IP": "192.0.2.1" } })
  const statuses: number[] = []
  for (let asked = 0; asked < 4; asked++) statuses.push((await proxy(request as never, {} as never)).status)
  expect(statuses).toEqual([200, 200, 200, 429])
})
