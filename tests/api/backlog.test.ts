import { subscribe, unsubscribe } from "node:diagnostics_channel"
import { once } from "node:events"
import { Socket } from "node:net"
import { afterEach, describe, expect, test, vi } from "vitest"
import type { ApiAnswer } from "../../src/api/api-request.js"
import { Backlog } from "../../src/api/backlog.node.js"
import { Connection } from "../../src/api/connection.node.js"
import { type Listening, type ListenOptions, listen } from "../../src/api/listen.node.js"
import type { NodeRequest } from "../../src/api/node-request.node.js"
import { RawConnection, refusing } from "../cli/servers.js"
import { serveApi } from "./serve-api.js"

const MB = 1_000_000
const READ_BYTES = 65_536

let listening: Listening | null = null
let connections: RawConnection[] = []

afterEach(async () => {
  for (const { socket } of connections) socket.destroy()
  connections = []
  await listening?.close()
  listening = null
})

/**
 * Serves a megabyte at `/long`, the length of what was posted at `/body`, and elsewhere the path, but not before it is
 * let go.
 */
async function serveHeld(options: Partial<ListenOptions> = {}) {
  const held = Promise.withResolvers<void>()
  const asked: NodeRequest[] = []
  const { api } = serveApi()
  const slow = {
    ...api,
    async handle(request: NodeRequest): Promise<ApiAnswer> {
      asked.push(request)
      return { status: 200, headers: {}, body: await bodyFor(request) }
    },
  }
  async function bodyFor(request: NodeRequest): Promise<string> {
    if (request.path === "/long") return "x".repeat(MB)
    if (request.path === "/body") return `<${(await request.body(READ_BYTES)).length}>`
    await held.promise
    return `<${request.path}>`
  }
  const served = await listen(slow as typeof api, { host: "127.0.0.1", port: 0, ...options })
  listening = served
  const port = Number(new URL(served.url).port)
  const connect = () => {
    const connection = new RawConnection(port)
    connections.push(connection)
    return connection
  }
  return { asked, letGo: held.resolve, port, connect, served }
}

const GET_LONG = "GET /long HTTP/1.1\r\nHost: x\r\n\r\n"
const numbered = (count: number, fields = "") =>
  Array.from({ length: count }, (_, n) => `GET /${n} HTTP/1.1\r\nHost: x\r\n${fields}\r\n`).join("")
const answeredIn = ({ received }: RawConnection) => [...received.matchAll(/<\/(\d+)>/g)].map(([, n]) => Number(n))
const aWhile = (ms = 100) => new Promise((resolve) => setTimeout(resolve, ms))

/** Counts requests whose heads have been read, until it is told to stop. */
function countParsed() {
  const parsed = {
    count: 0,
    stop: () => unsubscribe("http.server.request.start", onParsed),
  }
  const onParsed = () => {
    parsed.count += 1
  }
  subscribe("http.server.request.start", onParsed)
  return parsed
}

/** Asks on many connections for what is held, until no more of it is read. */
async function fill(connect: () => RawConnection): Promise<RawConnection[]> {
  const parsed = countParsed()
  const filling = Array.from({ length: 12 }, connect)
  for (const { socket } of filling) socket.write(numbered(2_000))
  for (let before = -1; parsed.count === 0 || parsed.count > before; await aWhile()) before = parsed.count
  parsed.stop()
  expect(parsed.count).toBeLessThan(12 * 2_000)
  return filling
}

