import { mkdirSync, writeFileSync } from "node:fs"
import { loadavg, tmpdir } from "node:os"
import { join } from "node:path"
import { installPeers } from "../engine/install-peers.mjs"
import { dropFolder, makeFolder } from "../lib/children.mjs"
import { splitCores } from "../lib/cores.mjs"
import { describeMachine, measureSyncMs } from "../lib/machine.mjs"
import { measureCeiling } from "../lib/measure-ceiling.mjs"
import { readList, readNumber, readOptions, UsageError } from "../lib/options.mjs"
import { digits, whole } from "../lib/table.mjs"
import { bundle } from "./bundle.mjs"
import { CONTENDERS, whyMissing } from "./contenders.mjs"
import { measure } from "./measure.mjs"
import { ratios, reportText, summarizeSamples } from "./report.mjs"
import { COMPATIBILITY_DATE, WORKERD_VERSION, writeConfig } from "./workerd.mjs"
import { CONNECTIONS, WORKLOADS } from "./workloads.mjs"

export const title = "requests/s of workerd with no limiter, a counting object, one insert a check, and sluice"

const ENOUGH_ROUNDS = 5
const CEILING_MS = 1_000

const USAGE = `Usage: npm run bench -- edge [options]

  --rounds N      rounds, in each of which every contender runs once (default ${ENOUGH_ROUNDS})
  --seconds S     measured per contender, workload and number of connections
                  (default ${WORKLOADS.map(({ label, measureMs }) => `${measureMs / 1000} for ${label}`).join(", ")})
  --warm-up S     asked before that, not measured
                  (default ${WORKLOADS.map(({ label, warmUpMs }) => `${warmUpMs / 1000} for ${label}`).join(", ")})
  --only A,B      contenders: ${CONTENDERS.map(({ name }) => name).join(", ")} (default all)
  --workloads A,B what is asked for: ${WORKLOADS.map(({ name }) => name).join(", ")} (default all)
  --folder PATH   where the objects' folders are made, and removed (default the system's temporary folder);
                  it should be on a disk, since commits are what durable contenders wait for
  --json PATH     writes every sample, medians and ratios there
`

const OPTIONS = {
  rounds: { type: "string", default: String(ENOUGH_ROUNDS) },
  seconds: { type: "string" },
  "warm-up": { type: "string" },
  only: { type: "string" },
  workloads: { type: "string" },
  folder: { type: "string", default: tmpdir() },
  json: { type: "string" },
  help: { type: "boolean", short: "h", default: false },
}

function parse(args) {
  const values = readOptions(args, OPTIONS)
  const names = CONTENDERS.map(({ name }) => name)
  const known = WORKLOADS.map(({ name }) => name)
  const workloads = values.workloads === undefined ? known : readList("--workloads", values.workloads, known)
  const only = values.only === undefined ? names : readList("--only", values.only, names)
  const told = {
    ...(values.seconds !== undefined && {
      measureMs: 1000 * readNumber("--seconds", values.seconds, { minimum: 0.1, maximum: 600, whole: false }),
    }),
    ...(values["warm-up"] !== undefined && {
      warmUpMs: 1000 * readNumber("--warm-up", values["warm-up"], { minimum: 0, maximum: 60, whole: false }),
    }),
  }
  return {
    help: values.help,
    rounds: readNumber("--rounds", values.rounds, { minimum: 1, maximum: 1000, whole: true }),
    contenders: CONTENDERS.filter(({ name }) => only.includes(name)),
    workloads: WORKLOADS.filter(({ name }) => workloads.includes(name)).map((workload) => ({ ...workload, ...told })),
    folder: values.folder,
    json: values.json ?? null,
  }
}

/** Each contender that can run with its bundle made, and why the others cannot. */
async function prepare(contenders, folder) {
  const ready = []
  const skipped = new Map()
  for (const contender of contenders) {
    const reason = whyMissing(contender)
    if (reason !== null) {
      skipped.set(contender.name, reason)
      continue
    }
    const own = join(folder, contender.name)
    mkdirSync(own)
    ready.push({ contender, config: writeConfig(contender, await bundle(contender.source, own), own) })
  }
  return { ready, skipped }
}

