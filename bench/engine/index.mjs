import { spawnSync } from "node:child_process"
import { writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import { dropFolder, makeFolder } from "../lib/children.mjs"
import { splitCores } from "../lib/cores.mjs"
import { describeMachine } from "../lib/machine.mjs"
import { readList, readNumber, readOptions, UsageError } from "../lib/options.mjs"
import { copyBuild } from "./build-copy.mjs"
import { CONTENDERS, findMissing } from "./contenders.mjs"
import { uniformDraws, zipfDraws } from "./draws.mjs"
import { installPeers } from "./install-peers.mjs"
import { keyText } from "./key-text.mjs"
import { measureGrowth, measureMemory, measureSpeed, measureStartUp } from "./measure.mjs"
import { reportText } from "./report.mjs"
import { NODE } from "./run-program.mjs"
import { summarizeRun } from "./summary.mjs"
import { GROUPS } from "./workloads.mjs"

export const title = "ns and bytes a key of sluice in memory, beside the limiters of other packages"

const ENOUGH_ROUNDS = 7
const PARTS = ["speed", "memory", "growth", "start-up"]
const FULL = { rounds: ENOUGH_ROUNDS, probeRounds: 3, warmUpMs: 300, measureMs: 150 }
const QUICK = { rounds: 2, probeRounds: 1, warmUpMs: 200, measureMs: 60 }

/** How fresh strings can be made, by their name in `STRINGS`, and how the report tells it. */
const FRESH = { cut: "cut from a text", joined: "joined from two halves", flat: "copied from bytes" }

const USAGE = `Usage: npm run bench -- engine [options]

  --rounds N      rounds, in each of which every contender runs once (default ${FULL.rounds})
  --quick         ${QUICK.rounds} rounds and shorter measurements: to look at, not to quote
  --only A,B      contenders: ${CONTENDERS.map(({ name }) => name).join(", ")}
                  (default all)
  --groups A,B    workloads: ${GROUPS.map(({ name }) => name).join(", ")} (default all)
  --parts A,B     what is measured: ${PARTS.join(", ")} (default all)
  --keys KIND     how fresh strings are made: joined (from two halves, as a template literal does; default), cut (from
                  a text of all keys, which for a million is 30 MB) or flat (copied from bytes)
  --dist PATH     the build of sluice to measure (default this project's dist)
  --json PATH     writes every sample, medians and ratios there
`

const OPTIONS = {
  rounds: { type: "string" },
  quick: { type: "boolean", default: false },
  only: { type: "string" },
  groups: { type: "string" },
  parts: { type: "string" },
  keys: { type: "string", default: "joined" },
  dist: { type: "string", default: join(import.meta.dirname, "..", "..", "dist") },
  json: { type: "string" },
  help: { type: "boolean", short: "h", default: false },
}

function parse(args) {
  const values = readOptions(args, OPTIONS)
  const extent = values.quick ? QUICK : FULL
  const chosen = (name, allowed) =>
    values[name] === undefined ? allowed : readList(`--${name}`, values[name], allowed)
  const names = chosen(
    "only",
    CONTENDERS.map(({ name }) => name),
  )
  const groups = chosen(
    "groups",
    GROUPS.map(({ name }) => name),
  )
  const [fresh, ...others] = readList("--keys", values.keys, Object.keys(FRESH))
  if (others.length > 0) throw new UsageError("Cannot read --keys: allowed is one kind at a time.")
  const rounds =
    values.rounds === undefined
      ? extent.rounds
      : readNumber("--rounds", values.rounds, { minimum: 1, maximum: 1000, whole: true })
  return {
    ...extent,
    rounds,
    help: values.help,
    contenders: CONTENDERS.filter(({ name }) => names.includes(name)),
    groups: GROUPS.filter(({ name }) => groups.includes(name)),
    parts: chosen("parts", PARTS),
    fresh,
    dist: resolve(values.dist),
    json: values.json ?? null,
  }
}

/** Writes the keys and the sequences in which they are asked about, the same for all contenders. */
function writeFiles(folder) {
  const files = {}
  const write = (name, bytes) => {
    files[name] = join(folder, name)
    writeFileSync(files[name], bytes)
  }
  const most = Math.max(...GROUPS.map(({ keys }) => keys))
  write("keys", keyText(most))
  write("ten-thousand", uniformDraws(10_000))
  write("uniform", uniformDraws(most))
  write("zipf", zipfDraws(most))
  return files
}

function writeJson(path, content) {
  try {
    writeFileSync(path, `${JSON.stringify(content, null, 2)}\n`)
  } catch (error) {
    throw new UsageError(`Cannot write --json: ${error.message}`)
  }
}

const nodeVersion = () => spawnSync(NODE, ["--version"], { encoding: "utf8" }).stdout.trim()

function factLines({ machine, options, core, versions, date, seconds }) {
  const peers = Object.entries(versions).map(([name, version]) => `${name} ${version}`)
  return [
    `Node ${machine.node}, ${peers.join(", ")}; ${date}`,
    `${machine.cpu}, ${machine.cores} cores, ${machine.memoryGiB} GiB, ${machine.system}`,
    core === null
      ? "Processes not pinned to a core; time on the wall"
      : `Each process alone, pinned to core ${core}; CPU time of the process, which leaves out other programs`,
    `${options.rounds} rounds, interleaved; a process per contender, workload and round; ${options.measureMs} ms measured ` +
      `after ${options.warmUpMs} ms of warm-up; medians and ranges over rounds`,
    `Fresh strings (30 characters) are ${FRESH[options.fresh]} in the ` +
      "measured loop, and each limiter reads its clock; every figure includes both",
    `Took ${Math.round(seconds)} s`,
    ...(options.rounds < ENOUGH_ROUNDS ? [`Fewer than ${ENOUGH_ROUNDS} rounds: figures to look at, not to quote`] : []),
  ]
}

/** @param {string[]} args what stands behind the benchmark's name */
export async function run(args) {
  const options = parse(args)
  if (options.help) {
    console.log(USAGE)
    return
  }
  const began = Date.now()
  const date = new Date(began).toISOString()
  // Found out now rather than after minutes of measuring.
  if (options.json !== null) writeJson(options.json, { title, date, complete: false })
  const versions = installPeers()
  const folder = makeFolder(tmpdir())
  const build = copyBuild(options.dist, folder)
  const missing = await findMissing(options.contenders, build, options.dist)
  const contenders = options.contenders.filter(({ name }) => !missing.has(name))
  const core = splitCores()?.load ?? null
  const setting = { ...options, contenders, build, core, files: writeFiles(folder) }
  const wants = (part) => options.parts.includes(part)
  const ownRuns = contenders.some(({ kind }) => kind === "sluice")
  const samples = {
    speed: wants("speed") ? await measureSpeed(setting) : null,
    memory: wants("memory") ? await measureMemory(setting) : null,
    growth: wants("growth") && ownRuns ? await measureGrowth(setting) : null,
    startUp: wants("start-up") && ownRuns ? await measureStartUp(setting) : null,
  }
  dropFolder(folder)

  const machine = { ...describeMachine(), node: nodeVersion() }
  const summary = summarizeRun(samples, contenders)
  const facts = factLines({ machine, options, core, versions, date, seconds: (Date.now() - began) / 1000 })
  console.log(reportText({ summary, contenders: options.contenders, groups: options.groups, missing, facts }))
  if (options.json === null) return
  writeJson(options.json, {
    title,
    date,
    complete: true,
    machine,
    versions,
    core,
    rounds: options.rounds,
    measureMs: options.measureMs,
    warmUpMs: options.warmUpMs,
    freshStrings: options.fresh,
    skipped: Object.fromEntries(missing),
    summary,
    samples,
  })
}