describe("Backlog", () => {
  test.each([
    // As many as one read brings are too many already.
    ["short ones", 10_000, "", 1],
    ["long ones", 400, `X: ${"x".repeat(8_000)}\r\n`, 17],
  ])("reads no more requests than some, %s, while one is being answered", async (_, count, fields, reads) => {
    const { asked, letGo, connect } = await serveHeld()
    const connection = connect()
    connection.socket.write(numbered(count, fields))
    connection.socket.end()
    await vi.waitUntil(() => asked.length > 0)
    await aWhile()
    expect(asked[0]!.socket.bytesRead).toBeLessThanOrEqual(reads * READ_BYTES)
    letGo()
    expect(await connection.ended).toBe("end")
    expect(answeredIn(connection)).toEqual(Array.from({ length: count }, (_, n) => n))
  })

  test("reads no more requests than some of all connections together", async () => {
    const { letGo, connect } = await serveHeld()
    const parsed = countParsed()
    const asking = Array.from({ length: 14 }, connect)
    for (const { socket } of asking) socket.end(numbered(2_000))
    await vi.waitUntil(() => parsed.count > 10_000)
    await aWhile()
    expect(parsed.count).toBeLessThan(15_000)
    letGo()
    for (const connection of asking) {
      expect(await connection.ended).toBe("end")
      expect(answeredIn(connection)).toHaveLength(2_000)
    }
    parsed.stop()
  })

  test("cuts those that hold most where they are too many together and their clients read nothing", async () => {
    const { asked, connect, letGo } = await serveHeld()
    const little = connect()
    little.socket.pause()
    little.socket.write(GET_LONG)
    const hostile = Array.from({ length: 14 }, connect)
    for (const { socket } of hostile) {
      socket.pause()
      socket.write(GET_LONG.repeat(1_500))
    }
    await vi.waitUntil(() => asked.some(({ socket }) => socket.destroyed), 5_000)
    letGo()
    const other = connect()
    other.socket.write(numbered(1))
    little.socket.resume()
    await vi.waitUntil(() => answeredIn(other).length === 1 && little.received.length > MB, 5_000)
  })

  test("cuts clients that read nothing too where each holds no more than its part", async () => {
    const { asked, connect, letGo } = await serveHeld({ maxConnections: 36 })
    const hostile = Array.from({ length: 22 }, connect)
    for (const { socket } of hostile) {
      socket.pause()
      socket.write(GET_LONG.repeat(350))
    }
    await vi.waitUntil(() => new Set(asked.map(({ socket }) => socket)).size === hostile.length, 5_000)
    await aWhile()
    const filling = await fill(connect)
    const other = connect()
    other.socket.write(numbered(1))
    letGo()
    await vi.waitUntil(() => answeredIn(other).length === 1, 5_000)
    await vi.waitUntil(() => filling.every((connection) => answeredIn(connection).length === 2_000), 5_000)
  })

  test("sees a connection wait for its client while any answer is not sent, however short", () => {
    const connection = new Connection(new Socket(), async () => {}, new Backlog(new Map(), 1))
    expect(connection.waitsForClient).toBe(false)
    const noteSent = connection.noteSending(1)
    expect(connection.waitsForClient).toBe(true)
    noteSent()
    expect(connection.waitsForClient).toBe(false)
  })

  test("cuts no client that holds little while others fill it, though it reads nothing for a while", async () => {
    const { asked, connect, letGo } = await serveHeld()
    const little = connect()
    little.socket.pause()
    little.socket.end(GET_LONG.repeat(20))
    await vi.waitUntil(() => asked.length > 0)
    await fill(connect)
    await aWhile(300)
    little.socket.resume()
    letGo()
    expect(await little.ended).toBe("end")
    expect(little.received.length).toBeGreaterThan(20 * MB)
  })

  test("is not kept full by bodies that are still to come", async () => {
    const { asked, connect, letGo } = await serveHeld()
    const posting: RawConnection[] = []
    const POST = `POST /body HTTP/1.1\r\nHost: x\r\nContent-Length: ${READ_BYTES}\r\n\r\n`
    // Their heads and what comes with them are more than half of what may be read.
    while (posting.length < 600) {
      const some = Array.from({ length: 100 }, connect)
      await Promise.all(some.map(({ socket }) => once(socket, "connect")))
      for (const { socket } of some) socket.write(POST + "x".repeat(READ_BYTES - POST.length))
      posting.push(...some)
      await vi.waitUntil(() => asked.length === posting.length, 5_000)
    }
    await fill(connect)
    for (const { socket } of posting) socket.write("x".repeat(POST.length))
    letGo()
    await vi.waitUntil(() => posting.every(({ received }) => received.includes(`<${READ_BYTES}>`)), 10_000)
  }, 20_000)

  test("lets no connection that it pauses pass for a silent one when the server closes", async () => {
    const { connect, letGo, port, served } = await serveHeld()
    const silent = connect()
    await once(silent.socket, "connect")
    await fill(connect)
    silent.socket.end(numbered(1))
    // What silence is waited for by: no time passes for it but when it is told.
    vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] })
    try {
      const closed = served.close()
      await refusing(port)
      for (let times = 0; times < 3; times++) vi.advanceTimersByTime(250)
      letGo()
      expect(await silent.ended).toBe("end")
      expect(answeredIn(silent)).toEqual([0])
      for (const { socket } of connections) socket.end()
      await closed
    } finally {
      vi.useRealTimers()
    }
  })
})
