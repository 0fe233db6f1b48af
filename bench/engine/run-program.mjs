import { existsSync } from "node:fs"
import { join } from "node:path"
import { start } from "../lib/children.mjs"
import { pinned } from "../lib/cores.mjs"

const OWN_NODE = join(import.meta.dirname, "..", "..", "node_modules", ".bin", "node")
/** The Node that every program runs in: the project's own where it is installed. */
export const NODE = existsSync(OWN_NODE) ? OWN_NODE : process.execPath

/**
 * Runs one program of programs/ in a process of its own and reads its answer.
 *
 * @param {string} program its name
 * @param {object} plan what it is to do
 * @param {{ core: string | null, build?: { index: string, wasm: string } | null, flags?: readonly string[] }} how the
 * core to run on, the build of sluice, and flags for Node
 * @returns {Promise<any>} the JSON that it printed
 */
export async function runProgram(program, plan, { core, build = null, flags = [] }) {
  const path = join(import.meta.dirname, "programs", `${program}.mjs`)
  const command = pinned(core, [NODE, ...flags, path, JSON.stringify(plan)])
  const env = build === null ? {} : { SLUICE_BENCH_INDEX: build.index, SLUICE_BENCH_WASM: build.wasm }
  const child = start(command, { stdio: ["ignore", "pipe", "pipe"], env: { ...process.env, ...env } })
  const output = { out: "", err: "" }
  child.stdout.setEncoding("utf8").on("data", (text) => (output.out += text))
  child.stderr.setEncoding("utf8").on("data", (text) => (output.err += text))
  const code = await new Promise((resolve, reject) => {
    child.once("error", reject)
    child.once("close", resolve)
  })
  if (code === 0) return JSON.parse(output.out)
  const subject = plan.contender === undefined ? program : `${program} of ${plan.contender}`
  throw new Error(`Cannot measure ${subject}: it ended with ${code}.\n${output.err.trim()}`)
}
