import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { SluiceClient } from "../../src/client/index.js"
import {
  type ConfiguredLimits,
  fromConfig,
  limitNameFor,
  parseConfig,
  rateLimitOptions,
} from "../../src/config/index.js"
import { rateLimit } from "../../src/http/index.js"
import { acquire, checkAll, ManualClock } from "../../src/index.js"
import { receiptsOf } from "../../src/limiter/receipts.js"
import type { Decision } from "../../src/types/decision.js"
import { Scratch } from "../cli/run.js"
import { type RunningWorker, runWorker } from "./run-worker.js"
import { TOKEN } from "./serve-api.js"

const MAIN = join(import.meta.dirname, "../../dist/src/cli/main.node.js")

/** Periods of days: what a test takes changes no decision. */
const TEXT = `
[limits.default]
policy = "3/day"

[limits.user]
policy = ["6/day", "100/week"]
key = "header:X-User"

[limits.org]
policy = "9/day fixed_window"
key = "header:X-Org"
cost = 2

[limits.login]
policy = "10/day"
paths = ["/login"]
key = "header:X-User"

[limits.login.penalty]
status = [200]
units = 4

[limits.shaped]
policy = "1/day leaky_bucket burst 5"
paths = ["/shaped"]
key = "header:X-User"
delay = "12h"

[limits.login.deny]
keys = ["header:x-user=mallory"]

[limits.ann]
policy = "8/day"
cost = 2

[limits.amy]
policy = "9/day"
cost = 2

[groups.both]
limits = ["user", "org"]
paths = ["/both"]

[groups.both.deny]
addresses = ["198.51.100.0/24"]

[allow]
keys = ["header:x-user=staff"]

[deny]
keys = ["header:x-user=eve"]

[limits.__proto__]
policy = "2/day"

[tiers.pro.limits]
user = "60/day"
`

let scratch: Scratch
let child: ChildProcess
let serverUrl: string
let server: SluiceClient
let worker: RunningWorker
let library: ConfiguredLimits

beforeAll(async () => {
  scratch = new Scratch()
  const folder = scratch.file("bundle")
  mkdirSync(folder)
  const file = scratch.file("sluice.toml")
  writeFileSync(file, TEXT)
  const args = ["serve", "--json", "--port", "0", "--config", file, "--data-dir", scratch.file("data")]
  child = spawn(process.execPath, [MAIN, ...args], {
    env: { ...process.env, SLUICE_TOKEN: TOKEN },
    stdio: ["ignore", "pipe", "inherit"],
  })
  const [first] = (await once(child.stdout!, "data")) as [Buffer]
  serverUrl = (JSON.parse(String(first)) as { url: string }).url
  server = new SluiceClient(serverUrl, { token: TOKEN })
  worker = await runWorker(folder, { SLUICE_TOKEN: TOKEN, CONFIG: TEXT })
  // The fixed windows of all begin with the same day.
  library = fromConfig(TEXT, { clock: new ManualClock(Date.now()) })
}, 60_000)

afterAll(async () => {
  child.kill("SIGKILL")
  await worker.dispose()
  scratch[Symbol.dispose]()
})

/** What does not depend on the moment. A denial that was remembered is a denial. */
function told({ allowed, policy, limit, remaining, cost, reason }: Decision) {
  return { allowed, policy, limit, remaining, cost, reason: reason === "cached" ? "limit" : reason }
}

/** The Worker as the client's server. */
function workerClient(): SluiceClient {
  return new SluiceClient("http://localhost", {
    token: TOKEN,
    fetch: (url, init) => worker.ask(url, init as Parameters<RunningWorker["ask"]>[1]),
  })
}

const CHECKS: readonly (readonly [key: string, options: { limit?: string; cost?: number }])[] = [
  ["ada", {}],
  ["ada", { limit: "default", cost: 2 }],
  ["ada", {}],
  ["ada", { limit: "user" }],
  ["acme", { limit: "org" }],
  ["acme", { limit: "org", cost: 1 }],
  // One key of both limits, each with its own cost, and what they have left after it.
  ["both", { limit: "both" }],
  ["both", { limit: "both" }],
  ["both", { limit: "user", cost: 0 }],
  ["both", { limit: "org", cost: 0 }],
  ["both", { limit: "both", cost: 4 }],
  ["both", { limit: "both", cost: 4 }],
  ["both", { limit: "user", cost: 0 }],
  ["header:x-user=staff", { limit: "user", cost: 6 }],
  ["header:x-user=staff", { limit: "user", cost: 6 }],
  ["header:x-user=eve", { limit: "user" }],
  ["header:x-user=eve", {}],
  ["header:x-user=eve", { limit: "both" }],
  ["header:x-user=mallory", { limit: "login" }],
  ["header:x-user=mallory", { limit: "user" }],
  ["ada", { limit: "__proto__" }],
  ["ada", { limit: "shaped" }],
  ["ada", { limit: "shaped" }],
  // A limit of her own, whose key is no group's name, nor that of a limit in other letters.
  ["ann", {}],
  ["ann", { cost: 1 }],
  ["ann", { limit: "default" }],
  ["ann", { limit: "ann", cost: 0 }],
  ["Ann", {}],
  ["both", {}],
]

