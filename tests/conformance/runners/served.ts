import { Hono } from "hono"
import { rateLimit as limitRoutes } from "sluice/hono"
import { rateLimit } from "sluice/http"

declare global {
  interface ImportMeta {
    /** The path of the file, in Bun. */
    readonly path: string
  }
}

/*
 * What clients of a real server of Bun get of each kind of body, limited and not.
 */

interface Server {
  readonly url: URL
  stop(closesConnections: boolean): Promise<void>
}
declare const Bun: {
  readonly version: string
  file(path: string): Blob
  serve(options: { port: 0; hostname: string; fetch: (request: Request) => Response | Promise<Response> }): Server
}

const text = () => new Response("hello")
const own = { headers: { "x-own": "1" } }
const HANDLERS: Readonly<Record<string, () => Response>> = {
  text,
  accentedText: () => new Response("hé"),
  wideText: () => new Response("日本"),
  textWithHeader: () => new Response("hello", own),
  empty: () => new Response(""),
  bytes: () => new Response(new Uint8Array(3)),
  blob: () => new Response(new Blob(["hello"])),
  typedBlob: () => new Response(new Blob(["hello"], { type: "image/png" })),
  json: () => Response.json({ a: 1 }),
  form: () => new Response(new URLSearchParams("a=b")),
  stream: () => new Response(new Blob(["hello"]).stream().pipeThrough(new TransformStream())),
  none: () => new Response(null, own),
  noContent: () => new Response(null, { status: 204 }),
}

const options = { policy: "100/minute", key: () => "k" }
const named = (name: string) => ({ policy: `100/minute as ${name}`, key: () => "k" })

async function serve(handler: (request: Request) => Response | Promise<Response>, method = "GET") {
  const server = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: handler })
  const told = []
  for (let asked = 0; asked < 2; asked++) {
    const { status, headers, ...response } = await answerOf(server.url, method)
    const length = headers.get("content-length")
    const fields = { type: headers.get("content-type"), length, own: headers.get("x-own") }
    told.push({ status, ...fields, ...response, limits: headers.get("ratelimit")?.split(",").length ?? 0 })
  }
  await server.stop(true)
  return told
}

async function answerOf(url: URL, method: string) {
  const response = await fetch(url, { method })
  const { status, headers } = response
  return { status, headers, body: await response.text() }
}

const bodies: Record<string, unknown> = {}
for (const [name, handler] of Object.entries(HANDLERS)) {
  const inner = rateLimit(handler, named("inner"))
  const mounted = rateLimit((request) => inner(new Request("http://localhost/sub", request)), named("outer"))
  bodies[name] = {
    bare: await serve(handler),
    limited: await serve(rateLimit(handler, options)),
    mounted: await serve(mounted),
  }
}

const app = new Hono()
app.use("/", limitRoutes(options))
app.get("/", (context) => context.text("hello"))
const onLimited = () => new Response("slow down", { status: 429 })
const part = () => new Response(Bun.file(import.meta.path).slice(2, 5))
const partWithHeader = () => new Response(Bun.file(import.meta.path).slice(2, 5), own)
const refused = rateLimit(text, { policy: "1/minute", key: () => "k", onLimited })

console.log(
  JSON.stringify({
    runtime: `Bun ${Bun.version}`,
    bodies,
    hono: await serve((request) => app.fetch(request)),
    part: { bare: await serve(partWithHeader), limited: await serve(rateLimit(part, options)) },
    refused: await serve(refused),
    head: { bare: await serve(text, "HEAD"), limited: await serve(rateLimit(text, options), "HEAD") },
  }),
)
