// Times every single check while one limiter grows from one key to many, each checked once.
import { constants, PerformanceObserver, performance } from "node:perf_hooks"
import { setImmediate as nextTurn } from "node:timers/promises"
import { kept } from "../keep.mjs"
import { backs, FRONT_BITS, fronts } from "../key-text.mjs"
import { RateLimiter } from "../sluice.mjs"

const FRONT_MASK = 2 ** FRONT_BITS - 1
// Checks between two looks at the CPU time, which cost more than a check.
const BLOCK = 64
const TURN = 250_000
/** Slower checks than this are looked at one by one. */
const SLOW_MS = 0.25
const SLOW_MOST = 100_000
const SLOW_FIELDS = 4

const { keys, policy, checks } = JSON.parse(process.argv[2])

const collections = []
let majorCollections = 0
const observer = new PerformanceObserver((list) => {
  for (const { startTime, duration, detail } of list.getEntries()) {
    collections.push({ from: startTime, to: startTime + duration })
    if (detail.kind === constants.NODE_PERFORMANCE_GC_MAJOR) majorCollections++
  }
})
observer.observe({ entryTypes: ["gc"] })

const [first, second] = [fronts(), backs(keys)]
const limiter = new RateLimiter(
  { limit: policy.limit, burst: policy.burst, period: policy.periodMs },
  { maxKeys: 2 ** 24 },
)
// The first check instantiates the core, which the start-up part tells.
limiter.check("first")
const check = checks ? (key) => limiter.check(key) : (key) => key
const cpuMs = () => {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1000
}

// Off the JavaScript heap, so that what is written down here gives the collector nothing to do.
const timesMs = new Float32Array(keys)
const slowTimes = new Float64Array(SLOW_MOST * SLOW_FIELDS)
let slowCount = 0

/** Checks the keys `from` … `to` − 1. */
function grow(from, to) {
  for (let block = from; block < to; block += BLOCK) {
    const cpuBefore = cpuMs()
    const slowBefore = slowCount
    for (let key = block; key < Math.min(block + BLOCK, to); key++) {
      const text = first[key & FRONT_MASK] + second[key >> FRONT_BITS]
      const start = performance.now()
      kept.answer = check(text)
      const end = performance.now()
      timesMs[key] = end - start
      if (end - start > SLOW_MS && slowCount < SLOW_MOST) {
        const at = slowCount++ * SLOW_FIELDS
        slowTimes[at] = key
        slowTimes[at + 1] = start
        slowTimes[at + 2] = end
      }
    }
    if (slowCount === slowBefore) continue
    const blockCpuMs = cpuMs() - cpuBefore
    for (let index = slowBefore; index < slowCount; index++) slowTimes[index * SLOW_FIELDS + 3] = blockCpuMs
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
const expectedSize = checks ? keys + 1 : 1
if (limiter.size !== expectedSize) throw new Error(`it holds ${limiter.size} keys, expected were ${expectedSize}`)

const slow = Array.from({ length: slowCount }, (_, index) => {
  const [key, from, to, blockCpuMs] = slowTimes.subarray(index * SLOW_FIELDS, (index + 1) * SLOW_FIELDS)
  return { key, from, to, blockCpuMs }
})

/** How long collections ran within a check. */
const collectedMs = ({ from, to }) =>
  collections.reduce((sum, gc) => sum + Math.max(0, Math.min(to, gc.to) - Math.max(from, gc.from)), 0)

const worst = (read) => slow.reduce((most, one) => Math.max(most, read(one)), 0)
const wallMs = ({ from, to }) => to - from
const withoutGcMs = (one) => wallMs(one) - collectedMs(one)
/** Neither garbage collection nor time off the processor: at most the CPU time of the 64 checks around it. */
const ownMs = (one) => Math.max(0, Math.min(withoutGcMs(one), one.blockCpuMs - collectedMs(one)))

const sorted = timesMs.sort()
const over = (read, ms) => slow.filter((one) => read(one) > ms).length
console.log(
  JSON.stringify({
    elapsedMs,
    majorCollections,
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
