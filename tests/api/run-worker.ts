import { join } from "node:path"
import { startWorker } from "../start-worker.js"

/** As `wrangler.toml` binds them. */
const OBJECTS = { LIMITER: "LimiterObject", REGISTRY: "RegistryObject", EVENT_HUB: "EventHubObject" }

export interface RunningWorker {
  /** @param path or a whole URL, where the host matters */
  ask(path: string, init: { method: string; headers: Record<string, string>; body?: string }): Promise<Response>
  dispose(): Promise<void>
}

/** Runs the deployable Worker in workerd, bundled into `folder`, with the objects that `wrangler.toml` binds. */
export async function runWorker(folder: string, variables: Record<string, unknown>): Promise<RunningWorker> {
  const source = join(import.meta.dirname, "../../worker/index.ts")
  const miniflare = await startWorker(source, folder, { objects: OBJECTS, variables })
  return {
    ask: async (path, init) => {
      return (await miniflare.dispatchFetch(new URL(path, "http://localhost"), init)) as unknown as Response
    },
    dispose: () => miniflare.dispose(),
  }
}
