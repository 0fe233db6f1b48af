// What an application ships for each entry: bundled, minified, gzipped, with the core where the entry needs it.
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { gzipSync } from "node:zlib"
import { build } from "esbuild"

const KIB = 1024
const root = join(import.meta.dirname, "..")
const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8"))

/** The most that an entry may be. `code` is what the application imports, `conditions` the runtime that it runs on. */
const ENTRIES = [
  { name: "sluice (browser)", code: 'export * from "sluice"', conditions: ["browser"], maxBytes: 33 * KIB },
  { name: "sluice (edge-light)", code: 'export * from "sluice"', conditions: ["edge-light"], maxBytes: 33 * KIB },
  { name: "sluice (workerd)", code: 'export * from "sluice"', conditions: ["workerd"], maxBytes: 33 * KIB },
  {
    name: "sluice: parsePolicy",
    code: 'export { parsePolicy } from "sluice"',
    conditions: ["workerd"],
    maxBytes: 5 * KIB,
  },
  {
    name: "sluice/algorithms",
    code: 'export * from "sluice/algorithms"',
    conditions: ["workerd"],
    maxBytes: 20.625 * KIB,
  },
  { name: "sluice/limits", code: 'export * from "sluice/limits"', conditions: ["workerd"], maxBytes: 25.875 * KIB },
  // With the core's text, which is 4 KiB more than the core.
  { name: "sluice/embedded", code: 'export * from "sluice/embedded"', conditions: ["node"], maxBytes: 62.125 * KIB },
  { name: "sluice/config", code: 'export * from "sluice/config"', conditions: ["workerd"], maxBytes: 48.5 * KIB },
  // Lists, several limits, penalties, delays, messages, a table of every option and the limiter in memory: more than
  // the core entry's 24 KiB.
  { name: "sluice/http", code: 'export * from "sluice/http"', conditions: ["workerd"], maxBytes: 38 * KIB },
  { name: "sluice/client", code: 'export * from "sluice/client"', conditions: ["workerd"], maxBytes: 14 * KIB },
  { name: "sluice/worker", code: 'export * from "sluice/worker"', conditions: ["workerd"], maxBytes: 74 * KIB },
]

/** The most KiB that an adapter may add to an application that has `sluice/http`, where that is less than 2.25. */
const ADAPTER_KIB = {
  "sluice/express": 1.75,
  "sluice/express-rate-limit": 1.625,
  "sluice/fastify": 1.75,
  "sluice/hono": 0.75,
  "sluice/hono-rate-limiter": 1.625,
  "sluice/itty-router": 0.25,
  "sluice/next": 0.5,
  "sluice/sveltekit": 0.5,
}

const ADAPTERS = Object.entries(manifest.exports)
  .filter(([, target]) => target.default?.includes("/src/adapters/"))
  .map(([entry]) => `sluice${entry.slice(1)}`)
  .sort()
  .map((entry) => ({
    name: `${entry} on top`,
    code: `export * from "${entry}"`,
    conditions: ["workerd"],
    maxBytes: (ADAPTER_KIB[entry] ?? 2.25) * KIB,
    isOnTop: true,
  }))

/** Leaves out what is not in `src/adapters/`: it is in the application already, and shared. */
const onTop = {
  name: "on-top",
  setup({ onResolve }) {
    onResolve({ filter: /^\.\.\// }, ({ path, importer }) => {
      return /[\\/]src[\\/]adapters[\\/]/.test(importer) ? { path, external: true, sideEffects: false } : undefined
    })
  },
}

const core = gzipSync(readFileSync(join(root, "dist", "core.wasm")), { level: 9 }).length

async function measure({ name, code, conditions, maxBytes, isOnTop = false }) {
  const { outputFiles, metafile } = await build({
    stdin: { contents: code, resolveDir: root },
    bundle: true,
    minify: true,
    write: false,
    metafile: true,
    format: "esm",
    target: "es2022",
    conditions,
    external: ["cloudflare:*", "node:*", "*.wasm", "*.wasm?module"],
    plugins: isOnTop ? [onTop] : [],
    logLevel: "warning",
  })
  const script = gzipSync(outputFiles[0].contents, { level: 9 }).length
  const [output] = Object.values(metafile.outputs)
  const foreign = Object.keys(output.inputs).filter((file) => file.includes("node_modules"))
  if (foreign.length > 0) throw new Error(`${name} holds code that is not ours: ${foreign.join(", ")}`)
  const holds = (path) => (output.inputs[path]?.bytesInOutput ?? 0) > 0
  // The module that loads the core: dropped from the bundle where nothing that was imported needs it. A script that has
  // the core's text has all of it.
  const beside = holds("dist/src/engine/core.js") && !holds("dist/vendor/core-text.js") ? core : 0
  return { name, script, core: beside, total: script + beside, maxBytes }
}

const sizes = await Promise.all([...ENTRIES, ...ADAPTERS].map(measure))
console.log(
  `${"gzipped bytes".padEnd(32)} ${"script".padStart(7)} ${"core".padStart(7)} ${"total".padStart(7)} ${"at most".padStart(8)}`,
)
for (const { name, script, core, total, maxBytes } of sizes) {
  const cells = [script, core, total].map((bytes) => String(bytes).padStart(7)).join(" ")
  console.log(`${name.padEnd(32)} ${cells} ${String(maxBytes).padStart(8)}${total > maxBytes ? "  TOO LARGE" : ""}`)
}
process.exit(sizes.every(({ total, maxBytes }) => total <= maxBytes) ? 0 : 1)
