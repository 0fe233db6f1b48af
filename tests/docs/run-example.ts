import { execFile } from "node:child_process"
import { mkdirSync, writeFileSync } from "node:fs"
import { basename, dirname, join } from "node:path"
import { promisify } from "node:util"
import { type Example, instrumented } from "./example.js"
import { answersOf } from "./run-worker.js"

export const root = join(import.meta.dirname, "..", "..")
const PROMISES = join(import.meta.dirname, "promises.ts")

/** What an example made of its promises. */
export interface Report {
  /** What does not hold, by `file:line`. */
  readonly failures: readonly string[]
  /** Promises that were looked at. */
  readonly kept: number
  /** Promises that the text makes. */
  readonly made: number
}

const execute = promisify(execFile)
const BIN = join(root, "node_modules", ".bin")
const COMMANDS = {
  node: [process.execPath],
  deno: [join(BIN, "deno"), "run", "--quiet", "--allow-read", "--allow-env"],
  bun: [join(BIN, "bun"), "run"],
} as const

/** Stands in for the servers of Deno and Bun: the handler is asked once, from 192.0.2.1, and what it answers shown. */
const SERVERS = `
let served = globalThis.Deno || globalThis.Bun ? undefined : true
const ask = (handler, info) => {
  served = Promise.resolve(handler(new Request("http://localhost/"), info)).then((response) => {
    if (!response.headers.has("RateLimit")) throw new Error("the handler told of no limit")
    return true
  })
}
if (globalThis.Deno) Deno.serve = (handler) => ask(handler, { remoteAddr: { hostname: "192.0.2.1" } })
if (globalThis.Bun) Bun.serve = ({ fetch }) => ask(fetch, { requestIP: () => ({ address: "192.0.2.1" }) })
`

/** Where the files of one example go: their names start with its own. */
function pathOf({ file, line, runtime }: Example, folder: string): string {
  return join(folder, runtime === "worker" ? "worker" : "node", `${file.replace(/\W/g, "-")}-${line}`)
}

/** Writes an example as it stands, to be type-checked: an error then names the line of the text. */
export function writeForTypes(example: Example, folder: string): void {
  const path = `${pathOf(example, folder)}.mts`
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, example.source)
}

/** Runs an example against the built package. @throws {Error} where it fails beside its promises */
export async function runExample(example: Example, folder: string): Promise<Report> {
  const { source, promises } = instrumented(example, PROMISES)
  const path = `${pathOf(example, folder)}.run.mts`
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, source)
  if (example.runtime === "worker") return reportOf(example, await answersOf(path, example.answers), promises)

  const entry = path.replace(/\.run\.mts$/, ".entry.mts")
  const main = `${SERVERS}
await import(${JSON.stringify(`./${basename(path)}`)})
if (!(await served)) throw new Error("nothing was served")
const { outcomes } = await import(${JSON.stringify(PROMISES)})
console.log("\\n" + JSON.stringify(outcomes))
process.exit()`
  writeFileSync(entry, `import process from "node:process"\n${main}`)
  const [command, ...flags] = COMMANDS[example.runtime]
  const { stdout } = await execute(command, [...flags, entry], { cwd: folder })
  return reportOf(example, JSON.parse(stdout.trimEnd().split("\n").at(-1)!), promises)
}

function reportOf(
  { file }: Example,
  outcomes: readonly { line: number; failure: string | null }[],
  made: number,
): Report {
  const failed = outcomes.filter(({ failure }) => failure !== null)
  return {
    failures: failed.map(({ line, failure }) => `${file}:${line}: ${failure}`),
    kept: new Set(outcomes.map(({ line }) => line)).size,
    made,
  }
}
