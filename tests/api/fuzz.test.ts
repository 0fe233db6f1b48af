import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { connect } from "node:net"
import { join } from "node:path"
import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { ROUTES } from "../../src/api/routes/index.js"
import { SluiceClient } from "../../src/client/index.js"
import { Scratch } from "../cli/run.js"
import { serveApi, TOKEN } from "./serve-api.js"

const { SLUICE_FUZZ_REQUESTS } = process.env
/** Malformed requests to the handler; 100,000 and more where the environment says so. */
const REQUESTS = Number(SLUICE_FUZZ_REQUESTS ?? 10_000)
const RAW_REQUESTS = Math.ceil(REQUESTS / 50)
const TIMEOUT_MS = 600_000

const paths = ROUTES.map(({ path }) => path).filter((path) => path !== "/v1/events")
/** Fields whose wrong values must be refused; none of the values below is right for any of them. */
const FIELDS = ["key", "cost", "limit", "id", "items", "receipt", "units", "duration", "name", "rate", "per", "policy"]

const wrong = fc.oneof(
  fc.constantFrom(null, true, false, -1, 1.5, 1e308, -0.5, 2 ** 53, [], {}, [[]], { a: 1 }, [null]),
  fc.constantFrom("", "\ud800", "x".repeat(513), "__proto__".repeat(60)),
)
const unknownField = fc.string({ maxLength: 12 }).map((name) => `!${name}`)
const wrongObject = fc
  .tuple(
    fc.dictionary(fc.constantFrom(...FIELDS), wrong, { maxKeys: 4 }),
    fc.dictionary(unknownField, wrong, { minKeys: 1, maxKeys: 3 }),
  )
  .map(([known, unknown]) => ({ ...known, ...unknown }))

/** Bodies that no endpoint takes. */
const body = fc.oneof(
  wrongObject.map((value) => JSON.stringify(value)),
  fc.json().filter((text) => !text.startsWith("{")),
  fc.string().map((text) => `{${text}`),
  fc.tuple(fc.nat({ max: 3_000 }), fc.constantFrom("[", '{"a":', "[{")).map(([depth, open]) => open.repeat(depth + 1)),
  fc.constantFrom(
    '{"key":"a","key":',
    '{"key":"\\u00',
    "\u0000",
    "{}}",
    '{"!":1}',
    "NaN",
    "-",
    `{"!${"x".repeat(70_000)}":1}`,
  ),
)
const method = fc.oneof(
  { weight: 5, arbitrary: fc.constant("POST") },
  { weight: 1, arbitrary: fc.constantFrom("GET", "DELETE", "PUT", "PATCH", "HEAD", "OPTIONS") },
)
const path = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(...paths) },
  { weight: 1, arbitrary: fc.webPath() },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      "/v1/limits/%",
      "/v1/history/%ff",
      "/v1/explain/%ed%a0%80",
      "/v1/limits/%00",
      "/v1//check",
    ),
  },
)
const query = fc.oneof(
  { weight: 3, arbitrary: fc.constant("") },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      "?count=-1",
      "?limit=&limit=",
      "?__proto__=1",
      "?by=%ff",
      "?cost=1e9&!",
      "?%",
      "?after=%00",
      "?!",
    ),
  },
)

/** Verbs that need no body do what they say where one that is there says nothing; these change nothing either. */
const BODILESS = new Set(["/v1/log/flush", "/v1/log/compact", "/v1/log/verify"])

