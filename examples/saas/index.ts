// A multi-tenant service: API keys, plans from sluice.toml, usage, and an upgrade that takes effect at once.
//
//   node examples/saas/index.ts
//   curl -i -H 'X-API-Key: key-acme' http://127.0.0.1:8790/things      four times: the fourth is a 429
//   curl -i -H 'X-API-Key: key-acme' -X POST 'http://127.0.0.1:8790/upgrade?tier=pro'
//   curl -i -H 'X-API-Key: key-acme' http://127.0.0.1:8790/things      passes
//   curl -i -H 'X-API-Key: key-acme' http://127.0.0.1:8790/usage
import { readFileSync } from "node:fs"
import { createServer, type IncomingMessage } from "node:http"
import { parseConfig } from "sluice/config"
import { makeService } from "./service.ts"

const text = readFileSync(new URL("sluice.toml", import.meta.url), "utf8")
const service = makeService(parseConfig(text, { env: process.env }))

const { PORT = "8790" } = process.env
const server = createServer(async (incoming, outgoing) => {
  let request: Request
  try {
    request = requestOf(incoming)
  } catch {
    // What nobody catches would end the process.
    outgoing.writeHead(400).end()
    return
  }
  const response = await service.fetch(request)
  outgoing.writeHead(response.status, Object.fromEntries(response.headers))
  outgoing.end(await response.text())
})
server.listen(Number(PORT), "127.0.0.1", () => {
  const address = server.address()
  console.log(`Listening on http://127.0.0.1:${typeof address === "object" ? address?.port : address}`)
})

/** @throws where a client sends what no `Request` can be made of, such as the target `//` or the method TRACE */
function requestOf({ url = "/", method = "GET", headers }: IncomingMessage): Request {
  const fields = Object.entries(headers).map(([name, value]) => [name, String(value)] as [string, string])
  return new Request(new URL(url, "http://localhost"), { method, headers: fields })
}