async function runRounds(options, ready, cores, parent) {
  const samples = []
  for (let round = 1; round <= options.rounds; round++) {
    for (const workload of options.workloads) {
      // Contenders that are compared stand next to each other in time: A B C D on one workload, then on the next.
      for (const { contender, config } of ready) {
        const taken = await measure({ contender, config, workload, round, cores, parent })
        samples.push(...taken)
        const rates = taken.map(({ load }) => whole(load.requestsPerSecond)).join(" and ")
        console.error(`round ${round}/${options.rounds}  ${workload.label}  ${contender.name}: ${rates} requests/s`)
      }
    }
  }
  return samples
}

function factLines({ machine, options, cores, syncMs, ceiling, date, loadBefore }) {
  const durations = options.workloads
    .map(({ label, measureMs, warmUpMs }) => `${measureMs / 1000} s after ${warmUpMs / 1000} s of warm-up for ${label}`)
    .join(", ")
  const ceilings = CONNECTIONS.map((count) => `${whole(ceiling[count])} at ${count}`).join(", ")
  return [
    `workerd ${WORKERD_VERSION} serve, compatibility date ${COMPATIBILITY_DATE}, Node ${machine.node}, ${date}`,
    `${machine.cpu}, ${machine.cores} cores, ${machine.memoryGiB} GiB, ${machine.system}`,
    `Load average before the run: ${loadBefore.toFixed(2)}; above about 0.5, others were at work and figures are noisy`,
    `Disk of ${options.folder}: ${digits(syncMs)} ms for one 4 KiB append and fdatasync (median)`,
    cores === null
      ? "Processes not pinned to cores"
      : `workerd on core ${cores.server}, load generator on core ${cores.load}`,
    `Load generator's ceiling against a bare socket server, requests/s by connections: at least ${ceilings}`,
    `${options.rounds} ${options.rounds === 1 ? "round" : "rounds"} of ${durations}; medians and ranges over rounds`,
    "Closed loop: latencies as the callers saw them, not corrected for requests that a stall kept from being sent",
    ...(options.rounds < ENOUGH_ROUNDS ? [`Fewer than ${ENOUGH_ROUNDS} rounds: figures to look at, not to quote`] : []),
  ]
}

function writeJson(path, content) {
  try {
    writeFileSync(path, `${JSON.stringify(content, null, 2)}\n`)
  } catch (error) {
    throw new UsageError(`Cannot write --json: ${error.message}`)
  }
}

/** @param {string[]} args what stands behind the benchmark's name */
export async function run(args) {
  const options = parse(args)
  if (options.help) {
    console.log(USAGE)
    return
  }
  const date = new Date().toISOString()
  const [loadBefore] = loadavg()
  // Found out now rather than after minutes of measuring.
  if (options.json !== null) writeJson(options.json, { title, date, complete: false })
  let parent
  try {
    parent = makeFolder(options.folder)
  } catch (error) {
    throw new UsageError(`Cannot use --folder: ${error.message}`)
  }
  if (options.contenders.some(({ needsPeers }) => needsPeers)) installPeers()
  const cores = splitCores()
  const { ready, skipped } = await prepare(options.contenders, parent)
  const syncMs = measureSyncMs(parent)
  const ceiling = await measureCeiling({ connections: [...CONNECTIONS], measureMs: CEILING_MS, cores })
  const samples = await runRounds(options, ready, cores, parent)
  dropFolder(parent)

  const machine = describeMachine()
  const summaries = summarizeSamples(samples, options.contenders)
  const found = ratios(samples)
  const facts = factLines({ machine, options, cores, syncMs, ceiling, date, loadBefore })
  console.log(reportText({ summaries, found, contenders: options.contenders, skipped, facts }))
  if (options.json === null) return
  writeJson(options.json, {
    title,
    date,
    complete: true,
    machine,
    workerd: WORKERD_VERSION,
    compatibilityDate: COMPATIBILITY_DATE,
    cores,
    loadBefore,
    diskSyncMs: syncMs,
    generatorCeiling: ceiling,
    rounds: options.rounds,
    workloads: options.workloads,
    skipped: Object.fromEntries(skipped),
    summaries,
    ratios: found,
    samples,
  })
}
