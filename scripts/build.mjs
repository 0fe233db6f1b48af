// Builds what is stale into dist/: the WebAssembly core with asc, then the TypeScript with tsc -b.
import { spawnSync } from "node:child_process"
import { createHash } from "node:crypto"
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { join, relative } from "node:path"
import { parseArgs } from "node:util"
import { buildSync, transformSync } from "esbuild"

const root = join(import.meta.dirname, "..")
const dist = join(root, "dist")
const wasm = join(dist, "core.wasm")
const stamp = join(dist, "core.wasm.sha256")
const vendor = join(dist, "vendor")
const compiler = join(root, "node_modules", "assemblyscript", "package.json")
const projects = ["src", "src/tsconfig.node.json", "src/tsconfig.workerd.json", "src/adapters", "worker"]

const { values: options } = parseArgs({ options: { clean: { type: "boolean", default: false } } })

function run(command, args) {
  const { status, error } = spawnSync(join(root, "node_modules", ".bin", command), args, {
    cwd: root,
    stdio: "inherit",
  })
  if (error) throw error
  return status === 0
}

function filesIn(folder) {
  if (!existsSync(folder)) return []
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
}

/** A digest of core.wasm and all that it is made of; times of files would miss a source that was put back. */
function wasmDigest() {
  const hash = createHash("sha256")
  for (const file of [wasm, ...filesIn(join(root, "assembly")).sort(), join(root, "asconfig.json"), compiler]) {
    hash
      .update(`${relative(root, file)}\0`)
      .update(readFileSync(file))
      .update("\0")
  }
  return hash.digest("hex")
}

function buildWasm() {
  if (!existsSync(wasm) || !existsSync(stamp) || readFileSync(stamp, "utf8") !== wasmDigest()) {
    rmSync(stamp, { force: true })
    // Renamed when it is whole, so that whoever runs beside this never sees a half of it, or none.
    if (!run("asc", ["--target", "release", "--outFile", join("dist", "core.next.wasm")])) return false
    renameSync(join(dist, "core.next.wasm"), wasm)
    writeFileSync(stamp, wasmDigest())
  }
  writeCoreText()
  return true
}

/** The core's bytes as a module, for runtimes whose bundlers take code alone. */
function writeCoreText() {
  const text = readFileSync(wasm).toString("base64")
  writeIfChanged(join(vendor, "core-text.js"), `export default ${JSON.stringify(text)}\n`)
  writeIfChanged(join(vendor, "core-text.d.ts"), "declare const text: string\nexport default text\n")
}

/** Bundles the TOML parser, its licence on top, so that the package needs no other. */
function buildVendor() {
  const license = readFileSync(join(root, "node_modules", "smol-toml", "LICENSE"), "utf8").trim()
  const { outputFiles } = buildSync({
    entryPoints: [join(root, "scripts", "vendor", "toml.mjs")],
    banner: { js: `/*! smol-toml\n${license}\n*/` },
    legalComments: "none",
    bundle: true,
    format: "esm",
    target: "es2022",
    write: false,
  })
  writeIfChanged(join(vendor, "toml.js"), outputFiles[0].text)
  writeIfChanged(join(vendor, "toml.d.ts"), readFileSync(join(root, "scripts", "vendor", "toml.d.ts"), "utf8"))
}

/** The package's version as a module: a Worker has no files to read it from. */
function buildVersion() {
  const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"))
  writeIfChanged(join(vendor, "version.js"), `export const version = ${JSON.stringify(version)}\n`)
  writeIfChanged(join(vendor, "version.d.ts"), "export declare const version: string\n")
}

/** Renamed when it is whole, and left alone where it is the same, for those who read it meanwhile. */
function writeIfChanged(file, text) {
  if (existsSync(file) && readFileSync(file, "utf8") === text) return
  writeFileSync(`${file}.next`, text)
  renameSync(`${file}.next`, file)
}

