import { subscribe, unsubscribe } from "node:diagnostics_channel"
import { once } from "node:events"
import { afterEach, describe, expect, test, vi } from "vitest"
import type { ApiAnswer, ApiRequest } from "../../src/api/api-request.js"
import { type Listening, type ListenOptions, listen } from "../../src/api/listen.node.js"
import { NodeRequest } from "../../src/api/node-request.node.js"
import { RawConnection, refusing } from "../cli/servers.js"
import { serveApi, TOKEN } from "./serve-api.js"

const AUTH = `Authorization: Bearer ${TOKEN}\r\nHost: x\r\n`
const CHECK = `POST /v1/check HTTP/1.1\r\n${AUTH}Content-Length: 11\r\n\r\n{"key":"a"}`

let listening: Listening | null = null

afterEach(async () => {
  await listening?.close()
  listening = null
})

/** Connects to an API with a limit `a`, sends bytes, and waits for the connection's end. */
async function tell(text: string, options: Partial<ListenOptions> = {}): Promise<RawConnection> {
  const { api } = serveApi({ a: "5/day" })
  listening = await listen(api, { host: "127.0.0.1", port: 0, ...options })
  const connection = new RawConnection(Number(new URL(listening.url).port))
  connection.socket.write(text)
  expect(await connection.ended).toBe("end")
  connection.socket.destroy()
  return connection
}

