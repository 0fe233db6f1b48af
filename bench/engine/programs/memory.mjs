// What one contender's keys take: the memory of this process before and after, its garbage collected both times.
import { setTimeout as delay } from "node:timers/promises"
import { moduleOf } from "../contenders.mjs"
import { inOrder, readKeys, STRINGS, useKeys } from "../key-source.mjs"

const REHEARSAL_KEYS = 20_000
const SETTLE_ROUNDS = 6
const SETTLE_MS = 20

const { contender, keys, limit, periodMs, files } = JSON.parse(process.argv[2])

async function settledUsage() {
  for (let round = 0; round < SETTLE_ROUNDS; round++) {
    globalThis.gc()
    await delay(SETTLE_MS) // finalizers and freed pages take a turn
  }
  return process.memoryUsage()
}

readKeys(files.keys, keys)
useKeys(inOrder(keys), STRINGS.flat)
const { make } = await import(moduleOf(contender))
// Compiled code and first-use structures are not the keys'.
await make({ limit, periodMs }).run(0, REHEARSAL_KEYS)

const before = await settledUsage()
const subject = make({ limit, periodMs })
await subject.run(0, keys)
const after = await settledUsage()
if (subject.size !== undefined && subject.size() !== keys) {
  throw new Error(`it holds ${subject.size()} keys, expected were ${keys}`)
}
// Reading it here keeps it alive until here.
if ((await subject.run(0, 1)) === 0) throw new Error("the first key is denied at its second check")
console.log(
  JSON.stringify({
    heapBytesPerKey: (after.heapUsed - before.heapUsed) / keys,
    rssBytesPerKey: (after.rss - before.rss) / keys,
  }),
)
process.exit()
