import { generateLoad } from "../lib/generate-load.mjs"
import { readRowsWritten, rowsBetween } from "./read-rows-written.mjs"
import { serve } from "./workerd.mjs"
import { CONNECTIONS, pathsOf } from "./workloads.mjs"

// A first touch creates three files and commits four times; more callers than this do not make it faster.
const TOUCH_CONNECTIONS = 32

/**
 * @typedef {object} Sample one contender in one cell of the table in one round
 * @property {number} round from 1
 * @property {string} workload
 * @property {number} connections
 * @property {string} contender
 * @property {import("../lib/load.mjs").LoadResult} load
 * @property {ReturnType<typeof rowsBetween> | null} rows warm-up included; `null` where the contender does not tell
 */

/**
 * Starts a contender anew, touches every key once, so that no object is made while it is measured, and measures it at
 * each number of connections.
 *
 * @returns {Promise<Sample[]>}
 */
export async function measure({ contender, config, workload, round, cores, parent }) {
  const server = await serve({ config, parent, cores: cores?.server ?? null })
  try {
    const { port } = server
    const { warmUpMs, measureMs } = workload
    const plan = { port, paths: pathsOf(workload), expectedStatus: contender.expectedStatus }
    const load = (more) => generateLoad({ ...plan, ...more }, cores?.load ?? null)
    // The first answer to a key may be another than those measured: that of a policy that then denies.
    await load({ mode: "once", connections: TOUCH_CONNECTIONS })

    const samples = []
    for (const connections of CONNECTIONS) {
      const before = contender.answersRows ? await readRowsWritten(port) : null
      const result = await load({ mode: "timed", connections, warmUpMs, measureMs })
      if (result.unexpected > 0) {
        throw new Error(`${result.unexpected} of ${result.answered} answers were not ${contender.expectedStatus}.`)
      }
      const rows = before === null ? null : rowsBetween(before, await readRowsWritten(port), result.answered)
      samples.push({ round, workload: workload.name, connections, contender: contender.name, load: result, rows })
    }
    return samples
  } catch (error) {
    const complaint = server.complaint()
    const where = `Cannot measure ${contender.name} on ${workload.label}: ${error.message}`
    throw new Error(complaint === "" ? where : `${where}\nworkerd said: ${complaint}`, { cause: error })
  } finally {
    await server.end()
  }
}
