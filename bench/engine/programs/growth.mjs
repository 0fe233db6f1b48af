// Times every single check while one limiter grows from empty to many keys, each checked once.
import { performance, PerformanceObserver } from "node:perf_hooks"
import { setImmediate as nextTurn } from "node:timers/promises"
import { RateLimiter } from "../../../dist/src/index.js"
import { kept } from "../keep.mjs"
import { backs, FRONT_BITS, fronts } from "../key-text.mjs"

const FRONT_MASK = 2 ** FRONT_BITS - 1
// Checks between two looks at the thread's CPU time, which cost more than a check.
const BLOCK = 64
const TURN = 250_000
/** Slower checks than this are looked at one by one. */
const SLOW_MS = 0.25

const { keys, periodMs, checks } = JSON.parse(process.argv[2])

const collections = []
const observer = new PerformanceObserver((list) => {
  for (const { startTime, duration } of list.getEntries()) collections.push({ from: startTime, to: startTime + duration })
})
observer.observe({ entryTypes: ["gc"] })

const [first, second] = [fronts(), backs(keys)]
const limiter = new RateLimiter({ limit: 1000, period: periodMs }, { maxKeys: 2 ** 24 })
const check = checks ? (key) => limiter.check(key) : (key) => key
const cpuMs = () => {
  const { user, system } = process.threadCpuUsage()
  return (user + system) / 1000
}

const timesMs = new Float32Array(keys)
const slow = []

/** Checks the keys `from` … `to` − 1. */
function grow(from, to) {
  for (let block = from; block < to; block += BLOCK) {
    const cpuBefore = cpuMs()
    const slowBefore = slow.length
    for (let key = block; key < Math.min(block + BLOCK, to); key++) {
      const text = first[key & FRONT_MASK] + second[key >> FRONT_BITS]
      const start = performance.now()
      kept.answer = check(text)
      const end = performance.now()
      timesMs[key] = end - start
      if (end - start > SLOW_MS) slow.push({ key, from: start, to: end, blockCpuMs: 0 })
    }
    if (slow.length > slowBefore) {
      const blockCpuMs = cpuMs() - cpuBefore
      for (let index = slowBefore; index < slow.length; index++) slow[index].blockCpuMs = blockCpuMs
    }
  }
}

const start = performance.now()
for (let from = 0; from < keys; from += TURN) {
  grow(from, Math.min(from + TURN, keys))
  await nextTurn() // lets the observer hear of collections
}
const elapsedMs = performance.now() - start
await nextTurn()
observer.disconnect()
if (checks && limiter.size !== keys) throw new Error(`it holds ${limiter.size} keys, expected were ${keys}`)

/** How long collections ran within a check. */
const collectedMs = ({ from, to }) =>
  collections.reduce((sum, gc) => sum + Math.max(0, Math.min(to, gc.to) - Math.max(from, gc.from)), 0)

const worst = (read) => slow.reduce((most, one) => Math.max(most, read(one)), 0)
const wallMs = ({ from, to }) => to - from
const withoutGcMs = (one) => wallMs(one) - collectedMs(one)
/** Neither garbage collection nor time in which this thread did not run; at most the CPU time of the 64 checks around it. */
const ownMs = (one) => Math.max(0, Math.min(withoutGcMs(one), one.blockCpuMs - collectedMs(one)))

const sorted = timesMs.sort()
const over = (read, ms) => slow.filter((one) => read(one) > ms).length
console.log(
  JSON.stringify({
    elapsedMs,
    p50Ms: sorted[Math.floor(keys * 0.5)],
    p9999Ms: sorted[Math.floor(keys * 0.9999)],
    worstMs: sorted[keys - 1],
    worstWithoutGcMs: worst(withoutGcMs),
    worstOwnMs: worst(ownMs),
    over1Ms: over(wallMs, 1),
    over5Ms: over(wallMs, 5),
    ownOver1Ms: over(ownMs, 1),
    ownOver5Ms: over(ownMs, 5),
    slowest: slow
      .toSorted((a, b) => ownMs(b) - ownMs(a))
      .slice(0, 5)
      .map((one) => ({ key: one.key, wallMs: wallMs(one), gcMs: collectedMs(one), ownMs: ownMs(one) })),
  }),
)
