import { spawnSync } from "node:child_process"
import { readFileSync } from "node:fs"

/**
 * Reads `"0-2,5"`, the kernel's way to list cores, into `[0, 1, 2, 5]`. @public (the tests import it by a computed
 * path)
 */
export function parseCoreList(text) {
  return text
    .trim()
    .split(",")
    .flatMap((part) => {
      const [first, last = first] = part.split("-").map(Number)
      return Array.from({ length: last - first + 1 }, (_, index) => first + index)
    })
}

function allowedCores() {
  try {
    const list = /^Cpus_allowed_list:\s*(\S+)$/m.exec(readFileSync("/proc/self/status", "utf8"))
    return list === null ? [] : parseCoreList(list[1])
  } catch {
    return [] // no /proc: this system has no taskset either
  }
}

/**
 * Splits the cores that this process may use: the last one for the load generator, the others for what is measured.
 * `null` where processes cannot be pinned (no taskset, or one core only).
 */
export function splitCores() {
  const cores = allowedCores()
  if (cores.length < 2 || spawnSync("taskset", ["--version"]).status !== 0) return null
  return { server: cores.slice(0, -1).join(","), load: String(cores.at(-1)) }
}

/**
 * The command that runs `command` on `cores`, by exec, so that the child's id is the program's own.
 *
 * @param {string | null} cores the kernel's list form, or `null` for no pinning
 * @param {readonly string[]} command
 */
export function pinned(cores, command) {
  return cores === null ? command : ["taskset", "--cpu-list", cores, ...command]
}