/** What several servers of one configuration are asked by: `limitNameFor` tells it. */
const PRO_USER = limitNameFor(parseConfig(TEXT), "user", { tier: "pro" })

describe("one sluice.toml", () => {
  test("decides the same checks alike in the library, behind sluice serve and on the Worker", async () => {
    const onWorker = workerClient()
    for (const [key, options] of CHECKS) {
      const expected = told(library.check(key, options))
      expect({ key, ...options, ...told(await server.check(key, options)) }).toEqual({ key, ...options, ...expected })
      expect({ key, ...options, ...told(await onWorker.check(key, options)) }).toEqual({ key, ...options, ...expected })
    }
  }, 30_000)

  test("takes a key's own limit by every verb that names none, on both servers as in the library", async () => {
    const amy = library.key("amy")
    library.charge("amy", 1)
    const expected = [told(library.peek("amy")), told((await acquire(library, "amy")).decision)]
    const together = checkAll([
      { limiter: library, key: "amy" },
      { limiter: library, key: "bea" },
    ])
    expected.push(...together.decisions.map(told))
    library.limits.block(amy, "1h")
    expected.push(told(library.check("amy")))
    expect(expected.map(({ limit, remaining, cost }) => [limit, remaining, cost])).toEqual([
      [9, 8, 2],
      [9, 6, 2],
      [9, 4, 2],
      [3, 2, 1],
      [9, 4, 2],
    ])
    for (const client of [server, workerClient()]) {
      await client.charge("amy", 1)
      const answers = [told(await client.peek("amy")), told((await acquire(client, "amy")).decision)]
      answers.push(...(await client.checkAll([{ key: "amy" }, { key: "bea" }])).decisions.map(told))
      await client.block("amy", "1h")
      answers.push(told(await client.check("amy")))
      expect(answers).toEqual(expected)
      expect((await client.status("amy")).remaining).toBe(library.limits.status(amy).remaining)
      expect((await client.explain("amy")).limit).toBe("amy")
    }
  })

  test("lists the same limits behind sluice serve and on the Worker", async () => {
    const canonical = async (client: SluiceClient) => (await client.limits()).map(({ name, policy }) => [name, policy])
    expect(await canonical(workerClient())).toEqual(await canonical(server))
    expect((await server.limits()).map(({ name }) => name)).toEqual([
      "__proto__",
      "amy",
      "ann",
      "default",
      "login",
      "org",
      "shaped",
      "user",
      PRO_USER,
    ])
  })

  test("has the limits of tiers under their names, on both servers", async () => {
    for (const client of [server, workerClient()]) {
      expect(await client.check("ada", { limit: PRO_USER })).toMatchObject({ limit: 60, remaining: 59 })
    }
    await expect(workerClient().define(PRO_USER, "7/day")).rejects.toThrow("the Worker's settings define it")
  })

  test("counts what its lists deny, on both servers", async () => {
    const deniedOf = async (ask: (url: string, init: RequestInit) => Promise<Response>) => {
      const text = await (await ask("/metrics", { headers: { Authorization: `Bearer ${TOKEN}` } })).text()
      return Number(/^sluice_requests_denied_total\{limit="login"\} (\d+)$/m.exec(text)?.[1] ?? 0)
    }
    const askServer = (path: string, init: RequestInit) => fetch(serverUrl + path, init)
    const askWorker = (path: string, init: RequestInit) =>
      worker.ask(`http://localhost${path}`, init as Parameters<RunningWorker["ask"]>[1]) as never
    for (const [client, ask] of [
      [server, askServer],
      [workerClient(), askWorker],
    ] as const) {
      const before = await deniedOf(ask)
      await client.check("header:x-user=mallory", { limit: "login" })
      await expect.poll(() => deniedOf(ask), { timeout: 15_000, interval: 500 }).toBeGreaterThan(before)
    }
  }, 40_000)

  test("a check-all charges the configured costs, and asks the lists, on both servers", async () => {
    for (const client of [server, workerClient()]) {
      const all = await client.checkAll([
        { key: "all", limit: "org" },
        { key: "header:x-user=staff", limit: "user", cost: 6 },
      ])
      expect(all).toMatchObject({ allowed: true, decisions: [{ remaining: 7 }, { policy: "allow", remaining: 6 }] })
      const denied = await client.checkAll([
        { key: "all", limit: "org" },
        { key: "header:x-user=eve", limit: "user" },
      ])
      expect(denied).toMatchObject({ allowed: false, deniedKey: "header:x-user=eve", deniedPolicy: "deny" })
      expect(denied.decisions[0]).toMatchObject({ remaining: 7 })
      expect((await client.peek("all", { limit: "org", cost: 0 })).remaining).toBe(7)
      expect((await client.explain("header:x-user=eve", { limit: "user" })).because).toContain("deny list")
    }
  })

  test("a group's call that comes again under its id is charged once, on both servers", async () => {
    for (const client of [server, workerClient()]) {
      const ask = () => client.check("again", { limit: "both", id: "one" })
      const told = [await ask(), ...(await Promise.all([ask(), ask()]))].map(receiptsOf)
      expect(told[0]).toMatchObject([{ cost: 1 }, { cost: 2 }])
      expect(told.slice(1)).toEqual([told[0], told[0]])
      const left = ["user", "org"].map(async (limit) => (await client.peek("again", { limit, cost: 0 })).remaining)
      expect(await Promise.all(left)).toEqual([5, 7])
    }
  })

  test("who names no cost is told an admission at another one again under its id, on both servers", async () => {
    for (const client of [server, workerClient()]) {
      const { receipt } = await client.check("named", { limit: "org", id: "two", cost: 5 })
      expect(await client.check("named", { limit: "org", id: "two" })).toMatchObject({ cost: 5, receipt })
      expect(receiptsOf(await client.check("named", { limit: "both", id: "two" }))).toMatchObject([
        { cost: 1 },
        receipt,
      ])
      await expect(client.check("named", { limit: "org", id: "two", cost: 2 })).rejects.toThrow("allowed is 5")
      expect((await client.peek("named", { limit: "org", cost: 0 })).remaining).toBe(4)
    }
  })

  test("answers the same requests alike around a handler and on the Worker's paths", async () => {
    const config = parseConfig(TEXT)
    const handlers = new Map(
      [...config.limits.values(), ...config.groups.values()].flatMap(({ name, paths }) => {
        const options = rateLimitOptions(config, name, { address: { header: "CF-Connecting-IP" } })
        const handler = rateLimit(() => new Response("ok"), { ...options, timeoutMs: 10_000 })
        return paths.map((path) => [path, handler] as const)
      }),
    )
    const requests: readonly (readonly [path: string, user: string, org: string, address?: string])[] = [
      ["/both", "u1", "o1"],
      ["/both", "u1", "o1"],
      ["/both", "u2", "o1"],
      ["/both", "u3", "o1"],
      // The organisation has one unit left, and a request costs two: the user is not charged for it.
      ["/both", "u1", "o1"],
      ["/both", "u1", "o2"],
      ["/both", "u1", "o2", "198.51.100.9"],
      ["/both", "staff", "o1"],
      ["/both", "eve", "o2"],
      // Each answer of 200 costs four on top.
      ["/login", "u4", ""],
      ["/login", "u4", ""],
      ["/login", "u4", ""],
      ["/login", "mallory", ""],
      ["/login", "eve", ""],
      // The first is not held; the second would be held for a day, which is longer than half of one.
      ["/shaped", "u5", ""],
      ["/shaped", "u5", ""],
    ]
    const answers = []
    for (const [path, user, org, address = "203.0.113.1"] of requests) {
      const headers = { "X-User": user, "X-Org": org, "CF-Connecting-IP": address }
      const own = await handlers.get(path)!(new Request(`http://localhost${path}`, { headers }))
      const ofWorker = await worker.ask(path, { method: "GET", headers })
      const shown = (response: Response) => [
        `${path} ${user} ${org} ${address}`,
        response.status,
        response.headers.get("RateLimit-Policy"),
        response.headers.get("RateLimit")?.replace(/;t=\d+/g, "") ?? null,
      ]
      expect(shown(ofWorker)).toEqual(shown(own))
      answers.push(own.status)
      // Penalties come after the answer.
      if (path === "/login") await settled(user)
    }
    expect(answers).toEqual([200, 200, 200, 200, 429, 200, 403, 200, 403, 200, 200, 429, 403, 403, 200, 429])
  }, 30_000)
})

/** Waits until the Worker's penalty of a request is charged: what is left does not change any more. */
async function settled(user: string): Promise<void> {
  const client = workerClient()
  const left = async () => (await client.peek(`header:x-user=${user}`, { limit: "login", cost: 0 })).remaining
  let before = await left()
  for (let same = 0; same < 5; ) {
    await new Promise((resolve) => setTimeout(resolve, 20))
    const now = await left()
    same = now === before ? same + 1 : 0
    before = now
  }
}
