// Installs the dependencies when node_modules is missing or is not what package-lock.json asks for.
// Runs before anything is installed, on any Node from 20 up: no dependency, no recent API.
import { spawnSync } from "node:child_process"
import { existsSync, readFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"

const root = join(dirname(fileURLToPath(import.meta.url)), "..")

/** The first way in which node_modules differs from the lock, or `null`. */
function difference() {
  const wanted = readPackages(join(root, "package-lock.json"))
  if (wanted === null) throw new Error("package-lock.json is missing or unreadable")
  const installed = readPackages(join(root, "node_modules", ".package-lock.json"))
  if (installed === null) return "node_modules is not installed"
  for (const [path, entry] of Object.entries(wanted)) {
    if (path === "") continue
    const found = installed[path]
    // What npm leaves out on this platform is optional, or belongs to something that is.
    if (found === undefined && (entry.optional || entry.devOptional)) continue
    if (found === undefined) return `${path} is not installed`
    if (found.version !== entry.version || found.integrity !== entry.integrity) {
      return `${path} is ${found.version}, the lock asks for ${entry.version}`
    }
  }
  for (const path of Object.keys(installed)) {
    if (wanted[path] === undefined) return `${path} is not in the lock`
    if (!existsSync(join(root, path, "package.json"))) return `${path} is empty`
  }
  return null
}

function readPackages(file) {
  try {
    return JSON.parse(readFileSync(file, "utf8")).packages
  } catch {
    return null
  }
}

const reason = difference()
if (reason !== null) {
  // On an old Node npm would warn of engines, but what follows runs on the one that it installs.
  console.log(`Installing: ${reason}.`)
  const { status } = spawnSync("npm", ["ci", "--loglevel=error"], {
    cwd: root,
    stdio: "inherit",
    shell: process.platform === "win32",
  })
  if (status !== 0) process.exit(status ?? 1)
}
