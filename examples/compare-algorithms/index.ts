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
import { compare } from "./compare.ts"
import { drawSvg, drawText, type Scene } from "./draw.ts"
import { busiest, madeUpBursts, readAccessLog } from "./traffic.ts"

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

function sceneOf(): Scene {
  if (values.log === undefined) {
    const arrivals = madeUpBursts()
    return { title: "Made-up bursts", arrivals, outcomes: compare(arrivals, limit), limit }
  }
  const all = readAccessLog(readFileSync(values.log, "utf8"))
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

const scene = sceneOf()
console.log(drawText(scene))
if (values.svg !== undefined) writeFileSync(values.svg, drawSvg(scene))
