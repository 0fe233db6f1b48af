// A multi-tenant service: API keys, plans from sluice.toml, usage, and an upgrade that takes effect at once.
//
//   node examples/saas/index.ts
//   curl -i -H 'X-API-Key: key-acme' http://127.0.0.1:8790/things      four times: the fourth is a 429
//   curl -i -H 'X-API-Key: key-acme' -X POST 'http://127.0.0.1:8790/upgrade?tier=pro'
//   curl -i -H 'X-API-Key: key-acme' http://127.0.0.1:8790/things      passes
//   curl -i -H 'X-API-Key: key-acme' http://127.0.0.1:8790/usage
import { readFileSync } from "node:fs"
import { createServer } from "node:http"
import { parseConfig } from "sluice/config"
import { makeService } from "./service.ts"

const text = readFileSync(new URL("sluice.toml", import.meta.url), "utf8")
const service = makeService(parseConfig(text, { env: process.env }))

const { PORT = "8790" } = process.env
const server = createServer(async (incoming, outgoing) => {
  const url = new URL(incoming.url ?? "/", "http://localhost")
  const headers = Object.entries(incoming.headers).map(([name, value]) => [name, String(value)] as [string, string])
  const response = await service.fetch(new Request(url, { method: incoming.method ?? "GET", headers }))
  outgoing.writeHead(response.status, Object.fromEntries(response.headers))
  outgoing.end(await response.text())
})
server.listen(Number(PORT), "127.0.0.1", () => {
  const address = server.address()
  console.log(`Listening on http://127.0.0.1:${typeof address === "object" ? address?.port : address}`)
})
