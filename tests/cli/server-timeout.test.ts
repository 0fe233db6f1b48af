import { afterEach, expect, test, vi } from "vitest"
import { patientFetch } from "../../src/cli/patient-fetch.node.js"
import { answering } from "./answering.js"
import { run } from "./run.js"

afterEach(() => {
  vi.restoreAllMocks()
})

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

test.each(["doctor", "limit list", "log tail", "log tail --follow"])(
  "%s waits for as long as --timeout says",
  async (command) => {
    const url = await answering(() => {})
    const { code, err } = await run([...command.split(" "), "--server", url, "--timeout", "50ms"])
    expect({ code, err }).toEqual({ code: 1, err: expect.stringMatching(/within 50 ms\.$/m) })
  },
)

test("log tail --follow goes on for longer than --timeout says, once it is answered", async () => {
  const event = {
    id: 1,
    key: "a",
    limit: "a",
    allowed: true,
    cost: 1,
    remaining: 4,
    reason: "limit",
    retry_after_ms: 0,
  }
  const url = await answering((_, response) => {
    response.writeHead(200, { "Content-Type": "text/event-stream" })
    response.write("retry: 1000\nid: x-0\n: listening\n\n")
    const data = JSON.stringify({ ...event, at: "2026-11-21T12:00:00.000Z" })
    setTimeout(() => response.write(`id: x-1\nevent: decision\ndata: ${data}\n\n`), 1_500)
  })
  const end = new AbortController()
  const over = { signal: end.signal, out: () => end.abort() }
  const following = run(["log", "tail", "--follow", "--server", url, "--timeout", "1s"], over)
  expect(await following).toMatchObject({ code: 0, err: "" })
  expect(end.signal.aborted).toBe(true)
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
  await expect((await patientFetch(url, {})).text()).rejects.toBeInstanceOf(TypeError)
  await expect(patientFetch("http://127.0.0.1:1", {})).rejects.toBeInstanceOf(TypeError)
  await expect(patientFetch(url, { signal: AbortSignal.abort() })).rejects.toBeInstanceOf(TypeError)
})

test("patientFetch() gives an answer that has no body, and refuses one that can be none", async () => {
  const url = await answering(({ url: path }, response) => void response.writeHead(Number(path!.slice(1))).end())
  for (const status of [204, 205, 304]) expect(await patientFetch(`${url}/${status}`, {})).toMatchObject({ status })
  await expect(patientFetch(`${url}/999`, {})).rejects.toBeInstanceOf(TypeError)
})

test("doctor reads no more of an answer than one of sluice's can be", async () => {
  const megabyte = Buffer.alloc(1_048_576, " ")
  let sent = 0
  const closed = Promise.withResolvers<void>()
  const url = await answering((_, response) => {
    response.once("close", closed.resolve)
    const send = () => {
      // It ends here at the latest, that the test fails rather than fills the memory.
      while (sent < 200) {
        sent++
        if (!response.write(megabyte)) return void response.once("drain", send)
      }
      response.end()
    }
    send()
  })
  const { code, err } = await run(["doctor", "--server", url])
  expect({ code, err }).toEqual({ code: 1, err: expect.stringContaining("longer than 33554432 bytes") })
  await closed.promise
  expect(sent).toBeLessThan(100)
})