describe("listen()", () => {
  test.each([
    ["a refused request", `GET /v1/health HTTP/1.1\r\n${AUTH}Host: y\r\n\r\n`, "end"],
    ["a stream", `GET /v1/events HTTP/1.1\r\n${AUTH}\r\n`, "none"],
  ])("parses little of what follows %s, which is the last on its connection", async (_, first, end) => {
    let parsed = 0
    const count = () => {
      parsed += 1
    }
    subscribe("http.server.request.start", count)
    const { api } = serveApi()
    listening = await listen(api, { host: "127.0.0.1", port: 0 })
    const connection = new RawConnection(Number(new URL(listening.url).port))
    connection.socket.write(first)
    await vi.waitUntil(() => connection.received.includes("HTTP/1.1"))
    const many = `GET / HTTP/1.1\r\n${AUTH}\r\n`.repeat(1_000)
    for (let times = 0; times < 400 && connection.socket.writable; times++) {
      if (!connection.socket.write(many)) await Promise.race([once(connection.socket, "drain"), connection.ended])
    }
    if (end === "end") expect(await connection.ended).toBe("end")
    connection.socket.destroy()
    unsubscribe("http.server.request.start", count)
    expect(parsed).toBeGreaterThan(0)
    expect(parsed).toBeLessThan(5_000)
  })

  test("leaves no timer behind where the port is taken", async () => {
    const { api } = serveApi()
    listening = await listen(api, { host: "127.0.0.1", port: 0 })
    const port = Number(new URL(listening.url).port)
    vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] })
    try {
      await expect(listen(api, { host: "127.0.0.1", port })).rejects.toMatchObject({ code: "EADDRINUSE" })
      expect(vi.getTimerCount()).toBe(0)
    } finally {
      vi.useRealTimers()
    }
  })

  test("closes what connects beyond the most connections, and tells of each", async () => {
    const { api } = serveApi()
    const onRefused = vi.fn()
    listening = await listen(api, { host: "127.0.0.1", port: 0, maxConnections: 1, onRefused })
    const port = Number(new URL(listening.url).port)
    const first = new RawConnection(port)
    await once(first.socket, "connect")
    for (let times = 1; times <= 2; times++) {
      await new RawConnection(port).ended
      await vi.waitUntil(() => onRefused.mock.calls.length === times)
    }
    first.socket.write(`GET /v1/health HTTP/1.1\r\n${AUTH}Connection: close\r\n\r\n`)
    expect(await first.ended).toBe("end")
    expect(onRefused).toHaveBeenCalledTimes(2)
    first.socket.destroy()
  })

  test("leaves nothing behind at a response each time that its stream waits for the client", async () => {
    const warned = vi.fn()
    process.on("warning", warned)
    let left = 200
    const body = new ReadableStream<Uint8Array>({
      pull(controller) {
        if (left-- > 0) controller.enqueue(new Uint8Array(200_000))
        else controller.close()
      },
    })
    const { api } = serveApi()
    const answering = { ...api, handle: async (): Promise<ApiAnswer> => ({ status: 200, headers: {}, body }) }
    listening = await listen(answering, { host: "127.0.0.1", port: 0 })
    const response = await fetch(listening.url)
    expect((await response.arrayBuffer()).byteLength).toBe(40_000_000)
    expect(warned).not.toHaveBeenCalled()
    process.off("warning", warned)
  })

  test.each([
    ["what is no request", "GARBAGE\r\n\r\n", 400, "REQUEST_INVALID"],
    ["a request without a host", `GET /v1/health HTTP/1.1\r\n\r\n`, 400, "REQUEST_INVALID"],
    ["two hosts", `GET /v1/health HTTP/1.1\r\n${AUTH}Host: y\r\n\r\n`, 400, "REQUEST_INVALID"],
    ["another version", `GET /v1/health HTTP/2.0\r\n${AUTH}\r\n`, 400, "REQUEST_INVALID"],
    ["a version that there is not", `GET /v1/health HTTP/1.2\r\n${AUTH}\r\n`, 400, "REQUEST_INVALID"],
    [
      "a chunk without a length",
      `POST /v1/check HTTP/1.1\r\n${AUTH}Transfer-Encoding: chunked\r\n\r\nx\r\n`,
      400,
      "REQUEST_INVALID",
    ],
    [
      "chunks with long extensions",
      `POST /v1/check HTTP/1.1\r\n${AUTH}Transfer-Encoding: chunked\r\n\r\n1;${"x".repeat(20_000)}\r\n`,
      413,
      "CONTENT_TOO_LARGE",
    ],
    [
      "long header fields",
      `GET /v1/health HTTP/1.1\r\n${AUTH}X: ${"x".repeat(20_000)}\r\n\r\n`,
      431,
      "HEADER_FIELDS_TOO_LARGE",
    ],
    [
      "an expectation that is not known",
      `GET /v1/health HTTP/1.1\r\n${AUTH}Expect: miracles\r\n\r\n`,
      417,
      "EXPECTATION_FAILED",
    ],
    ["a tunnel", `CONNECT x:1 HTTP/1.1\r\n${AUTH}\r\n`, 405, "METHOD_NOT_ALLOWED"],
  ])("answers %s by a problem, and ends the connection", async (_what, text, status, code) => {
    const { received, bodies } = await tell(text)
    expect(received).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `))
    expect(received).toMatch(/^Content-Type: application\/problem\+json\r$/m)
    expect(received).toMatch(/^X-Content-Type-Options: nosniff\r$/m)
    expect(received.match(/^Connection: .*$/gm)).toEqual(["Connection: close"])
    expect(bodies).toEqual([expect.objectContaining({ type: "about:blank", status, code, error: expect.any(String) })])
  })

  test.each(["Content-Length: 0\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"])(
    "reads a body of no bytes: %j",
    async (rest) => {
      const { bodies } = await tell(`POST /v1/check HTTP/1.1\r\n${AUTH}Connection: close\r\n${rest}`)
      expect(bodies).toEqual([expect.objectContaining({ status: 400, code: "REQUEST_INVALID" })])
    },
  )

  test("finds no endpoint for a key that a URL cannot have", async () => {
    const { bodies } = await tell(`GET /v1/limits/%2E%2e HTTP/1.1\r\n${AUTH}Connection: close\r\n\r\n`)
    expect(bodies).toMatchObject([{ status: 404, code: "NOT_FOUND" }])
  })

  test.each(["0.9", "1.2", "2.0", "9.9"])("says of HTTP/%s which versions are spoken", async (version) => {
    expect((await tell(`GET /v1/health HTTP/${version}\r\n${AUTH}\r\n`)).bodies).toMatchObject([
      { error: "Cannot read the request: its version is not allowed, allowed is HTTP/1.1 and HTTP/1.0." },
    ])
  })

  test("tells apart header fields that are too many and those that are too long", async () => {
    const { api } = serveApi()
    listening = await listen(api, { host: "127.0.0.1", port: 0 })
    const { url } = listening
    const refusal = async (count: number, path = "/v1/health") => {
      const connection = new RawConnection(Number(new URL(url).port))
      const more = Array.from({ length: count - 3 }, (_, index) => `X${index}: 1\r\n`).join("")
      connection.socket.write(`GET ${path} HTTP/1.1\r\n${AUTH}Connection: close\r\n${more}\r\n`)
      await connection.ended
      connection.socket.destroy()
      const [body] = connection.bodies as [{ ok?: boolean; status?: number; error?: string }]
      return body.ok === true ? null : `${body.status} ${body.error}`
    }
    expect(await refusal(100)).toBe(null)
    expect(await refusal(101)).toBe("431 Cannot read the request: it has 101 header fields, allowed is 100.")
    expect(await refusal(1_000)).toBe("431 Cannot read the request: it has 1000 header fields, allowed is 100.")
    const tooLong = "431 Cannot read the request: its first line and header fields are longer than 16384 bytes."
    expect(await refusal(3_000)).toBe(tooLong)
    expect(await refusal(3, `/${"x".repeat(16_384)}`)).toBe(tooLong)
  })

  test.each([
    ["a head", `GET /v1/health HTTP/1.1\r\n${AUTH}`],
    ["a body", CHECK.slice(0, -1)],
  ])("answers %s that does not arrive in time by a problem, and ends the connection", async (_what, text) => {
    const { received, bodies } = await tell(text, { arrivalMs: 30 })
    expect(received).toMatch(/^HTTP\/1\.1 408 Request Timeout\r\n[\s\S]*^Connection: close\r$/m)
    expect(bodies).toEqual([expect.objectContaining({ status: 408, code: "REQUEST_TIMEOUT" })])
  })

  test("ends a connection on which nothing was ever said without a word", async () => {
    expect((await tell("", { arrivalMs: 30 })).received).toBe("")
  })

  test("answers what was asked before something malformed in its turn, and nothing after", async () => {
    const { bodies } = await tell(`${CHECK}${CHECK}GARBAGE\r\n\r\n${CHECK}`)
    expect(bodies).toEqual([
      expect.objectContaining({ remaining: 4 }),
      expect.objectContaining({ remaining: 3 }),
      expect.objectContaining({ code: "REQUEST_INVALID" }),
    ])
  })

  test("answers nothing after a request that is the last by its own word", async () => {
    const last = CHECK.replace("Content-Length", "Connection: close\r\nContent-Length")
    expect((await tell(`${CHECK}${last}${CHECK}`)).bodies).toHaveLength(2)
    const old = CHECK.replace("HTTP/1.1", "HTTP/1.0")
    expect((await tell(`${old}${CHECK}`)).bodies).toHaveLength(1)
  })

  describe.each(["websocket", "h2c"])("where a request offers the protocol %s", (protocol) => {
    const upgrade = (request: string, fields = "Connection: Upgrade\r\n") =>
      request.replace("HTTP/1.1\r\n", `HTTP/1.1\r\n${fields}Upgrade: ${protocol}\r\n`)

    test.each([
      ["a check", CHECK, "Connection: Upgrade\r\n"],
      ["one beside other options", CHECK, "Connection: keep-alive, upgrade\r\n"],
      ["one without the option", CHECK, ""],
      ["a request without a body", `GET /v1/limits/a HTTP/1.1\r\n${AUTH}\r\n`, "Connection: Upgrade\r\n"],
    ])("%s is answered as the last of its connection, after those before", async (_, request, fields) => {
      const { received, bodies } = await tell(`${CHECK}${upgrade(request, fields)}${CHECK}${CHECK}`)
      expect(received.match(/^Connection: .*$/gm)).toEqual(["Connection: keep-alive", "Connection: close"])
      expect(bodies).toHaveLength(2)
    })

    test.each(["at once", "late"])("runs nothing that follows, though the answer comes %s", async (when) => {
      const { api } = serveApi({ a: "5/day" })
      let answerNow = () => {}
      const asked: string[] = []
      const answering = {
        ...api,
        async handle(request: ApiRequest): Promise<ApiAnswer> {
          asked.push(request.path)
          if (when === "late") {
            await new Promise<void>((resolve) => {
              answerNow = resolve
            })
          }
          return api.handle(request)
        },
      }
      listening = await listen(answering, { host: "127.0.0.1", port: 0 })
      const connection = new RawConnection(Number(new URL(listening.url).port))
      const hidden = `POST /v1/reset HTTP/1.1\r\n${AUTH}Content-Length: 11\r\n\r\n{"key":"a"}`
      const outer = `POST /v1/check HTTP/1.1\r\n${AUTH}Content-Length: ${hidden.length}\r\n\r\n`
      connection.socket.write(`${upgrade(`GET /v1/health HTTP/1.1\r\n${AUTH}\r\n`)}${outer}`)
      // The body comes by itself, and looks like a request.
      await vi.waitUntil(() => asked.length > 0)
      let read = 0
      subscribe("http.server.request.start", count)
      function count() {
        read += 1
      }
      connection.socket.write(hidden)
      if (when === "late") {
        await vi.waitUntil(() => read > 0)
        answerNow()
      }
      expect(await connection.ended).toBe("end")
      unsubscribe("http.server.request.start", count)
      connection.socket.destroy()
      expect(asked).toEqual(["/v1/health"])
      expect(connection.bodies).toEqual([expect.objectContaining({ ok: true })])
    })

    test("one whose body comes later is answered as well", async () => {
      const { api } = serveApi({ a: "5/day" })
      listening = await listen(api, { host: "127.0.0.1", port: 0 })
      const connection = new RawConnection(Number(new URL(listening.url).port))
      const head = vi.fn()
      subscribe("http.server.request.start", head)
      connection.socket.write(upgrade(CHECK).slice(0, -11))
      await vi.waitUntil(() => head.mock.calls.length > 0)
      unsubscribe("http.server.request.start", head)
      connection.socket.write(`{"key":"a"}${CHECK}`)
      expect(await connection.ended).toBe("end")
      connection.socket.destroy()
      expect(connection.bodies).toEqual([expect.objectContaining({ remaining: 4 })])
    })
  })

  test.each([
    ["of a length that is told", `Content-Length: 8000000\r\n\r\n${" ".repeat(8_000_000)}`],
    ["in chunks", `Transfer-Encoding: chunked\r\n\r\n${`100000\r\n${" ".repeat(0x100000)}\r\n`.repeat(8)}0\r\n\r\n`],
  ])("reads what follows an answer that came early, so that it is not lost: a body %s", async (_what, rest) => {
    const { bodies } = await tell(`POST /v1/check HTTP/1.1\r\n${AUTH}${rest}`)
    expect(bodies).toEqual([expect.objectContaining({ code: "CONTENT_TOO_LARGE" })])
  })

  test("close() answers who asks on a connection that was silent so far, and ends those that stay so", async () => {
    const { api } = serveApi({ a: "5/day" })
    const served = await listen(api, { host: "127.0.0.1", port: 0 })
    const port = Number(new URL(served.url).port)
    const [asking, silent] = [new RawConnection(port), new RawConnection(port)]
    for (const { socket } of [asking, silent]) {
      socket.write(CHECK)
      await once(socket, "data")
    }
    // What it waits for silence by: no time passes for it but when it is told.
    vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] })
    try {
      const closed = served.close()
      await refusing(port)
      asking.socket.write(CHECK)
      expect(await asking.ended).toBe("end")
      expect(asking.received.match(/^Connection: .*$/gm)).toEqual(["Connection: keep-alive", "Connection: close"])
      vi.advanceTimersByTime(250)
      expect(await silent.ended).toBe("end")
      for (const { socket } of [asking, silent]) socket.end()
      await closed
    } finally {
      vi.useRealTimers()
    }
  })

  test("close() ends a stream too that is only begun meanwhile", async () => {
    const { api } = serveApi({ a: "5/day" })
    const [asked, held] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
    const slow = {
      ...api,
      handle: async (...request: Parameters<typeof api.handle>) => {
        asked.resolve()
        await held.promise
        return api.handle(...request)
      },
    }
    const served = await listen(slow, { host: "127.0.0.1", port: 0, drainMs: 2 ** 31 - 1 })
    const port = Number(new URL(served.url).port)
    const { socket, ended } = new RawConnection(port)
    socket.write(`GET /v1/events HTTP/1.1\r\n${AUTH}\r\n`)
    await asked.promise
    const closed = served.close()
    await refusing(port)
    held.resolve()
    expect(await ended).toBe("end")
    socket.end()
    await closed
  })

  test("close() cuts a client that sends on and on after its answer", async () => {
    const { api } = serveApi({ a: "5/day" })
    const served = await listen(api, { host: "127.0.0.1", port: 0 })
    const { socket, ended } = new RawConnection(Number(new URL(served.url).port))
    socket.write(`POST /v1/check HTTP/1.1\r\n${AUTH}Transfer-Encoding: chunked\r\n\r\nx\r\n`)
    await ended
    const cut = new Promise((resolve) => socket.once("close", resolve))
    const sending = setInterval(() => socket.write("x"), 10)
    await served.close()
    await cut
    clearInterval(sending)
  })
})

describe("listen(), asked by a client that reads no answers", () => {
  const GET = "GET / HTTP/1.1\r\nHost: x\r\n\r\n"
  const MB = 1_000_000

  /** Serves answers of a megabyte, keeps what was asked, and connects without reading. */
  async function serveLong(options: Partial<ListenOptions> = {}) {
    const asked: NodeRequest[] = []
    const pages = (request: unknown): ApiAnswer => {
      if (request instanceof NodeRequest) asked.push(request)
      return { status: 200, headers: {}, body: "x".repeat(MB) }
    }
    listening = await listen(serveApi().api, { host: "127.0.0.1", port: 0, ...options }, pages)
    const connection = new RawConnection(Number(new URL(listening.url).port))
    connection.socket.pause()
    return { asked, connection, url: listening.url }
  }

  test("makes no further answers than it sends, goes on once they are read, and answers others meanwhile", async () => {
    const { asked, connection, url } = await serveLong()
    connection.socket.write(GET.repeat(200))
    for (let turn = 0; turn < 5; turn++) await (await fetch(url)).text()
    // What the buffers of the system take is sent.
    expect(asked.length).toBeLessThan(50)
    connection.socket.resume()
    connection.socket.end()
    expect(await connection.ended).toBe("end")
    expect(connection.received.length).toBeGreaterThan(200 * MB)
  })

  test("ends the connection when its time is up", async () => {
    const { asked, connection } = await serveLong({ unreadMs: 50 })
    connection.socket.write(GET.repeat(100))
    await vi.waitUntil(() => asked[0]?.socket.destroyed, 5_000)
    connection.socket.resume()
    expect(["end", "ECONNRESET"]).toContain(await connection.ended)
    connection.socket.destroy()
    expect(connection.received.length).toBeLessThan(50 * MB)
  })
})
