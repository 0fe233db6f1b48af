import { afterEach, describe, expect, test } from "vitest"
import type { RunningServer, SuiteOptions } from "./adapter-cases.js"
import { NODE_SERVERS } from "./node-servers.js"
import { exchange } from "./raw-exchange.js"

const UPLOAD_BYTES = 4 << 20

let running: RunningServer | undefined
afterEach(async () => {
  await running?.close()
  running = undefined
})

const requestOf = (fields = "", method = "GET") => `${method} / HTTP/1.1\r\nHost: localhost\r\n${fields}\r\n`
const LAST = requestOf("Connection: close\r\n")

function statusesOf(received: string): string[] {
  return received.match(/(?<=HTTP\/1\.1 )\d+/g) ?? []
}

describe.each(Object.keys(NODE_SERVERS))("a denial of %s", (name) => {
  async function serve(options: Partial<SuiteOptions> = {}) {
    running = await NODE_SERVERS[name]!({ policy: "1/minute", key: () => "all", ...options })
    return running.url
  }

  test("says where it ends, so that the connection goes on", async () => {
    const received = await exchange(await serve(), requestOf(), requestOf(), requestOf("", "HEAD"), LAST)
    expect(statusesOf(received)).toEqual(["200", "429", "429", "429"])
    const denied = received.split(/(?=HTTP\/1\.1 )/)[1]!
    expect(denied).toMatch(/\r\n(transfer-encoding: chunked|content-length: \d+)\r\n/i)
  })

  test("says so too where onLimited makes an answer without a body", async () => {
    const onLimited = () => new Response(null, { status: 420 })
    const received = await exchange(await serve({ onLimited }), requestOf(), requestOf(), LAST)
    expect(statusesOf(received)).toEqual(["200", "420", "420"])
  })

  test("reaches a client that is still sending its body, and the connection goes on", async () => {
    const upload = requestOf(`Content-Length: ${UPLOAD_BYTES}\r\n`, "POST")
    const received = await exchange(await serve(), requestOf(), upload, Buffer.alloc(UPLOAD_BYTES), LAST)
    expect(statusesOf(received)).toEqual(["200", "429", "429"])
  })
})
