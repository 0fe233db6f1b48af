import { readFileSync } from "node:fs"
import { join } from "node:path"
import { Miniflare } from "miniflare"

type Bundle = (source: string, folder: string) => Promise<{ worker: string; wasm: string[] }>

const COMPATIBILITY_DATE = "2026-11-02"

export interface RunningWorker {
  /** @param path or a whole URL, where the host matters */
  ask(path: string, init: { method: string; headers: Record<string, string>; body?: string }): Promise<Response>
  dispose(): Promise<void>
}

/** Runs the deployable Worker in workerd, bundled into `folder`, with the objects that `wrangler.toml` binds. */
export async function runWorker(folder: string, variables: Record<string, unknown>): Promise<RunningWorker> {
  const { bundle } = (await import(new URL("../../bench/edge/bundle.mjs", import.meta.url).href)) as { bundle: Bundle }
  const { worker, wasm } = await bundle(join(import.meta.dirname, "../../worker/index.ts"), folder)
  const read = (name: string) => readFileSync(join(folder, name))
  const object = (exportName: string) => ({ type: "durable-object" as const, worker: "sluice", exportName })
  const sqlite = { type: "durable-object" as const, storage: "sqlite" as const }
  const miniflare = new Miniflare({
    workers: [
      {
        config: {
          name: "sluice",
          compatibilityDate: COMPATIBILITY_DATE,
          manifest: {
            mainModule: worker,
            modulesRoot: folder,
            modules: {
              [worker]: { type: "esm", contents: read(worker).toString() },
              ...Object.fromEntries(wasm.map((name) => [name, { type: "wasm" as const, contents: read(name) }])),
            },
          },
          env: {
            LIMITER: object("LimiterObject"),
            REGISTRY: object("RegistryObject"),
            EVENT_HUB: object("EventHubObject"),
            ...Object.fromEntries(Object.entries(variables).map(([name, value]) => [name, variable(value)])),
          },
          exports: { LimiterObject: sqlite, RegistryObject: sqlite, EventHubObject: sqlite },
        },
      },
    ],
  })
  await miniflare.ready
  return {
    ask: async (path, init) => {
      return (await miniflare.dispatchFetch(new URL(path, "http://localhost"), init)) as unknown as Response
    },
    dispose: () => miniflare.dispose(),
  }
}

function variable(value: unknown) {
  return typeof value === "string" ? { type: "text" as const, value } : { type: "json" as const, value: value as never }
}
