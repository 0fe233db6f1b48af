// What one dependent memory access costs: each load's address is what the load before it read.
import { startStopwatch } from "../stopwatch.mjs"

const BYTES = 64 * 2 ** 20
const LINE_WORDS = 16 // 64 bytes: one node a cache line
const NODES = BYTES / 4 / LINE_WORDS
const STEPS = 2 ** 21

/** One cycle through all nodes in random order: Sattolo's shuffle. */
function makeCycle() {
  const order = Int32Array.from({ length: NODES }, (_, index) => index)
  for (let index = NODES - 1; index > 0; index--) {
    const other = Math.floor(Math.random() * index)
    const moved = order[index]
    order[index] = order[other]
    order[other] = moved
  }
  const words = new Int32Array(BYTES / 4)
  for (let index = 0; index < NODES; index++) {
    words[order[index] * LINE_WORDS] = order[(index + 1) % NODES] * LINE_WORDS
  }
  return words
}

function chase(words, from, steps) {
  let at = from
  for (let step = 0; step < steps; step++) at = words[at]
  return at
}

const words = makeCycle()
const warm = chase(words, 0, STEPS / 4)
const read = startStopwatch()
const end = chase(words, warm, STEPS)
const { wallMs, cpuMs } = read()
console.log(JSON.stringify({ wallNs: (wallMs * 1e6) / STEPS, cpuNs: (cpuMs * 1e6) / STEPS, end }))
