// Runs one benchmark by name: `npm run bench -- <name> [options]`. A benchmark is a folder bench/<name>/ whose
// index.mjs exports `title` and `run(args)`; adding the folder is all it takes to add one.
import { existsSync, readdirSync } from "node:fs"
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import { UsageError } from "./lib/options.mjs"

const DEFAULT_NAME = "edge"

const names = readdirSync(import.meta.dirname, { withFileTypes: true })
  .filter((entry) => entry.isDirectory() && existsSync(join(import.meta.dirname, entry.name, "index.mjs")))
  .map((entry) => entry.name)
  .sort()

const load = (name) => import(pathToFileURL(join(import.meta.dirname, name, "index.mjs")).href)

async function list() {
  console.log("Benchmarks (npm run bench -- <name> [options]; --help after a name tells its options):")
  for (const name of names) {
    const { title } = await load(name)
    console.log(`  ${name.padEnd(10)} ${title}${name === DEFAULT_NAME ? " (default)" : ""}`)
  }
  console.log("")
}

async function main([first, ...rest]) {
  const named = first !== undefined && !first.startsWith("-")
  if (!named) await list()
  if (first === "--help" || first === "-h" || first === "--list") return
  const name = named ? first : DEFAULT_NAME
  if (!names.includes(name)) {
    throw new UsageError(`Cannot run benchmark ${JSON.stringify(name)}: allowed is one of ${names.join(", ")}.`)
  }
  const benchmark = await load(name)
  await benchmark.run(named ? rest : first === undefined ? [] : [first, ...rest])
}

try {
  await main(process.argv.slice(2))
} catch (error) {
  console.error(error instanceof UsageError ? error.message : error)
  process.exitCode = error instanceof UsageError ? 2 : 1
}
