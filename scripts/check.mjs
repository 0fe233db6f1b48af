// Runs every check:* script of package.json but this one, each to its end, and lists what failed.
// `npm run check -- types size` runs only these.
import { spawnSync } from "node:child_process"
import { readFileSync } from "node:fs"
import { join } from "node:path"

const root = join(import.meta.dirname, "..")
const { scripts } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"))
const known = Object.keys(scripts)
  .filter((name) => name.startsWith("check:") && name !== "check:all")
  .map((name) => name.slice("check:".length))
const wanted = process.argv.length > 2 ? process.argv.slice(2) : known
const unknown = wanted.filter((name) => !known.includes(name))
if (unknown.length > 0) {
  console.error(`Cannot check ${unknown.join(", ")}: known are ${known.join(", ")}.`)
  process.exit(2)
}

function run(script) {
  const startMs = performance.now()
  const { status } = spawnSync(process.execPath, ["--run", script], { cwd: root, stdio: "inherit" })
  return { script, passed: status === 0, seconds: (performance.now() - startMs) / 1000 }
}

// Most checks read dist/, so a build comes first and counts as one.
const results = []
for (const script of ["build", ...wanted.map((name) => `check:${name}`)]) {
  console.log(`\n── ${script}`)
  results.push(run(script))
}

console.log("\n── summary")
for (const { script, passed, seconds } of results) {
  console.log(`${passed ? "ok    " : "FAILED"}  ${script.padEnd(20)} ${seconds.toFixed(1).padStart(6)} s`)
}
process.exit(results.every(({ passed }) => passed) ? 0 : 1)
