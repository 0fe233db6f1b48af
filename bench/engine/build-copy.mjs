import { copyFileSync, cpSync, existsSync, mkdirSync } from "node:fs"
import { dirname, join } from "node:path"
import { pathToFileURL } from "node:url"
import { UsageError } from "../lib/options.mjs"

/**
 * Copies what is built, so that a run measures one build even where another is made meanwhile.
 *
 * @param {string} dist the folder that the build made, beside its package.json
 * @param {string} folder where the copy goes
 * @returns {{ index: string, wasm: string } | null} the address of the entry and of the module; `null` where nothing
 * is built
 */
export function copyBuild(dist, folder) {
  const parts = ["src", "vendor", "core.wasm"]
  if (!parts.every((part) => existsSync(join(dist, part)))) return null
  const own = join(folder, "sluice")
  mkdirSync(join(own, "dist"), { recursive: true })
  try {
    // The entry's imports are resolved by the package.json above it.
    copyFileSync(join(dirname(dist), "package.json"), join(own, "package.json"))
    for (const part of parts) cpSync(join(dist, part), join(own, "dist", part), { recursive: true })
  } catch (error) {
    throw new UsageError(`Cannot copy the build of ${dist}: ${error.message}`)
  }
  const address = (...path) => pathToFileURL(join(own, "dist", ...path)).href
  return { index: address("src", "index.js"), wasm: address("core.wasm") }
}
