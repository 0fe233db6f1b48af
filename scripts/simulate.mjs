// Plays traffic against a limit and prints what came of it: `npm run simulate -- --policy 1000/second --rate 5000`.
import { parseArgs } from "node:util"
import { simulate } from "../dist/src/simulate/simulate.js"

const USAGE = `Usage: npm run simulate -- [options]

  --policy TEXT      the limit (default 100/second)
  --rate N           requests per second, over all locations (default 1000)
  --locations N      how many, with one-way latencies from 2 ms to --latency (default 5)
  --latency MS       of the farthest location (default 80)
  --isolates N       in each location (default 4)
  --duration TIME    (default 10s)
  --keys N           (default 1)   --skew S   how unevenly they are asked about (default 0)
  --cost N           units per request (default 1)
  --keys-per-request N   decided together (default 1)
  --bursts           all requests of a second in its first tenth
  --service MS       an object's work on a call (default 1)   --commit MS   a commit (default 2)
  --lease UNITS      draw units ahead   --ttl TIME   to be spent within (default 2s)   --auto   of busy keys only
  --shards N         keys into so many objects
  --no-denial-cache
  --seed N           (default 1)
  --json             the report as JSON
`

const { values } = parseArgs({
  options: {
    policy: { type: "string", default: "100/second" },
    rate: { type: "string", default: "1000" },
    locations: { type: "string", default: "5" },
    latency: { type: "string", default: "80" },
    isolates: { type: "string", default: "4" },
    duration: { type: "string", default: "10s" },
    keys: { type: "string", default: "1" },
    skew: { type: "string", default: "0" },
    cost: { type: "string", default: "1" },
    "keys-per-request": { type: "string", default: "1" },
    bursts: { type: "boolean", default: false },
    service: { type: "string", default: "1" },
    commit: { type: "string", default: "2" },
    lease: { type: "string" },
    ttl: { type: "string", default: "2s" },
    auto: { type: "boolean", default: false },
    shards: { type: "string" },
    "denial-cache": { type: "boolean", default: true },
    seed: { type: "string", default: "1" },
    json: { type: "boolean", default: false },
    help: { type: "boolean", short: "h", default: false },
  },
  allowNegative: true,
})

if (values.help) {
  console.log(USAGE)
  process.exit(0)
}

const count = Number(values.locations)
const locations = Array.from({ length: count }, (_, index) => ({
  isolates: Number(values.isolates),
  latencyMs: count === 1 ? Number(values.latency) : 2 + ((Number(values.latency) - 2) * index) / (count - 1),
  requestsPerSecond: Number(values.rate) / count,
}))

try {
  const report = await simulate({
    policy: values.policy,
    locations,
    duration: values.duration,
    keys: Number(values.keys),
    skew: Number(values.skew),
    cost: Number(values.cost),
    keysPerRequest: Number(values["keys-per-request"]),
    traffic: values.bursts ? "bursts" : "steady",
    serviceMs: Number(values.service),
    commitMs: Number(values.commit),
    denialCache: values["denial-cache"],
    seed: Number(values.seed),
    ...(values.lease !== undefined && { lease: { units: Number(values.lease), ttl: values.ttl, auto: values.auto } }),
    ...(values.shards !== undefined && { shards: Number(values.shards) }),
  })
  console.log(values.json ? JSON.stringify(report, null, 2) : textOf(report))
} catch (error) {
  console.error(error.message)
  process.exitCode = 2
}

function textOf({ requests, admitted, denied, falselyDenied, addedLatencyMs, ...rest }) {
  const percent = (part) => `${((100 * part) / Math.max(1, requests)).toFixed(1)} %`
  return [
    `requests          ${requests}`,
    `admitted          ${admitted} (${percent(admitted)}), at most ${rest.mostOfLimit.toFixed(3)} of a key's limit`,
    `denied            ${denied} (${percent(denied)}), falsely ${falselyDenied} (${percent(falselyDenied)})`,
    `object calls      ${rest.objectCalls}, ${rest.callsPerRequest.toFixed(4)} per request, ${rest.objects} objects`,
    `rows              ${rest.rows}, ${rest.rowsPerRequest.toFixed(4)} per request`,
    `busiest object    ${(100 * rest.busiestObject).toFixed(1)} % of its time`,
    `added latency     p50 ${addedLatencyMs.p50.toFixed(1)} ms, p99 ${addedLatencyMs.p99.toFixed(1)} ms`,
  ].join("\n")
}
