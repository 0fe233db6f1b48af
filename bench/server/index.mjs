import { mkdirSync, writeFileSync } from "node:fs"
import { loadavg, tmpdir } from "node:os"
import { startRedis } from "../embedded/redis.mjs"
import { installPeers } from "../engine/install-peers.mjs"
import { dropFolder, makeFolder, stop } from "../lib/children.mjs"
import { splitCores } from "../lib/cores.mjs"
import { generateLoad } from "../lib/generate-load.mjs"
import { describeMachine, measurePacedSyncs, measureSyncMs } from "../lib/machine.mjs"
import { readList, readNumber, readOptions } from "../lib/options.mjs"
import { median, ratioByRound, summarize } from "../lib/statistics.mjs"
import { digits, table, whole } from "../lib/table.mjs"
import { CONTENDERS, startContender, TOKEN } from "./contenders.mjs"

export const title =
  "checks/s and latency over HTTP of sluice serve, a bare Node server, and rate-limiter-flexible on Redis"

const CONNECTIONS = [1, 64]
/** Over so many connections come the requests of half the load that they reached. */
const MOST_CONNECTIONS = 64
const KEYS = 1_000
const ENOUGH_ROUNDS = 5

const USAGE = `Usage: npm run bench -- server [options]

  --rounds N      rounds, in each of which every contender runs once (default ${ENOUGH_ROUNDS})
  --seconds S     measured per contender and number of connections (default 2)
  --warm-up S     asked before that, not measured (default 4): a server runs for long
  --only A,B      contenders: ${CONTENDERS.map(({ name }) => name).join(", ")} (default all)
  --folder PATH   where data folders are made, and removed; it should be on a disk (default the temporary folder)
  --json PATH     writes every sample there
`

const OPTIONS = {
  rounds: { type: "string", default: String(ENOUGH_ROUNDS) },
  seconds: { type: "string", default: "2" },
  "warm-up": { type: "string", default: "4" },
  only: { type: "string" },
  folder: { type: "string", default: tmpdir() },
  json: { type: "string" },
  help: { type: "boolean", short: "h", default: false },
}

const POST = {
  path: "/v1/check",
  headers: { Authorization: `Bearer ${TOKEN}`, "Content-Type": "application/json" },
  bodies: Array.from({ length: KEYS }, (_, index) => JSON.stringify({ key: `user:${index}:198.51.100.7` })),
}

async function measure(contender, plan, { folder, redisPort, cores }) {
  const room = makeFolder(folder)
  const { child, port } = await startContender(contender, { folder: room, redisPort, cores: cores?.server ?? null })
  try {
    const samples = {}
    const load = async (kind) => {
      const whole = { port, paths: [], post: POST, expectedStatus: 200, ...plan, ...kind }
      const result = await generateLoad(whole, cores?.load ?? null)
      if (result.unexpected > 0) throw new Error(`${contender.name} gave unexpected answers.`)
      return result
    }
    for (const connections of CONNECTIONS) samples[connections] = await load({ connections, mode: "timed" })
    const requestsPerSecond = samples[MOST_CONNECTIONS].requestsPerSecond / 2
    samples.half = await load({ connections: MOST_CONNECTIONS, mode: "paced", requestsPerSecond })
    return samples
  } finally {
    await stop(child)
    dropFolder(room)
  }
}

