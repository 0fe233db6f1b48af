import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { mkdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest"
import { ApiError, SluiceClient } from "../../src/client/index.js"
import { CostError, KeyError, LimitNotFound } from "../../src/types/errors.js"
import { Scratch } from "../cli/run.js"
import { type RunningWorker, runWorker } from "./run-worker.js"
import { TOKEN } from "./serve-api.js"

const MAIN = join(import.meta.dirname, "../../dist/src/cli/main.node.js")
const DAY_MS = 86_400_000

interface Step {
  readonly method: string
  readonly path: string
  readonly body?: unknown
  readonly headers?: Record<string, string>
}

interface Told {
  readonly status: number
  readonly type: string | null
  readonly body: unknown
}

let scratch: Scratch
let child: ChildProcess
let url: string
let worker: RunningWorker

beforeAll(async () => {
  scratch = new Scratch()
  const folder = scratch.file("bundle")
  mkdirSync(folder)
  child = spawn(process.execPath, [MAIN, "serve", "--json", "--port", "0", "--data-dir", scratch.file("data")], {
    env: { ...process.env, SLUICE_TOKEN: TOKEN },
    stdio: ["ignore", "pipe", "inherit"],
  })
  const [first] = (await once(child.stdout!, "data")) as [Buffer]
  url = (JSON.parse(String(first)) as { url: string }).url
  worker = await runWorker(folder, {
    SLUICE_TOKEN: TOKEN,
    LIMITS: [{ name: "zz-demo", paths: ["/demo"], policy: "2/day" }],
  })
}, 60_000)

afterAll(async () => {
  child.kill("SIGKILL")
  await worker.dispose()
  scratch[Symbol.dispose]()
})

/** What depends on the moment and on chance, and not on what was asked: told in whole days, or not at all. */
function normal(value: unknown, name = ""): unknown {
  if (Array.isArray(value)) return value.map((item) => normal(item))
  if (typeof value === "object" && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([field, each]) => [field, normal(each, field)]))
  }
  if (typeof value === "string") {
    if (name === "id") return "an id"
    if (name === "because") return value.replace(/\d+ ms/g, "some ms")
    // A denial that was remembered is a denial.
    if (name === "reason" && value === "cached") return "limit"
    return /^\d{4}-\d\d-\d\dT/.test(value) ? "a time" : value
  }
  if (typeof value === "number" && /_ms$/.test(name))
    return name === "charged_at_ms" ? "a time" : Math.ceil(value / DAY_MS)
  return value
}

async function ask(where: "serve" | "worker", path: string): Promise<string> {
  const init = { method: "GET", headers: { Authorization: `Bearer ${TOKEN}` } }
  return (await (where === "serve" ? fetch(url + path, init) : worker.ask(path, init))).text()
}

/** What a stream begins with. */
async function tail(where: "serve" | "worker", path: string): Promise<string> {
  const init = { method: "GET", headers: { Authorization: `Bearer ${TOKEN}` } }
  const response = await (where === "serve" ? fetch(url + path, init) : worker.ask(path, init))
  let text = ""
  for await (const chunk of response.body!) {
    text += new TextDecoder().decode(chunk as Uint8Array)
    if (text.includes("data: ")) break
  }
  return text
}

const receipts = new Map<string, unknown>()

async function tell(where: "serve" | "worker", { method, path, body, headers = {} }: Step): Promise<Told> {
  const init = {
    method,
    headers: {
      Authorization: `Bearer ${TOKEN}`,
      ...(body !== undefined && { "Content-Type": "application/json" }),
      ...headers,
    },
    ...(body !== undefined && {
      body: (typeof body === "string" ? body : JSON.stringify(body)).replace(
        '"RECEIPT"',
        JSON.stringify(receipts.get(where)) ?? "null",
      ),
    }),
  }
  const response = where === "serve" ? await fetch(url + path, init) : await worker.ask(path, init)
  const text = await response.text()
  const json = text === "" ? null : (JSON.parse(text) as { receipt?: unknown })
  if (json?.receipt) receipts.set(where, json.receipt)
  return { status: response.status, type: response.headers.get("content-type"), body: normal(json) }
}

