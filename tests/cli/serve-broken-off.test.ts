import { once } from "node:events"
import { connect } from "node:net"
import { afterEach, beforeEach, describe, expect, test } from "vitest"
import { AUTH, Servers } from "./servers.js"

let servers: Servers

beforeEach(() => {
  servers = new Servers()
})
afterEach(() => servers[Symbol.dispose]())

const TIMES = 600

/** Sends something and resets the connection. */
async function breakOff(port: number, text: string): Promise<void> {
  const socket = connect({ port, host: "127.0.0.1" })
  socket.on("error", () => undefined)
  socket.once("connect", () => socket.write(text, () => socket.resetAndDestroy()))
  await once(socket, "close")
}

describe("sluice serve, whose clients break off", () => {
  test.each([
    ["a tunnel", `CONNECT a:1 HTTP/1.1\r\n${AUTH}\r\n`],
    ["a request", `GET /v1/health HTTP/1.1\r\n${AUTH}\r\n`],
    ["a body", `POST /v1/check HTTP/1.1\r\n${AUTH}Content-Type: application/json\r\nContent-Length: 99\r\n\r\n{`],
    ["a stream", `GET /v1/events HTTP/1.1\r\n${AUTH}\r\n`],
    ["what is malformed", "x\r\n\r\n"],
  ])("goes on serving, and complains of nothing: %s", async (_, text) => {
    const { child, port, url } = await servers.serve()
    let complaints = ""
    child.stderr!.on("data", (chunk) => {
      complaints += chunk
    })
    for (let sent = 0; sent < TIMES; sent += 4) await Promise.all([1, 2, 3, 4].map(() => breakOff(port, text)))
    const answer = await fetch(`${url}/v1/health`, { headers: { Authorization: AUTH.match(/Bearer \S+/)![0] } })
    expect(answer.status).toBe(200)
    expect(complaints).toBe("")
  })
})
