import { join } from "node:path"
import { performance } from "node:perf_hooks"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import { describeMachine } from "../lib/machine.mjs"
import { readNumber, readOptions } from "../lib/options.mjs"
import { digits, table, whole } from "../lib/table.mjs"

export const title = "memory of sluice over 100 million checks of 10 million keys that come and go; some minutes"

const USAGE = `Usage: npm run bench -- soak [options]

  --checks N    checks in all (default 100000000)
  --keys N      keys that they are about (default 10000000)
  --dist PATH   the build of sluice to run (default this project's dist)

Ends with 1 where memory was not flat: where the second half of the run took more than the first.
`

const OPTIONS = {
  checks: { type: "string", default: "100000000" },
  keys: { type: "string", default: "10000000" },
  dist: { type: "string", default: join(import.meta.dirname, "..", "..", "dist") },
  help: { type: "boolean", short: "h", default: false },
}

const PARTS = 20
const BATCH = 256
/** Checks in one millisecond of the clock that the limiter sees. */
const CHECKS_PER_MS = 1_000
/** Of memory that a garbage collector looks after: what may differ between two looks. */
const NOISE_BYTES = 8 * 2 ** 20

/** Numbers below `keys`, half of them among a tenth of the keys (Marsaglia's xorshift32). */
function draws(keys) {
  let state = 0x9e3779b9
  const next = () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return state >>> 0
  }
  return () => Math.floor((next() / 2 ** 32) * (next() < 2 ** 31 ? keys / 10 : keys))
}

setFlagsFromString("--expose-gc")
const collectGarbage = runInNewContext("gc")

function usage() {
  collectGarbage()
  const { rss, heapUsed, external, arrayBuffers } = process.memoryUsage()
  return { rss, host: heapUsed + external - arrayBuffers }
}

/** @param {string[]} args what stands behind the benchmark's name */
export async function run(args) {
  const values = readOptions(args, OPTIONS)
  if (values.help) {
    console.log(USAGE)
    return
  }
  const checks = readNumber("--checks", values.checks, { minimum: 1e5, maximum: 1e12, whole: true })
  const keys = readNumber("--keys", values.keys, { minimum: 10, maximum: 1e9, whole: true })
  const engine = (name) => import(join(values.dist, "src", "engine", name))
  const [{ Core }, { StandaloneLimit }, { parsePolicy }] = await Promise.all([
    engine("core.js"),
    engine("standalone-limit.js"),
    import(join(values.dist, "src", "policy", "parse-policy.js")),
  ])
  // A key is full again 20 seconds after it was used: idle keys go and come back all the time.
  const core = new Core()
  const limit = new StandaloneLimit(core, parsePolicy("3/minute"), {
    maxKeys: 2 ** 32 - 1,
    onFull: "evict-nearest-full",
    stats: false,
    seed: [1, 2, 3, 4],
    issuerId: "soak",
    sharesCore: false,
  })
  const draw = draws(keys)
  const startMs = 1_700_000_000_000
  const rows = []
  const seen = []
  const began = performance.now()
  let done = 0
  let admitted = 0
  for (let part = 1; part <= PARTS; part++) {
    const end = Math.floor((checks * part) / PARTS)
    while (done < end) {
      const nowMs = startMs + Math.floor(done / CHECKS_PER_MS)
      // Half of the checks one by one, half in batches.
      if ((done / BATCH) & 1) {
        const batch = Array.from({ length: BATCH }, () => `user:${draw()}`)
        for (const allowed of limit.checkMany(batch, undefined, nowMs).allowed) admitted += allowed
      } else {
        for (let index = 0; index < BATCH; index++) if (limit.allow(`user:${draw()}`, 1, nowMs)) admitted++
      }
      done += BATCH
    }
    const { rss, host } = usage()
    const wasm = core.exports.memory.buffer.byteLength
    seen.push({ wasm, allocated: core.exports.allocatedBytes(), host })
    rows.push([
      whole(done),
      whole(limit.size),
      ...[core.exports.allocatedBytes(), wasm, rss].map((n) => digits(n / 2 ** 20)),
    ])
    console.error(
      `${whole(done)} checks, ${whole(limit.size)} keys held, ${digits(wasm / 2 ** 20)} MiB of WebAssembly memory`,
    )
  }
  const seconds = (performance.now() - began) / 1000
  const machine = describeMachine()
  console.log(`Node ${machine.node}, ${machine.cpu}, ${machine.cores} cores, ${machine.system}`)
  console.log(`${whole(done)} checks over ${whole(keys)} keys in ${whole(seconds)} s, ${whole(admitted)} admitted\n`)
  console.log(table(["checks", "keys held", "in use, MiB", "WebAssembly memory, MiB", "RSS, MiB"], rows))
  const [half, last] = [seen[PARTS / 2 - 1], seen[PARTS - 1]]
  const grew = [
    last.wasm > half.wasm && "the WebAssembly memory",
    last.host > half.host + NOISE_BYTES && "what JavaScript holds",
  ].filter(Boolean)
  console.log(
    grew.length === 0
      ? "\nMemory is flat: the second half took no more than the first."
      : `\nNOT FLAT: ${grew.join(" and ")} grew in the second half.`,
  )
  if (grew.length > 0) process.exitCode = 1
}
