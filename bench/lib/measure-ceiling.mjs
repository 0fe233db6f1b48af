import { once } from "node:events"
import { join } from "node:path"
import { start, stop } from "./children.mjs"
import { pinned } from "./cores.mjs"
import { generateLoad } from "./generate-load.mjs"

const BARE_SERVER = join(import.meta.dirname, "bare-server.mjs")
const WARM_UP_MS = 300

/**
 * How fast the load generator goes against a server that does next to nothing: at least that much, since that server
 * may be the slower of the two.
 *
 * @param {{ connections: number[], measureMs: number, cores: { server: string, load: string } | null }} plan
 * @returns {Promise<Record<number, number>>} requests/s by number of connections
 */
export async function measureCeiling({ connections, measureMs, cores }) {
  const server = start(pinned(cores?.server ?? null, [process.execPath, BARE_SERVER]), {
    stdio: ["ignore", "pipe", "inherit"],
  })
  try {
    const [line] = await once(server.stdout.setEncoding("utf8"), "data")
    const port = Number(line)
    const ceiling = {}
    for (const count of connections) {
      const plan = { port, paths: ["/"], connections: count, expectedStatus: 200, mode: "timed" }
      const result = await generateLoad({ ...plan, warmUpMs: WARM_UP_MS, measureMs }, cores?.load ?? null)
      ceiling[count] = result.requestsPerSecond
    }
    return ceiling
  } finally {
    await stop(server)
  }
}
