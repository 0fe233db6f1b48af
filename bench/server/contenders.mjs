import { join } from "node:path"
import { start } from "../lib/children.mjs"
import { pinned } from "../lib/cores.mjs"

export const TOKEN = "a-token-for-the-benchmark"
const CLI = join(import.meta.dirname, "..", "..", "dist", "src", "cli", "main.node.js")
const here = (name) => join(import.meta.dirname, name)
/** So many that none is denied while it is measured. */
const UNITS = 2_000_000_000

const serve = (...args) => {
  return (folder) => [
    CLI,
    "serve",
    "--json",
    "--port",
    "0",
    "--data-dir",
    join(folder, "data"),
    "--event-retain",
    "1000",
    ...args,
  ]
}

/** Who is measured: `command` makes the arguments of a Node process that tells its port on its first line. */
export const CONTENDERS = [
  { name: "bare-http", what: 'Node\'s http server, "ok"', command: () => [here("bare-http.mjs")] },
  { name: "sluice", what: "sluice serve, sync always: durable", command: serve(), isSluice: true },
  { name: "sluice-batch", what: "sluice serve, sync batch", command: serve("--sync", "batch"), isSluice: true },
  {
    name: "flexible-redis",
    what: "rate-limiter-flexible on Redis, nothing on disk",
    command: (_folder, redisPort) => [here("flexible-redis.mjs"), String(redisPort), TOKEN, String(UNITS)],
    needsRedis: true,
  },
]

/** Starts a contender and resolves with its process and port. */
export async function startContender({ command, isSluice }, { folder, redisPort, cores }) {
  const child = start(pinned(cores, [process.execPath, ...command(folder, redisPort)]), {
    stdio: ["ignore", "pipe", "inherit"],
    env: { ...process.env, SLUICE_TOKEN: TOKEN },
  })
  const line = await new Promise((resolve, reject) => {
    child.stdout.once("data", (text) => resolve(String(text)))
    child.once("exit", (code) => reject(new Error(`Cannot start a server: it ended with code ${code}.`)))
  })
  const port = isSluice ? Number(new URL(JSON.parse(line).url).port) : Number(line)
  if (isSluice) {
    const response = await fetch(`http://127.0.0.1:${port}/v1/limits`, {
      method: "POST",
      headers: { Authorization: `Bearer ${TOKEN}`, "Content-Type": "application/json" },
      body: JSON.stringify({ name: "default", limit: UNITS, period: "1h" }),
    })
    if (!response.ok) throw new Error(`Cannot define the limit: ${await response.text()}`)
  }
  return { child, port }
}
