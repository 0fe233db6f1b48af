// Asks a store as fast as it can, and tells every admission on a line of its own before it goes on: its key and cost.
import { writeSync } from "node:fs"
import { openLimiter } from "sluice/embedded"

const { path, sync, callers, aheadUnits, flushEveryRecords, compactBytes, isBusy } = JSON.parse(process.argv[2])
const limiter = await openLimiter({
  path,
  sync,
  compactBytes,
  ...(aheadUnits === undefined ? {} : { aheadUnits }),
  ...(flushEveryRecords === undefined ? {} : { flushEveryRecords }),
  limits: { load: { limit: 2 ** 31, period: "520w", algorithm: "fixed_window" } },
})
process.send("ready")

// An event loop that always has something to do, so that commits are synced beside it.
function work() {
  setImmediate(work)
}
if (isBusy) work()

async function caller(number) {
  for (let turn = 0; ; turn++) {
    const cost = 1 + (turn % 3)
    const key = `key-${(number * 7 + turn) % 11}`
    writeSync(1, `? ${key} ${cost}\n`)
    const { allowed } = await limiter.check(key, { limit: "load", cost })
    if (allowed) writeSync(1, `! ${key} ${cost}\n`)
    if (turn % 16 === 0) await new Promise((resolve) => setImmediate(resolve))
  }
}
await Promise.all(Array.from({ length: callers }, (_, number) => caller(number)))
