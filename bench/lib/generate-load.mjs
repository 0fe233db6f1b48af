import { join } from "node:path"
import { start } from "./children.mjs"
import { pinned } from "./cores.mjs"

const LOAD = join(import.meta.dirname, "load.mjs")

/**
 * Runs the load generator in a process of its own and resolves with what it measured.
 *
 * @param {import("./load.mjs").LoadPlan} plan
 * @param {string | null} cores where to pin it
 * @returns {Promise<import("./load.mjs").LoadResult>}
 * @throws {Error} with what the generator said, where it could not measure
 */
export function generateLoad(plan, cores) {
  const child = start(pinned(cores, [process.execPath, LOAD, JSON.stringify(plan)]), {
    stdio: ["ignore", "pipe", "pipe"],
  })
  let output = ""
  let complaint = ""
  child.stdout.setEncoding("utf8").on("data", (text) => {
    output += text
  })
  child.stderr.setEncoding("utf8").on("data", (text) => {
    complaint += text
  })
  return new Promise((resolve, reject) => {
    child.once("error", reject)
    child.once("close", (code) => {
      if (code === 0) resolve(JSON.parse(output))
      else reject(new Error(complaint.trim() || `The load generator ended with code ${code}.`))
    })
  })
}