const get = (path: string, headers?: Record<string, string>): Step => ({
  method: "GET",
  path,
  ...(headers && { headers }),
})
const post = (path: string, body?: unknown): Step => ({ method: "POST", path, ...(body !== undefined && { body }) })
const drop = (path: string): Step => ({ method: "DELETE", path })

const ALGORITHMS = ["gcra", "token_bucket", "leaky_bucket", "fixed_window", "sliding_window", "sliding_window_log"]

/** A story: each step goes to both, in this order. */
const STEPS: readonly Step[] = [
  get("/v1/limits/nobody"),
  post("/v1/check", { key: "nobody" }),
  ...ALGORITHMS.flatMap((algorithm) => [
    post("/v1/limits", { key: algorithm, rate: 3, per: "30d", algorithm }),
    post("/v1/check", { key: algorithm, cost: 2 }),
    post("/v1/peek", { key: algorithm }),
    post("/v1/check", { key: algorithm, cost: 2 }),
    post("/v1/check", { key: algorithm, cost: 2 }),
    post("/v1/check", { key: algorithm, cost: 1 }),
    post("/v1/check", { key: algorithm, cost: 4 }),
    get(`/v1/limits/${algorithm}`),
    get(`/v1/explain/${algorithm}?cost=1`),
    get(`/v1/history/${algorithm}?count=3`),
    post("/v1/reset", { key: algorithm }),
    post("/v1/check", { key: algorithm, cost: 0 }),
  ]),
  post("/v1/limits", { name: "api", limit: 10, period: "30d" }),
  post("/v1/check", { key: "told", limit: "api" }),
  // What is defined as it was is no event.
  post("/v1/limits", { name: "api", limit: 10, period: "30d" }),
  get("/v1/history/told?limit=api"),
  get("/v1/history/told?limit=api&count=1"),
  get("/v1/history/never?limit=api"),
  post("/v1/limits", { name: "two", policy: "5/day; 50/30d" }),
  post("/v1/limits", { key: "blocking", rate: 1, per: "30d", block: "1d" }),
  get("/v1/explain/blocking"),
  drop("/v1/limits/blocking"),
  post("/v1/limits", { key: "ключ/🔑 ?#%", rate: 5, per: "30d" }),
  post("/v1/check", { key: "ключ/🔑 ?#%", cost: 2 }),
  get(`/v1/limits/${encodeURIComponent("ключ/🔑 ?#%")}`),
  get("/v1/limits"),
  { method: "HEAD", path: "/v1/limits" },
  { method: "HEAD", path: "/v1/check" },
  get("/v1/limits?count=2"),
  get("/v1/limits?count=2&after=api"),
  post("/v1/check", { key: "u", limit: "api", cost: 4, id: "one" }),
  post("/v1/check", { key: "u", limit: "api", cost: 4, id: "one" }),
  post("/v1/check", { key: "u", limit: "api", cost: 5, id: "one" }),
  post("/v1/peek", { key: "u", limit: "api" }),
  post("/v1/refund", '{"receipt":"RECEIPT","units":3}'),
  post("/v1/refund", '{"receipt":"RECEIPT"}'),
  post("/v1/peek", { key: "u", limit: "api" }),
  post("/v1/check", { key: "u", limit: "api", cost: 4 }),
  post("/v1/settle", '{"receipt":"RECEIPT","cost":6}'),
  post("/v1/peek", { key: "u", limit: "api" }),
  post("/v1/refund", { receipt: { id: "x-1", key: "u", policy: "api", cost: 1, charged_at_ms: 0 } }),
  post("/v1/refund", { receipt: { id: "foo~bar", key: "u", policy: "api", cost: 1, charged_at_ms: 0 } }),
  post("/v1/check", { key: "v", limit: "two", cost: 4 }),
  post("/v1/check", { key: "v", limit: "two", cost: 4 }),
  post("/v1/check-all", {
    items: [
      { key: "w", limit: "api", cost: 2 },
      { key: "w", limit: "two" },
    ],
  }),
  post("/v1/check-all", {
    items: [
      { key: "w", limit: "api", cost: 2 },
      { key: "w", limit: "two", cost: 5 },
    ],
  }),
  post("/v1/check-all", {
    items: [
      { key: "w", limit: "api" },
      { key: "w", limit: "api" },
    ],
  }),
  // The first of several that have no limit is named, which takes longer to be found out.
  post("/v1/check-all", { items: [{ key: "nobody" }, { key: "w", limit: "no limit" }] }),
  post("/v1/check-all", { items: [{ key: "w", limit: "no limit" }, { key: "nobody" }] }),
  ...["once", "again"].map(() =>
    post("/v1/check-all", {
      items: [
        { key: "w", limit: "api", id: "one" },
        { key: "w", limit: "two", id: "one" },
      ],
    }),
  ),
  post("/v1/check-all", { items: [{ key: "w", limit: "api", cost: 2, id: "one" }] }),
  post("/v1/check-all", { items: [{ key: "w", limit: "api", id: "" }] }),
  ...["once", "again"].map(() => post("/v1/check-all", { id: "two", items: [{ key: "w", limit: "api" }] })),
  post("/v1/check-all", { items: [] }),
  post("/v1/charge", { key: "w", limit: "api", units: 20 }),
  post("/v1/peek", { key: "w", limit: "api" }),
  post("/v1/reset", { key: "w", limit: "api" }),
  post("/v1/block", { key: "w", limit: "api", duration: "30d" }),
  post("/v1/check", { key: "w", limit: "api" }),
  post("/v1/unblock", { key: "w", limit: "api" }),
  post("/v1/unblock", { key: "w", limit: "api" }),
  post("/v1/block", { key: "w", limit: "api", duration: "0s" }),
  // What was not asked is listed too, and what was defined only is not.
  post("/v1/charge", { key: "charged only", limit: "api", units: 1 }),
  post("/v1/block", { key: "blocked only", limit: "api", duration: "1d" }),
  post("/v1/reset", { key: "reset only", limit: "api" }),
  post("/v1/unblock", { key: "unblocked only", limit: "api" }),
  post("/v1/peek", { key: "peeked only", limit: "api" }),
  post("/v1/limits", { key: "defined only", rate: 1, per: "30d" }),
  get("/v1/keys?limit=api"),
  get("/v1/keys"),
  drop("/v1/limits/defined%20only"),
  // U+1F600 comes after U+FF21 in UTF-8, and before it in UTF-16.
  post("/v1/limits", { key: "\u{1f600}", rate: 1, per: "30d" }),
  post("/v1/limits", { key: "\uff21", rate: 1, per: "30d" }),
  get("/v1/limits?after=a"),
  get("/v1/limits?after=%EF%BC%A1"),
  get("/v1/limits?after=%F0%9F%98%80"),
  drop("/v1/limits/%EF%BC%A1"),
  drop("/v1/limits/%F0%9F%98%80"),
  get("/v1/keys?count=0"),
  get("/v1/limits?count=0"),
  get("/v1/top?by=denied&limit=3"),
  get("/v1/top?by=allowed&name=api"),
  post("/v1/limits", { name: "api", limit: 5, period: "30d" }),
  post("/v1/peek", { key: "u", limit: "api" }),
  drop("/v1/limits/api"),
  drop("/v1/limits/api"),
  post("/v1/check", { key: "u", limit: "api" }),
  post("/v1/limits", { name: "api", limit: 5, period: "30d" }),
  post("/v1/check", { key: "u", limit: "api" }),
  post("/v1/limits", { key: "default", rate: 2, per: "30d" }),
  post("/v1/check", { key: "anybody" }),
  post("/v1/status", { key: "anybody" }),
  // What cannot be.
  post("/v1/check", { key: "" }),
  post("/v1/check", { key: "x".repeat(513) }),
  post("/v1/check", '{"key":"\\ud800"}'),
  post("/v1/check", { key: "a", cost: -1 }),
  post("/v1/check", { key: "a", cost: 2 ** 40 }),
  post("/v1/check", { key: "a", unknown: 1 }),
  post("/v1/check", "{"),
  post("/v1/check", `{"key":"a"${" ".repeat(66_000)}}`),
  post("/v1/limits", { key: "a", rate: 0, per: "1s" }),
  post("/v1/limits", { key: "a", rate: 5, per: "1s", algorithm: "none" }),
  get("/v1/limits/%ff"),
  get("/v1/top?by=most"),
  get("/v1/nothing"),
  { method: "PUT", path: "/v1/check" },
  get("/v1/limits", { Authorization: "Bearer wrong-wrong-wrong" }),
  get("/v1/limits", { Origin: "http://evil.test" }),
  { ...post("/v1/check", { key: "a" }), headers: { "Content-Type": "text/plain" } },
]

