import type { ServerResponse } from "node:http"
import { afterEach, describe, expect, test, vi } from "vitest"
import { listen } from "../../src/api/listen.node.js"
import { serveApi, TOKEN } from "../api/serve-api.js"
import { answering } from "./answering.js"
import { type Ran, run } from "./run.js"

const closing: (() => unknown)[] = []

afterEach(async () => {
  for (const close of closing.splice(0)) await close()
})

function tail(url: string, ...args: string[]): Promise<Ran> {
  return run(["log", "tail", "--json", "--server", url, "--token", TOKEN, ...args])
}

const EVENT_STREAM = { "Content-Type": "text/event-stream" }
const LISTENING = "retry: 1000\nid: x-0\n: listening\n\n"
const DATA = { id: 1, key: "a", limit: "a", allowed: true, cost: 1, remaining: 4, reason: "limit", retry_after_ms: 0 }
const EVENT = `id: x-1\nevent: decision\ndata: ${JSON.stringify({ ...DATA, at: "2026-11-21T12:00:00.000Z" })}\n\n`
const LIVE = "event: live\n\n"

describe("log tail of a server", () => {
  test("tells as many as are asked for, however many pages that is, and what comes meanwhile is none of them", async () => {
    const { api, ask } = serveApi({ a: "1000000/s" })
    for (let check = 0; check < 2_500; check++) await ask("POST", "/v1/check", { key: "a" })
    const listening = await listen(api, { host: "127.0.0.1", port: 0 })
    closing.push(() => listening.close())
    const { code, out } = await tail(listening.url, "-n", "2300")
    expect(code).toBe(0)
    expect(out.split("\n").length - 1).toBe(2_300)
    expect(await tail(listening.url, "-n", "0")).toEqual({ code: 0, out: "", err: "" })
    // All that there are, where more are asked for.
    expect((await tail(listening.url, "-n", "9000")).out.split("\n").length - 1).toBe(2_500)
  })

  test("says that a server has nothing in memory, where it has not", async () => {
    const { api } = serveApi({ a: "1/s" })
    const listening = await listen(api, { host: "127.0.0.1", port: 0 })
    closing.push(() => listening.close())
    const err = expect.stringContaining("The server has no decision in memory")
    expect(await tail(listening.url)).toEqual({ code: 0, out: "", err })
    expect((await tail(listening.url, "-n", "0")).err).toBe("")
  })

  test("waits for an answer that comes late, and ends where the past does", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] })
    try {
      const asked = Promise.withResolvers<ServerResponse>()
      const tailing = tail(await answering((_, response) => asked.resolve(response)))
      const response = await asked.promise
      vi.advanceTimersByTime(4_000)
      response.writeHead(200, EVENT_STREAM)
      response.write(LISTENING + EVENT)
      response.write(LIVE + EVENT)
      const { code, out } = await tailing
      expect([code, out.split("\n").length - 1]).toEqual([0, 1])
    } finally {
      vi.useRealTimers()
    }
  })

  test("is exit code 1 where the server never answers", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] })
    try {
      const asked = Promise.withResolvers<void>()
      const tailing = tail(await answering(() => asked.resolve()))
      await asked.promise
      vi.advanceTimersByTime(5_000)
      const err = expect.stringContaining("the server did not go on within 5000 ms")
      expect(await tailing).toEqual({ code: 1, out: "", err })
    } finally {
      vi.useRealTimers()
    }
  })

  test.each([
    ["ends", (response: ServerResponse) => void response.end()],
    ["breaks", (response: ServerResponse) => void response.destroy()],
  ])("is exit code 1 where the stream %s before the past is told", async (_, stop) => {
    const url = await answering((_, response) => {
      response.writeHead(200, EVENT_STREAM)
      response.write(LISTENING + EVENT, () => stop(response))
    })
    expect(await tail(url)).toMatchObject({ code: 1, err: expect.stringContaining("the stream of events") })
  })
})