describe("the API under malformed requests", () => {
  test(
    `answers ${REQUESTS} of them without a 500, and changes nothing`,
    async () => {
      const { api, limits, clock } = serveApi({ a: "5/day", default: "100/day" })
      const stateOf = () =>
        JSON.stringify([limits.limits(), ["a", "b"].map((key) => limits.status(key)), limits.list(), limits.stats("a")])
      const before = stateOf()
      const statuses = new Map<number, number>()
      await fc.assert(
        fc.asyncProperty(method, path, query, body, async (verb, at, asked, text) => {
          let request: Request
          try {
            request = new Request(`http://sluice.test${at.replace("{key}", "a")}${asked}`, {
              method: verb,
              headers: { Authorization: `Bearer ${TOKEN}`, "Content-Type": "application/json" },
              ...(verb !== "GET" && verb !== "HEAD" && { body: text }),
            })
          } catch {
            // No request at all.
            return
          }
          // Removing a limit is no malformed request.
          if (verb === "DELETE" && at.startsWith("/v1/limits/")) return
          const { status, headers } = await api.fetch(request)
          statuses.set(status, (statuses.get(status) ?? 0) + 1)
          if (status >= 500) throw new Error(`${verb} ${request.url} ${text.slice(0, 200)} is a ${status}`)
          if (status >= 400 && headers.get("content-type") !== "application/problem+json") throw new Error("no problem")
          if (status === 200 && verb === "POST" && !BODILESS.has(new URL(request.url).pathname)) {
            throw new Error(`${request.url} took ${text.slice(0, 200)}`)
          }
        }),
        { numRuns: REQUESTS },
      )
      expect(stateOf()).toBe(before)
      expect([...statuses.keys()].sort()).toEqual(expect.arrayContaining([400, 404, 405, 413]))
      clock.advance(1)
      expect(limits.check("a").remaining).toBe(4)
    },
    TIMEOUT_MS,
  )

  test(
    `sluice serve goes on answering after ${RAW_REQUESTS} broken streams of bytes`,
    async () => {
      using scratch = new Scratch()
      const main = join(import.meta.dirname, "../../dist/src/cli/main.node.js")
      const child: ChildProcess = spawn(
        process.execPath,
        [main, "serve", "--json", "--port", "0", "--data-dir", scratch.file("data")],
        { env: { ...process.env, SLUICE_TOKEN: TOKEN }, stdio: ["ignore", "pipe", "pipe"] },
      )
      try {
        let complaints = ""
        child.stderr!.on("data", (text) => {
          complaints += text
        })
        const [first] = (await once(child.stdout!, "data")) as [Buffer]
        const { url } = JSON.parse(String(first)) as { url: string }
        const client = new SluiceClient(url, { token: TOKEN })
        await client.define("a", "5/day")
        const port = Number(new URL(url).port)
        const head = fc.constantFrom(
          "POST /v1/check HTTP/1.1\r\n",
          "GET /v1/limits HTTP/1.1\r\n",
          "POST  / HTTP/9.9\r\n",
          "\r\n\r\n",
          "GET",
        )
        const field = fc.constantFrom(
          ...["Host: x\r\n", "Content-Length: 5\r\n", "Content-Length: -5\r\n", "Transfer-Encoding: chunked\r\n"],
          ...[
            "Authorization: Bearer x\r\n",
            ": \r\n",
            "A: b\n",
            "\u0000\r\n",
            "Expect: 100-continue\r\n",
            "\r\n",
            "Upgrade: h2c\r\n",
          ],
        )
        const bytes = fc.uint8Array({ maxLength: 200 })
        await fc.assert(
          fc.asyncProperty(head, fc.array(field, { maxLength: 6 }), bytes, async (start, fields, rest) => {
            await new Promise<void>((resolve) => {
              const socket = connect(port, "127.0.0.1", () => {
                socket.write(start + fields.join(""))
                socket.end(rest)
              })
              let answer = ""
              socket.on("data", (chunk) => {
                answer += chunk
              })
              socket.on("error", () => resolve())
              socket.on("close", () => {
                expect(answer).not.toMatch(/^HTTP\/1\.1 5/)
                resolve()
              })
            })
          }),
          { numRuns: RAW_REQUESTS },
        )
        expect(await client.check("a")).toMatchObject({ allowed: true, remaining: 4 })
        expect(complaints).toBe("")
      } finally {
        child.kill("SIGKILL")
      }
    },
    TIMEOUT_MS,
  )
})
