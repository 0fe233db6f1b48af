// The processes and folders that a benchmark made. Each is ended or removed by its own id or path, when it is done
// with, when the benchmark ends, and on Ctrl-C.
import { spawn } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { join } from "node:path"

const children = new Set()
const folders = new Set()

const removeFolder = (path) => rmSync(path, { recursive: true, force: true, maxRetries: 3 })

function cleanUp() {
  for (const child of children) child.kill("SIGKILL")
  for (const path of folders) removeFolder(path)
}

let watching = false
function watchForExit() {
  if (watching) return
  watching = true
  process.once("exit", cleanUp)
  for (const [signal, code] of Object.entries({ SIGINT: 130, SIGTERM: 143, SIGHUP: 129 })) {
    process.once(signal, () => process.exit(code))
  }
}

/**
 * Starts a process that ends with this one at the latest.
 *
 * @param {readonly string[]} command the program, then its arguments
 * @param {import("node:child_process").SpawnOptions} options
 */
export function start(command, options) {
  watchForExit()
  const [program, ...args] = command
  const child = spawn(program, args, options)
  children.add(child)
  child.once("exit", () => children.delete(child))
  child.once("error", () => children.delete(child))
  return child
}

/** Kills a child and resolves when it is gone. Nothing that it holds is wanted, so it gets no time to tidy up. */
export function stop(child) {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve()
  return new Promise((resolve) => {
    child.once("exit", resolve)
    child.kill("SIGKILL")
  })
}

/** Makes a new folder under `parent` that is removed with this process at the latest. */
export function makeFolder(parent) {
  watchForExit()
  const path = mkdtempSync(join(parent, "sluice-bench-"))
  folders.add(path)
  return path
}

/** Removes a folder of {@link makeFolder}, with all in it. */
export function dropFolder(path) {
  removeFolder(path)
  folders.delete(path)
}