/** tsc -b never removes what it once emitted, and a leftover of a renamed file would be packed. */
function removeOrphans() {
  for (const room of ["src", "worker"]) {
    for (const output of filesIn(join(dist, room))) {
      const same = join(root, relative(dist, output))
      const source = same.replace(/\.(js|d\.ts)$/, ".ts")
      if (existsSync(source) || existsSync(same)) continue
      rmSync(output)
      // Without its build info a project is built anew, so nothing that is still wanted can be missing.
      for (const file of readdirSync(dist)) if (file.endsWith(".tsbuildinfo")) rmSync(join(dist, file))
    }
  }
}

/**
 * Modules of the dashboard that it has from where all others have it: what it has to know of policies, and of rates.
 */
const MODULES_OF_PAGES = {
  "policies.js": `
export { formatDuration } from "./src/policy/format-duration.ts"
export { formatPolicy } from "./src/policy/format-policy.ts"
export { formatSpan } from "./src/lib/format-span.ts"
export { withNameIfFits } from "./src/api/told-limit.ts"
export { parsePolicy } from "./src/policy/parse-policy.ts"
export { BURST_ALGORITHMS } from "./src/policy/parse-rule.ts"
export { reasonInSpans } from "./src/policy/reason-in-spans.ts"
export { RULE_NAME } from "./src/policy/rule-name.ts"
export { ALGORITHMS } from "./src/types/algorithm.ts"
`,
  "rates.js": `
export { RateMeter } from "./src/metrics/rate-meter.ts"
export { WORKER_STORAGE } from "./src/types/storage-report.ts"
`,
}

function bundled(contents) {
  const { outputFiles } = buildSync({
    stdin: { contents, resolveDir: root, loader: "ts" },
    bundle: true,
    minify: true,
    format: "esm",
    target: "es2022",
    write: false,
  })
  return outputFiles[0].text
}

/**
 * The dashboard as it is served: its own files as they are, beside them the chart library with its license, and the
 * modules that it shares with the library.
 */
function buildPages() {
  const source = join(root, "worker", "dashboard")
  const pages = join(dist, "pages")
  const folder = join(pages, "dashboard")
  const chart = join(root, "node_modules", "uplot")
  mkdirSync(folder, { recursive: true })
  const wanted = new Map(
    readdirSync(source)
      .filter((name) => name !== "_headers")
      .map((name) => [name, readFileSync(join(source, name), "utf8")]),
  )
  const { code } = transformSync(readFileSync(join(chart, "dist", "uPlot.esm.js"), "utf8"), {
    minify: true,
    legalComments: "inline",
    format: "esm",
  })
  for (const [name, contents] of Object.entries(MODULES_OF_PAGES)) wanted.set(name, bundled(contents))
  wanted.set("uplot.js", code)
  wanted.set("uplot.css", readFileSync(join(chart, "dist", "uPlot.min.css"), "utf8"))
  wanted.set("uplot.LICENSE.txt", readFileSync(join(chart, "LICENSE"), "utf8"))
  for (const name of readdirSync(folder)) if (!wanted.has(name)) rmSync(join(folder, name))
  for (const [name, text] of wanted) writeIfChanged(join(folder, name), text)
  writeIfChanged(join(pages, "_headers"), readFileSync(join(source, "_headers"), "utf8"))
}

if (options.clean) rmSync(dist, { recursive: true, force: true })
mkdirSync(vendor, { recursive: true })
const wasmBuilt = buildWasm()
buildPages()
buildVendor()
buildVersion()
removeOrphans()
// tsc runs even where asc failed: both reports are worth having.
const typesBuilt = run("tsc", ["--build", ...projects])
// What is written by hand tsc reads and leaves where it is.
const declarations = join("src", "engine", "core.wasm.d.ts")
writeIfChanged(join(dist, declarations), readFileSync(join(root, declarations), "utf8"))
if (typesBuilt) {
  const { configSchema } = await import(join(dist, "src", "config", "schema.js"))
  writeIfChanged(join(root, "sluice.schema.json"), `${JSON.stringify(configSchema(), null, 2)}\n`)
}
process.exit(wasmBuilt && typesBuilt ? 0 : 1)
