import { writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { resolve } from "node:path"
import { installPeers } from "../engine/install-peers.mjs"
import { dropFolder, makeFolder, stop } from "../lib/children.mjs"
import { describeMachine, measureSyncMs } from "../lib/machine.mjs"
import { readList, readNumber, readOptions } from "../lib/options.mjs"
import { startRedis } from "./redis.mjs"
import { reportText, summarize } from "./report.mjs"
import { runProgram } from "./run-program.mjs"
import { CELLS, COMPACTIONS, LIVES } from "./workloads.mjs"

export const title = "durable checks a second of sluice/embedded, beside one commit per check and other packages"

const FULL = { rounds: 7, warmUpMs: 300, measureMs: 1_000, lives: LIVES }
const QUICK = { rounds: 2, warmUpMs: 100, measureMs: 300, lives: LIVES.slice(0, 1) }
const PARTS = ["speed", "life", "compaction"]

const USAGE = `Usage: npm run bench -- embedded [options]

  --rounds N     rounds, in each of which every contender runs once (default ${FULL.rounds})
  --quick        ${QUICK.rounds} rounds and shorter measurements: to look at, not to quote
  --parts A,B    what is measured: ${PARTS.join(", ")} (default all)
  --folder PATH  where the stores lie: on the disk that is to be measured (default ${tmpdir()})
  --json PATH    writes every sample there
`

const OPTIONS = {
  rounds: { type: "string" },
  quick: { type: "boolean", default: false },
  parts: { type: "string", default: PARTS.join(",") },
  folder: { type: "string", default: tmpdir() },
  json: { type: "string" },
  help: { type: "boolean", short: "h", default: false },
}

/** @param {string[]} args */
export async function run(args) {
  const options = readOptions(args, OPTIONS)
  if (options.help) return console.log(USAGE)
  const extent = options.quick ? QUICK : FULL
  const rounds =
    options.rounds === undefined
      ? extent.rounds
      : readNumber("--rounds", options.rounds, { minimum: 1, maximum: 1_000, whole: true })
  const parts = readList("--parts", options.parts, PARTS)
  const peers = installPeers()
  const folder = makeFolder(resolve(options.folder))
  const redis = await startRedis(folder)
  try {
    const cells = CELLS.filter(({ contender }) => redis !== null || !contender.endsWith("redis"))
    const machine = { ...describeMachine(), syncMs: measureSyncMs(folder) }
    const speed = []
    for (let round = 0; parts.includes("speed") && round < rounds; round++) {
      for (const cell of cells) {
        const { measureMs } = extent
        // A lone caller makes few checks in a time: everything is compiled after some ten thousand.
        const warmUpMs = extent.warmUpMs * (cell.callers === 1 ? 8 : 1)
        const plan = { ...cell, folder, keys: 1_000, warmUpMs, measureMs, redisPort: redis?.port ?? null }
        speed.push({ ...cell, round, ...(await runProgram("speed", plan)) })
        process.stderr.write(`\rround ${round + 1} of ${rounds}: ${cell.contender}, ${cell.callers} callers   `)
      }
    }
    const life = []
    for (let round = 0; parts.includes("life") && round < rounds; round++) {
      for (const plan of extent.lives) life.push({ ...plan, round, ...(await runProgram("life", { ...plan, folder })) })
    }
    const compaction = []
    for (let round = 0; parts.includes("compaction") && round < rounds; round++) {
      for (const plan of COMPACTIONS) {
        const measured = await runProgram("compaction", { folder, keys: plan.compactedKeys })
        compaction.push({ ...plan, round, ...measured })
      }
    }
    process.stderr.write("\n")
    const summary = summarize({ speed, life, compaction })
    console.log(reportText({ machine, peers, redisVersion: redis?.version ?? null, rounds, ...summary }))
    if (options.json !== undefined)
      writeFileSync(options.json, JSON.stringify({ machine, peers, speed, life, compaction }, null, 2))
  } finally {
    if (redis !== null) await stop(redis.child)
    dropFolder(folder)
  }
}
