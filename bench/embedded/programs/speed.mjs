// Checks a second of one contender, in a process of its own: `node speed.mjs '{"contender": …, "callers": …}'`.
import { rmSync } from "node:fs"
import { join } from "node:path"
import { performance } from "node:perf_hooks"
import { CONTENDERS } from "../contenders.mjs"

const { contender, folder, callers, keys, warmUpMs, measureMs, redisPort } = JSON.parse(process.argv[2])
/** Every so many checks of a caller are timed, so that timing them costs little. */
const TIMED_EVERY = 16

const path = join(folder, `${contender}-${process.pid}`)
const { check, close } = await CONTENDERS[contender]({ path, redisPort })
const names = Array.from({ length: keys }, (_, index) => `user:${index}`)
const timesMs = []
let counts = false
let checks = 0
let ends = performance.now() + warmUpMs

async function caller(number) {
  let at = number * 7_919
  for (;;) {
    const start = performance.now()
    await check(names[at++ % keys])
    const end = performance.now()
    checks += 1
    if (counts) timesMs.push(end - start)
    if (end > ends) return
    for (let more = 1; more < TIMED_EVERY; more++) {
      await check(names[at++ % keys])
      checks += 1
    }
  }
}

const run = () => Promise.all(Array.from({ length: callers }, (_, number) => caller(number)))
await run()
counts = true
checks = 0
const start = performance.now()
ends = start + measureMs
await run()
const tookMs = performance.now() - start
await close()
rmSync(path, { recursive: true, force: true })
timesMs.sort((a, b) => a - b)
const at = (share) => timesMs[Math.max(0, Math.ceil(timesMs.length * share) - 1)]
console.log(JSON.stringify({ checksPerSecond: (checks / tookMs) * 1_000, p50Ms: at(0.5), p99Ms: at(0.99) }))
