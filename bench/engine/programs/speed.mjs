// One contender in one group of workloads: fills it, then measures each phase. One JSON plan in, one JSON answer out.
import { readFileSync } from "node:fs"
import { moduleOf } from "../contenders.mjs"
import { holdKeys, inOrder, readKeys, STRINGS, useKeys } from "../key-source.mjs"
import { startStopwatch } from "../stopwatch.mjs"

// Far above the clock's resolution even at 30 ns a check, and a small part of a second at 2 µs.
const CHUNK = 32_768

const { contender, group, fresh, files, warmUpMs, measureMs } = JSON.parse(process.argv[2])

const draws = (name) => {
  if (name === "one") return new Int32Array(1)
  const { buffer, byteOffset, length } = readFileSync(files[name])
  return new Int32Array(buffer, byteOffset, length / Int32Array.BYTES_PER_ELEMENT)
}

readKeys(files.keys, group.keys)
const { make } = await import(moduleOf(contender))
const subject = make({ limit: group.limit, burst: group.burst, periodMs: group.periodMs })

function expectAdmitted(what, admitted, expected) {
  if (admitted === null || admitted === expected) return // null: it decides nothing
  throw new Error(`${what}: ${admitted} checks were admitted, expected were ${expected}`)
}

const anyCached = group.phases.some(({ cached }) => cached)
if (anyCached) holdKeys(group.keys)
// Where strings come again, the limiter has kept the very ones that come, so that a Map knows them by identity.
useKeys(inOrder(group.keys), anyCached ? STRINGS.held : STRINGS.flat)
expectAdmitted("first checks", await subject.run(0, group.keys), group.keys)

let position = 0
async function runFor(ms) {
  const read = startStopwatch()
  let checks = 0
  let admitted = 0
  let time = read()
  do {
    const more = await subject.run(position, CHUNK)
    admitted = more === null ? null : admitted + more
    position += CHUNK
    checks += CHUNK
    time = read()
  } while (time.cpuMs < ms)
  return { checks, admitted, wallNs: (time.wallMs * 1e6) / checks, cpuNs: (time.cpuMs * 1e6) / checks }
}

const phases = {}
for (const { name, draws: drawn, cached } of group.phases) {
  useKeys(draws(drawn), cached ? STRINGS.held : STRINGS[fresh])
  await runFor(warmUpMs)
  const { checks, admitted, wallNs, cpuNs } = await runFor(measureMs)
  expectAdmitted(name, admitted, group.admits ? checks : 0)
  phases[name] = { wallNs, cpuNs }
}

if (subject.size !== undefined && subject.size() !== group.keys) {
  throw new Error(`it holds ${subject.size()} keys, expected were ${group.keys}`)
}
console.log(JSON.stringify({ phases }))
process.exit() // peers' timers may be pending
