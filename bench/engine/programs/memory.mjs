// What one contender's keys take: the memory of this process before and after, its garbage collected both times.
import { setTimeout as delay } from "node:timers/promises"
import { moduleOf } from "../contenders.mjs"
import { inOrder, readKeys, STRINGS, useKeys } from "../key-source.mjs"

const REHEARSAL_CHECKS = 20_000
const SETTLE_ROUNDS = 6
const SETTLE_MS = 20

const { contender, keys, policy, files } = JSON.parse(process.argv[2])

async function settledUsage() {
  for (let round = 0; round < SETTLE_ROUNDS; round++) {
    // The kind that also hands back what the heap holds in reserve.
    globalThis.gc({ type: "major", execution: "sync", flavor: "last-resort" })
    await delay(SETTLE_MS) // finalizers and freed pages take a turn
  }
  return process.memoryUsage()
}

readKeys(files.keys, keys)
useKeys(inOrder(keys), STRINGS.flat)
const { make } = await import(moduleOf(contender))
// What compiled code and the making of as many strings leave behind is not the keys'.
await make(policy).run(0, REHEARSAL_CHECKS)
const { make: makeBaseline } = await import(moduleOf("build"))
makeBaseline().run(0, keys)

const before = await settledUsage()
const subject = make(policy)
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
