import { once } from "node:events"
import { createServer, type RequestListener } from "node:http"
import type { AddressInfo } from "node:net"
import { afterEach, expect, test, vi } from "vitest"
import { patientFetch } from "../../src/cli/patient-fetch.node.js"
import { run } from "./run.js"

const closing: (() => unknown)[] = []

afterEach(() => {
  for (const close of closing.splice(0)) close()
  vi.restoreAllMocks()
})

async function answering(answer: RequestListener): Promise<string> {
  const server = createServer(answer).listen(0, "127.0.0.1")
  closing.push(
    () => server.close(),
    () => server.closeAllConnections(),
  )
  await once(server, "listening")
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

test.each([
  ["doctor", '{"ok":true,"findings":[]}'],
  ["log verify", '{"ok":true,"segments":1,"records":2,"problems":[]}'],
  ["log compact", '{"records":2,"bytes_before":9,"bytes_after":9}'],
])("%s waits ten minutes for a server that reads its log", async (command, answer) => {
  const timeout = vi.spyOn(AbortSignal, "timeout")
  const url = await answering((_, response) => void response.end(answer))
  expect(await run([...command.split(" "), "--server", url])).toMatchObject({ code: 0, err: "" })
  expect(timeout.mock.calls).toEqual([[600_000]])
})

test("what else is asked is to be answered within five seconds", async () => {
  const timeout = vi.spyOn(AbortSignal, "timeout")
  const url = await answering((_, response) => void response.end("[]"))
  expect(await run(["limit", "list", "--server", url])).toMatchObject({ code: 0, err: "" })
  expect(timeout.mock.calls).toEqual([[5_000]])
})

test.each(["doctor", "limit list", "log tail"])("%s waits for as long as --timeout says", async (command) => {
  const url = await answering(() => {})
  const { code, err } = await run([...command.split(" "), "--server", url, "--timeout", "50ms"])
  expect({ code, err }).toEqual({ code: 1, err: expect.stringMatching(/within 50 ms\.$/m) })
})

test("a doctor that a proxy gave up waiting for is not called again", async () => {
  let asked = 0
  const url = await answering((_, response) => {
    asked++
    response.writeHead(504).end()
  })
  expect((await run(["doctor", "--server", url])).code).toBe(1)
  expect(asked).toBe(1)
})

test("patientFetch() sends what it is told and gives the answer", async () => {
  const url = await answering(async ({ method, headers, url: path }, response) => {
    response.writeHead(418, { "X-Told": "yes" })
    response.end(JSON.stringify([method, path, headers["x-asked"]]))
  })
  const answer = await patientFetch(`${url}/v1/x`, { method: "POST", headers: { "X-Asked": "too" } })
  expect([answer.status, answer.headers.get("x-told")]).toEqual([418, "yes"])
  expect(await answer.json()).toEqual(["POST", "/v1/x", "too"])
})

test("patientFetch() rejects as fetch does where the answer breaks off or nobody answers", async () => {
  const url = await answering((_, response) => {
    response.writeHead(200, { "Content-Length": "100" })
    response.write("begun", () => response.destroy())
  })
  await expect(patientFetch(url, {})).rejects.toBeInstanceOf(TypeError)
  await expect(patientFetch("http://127.0.0.1:1", {})).rejects.toBeInstanceOf(TypeError)
  await expect(patientFetch(url, { signal: AbortSignal.abort() })).rejects.toBeInstanceOf(TypeError)
})
