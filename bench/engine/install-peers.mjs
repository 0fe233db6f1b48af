import { spawnSync } from "node:child_process"
import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { UsageError } from "../lib/options.mjs"

const BENCH = join(import.meta.dirname, "..")
const readJson = (path) => JSON.parse(readFileSync(path, "utf8"))

/** The version of a package that is installed for the benchmarks, or `null`. */
function installedVersion(name) {
  const path = join(BENCH, "node_modules", name, "package.json")
  return existsSync(path) ? readJson(path).version : null
}

/**
 * Installs the peers where they are not there in the versions that bench/package.json names.
 *
 * @returns {Record<string, string>} versions by package
 */
export function installPeers() {
  const wanted = Object.entries(readJson(join(BENCH, "package.json")).devDependencies)
  if (wanted.some(([name, version]) => installedVersion(name) !== version)) {
    console.error("Installing the peers into bench/node_modules")
    const args = ["ci", "--prefix", BENCH, "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel", "error"]
    // npm's answer goes where progress goes: standard output is the report's.
    const { status } = spawnSync("npm", args, { stdio: ["ignore", 2, 2] })
    if (status !== 0) throw new UsageError("Cannot install the peers: npm ci --prefix bench failed, see above.")
  }
  return Object.fromEntries(wanted.map(([name]) => [name, installedVersion(name)]))
}
