// Draws what each algorithm admits of the same traffic, and when.
//
//   node examples/compare-algorithms/index.ts
//   node examples/compare-algorithms/index.ts --log access.log --limit 20 --period 1m --svg comparison.svg
//
// Without --log the traffic is made up. With it, all clients of the log are counted, each for itself, and the busiest one
// is drawn.
import { readFileSync, writeFileSync } from "node:fs"
import { parseArgs } from "node:util"
import { parsePolicy } from "sluice"
import { compare, type Limit } from "./compare.ts"
import { drawSvg, drawText, type Scene } from "./draw.ts"
import { busiest, madeUpBursts, readAccessLog } from "./traffic.ts"

function run(): void {
  const { values } = parseArgs({
    options: {
      log: { type: "string" },
      svg: { type: "string" },
      limit: { type: "string", default: "20" },
      period: { type: "string", default: "1m" },
    },
  })
  const [rule] = parsePolicy({ limit: Number(values.limit), period: values.period }).rules
  const limit = { limit: rule.limit, periodMs: rule.periodMs }
  const scene = values.log === undefined ? madeUpScene(limit) : sceneOf(values.log, limit)
  console.log(drawText(scene))
  if (values.svg !== undefined) writeFileSync(values.svg, drawSvg(scene))
}

function madeUpScene(limit: Limit): Scene {
  const arrivals = madeUpBursts()
  return { title: "Made-up bursts", arrivals, outcomes: compare(arrivals, limit), limit }
}

function sceneOf(log: string, limit: Limit): Scene {
  const all = readAccessLog(readFileSync(log, "utf8"))
  if (all.length === 0) throw new Error("Cannot compare: the access log has no request.")
  const clients = new Set(all.map(({ key }) => key)).size
  console.log(`${all.length} requests of ${clients} clients:`)
  for (const { algorithm, admittedCount, mostInAPeriod } of compare(all, limit)) {
    const denied = all.length - admittedCount
    console.log(`  ${algorithm.padEnd(19)} ${admittedCount} admitted, ${denied} denied, peak ${mostInAPeriod}`)
  }
  console.log()
  const client = busiest(all)
  const arrivals = all.filter(({ key }) => key === client)
  return { title: `The busiest client, ${client}`, arrivals, outcomes: compare(arrivals, limit), limit }
}

try {
  run()
} catch (error) {
  console.error((error as Error).message)
  process.exitCode = 2
}
