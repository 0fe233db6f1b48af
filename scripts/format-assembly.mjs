// Formats assembly/ as biome formats the rest. Biome does not parse AssemblyScript's decorators on functions, so they
// are comments while it looks. Without --write it only says what is not formatted.
import { spawnSync } from "node:child_process"
import { globSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"

const root = join(import.meta.dirname, "..")
const write = process.argv.includes("--write")
const MARK = "// @decorator "

const hide = (source) => source.replace(/^(\s*)(@\w+(?:\(.*\))?)$/gm, `$1${MARK}$2`)
const unhide = (source) => source.replaceAll(MARK, "")

function formatted(file, source) {
  const { status, stdout, stderr } = spawnSync(
    join(root, "node_modules", ".bin", "biome"),
    ["format", "--colors=off", `--stdin-file-path=scripts/stdin.ts`],
    { cwd: root, input: hide(source), encoding: "utf8" },
  )
  if (status !== 0) throw new Error(`biome cannot format ${file}:\n${stderr}`)
  return unhide(stdout)
}

let failed = false
for (const file of globSync("assembly/**/*.ts", { cwd: root }).sort()) {
  const source = readFileSync(join(root, file), "utf8")
  const wanted = formatted(file, source)
  if (wanted === source) continue
  if (write) {
    writeFileSync(join(root, file), wanted)
    console.log(`Formatted ${file}`)
  } else {
    console.error(`${file} is not formatted: run npm run format`)
    failed = true
  }
}
process.exit(failed ? 1 : 0)
