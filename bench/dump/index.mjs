import { join } from "node:path"
import { performance } from "node:perf_hooks"
import { pathToFileURL } from "node:url"
import { describeMachine } from "../lib/machine.mjs"
import { readNumber, readOptions } from "../lib/options.mjs"
import { summarize } from "../lib/statistics.mjs"
import { digits, table, whole } from "../lib/table.mjs"

export const title = "time of dump() and restore() of a limiter in memory, beside copying as many bytes"

const USAGE = `Usage: npm run bench -- dump [options]

  --keys N      keys that the limiter holds (default 1000000)
  --rounds N    rounds (default 9)
  --dist PATH   the build of sluice to measure (default this project's dist)
`

const OPTIONS = {
  keys: { type: "string", default: "1000000" },
  rounds: { type: "string", default: "9" },
  dist: { type: "string", default: join(import.meta.dirname, "..", "..", "dist") },
  help: { type: "boolean", short: "h", default: false },
}

const PERIOD_MS = 20 * 24 * 3600 * 1000

function timeMs(work) {
  const start = performance.now()
  const result = work()
  return { ms: performance.now() - start, result }
}

/** @param {string[]} args what stands behind the benchmark's name */
export async function run(args) {
  const values = readOptions(args, OPTIONS)
  if (values.help) {
    console.log(USAGE)
    return
  }
  const keys = readNumber("--keys", values.keys, { minimum: 1, maximum: 1e8, whole: true })
  const rounds = readNumber("--rounds", values.rounds, { minimum: 1, maximum: 1000, whole: true })
  const { RateLimiter } = await import(pathToFileURL(join(values.dist, "src", "index.js")).href)
  const rows = []
  for (const [name, policy] of [
    ["gcra", { limit: 1000, period: PERIOD_MS }],
    ["sliding_window_log", { limit: 1000, period: PERIOD_MS, algorithm: "sliding_window_log" }],
  ]) {
    const options = { maxKeys: 2 ** 32 - 1 }
    const from = new RateLimiter(policy, options)
    for (let key = 0; key < keys; key++) from.allow(`user:${key}`)
    const samples = { dump: [], restore: [], copy: [] }
    let bytes = 0
    for (let round = 0; round < rounds; round++) {
      const dump = timeMs(() => from.dump())
      const to = new RateLimiter(policy, options)
      const restore = timeMs(() => to.restore(dump.result))
      if (to.size !== from.size) throw new Error(`${to.size} of ${from.size} keys came back`)
      // A copy into memory that was not touched before, as those are.
      const copy = timeMs(() => dump.result.slice())
      bytes = copy.result.length
      samples.dump.push(dump.ms)
      samples.restore.push(restore.ms)
      samples.copy.push(copy.ms)
    }
    const { dump, restore, copy } = Object.fromEntries(
      Object.entries(samples).map(([what, ms]) => [what, summarize(ms)]),
    )
    const ratio = (what) => `${digits(what.median / copy.median)} ×`
    rows.push([
      name,
      whole(bytes),
      ...[copy, dump, restore].map(({ median }) => digits(median)),
      ratio(dump),
      ratio(restore),
      digits(bytes / 1e6 / restore.median),
    ])
  }
  const machine = describeMachine()
  console.log(`Node ${machine.node}, ${machine.cpu}, ${machine.cores} cores, ${machine.system}`)
  console.log(`${whole(keys)} keys; medians of ${rounds} rounds\n`)
  const head = [
    "policy",
    "bytes",
    "copy, ms",
    "dump, ms",
    "restore, ms",
    "dump / copy",
    "restore / copy",
    "restore, GB/s",
  ]
  console.log(table(head, rows))
}
