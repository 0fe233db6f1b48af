// Opens a store on a disk of which little is free, then gives up what lets it look into the folder, and tells what came
// of checks, a compaction and the end after that.
import fs from "node:fs"

fs.statfsSync = () => ({ bavail: 30 * 2 ** 20, blocks: 30 * 2 ** 20, bsize: 1 })
const { openLimiter } = await import("sluice/embedded")

const [path] = process.argv.slice(2)
const limiter = await openLimiter({ path, policy: "9/day" })
await limiter.check("ada")
fs.chmodSync(path, 0o000)
// The superuser may look anywhere.
if (process.getuid() === 0) process.setuid(65_534)
const told = []
for (let check = 0; check < 4; check++) told.push((await limiter.check("ada")).remaining)
for (let key = 0; key < 2_000; key++) await limiter.check(`${key}`.padEnd(60))
await limiter.compact()
told.push((await limiter.check("ada")).remaining)
await limiter.close()
console.log(JSON.stringify(told))
