// Has a store fill the disk of a folder, beside a file of 100 KB, by checks of ever new keys, and kills the process
// that did. Then it tells how many of the keys that were told admitted the store has lost, and whether it wants nothing
// but room; and once the file is gone, how many it has lost, whether replaying the log gives the live state, and how
// many checks fail.
import assert from "node:assert"
import { spawnSync } from "node:child_process"
import { closeSync, openSync, readFileSync, rmSync, writeFileSync, writeSync } from "node:fs"
import { join } from "node:path"
import process from "node:process"
import { openLimiter } from "sluice/embedded"

const [folder, sync, toldFile] = process.argv.slice(2)
const options = { path: join(folder, "data"), policy: "9/day", sync }
const filler = join(folder, "filler")
if (toldFile === undefined) {
  writeFileSync(filler, new Uint8Array(100_000))
  const told = `${folder}.told`
  const { stderr } = spawnSync(process.execPath, [process.argv[1], folder, sync, told], { encoding: "utf8" })
  process.stderr.write(stderr)
  const keys = readFileSync(told, "utf8").split("\n").slice(0, -1)
  rmSync(told)
  const full = await openLimiter(options)
  const wanted = { lost: await countLost(full, keys), isRoom: (await full.doctor()).problems.every(isOfRoom) }
  // A last record may need room too.
  await full.close().catch(({ message }) => assert(isOfRoom(message), message))
  rmSync(filler)
  const given = await openLimiter(options)
  const lost = await countLost(given, keys)
  const { replayEqualsLive } = await given.verify()
  let failures = 0
  for (let check = 0; check < 20; check++) {
    await given.check(`ada-${check}`).catch(() => {
      failures += 1
    })
  }
  await given.close()
  console.log(JSON.stringify({ full: wanted, given: { lost, replayEqualsLive, failures } }))
} else {
  await fill()
}

async function fill() {
  const told = openSync(toldFile, "w")
  const limiter = await openLimiter(options)
  // A flush tells of what was lost before too.
  for (let turn = 0, failures = 0; failures < 8; turn++) {
    const keys = Array.from({ length: 1 + ((turn * 7919) % 800) }, (_, key) => `${turn}-${key}`.padEnd(40, "k"))
    try {
      await Promise.all(keys.map((key) => limiter.check(key)))
      await limiter.flush()
      writeSync(told, keys.map((key) => `${key}\n`).join(""))
    } catch {
      failures += 1
    }
  }
  closeSync(told)
  process.kill(process.pid, "SIGKILL")
}

async function countLost(limiter, keys) {
  let lost = 0
  for (const key of keys) if ((await limiter.peek(key)).remaining === 9) lost += 1
  return lost
}

function isOfRoom(message) {
  return / needs \d+ bytes of room on the disk, where \d+ are free/.test(message)
}
