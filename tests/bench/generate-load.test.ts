import { once } from "node:events"
import { createServer, type Server } from "node:http"
import type { AddressInfo } from "node:net"
import { afterEach, expect, test } from "vitest"
import { benchModule } from "./bench-module.js"

const { generateLoad } = await benchModule<{
  generateLoad(plan: object, cores: null): Promise<{ requests: number; answered: number; unexpected: number }>
}>("lib/generate-load.mjs")

let server: Server | undefined
afterEach(() => {
  server?.closeAllConnections()
  server?.close()
})

async function serve(statusOf: (path: string) => number): Promise<{ port: number; asked: string[] }> {
  const asked: string[] = []
  server = createServer((request, response) => {
    const path = request.url ?? ""
    asked.push(path)
    response.writeHead(statusOf(path), { "Content-Length": 2 }).end("ok")
  }).listen(0, "127.0.0.1")
  await once(server, "listening")
  return { port: (server.address() as AddressInfo).port, asked }
}

const paths = Array.from({ length: 50 }, (_, index) => `/check?${index}`)

test("generateLoad() in mode once asks for each path once", async () => {
  const { port, asked } = await serve(() => 200)
  const result = await generateLoad({ port, paths, connections: 8, expectedStatus: 200, mode: "once" }, null)
  expect(asked.toSorted()).toEqual(paths.toSorted())
  expect(result).toMatchObject({ requests: 50, answered: 50, unexpected: 0 })
})

test("generateLoad() counts answers of another status", async () => {
  const { port } = await serve((path) => (path.endsWith("7") ? 429 : 200))
  const result = await generateLoad({ port, paths, connections: 8, expectedStatus: 200, mode: "once" }, null)
  expect(result.unexpected).toBe(5)
})

test("generateLoad() measures only requests begun after the warm-up", async () => {
  const { port, asked } = await serve(() => 200)
  const plan = { port, paths, connections: 2, expectedStatus: 200, mode: "timed", warmUpMs: 100, measureMs: 100 }
  const result = await generateLoad(plan, null)
  expect(result.answered).toBe(asked.length)
  expect(result.requests).toBeGreaterThan(0)
  expect(result.requests).toBeLessThan(result.answered)
})

test("generateLoad() in mode paced asks as often as it is told, and counts the time that a request was late", async () => {
  const { port, asked } = await serve(() => 200)
  const plan = { port, paths, connections: 4, expectedStatus: 200, mode: "paced", warmUpMs: 0, measureMs: 400 }
  const result = await generateLoad({ ...plan, requestsPerSecond: 100 }, null)
  expect(result.answered).toBe(asked.length)
  // Those that are due within the time, however slow the machine is.
  expect(asked.length).toBeLessThanOrEqual(40)
  expect(asked.length).toBeGreaterThan(0)
})

test("generateLoad() fails where nobody listens", async () => {
  const { port } = await serve(() => 200)
  server?.close()
  await expect(generateLoad({ port, paths, connections: 1, expectedStatus: 200, mode: "once" }, null)).rejects.toThrow(
    "ECONNREFUSED",
  )
})
