import { join } from "node:path"
import { NODE } from "../engine/run-program.mjs"
import { start } from "../lib/children.mjs"

/**
 * Runs one program of programs/ in a process of its own and reads its answer.
 *
 * @param {string} program its name
 * @param {object} plan what it is to do
 * @returns {Promise<any>} the JSON that it printed
 */
export async function runProgram(program, plan) {
  const path = join(import.meta.dirname, "programs", `${program}.mjs`)
  const child = start([NODE, "--disable-warning=ExperimentalWarning", path, JSON.stringify(plan)], {
    stdio: ["ignore", "pipe", "inherit"],
  })
  let output = ""
  child.stdout.setEncoding("utf8").on("data", (text) => {
    output += text
  })
  const code = await new Promise((resolve, reject) => {
    child.once("error", reject)
    child.once("close", resolve)
  })
  if (code !== 0) throw new Error(`Cannot measure ${program} ${JSON.stringify(plan)}: it ended with ${code}.`)
  return JSON.parse(output)
}