export async function run(args) {
  const values = readOptions(args, OPTIONS)
  if (values.help) return void process.stdout.write(USAGE)
  const names = CONTENDERS.map(({ name }) => name)
  const only = values.only === undefined ? names : readList("--only", values.only, names)
  const rounds = readNumber("--rounds", values.rounds, { minimum: 1, maximum: 1000, whole: true })
  const plan = {
    measureMs: 1000 * readNumber("--seconds", values.seconds, { minimum: 0.1, maximum: 600, whole: false }),
    warmUpMs: 1000 * readNumber("--warm-up", values["warm-up"], { minimum: 0, maximum: 60, whole: false }),
  }
  mkdirSync(values.folder, { recursive: true })
  const folder = makeFolder(values.folder)
  const versions = installPeers()
  const redis = await startRedis(folder)
  const contenders = CONTENDERS.filter(({ name, needsRedis }) => only.includes(name) && (redis !== null || !needsRedis))
  const cores = splitCores()
  const samples = Object.fromEntries(contenders.map(({ name }) => [name, []]))
  const diskSamples = []
  for (let round = 0; round < rounds; round++) {
    for (const contender of contenders) {
      process.stderr.write(`round ${round + 1} of ${rounds}: ${contender.name}\n`)
      samples[contender.name].push(await measure(contender, plan, { folder, redisPort: redis?.port, cores }))
    }
    diskSamples.push(await measurePacedSyncs(folder, plan.measureMs))
  }
  const machine = describeMachine()
  const syncMs = measureSyncMs(folder)
  console.log(report({ contenders, samples, diskSamples, rounds, machine, redis, versions, syncMs, cores }))
  if (values.json !== undefined) {
    writeFileSync(values.json, JSON.stringify({ machine, rounds, plan, samples, diskSamples }, null, 2))
  }
  if (redis !== null) await stop(redis.child)
  dropFolder(folder)
}

function report({ contenders, samples, diskSamples, rounds, machine, redis, versions, syncMs, cores }) {
  const of = (name, connections, field) => samples[name].map((round) => round[connections][field])
  const parts = CONNECTIONS.map((connections) => {
    const rows = contenders.map(({ name, what }) => {
      const rate = summarize(of(name, connections, "requestsPerSecond"))
      const ratios = samples["bare-http"]
        ? ratioByRound(of(name, connections, "requestsPerSecond"), of("bare-http", connections, "requestsPerSecond"))
        : null
      return [
        what,
        `${whole(rate.median)} (${whole(rate.minimum)}–${whole(rate.maximum)})`,
        ratios === null ? "–" : `${digits(median(ratios))}×`,
        digits(median(of(name, connections, "p50Ms"))),
        digits(median(of(name, connections, "p99Ms"))),
        digits(median(of(name, connections, "generatorBusy"))),
      ]
    })
    const head = [
      `${connections} connection${connections > 1 ? "s" : ""}`,
      "checks/s (range)",
      "of bare",
      "p50 ms",
      "p99 ms",
      "load busy",
    ]
    return table(head, rows)
  })
  const halves = contenders.map(({ name, what }) => [
    what,
    whole(median(of(name, "half", "requestsPerSecond"))),
    digits(median(of(name, "half", "p50Ms"))),
    digits(median(of(name, "half", "p99Ms"))),
  ])
  const ofDisk = (field) => median(diskSamples.map((sample) => sample[field]))
  const disk = ["the disk alone: a page and its sync, each ms", whole(ofDisk("requestsPerSecond"))]
  halves.push([...disk, digits(ofDisk("p50Ms")), digits(ofDisk("p99Ms"))])
  parts.push(table([`half of what ${MOST_CONNECTIONS} connections reach`, "checks/s", "p50 ms", "p99 ms"], halves))
  const redisText =
    redis === null
      ? "no redis-server is installed"
      : `Redis ${redis.version}, ioredis ${versions.ioredis}, rate-limiter-flexible ${versions["rate-limiter-flexible"]}`
  return [
    `${machine.cpu}, ${machine.cores} cores, ${machine.memoryGiB} GiB, ${machine.system}, Node ${machine.node}`,
    `One fdatasync takes ${digits(syncMs)} ms here; load average ${loadavg().map(digits).join(" ")}; ${redisText}.`,
    cores === null ? "Processes are not pinned." : `Server on cores ${cores.server}, load on ${cores.load}.`,
    `Medians of ${rounds} rounds; ${whole(KEYS)} keys. Each connection asks again when it is answered; at half the load,`,
    "each request comes at its time, whatever was answered, and its latency counts from then.",
    "",
    parts.join("\n\n"),
  ].join("\n")
}
