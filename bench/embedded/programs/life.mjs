// The times of one store's life, in a process of its own: `node life.mjs '{"folder": …, "records": …}'`.
import { rmSync } from "node:fs"
import { join } from "node:path"
import { performance } from "node:perf_hooks"
import { openLimiter } from "../../../dist/src/embedded/index.node.js"

const { folder, records, keys, definitions } = JSON.parse(process.argv[2])
const path = join(folder, `life-${process.pid}`)
const names = Array.from({ length: keys }, (_, index) => `user:${index}`)
const NEVER = 2 ** 31
const GROUP = 1_000

const timed = async (work) => {
  const start = performance.now()
  const result = await work()
  return { ms: performance.now() - start, result }
}

/** Opens a store that does not compact by itself, so that every record stays in the log. */
const open = () => openLimiter({ path, compactBytes: NEVER, historySegments: 0 })

let limiter = await openLimiter({ path, compactBytes: NEVER, policy: "1000000/second" })
for (let at = 0; at < records; at += GROUP) {
  const group = Math.min(GROUP, records - at)
  await Promise.all(Array.from({ length: group }, (_, index) => limiter.check(names[(at + index) % keys])))
}
const { bytes } = await limiter.doctor()
await limiter.close()

const opened = await timed(open)
limiter = opened.result
// Once more: the first one also compiles what it runs.
await limiter.close()
const again = await timed(open)
limiter = again.result
const compacted = await timed(() => limiter.compact())
await limiter.close()
rmSync(path, { recursive: true })

let definedMs = null
if (definitions > 0) {
  limiter = await openLimiter({ path })
  const work = () =>
    Promise.all(Array.from({ length: definitions }, (_, index) => limiter.define(`own:${index}`, "100/minute")))
  definedMs = (await timed(work)).ms
  await limiter.close()
  rmSync(path, { recursive: true })
}
console.log(
  JSON.stringify({
    bytesPerCheck: bytes / records,
    openFirstMs: opened.ms,
    openMs: again.ms,
    compactMs: compacted.ms,
    definedMs,
  }),
)
