// Fills the disk of a store in a folder with a file until no check can be made durable, and tells what the doctor says
// of the store then: open, opened anew, and after the file is gone. The log ends with an empty segment, so that
// verifying it writes nothing.
import { appendFileSync, rmSync } from "node:fs"
import { openLimiter } from "sluice/embedded"

const [path, filler] = process.argv.slice(2)
const options = { path, policy: "9/day" }
const limiter = await openLimiter(options)
let checks = 0
for (let failures = 0; failures < 5; checks++) {
  const isMade = await limiter.check(`${checks}`.padStart(50)).then(
    () => true,
    () => false,
  )
  failures = isMade ? 0 : failures + 1
  if (checks < 100) continue
  await limiter.verify().catch(() => {})
  fill()
}
const told = []
const tell = ({ ok, problems }) => told.push({ ok, problems })
tell(await limiter.doctor())
tell(await limiter.doctor())
await limiter.close()
fill()
const anew = await openLimiter(options)
const before = await anew.verify()
tell(await anew.doctor())
rmSync(filler)
tell(await anew.doctor())
const { sequence, records, bytes } = await anew.verify()
const isSame = sequence === before.sequence && records === before.records && bytes === before.bytes
await anew.check("ada")
await anew.close()
console.log(JSON.stringify({ told, isSame }))

function fill() {
  for (let bytes = 65_536; bytes >= 1; ) {
    try {
      appendFileSync(filler, new Uint8Array(bytes))
    } catch {
      bytes = Math.floor(bytes / 2)
    }
  }
}
