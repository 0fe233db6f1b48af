import { copyFileSync } from "node:fs"
import { basename, join } from "node:path"
import { build } from "esbuild"

const CONDITIONS = ["workerd", "worker", "browser"]

/**
 * Leaves imports of `.wasm` in place, since workerd compiles such modules itself, and names each file that is
 * imported. Package-internal names such as `#core` are resolved first: they may stand for one.
 */
function keepWasm(found) {
  return {
    name: "keep-wasm",
    setup(context) {
      context.onResolve({ filter: /\.wasm$|^#/ }, async ({ path, pluginData, ...rest }) => {
        if (pluginData === keepWasm) return undefined
        const resolved = await context.resolve(path, { ...rest, pluginData: keepWasm })
        if (resolved.errors.length > 0 || !resolved.path.endsWith(".wasm")) return resolved
        found.add(resolved.path)
        return { path: `./${basename(resolved.path)}`, external: true }
      })
    },
  }
}

/**
 * Bundles a Worker for workerd into `folder`.
 *
 * @param {string} source the Worker's entry
 * @param {string} folder
 * @returns {Promise<{ worker: string, wasm: string[] }>} file names within `folder`
 */
export async function bundle(source, folder) {
  const wasm = new Set()
  const worker = "worker.js"
  await build({
    entryPoints: [source],
    outfile: join(folder, worker),
    bundle: true,
    format: "esm",
    target: "es2024",
    conditions: CONDITIONS,
    external: ["cloudflare:*"],
    plugins: [keepWasm(wasm)],
    logLevel: "warning",
  })
  for (const path of wasm) copyFileSync(path, join(folder, basename(path)))
  return { worker, wasm: [...wasm].map((path) => basename(path)) }
}
