import { MAX_LOCATIONS, type ScenarioInput } from "../../simulate/scenario.js"
import { simulate as play } from "../../simulate/simulate.js"
import type { SimulationReport } from "../../simulate/tally.js"
import { SluiceError, show } from "../../types/errors.js"
import type { Command, CommandCall } from "../command.js"
import { flagOption, textOption, wholeOption } from "../option-values.js"
import { write } from "../output.js"
import { UsageError } from "../usage-error.js"

const MAX_COUNT = 1_000_000_000

/** Each a whole number; the scenario says what is allowed where that is narrower. */
const COUNTS = {
  rate: ["N", "Requests per second, over all locations (default 1000)."],
  locations: ["N", "Locations, with one-way latencies from 2 ms to --latency (default 5)."],
  latency: ["MS", "Of the farthest location, one way (default 80)."],
  isolates: ["N", "Isolates in each location (default 4)."],
  keys: ["N", "Keys (default 1)."],
  cost: ["N", "Units per request (default 1)."],
  "keys-per-request": ["N", "Keys that a request needs together (default 1)."],
  service: ["MS", "An object's work on a call (default 1)."],
  commit: ["MS", "A commit (default 2)."],
  lease: ["UNITS", "Draw units ahead."],
  shards: ["N", "Put the keys into so many objects."],
  seed: ["N", "The same seed plays the same (default 1)."],
} as const

const option = (value: string, description: string) => ({ type: "string", value, description }) as const
const flag = (description: string) => ({ type: "boolean", description }) as const

function scenarioOf(call: CommandCall): ScenarioInput {
  const count = (name: keyof typeof COUNTS) => wholeOption(call, name, 0, MAX_COUNT)
  const locations = wholeOption(call, "locations", 1, MAX_LOCATIONS) ?? 5
  const farthestMs = count("latency") ?? 80
  const units = count("lease")
  const shards = count("shards")
  const skew = textOption(call, "skew") ?? "0"
  if (!/^\d{1,9}(\.\d{1,9})?$/.test(skew)) {
    throw new UsageError(`Cannot run: --skew is ${show(skew)}, allowed is a number from 0 to 10.`)
  }
  if (units === undefined) refuseWithoutLease(call)
  return {
    policy: textOption(call, "policy") ?? "100/second",
    locations: Array.from({ length: locations }, (_, index) => ({
      isolates: count("isolates") ?? 4,
      latencyMs: locations === 1 ? farthestMs : 2 + ((farthestMs - 2) * index) / (locations - 1),
      requestsPerSecond: (count("rate") ?? 1_000) / locations,
    })),
    duration: textOption(call, "duration") ?? "10s",
    keys: count("keys") ?? 1,
    skew: Number(skew),
    cost: count("cost") ?? 1,
    keysPerRequest: count("keys-per-request") ?? 1,
    traffic: flagOption(call, "bursts") ? "bursts" : "steady",
    serviceMs: count("service") ?? 1,
    commitMs: count("commit") ?? 2,
    denialCache: !flagOption(call, "no-denial-cache"),
    seed: count("seed") ?? 1,
    ...(units !== undefined && {
      lease: { units, ttl: textOption(call, "ttl") ?? "2s", auto: flagOption(call, "auto") },
    }),
    ...(shards !== undefined && { shards }),
  }
}

/** What says how leases are used says nothing without any. @throws {UsageError} */
function refuseWithoutLease(call: CommandCall): void {
  const said = flagOption(call, "auto") ? "auto" : textOption(call, "ttl") === undefined ? null : "ttl"
  if (said !== null) throw new UsageError(`Cannot run: --${said} is given, allowed is that only with --lease UNITS.`)
}

function textOf({ requests, admitted, denied, falselyDenied, addedLatencyMs, ...rest }: SimulationReport): string {
  const percent = (part: number) => `${((100 * part) / Math.max(1, requests)).toFixed(1)} %`
  return [
    `requests          ${requests}`,
    `admitted          ${admitted} (${percent(admitted)}), at most ${rest.mostOfLimit.toFixed(3)} of a key's limit`,
    `denied            ${denied} (${percent(denied)}), falsely ${falselyDenied} (${percent(falselyDenied)})`,
    `object calls      ${rest.objectCalls}, ${rest.callsPerRequest.toFixed(4)} per request, ${rest.objects} objects`,
    `rows              ${rest.rows}, ${rest.rowsPerRequest.toFixed(4)} per request`,
    `busiest object    ${(100 * rest.busiestObject).toFixed(1)} % of its time`,
    `added latency     p50 ${addedLatencyMs.p50.toFixed(1)} ms, p99 ${addedLatencyMs.p99.toFixed(1)} ms`,
    "",
  ].join("\n")
}

export const simulate: Command = {
  name: "simulate",
  summary: "Play traffic of many locations against a limit on Durable Objects, and say what came of it.",
  usage: "",
  minArguments: 0,
  maxArguments: 0,
  asks: null,
  options: {
    policy: option("POLICY", "The limit (default 100/second)."),
    ...Object.fromEntries(Object.entries(COUNTS).map(([name, [value, text]]) => [name, option(value, text)])),
    duration: option("TIME", "How long requests come in (default 10s)."),
    skew: option("S", "How unevenly keys are asked about (default 0)."),
    ttl: option("TIME", "How long a lease may be spent (default 2s)."),
    auto: flag("Lease busy keys only."),
    bursts: flag("All requests of a second in its first tenth."),
    "no-denial-cache": flag("Ask the object for every denial."),
  },
  examples: ["sluice simulate --policy 10000/second --rate 2000", "sluice simulate --rate 2000 --lease 500 --json"],
  async run(call) {
    const scenario = scenarioOf(call)
    const report = await play(scenario).catch((error: unknown) => {
      if (error instanceof SluiceError || error instanceof RangeError) throw new UsageError(error.message)
      throw error
    })
    write(call, report, () => textOf(report))
  },
}
