import { Buffer } from "node:buffer"
import { connect } from "node:net"
import { Hono } from "hono"
import { rateLimit as limitRoutes } from "sluice/hono"
import { clientAddress, combine, pathPattern, rateLimit } from "sluice/http"

/*
 * What clients of a real server of Bun or Deno get of a limit that is chosen by the path, whatever their Host and
 * target.
 */

type Handler = (request: Request) => Response | Promise<Response>
interface Runtimes {
  readonly Bun?: {
    readonly version: string
    serve(options: { port: 0; hostname: string; fetch: Handler }): {
      port: number
      stop(closes: boolean): Promise<void>
    }
  }
  readonly Deno?: {
    readonly version: { readonly deno: string }
    serve(
      options: { port: 0; hostname: string; onListen(): void },
      handler: Handler,
    ): { addr: { port: number }; shutdown(): Promise<void> }
  }
}
const { Bun, Deno } = globalThis as unknown as Runtimes

/** Each is sent as it stands. */
const HEADS = [
  ["a", "/login"],
  ["example.com:8080", "/login?a=/../b"],
  ["[::1]:80", "/login"],
  ["", "/login"],
  ["a/x", "/login"],
  ["a?", "/login"],
  ["a#", "/login"],
  ["a\\", "/login"],
  ["a b", "/login"],
  ["h:99999", "/login"],
  ["u@b", "/login"],
  ["a", "http://a?/login"],
  ["a", "/login/../health"],
  ["a", "/login/%2e%2e/health"],
  ["a", "/login\\..\\health"],
] as const
const TIMES = 3

function start(handler: Handler): { port: number; stop(): Promise<void> } {
  const address = { port: 0, hostname: "127.0.0.1" } as const
  if (Bun) {
    const server = Bun.serve({ ...address, fetch: handler })
    return { port: server.port, stop: () => server.stop(true) }
  }
  const server = Deno!.serve({ ...address, onListen() {} }, handler)
  return { port: server.addr.port, stop: () => server.shutdown() }
}

function statusOf(port: number, target: string, host: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1")
    let answer = ""
    socket.on("data", (chunk) => {
      answer += chunk
    })
    socket.on("error", reject)
    socket.on("close", () => resolve(Number(/^HTTP\/1.1 (\d+)/.exec(answer)?.[1])))
    socket.write(Buffer.from(`GET ${target} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`, "latin1"))
  })
}

/** A login that takes one request, beside a path that takes many. */
const policy = ({ url }: Request) => (new URL(url).pathname.startsWith("/login") ? "1/hour" : "1000/hour")
const key = combine(() => "all", clientAddress(), pathPattern("/login/*"))

/** The statuses that each head got from a handler of its own. */
async function answersTo(make: () => Handler) {
  const told: Record<string, number[]> = {}
  for (const [host, target] of HEADS) {
    const { port, stop } = start(make())
    const statuses: number[] = []
    for (let asked = 0; asked < TIMES; asked++) statuses.push(await statusOf(port, target, host))
    await stop()
    told[`${target} of ${JSON.stringify(host)}`] = statuses
  }
  return told
}

/** A router that looks for the first slash after the host. */
const route = ({ url }: Request) => {
  const [, path = ""] = /^(?:\w+:\/\/[^/]*)?(\/[^?#]*)/.exec(url) ?? []
  return path.startsWith("/login") ? new Response("welcome") : new Response(null, { status: 404 })
}

const plain = await answersTo(() => rateLimit(route, { policy, key }))
const hono = await answersTo(() => {
  const app = new Hono()
  app.use(limitRoutes({ policy, key }))
  app.get("/login/*", (context) => context.text("welcome"))
  return (request) => app.fetch(request)
})
console.log(JSON.stringify({ plain, hono }))
