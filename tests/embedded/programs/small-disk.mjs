// Checks a hundred keys so many times, one after the other, on a store in a folder, and tells how many checks failed,
// and how many of the last thousand.
import { openLimiter } from "sluice/embedded"

const [path, checks] = process.argv.slice(2)
const limiter = await openLimiter({ path, policy: "1000000/hour" })
const failures = []
for (let check = 0; check < Number(checks); check++) {
  await limiter.check(`key-${check % 100}`).catch(() => failures.push(check))
}
const { ok } = await limiter.doctor()
await limiter.close()
const last = failures.filter((check) => check >= Number(checks) - 1_000)
console.log(JSON.stringify({ failures: failures.length, lastFailures: last.length, ok }))