describe("sluice serve and the Worker", () => {
  test("answer the same to the same requests", async () => {
    for (const step of STEPS) {
      const [serve, edge] = [await tell("serve", step), await tell("worker", step)]
      const isWorkerOnly = (entry: unknown) => (entry as { key?: string }).key === "zz-demo"
      // The limits of the Worker's settings are its own.
      const body = Array.isArray(edge.body) ? edge.body.filter((entry) => !isWorkerOnly(entry)) : edge.body
      expect.soft({ step, ...edge, body }).toEqual({ step, ...serve })
      const { code } = (serve.body ?? {}) as { code?: unknown }
      if (serve.status >= 400 && serve.body !== null)
        expect.soft({ step, code }).toEqual({ step, code: expect.stringMatching(/^[A-Z_]+$/) })
    }
  }, 120_000)

  test("the Worker tells in a status, and nowhere else, that its settings fix the limit", async () => {
    await tell("worker", post("/v1/limits", { key: "loose", rate: 5, per: "1s" }))
    const fixedOf = async (body: object) => {
      const { body: told } = await tell("worker", post("/v1/status", body))
      return (told as { fixed?: boolean }).fixed
    }
    expect(await fixedOf({ key: "zz-demo" })).toBe(true)
    expect(await fixedOf({ key: "a", limit: "zz-demo" })).toBe(true)
    expect(await fixedOf({ key: "loose" })).toBeUndefined()
    expect(await tell("worker", post("/v1/limits", { key: "zz-demo", rate: 5, per: "1s" }))).toMatchObject({
      status: 400,
    })
    await tell("worker", post("/v1/remove", { key: "loose" }))
  })

  test("both refuse with codes, of which the client makes the errors that a limiter throws", async () => {
    for (const where of ["serve", "worker"] as const) {
      const ask = (path: string, { signal: _, ...init }: RequestInit) => worker.ask(path, init as never)
      const clientOf = (token: string) => {
        return where === "serve"
          ? new SluiceClient(url, { token })
          : new SluiceClient("http://localhost", { token, fetch: ask })
      }
      const client = clientOf(TOKEN)
      await client.define("coded", "2/day")
      const over = client.check("coded", { cost: 3 })
      await expect(over).rejects.toMatchObject({ constructor: CostError, key: "coded", cost: 3, maximum: 2 })
      await expect(client.check("k", { limit: "nobody's" })).rejects.toMatchObject({
        constructor: LimitNotFound,
        limit: "nobody's",
        of: "limit",
      })
      await expect(client.check("")).rejects.toMatchObject({ constructor: KeyError })
      await expect(client.block("coded", "0s")).rejects.toMatchObject({ constructor: RangeError })
      await expect(clientOf("wrong-wrong-wrong").health()).rejects.toMatchObject({
        constructor: ApiError,
        code: "UNAUTHORIZED",
        status: 401,
      })
      await client.remove("coded")
    }
  })

  test("both count, and both stream", async () => {
    for (const where of ["serve", "worker"] as const) {
      const init = { method: "GET", headers: { Authorization: `Bearer ${TOKEN}` } }
      const ask = (path: string) => (where === "serve" ? fetch(url + path, init) : worker.ask(path, init))
      expect(await (await ask("/metrics")).text()).toMatch(/sluice_requests_denied_total\{limit="two"\} 2\n/)
      // A limit of a key's own bears the key's name, which is told to nobody.
      expect(await (await ask("/metrics")).text()).not.toContain("ключ")
      const totals = (await (await ask("/v1/totals")).json()) as { allowed: number; failures: number }
      expect(totals.allowed).toBeGreaterThan(10)
      expect(totals.failures).toBe(0)
      const response = await ask("/v1/events?replay=1000&outcome=denied")
      expect(response.headers.get("content-type")).toBe("text/event-stream")
      let text = ""
      for await (const chunk of response.body!) {
        text += new TextDecoder().decode(chunk as Uint8Array)
        if (text.includes("data: ")) break
      }
      expect(text).toContain("event: decision\ndata: {")
    }
  }, 30_000)

  test("both count keys' own limits together, tell no key in metrics, and name the limit in events and history", async () => {
    const secret = "secret@mail.example"
    for (const where of ["serve", "worker"] as const) {
      const countsOf = async (limit: string) => {
        const text = await ask(where, "/metrics")
        return Number(
          new RegExp(`^sluice_requests_allowed_total\\{limit="${limit}"\\} (\\d+)$`, "m").exec(text)?.[1] ?? 0,
        )
      }
      await tell(where, post("/v1/limits", { name: "default", limit: 50, period: "30d" }))
      await tell(where, post("/v1/limits", { key: secret, rate: 9, per: "30d" }))
      await tell(where, post("/v1/limits", { key: "10", policy: "10/day; 1000/30d" }))
      // What the Worker tells may be 5 s old: what was counted so far is asked for after that.
      await vi.waitFor(async () => expect(await countsOf("default")).toBeGreaterThan(0), {
        timeout: 15_000,
        interval: 500,
      })
      const before = { own: await countsOf("\\(own\\)"), default: await countsOf("default") }
      for (const body of [{ key: secret }, { key: "x", limit: secret }, { key: "10" }, { key: "y", limit: "10" }]) {
        expect((await tell(where, post("/v1/check", body))).body).toMatchObject({ allowed: true })
      }
      await vi.waitFor(async () => expect((await countsOf("\\(own\\)")) - before.own).toBe(4), {
        timeout: 15_000,
        interval: 500,
      })
      expect(await countsOf("default")).toBe(before.default)
      const text = await ask(where, "/metrics")
      expect(text).not.toMatch(/secret|limit="10/)
      expect(text).toMatch(/^sluice_limit_info\{limit="two",algorithm="gcra"\} 1$/m)
      const response = await tail(where, `/v1/events?replay=1000&limit=${secret}`)
      expect(response).toContain(`"key":"x","limit":"${secret}"`)
      expect((await tell(where, get(`/v1/history/x?limit=${secret}`))).body).toContainEqual(
        expect.objectContaining({ event: "admit", limit: secret }),
      )
    }
  }, 60_000)

  test("both find their logs sound", async () => {
    for (const where of ["serve", "worker"] as const) {
      const { body } = await tell(where, post("/v1/log/verify"))
      expect(body).toMatchObject({ ok: true, problems: [] })
      expect((body as { records: number }).records).toBeGreaterThan(5)
      expect((await tell(where, get("/v1/doctor"))).body).toMatchObject({ ok: true })
      expect((await tell(where, post("/v1/log/flush"))).body).toEqual({ ok: true })
      expect((await tell(where, post("/v1/log/compact"))).body).toMatchObject({ ok: true })
    }
  })

  test("both tell the package's version", async () => {
    const { version } = JSON.parse(readFileSync(join(import.meta.dirname, "../../package.json"), "utf8"))
    for (const where of ["serve", "worker"] as const) {
      expect((await tell(where, get("/v1/health"))).body).toMatchObject({ service: "sluice", version })
      expect((await tell(where, get("/v1/openapi.json"))).body).toMatchObject({ info: { version } })
    }
  })

  test("the Worker says that it compacted nothing, and that each object does", async () => {
    expect((await tell("worker", post("/v1/log/compact"))).body).toEqual({
      ok: true,
      records: 0,
      bytes_before: null,
      bytes_after: null,
      detail: "Nothing was done: each key's object compacts its own log by itself.",
    })
    expect((await tell("serve", post("/v1/log/compact"))).body).toEqual({
      ok: true,
      records: expect.any(Number),
      bytes_before: expect.any(Number),
      bytes_after: expect.any(Number),
    })
  })

  test("the Worker leaves metrics out that it does not know, and tells none as 0", async () => {
    const metricsOf = async (where: "serve" | "worker") => {
      const answer = await ask(where, "/metrics")
      return new Set([...answer.matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name))
    }
    const [ofServe, ofWorker] = [await metricsOf("serve"), await metricsOf("worker")]
    const own = [
      "sluice_commit_duration_seconds",
      "sluice_commit_failures_total",
      "sluice_logins_refused_total",
      "sluice_connections_refused_total",
      "sluice_log_size_bytes",
      "sluice_live_keys",
    ]
    expect([...ofServe].filter((name) => !ofWorker.has(name)).sort()).toEqual(own.sort())
    expect(ofWorker).toContain("sluice_requests_denied_total")
    expect(ofServe).toContain("sluice_failures_total")
    expect([...ofWorker].filter((name) => !ofServe.has(name))).toEqual(["sluice_denial_cache_hits_total"])
    // The story was told through the API.
    expect(await ask("worker", "/metrics")).toMatch(/^sluice_decision_duration_seconds_count [1-9]/m)
    // It asked again what was denied.
    expect(await ask("worker", "/metrics")).toMatch(/^sluice_denial_cache_hits_total [1-9]/m)
  })

  test("the Worker takes no path from an upstream, unless it is asked under the API's own host", async () => {
    const folder = scratch.file("beside-upstream")
    mkdirSync(folder)
    const beside = await runWorker(folder, {
      SLUICE_TOKEN: TOKEN,
      UPSTREAM: "http://127.0.0.1:1",
      API_HOST: "limits.test",
      LIMITS: [{ name: "demo", paths: ["/demo"], policy: "2/day" }],
    })
    try {
      const init = { method: "GET", headers: { Authorization: `Bearer ${TOKEN}` } }
      const statusOf = async (url: string) => (await beside.ask(url, init)).status
      // Nobody listens at the upstream.
      expect(await statusOf("http://shop.test/v1/health")).toBe(502)
      expect(await statusOf("http://shop.test/metrics")).toBe(502)
      expect(await statusOf("http://limits.test/v1/health")).toBe(200)
      expect(await statusOf("http://limits.test/other")).toBe(502)
    } finally {
      await beside.dispose()
    }
  }, 30_000)

  test("the Worker without a token answers local development alone", async () => {
    const folder = scratch.file("without-token")
    mkdirSync(folder)
    const open = await runWorker(folder, { LIMITS: [{ name: "demo", paths: ["/demo"], policy: "2/day" }] })
    try {
      const statusOf = async (url: string) => (await open.ask(url, { method: "GET", headers: {} })).status
      expect(await statusOf("http://localhost:8787/v1/health")).toBe(200)
      expect(await statusOf("http://sluice.someone.workers.dev/v1/health")).toBe(403)
    } finally {
      await open.dispose()
    }
  }, 30_000)

  test("the Worker tells of what its own limits decided", async () => {
    for (let times = 0; times < 3; times++) {
      await worker.ask("/demo", { method: "GET", headers: { "CF-Connecting-IP": "192.0.2.7" } })
    }
    const told = await tell("worker", post("/v1/status", { key: "ip:192.0.2.7", limit: "zz-demo" }))
    expect(told.body).toMatchObject({ total_allowed: 2, total_denied: 1, limit: "zz-demo" })
    expect((await tell("worker", drop("/v1/limits/zz-demo"))).status).toBe(400)
  })
})
