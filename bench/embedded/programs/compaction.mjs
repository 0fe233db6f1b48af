// The turns of a compaction, in a process of its own: `node compaction.mjs '{"folder": …, "keys": …}'`.
import { rmSync } from "node:fs"
import { join } from "node:path"
import { performance } from "node:perf_hooks"
import { openLimiter } from "../../../dist/src/embedded/index.node.js"

const { folder, keys } = JSON.parse(process.argv[2])
const path = join(folder, `compaction-${process.pid}`)
const NEVER = 2 ** 31
const GROUP = 1_000
const COMMITS = 200

const limiter = await openLimiter({ path, compactBytes: NEVER, policy: "100/day", historySegments: 0 })
for (let at = 0; at < keys; at += GROUP) {
  await Promise.all(Array.from({ length: GROUP }, (_, index) => limiter.check(`user:${at + index}`)))
}
const sorted = (times) => times.toSorted((a, b) => a - b)
const at = (times, share) => sorted(times)[Math.min(times.length - 1, Math.floor(times.length * share))]

const commitsMs = []
for (let index = 0; index < COMMITS; index++) {
  const start = performance.now()
  await limiter.check(`user:${index}`)
  commitsMs.push(performance.now() - start)
}

/** Times each turn of the event loop while `work` goes on, with a check under way all the time. */
async function turns(work) {
  const turnsMs = []
  const checksMs = []
  let isOver = false
  let last = performance.now()
  const tick = () => {
    const now = performance.now()
    turnsMs.push(now - last)
    last = now
    if (!isOver) setImmediate(tick)
  }
  setImmediate(tick)
  const over = work().finally(() => {
    isOver = true
  })
  for (let index = 0; !isOver; index++) {
    const start = performance.now()
    await limiter.check(`user:${(index * 7_919) % keys}`)
    checksMs.push(performance.now() - start)
  }
  await over
  return { turnsMs, checksMs }
}

// Once before: the first one also compiles what it runs.
await limiter.compact()
const start = performance.now()
const { turnsMs, checksMs } = await turns(() => limiter.compact())
const compactMs = performance.now() - start
await limiter.close()
rmSync(path, { recursive: true })
console.log(
  JSON.stringify({
    compactMs,
    turns: turnsMs.length,
    turnMs: at(turnsMs, 0.5),
    turn99Ms: at(turnsMs, 0.99),
    longestTurnMs: Math.max(...turnsMs),
    commitMs: at(commitsMs, 0.5),
    commit99Ms: at(commitsMs, 0.99),
    checkMs: at(checksMs, 0.5),
    longestCheckMs: Math.max(...checksMs),
  }),
)
